//! What a source repository takes from a downstream one: a source commit for each downstream
//! commit, with its author, time and message.
//!
//! Only files that go downstream come back, to where they are from. What both ends changed is
//! merged line by line; a conflict refuses the whole. What is made from the source, such as
//! patches, cannot come back.

use super::update::Pair;
use super::{DownstreamError, Mapping};
use crate::git::GitError;
use crate::objects::{
    Change, Entry, Files, apply, changes, copy_blobs, list, read_blob, read_commit, write_blob,
    write_commit, write_tree,
};
use crate::specfile::Specfile;
use crate::trailers::{FROM_DOWNSTREAM, FROM_SOURCE, PACKAGE, values as trailer, with, without};

/// A downstream commit that a source commit brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// The downstream commit.
    pub downstream: String,
    /// The source commit.
    pub source: String,
    /// The first line of its message.
    pub subject: String,
    /// Whether it alters a file of the source.
    pub has_effect: bool,
}

/// What an update makes of the source repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Where the source branch goes; `None` if it stays.
    pub to: Option<String>,
    /// The commits, the oldest first.
    pub commits: Vec<Returned>,
}

impl Pair<'_> {
    /// The downstream commits that no source commit brings, the oldest first: those of
    /// `range`, or those since the pair. Commits that the source brought there are left out.
    pub fn pending(&self, range: Option<&str>) -> Result<Vec<String>, DownstreamError> {
        let range = match range {
            Some(range) if range.contains("..") => range.to_owned(),
            Some(one) => format!("{one}~..{one}"),
            None => match self.point()? {
                Some(point) => format!("{}..HEAD", point.downstream),
                None => return Ok(Vec::new()),
            },
        };
        let words = ["rev-list", "--first-parent", "--reverse", &range, "--"];
        let listed = self.downstream.text(&words)?;
        let mut pending = Vec::new();
        for commit in listed.lines() {
            let text = read_commit(self.downstream, commit)?;
            let packages = trailer(&text.message, PACKAGE);
            let is_sent = !trailer(&text.message, FROM_SOURCE).is_empty()
                && (packages.is_empty() || packages.contains(&self.package));
            if !is_sent {
                pending.push(commit.to_owned());
            }
        }
        Ok(pending)
    }

    /// Those of the pending downstream commits that alter a file of the source.
    pub fn behind(&self, head: &str) -> Result<Vec<String>, DownstreamError> {
        let pending = self.pending(None)?;
        if pending.is_empty() {
            return Ok(pending);
        }
        let source = list(self.source, head)?;
        let mapping = self.mapping(&source);
        let mut found = Vec::new();
        for (commit, change) in changes(self.downstream, &pending)? {
            let before = self.before(&commit)?;
            let origins = mapping.origins(&source, &before)?;
            for (path, _) in &change {
                let is_ours = origins.of(path)?.is_some();
                if is_ours || self.is_made(path) {
                    found.push(commit.clone());
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Makes the source commits that bring some downstream commits, on top of `head`.
    pub fn take(&self, commits: &[String], head: &str) -> Result<Plan, DownstreamError> {
        let prefix = self.source.text(&["rev-parse", "--show-prefix"])?;
        let top = crate::git::Git::new(std::path::Path::new(
            &self.source.text(&["rev-parse", "--show-toplevel"])?,
        ));
        let mut whole = list(&top, head)?;
        let mut files = list(self.source, head)?;
        let mut tip = head.to_owned();
        let mut returned = Vec::new();
        let changed: std::collections::BTreeMap<String, Vec<Change>> =
            changes(self.downstream, commits)?.into_iter().collect();
        for commit in commits {
            let none = Vec::new();
            let change = changed.get(commit).unwrap_or(&none);
            let taken = self.convert(commit, change, &files)?;
            apply(&mut files, &taken);
            let full: Vec<Change> = taken
                .iter()
                .map(|(path, entry)| (format!("{prefix}{path}"), entry.clone()))
                .collect();
            apply(&mut whole, &full);
            let text = read_commit(self.downstream, commit)?;
            let trailers = [(FROM_DOWNSTREAM, commit.as_str()), (PACKAGE, self.package)];
            let message = without(&text.message, &[FROM_SOURCE, FROM_DOWNSTREAM, PACKAGE]);
            let message = with(&message, &trailers);
            let tree = write_tree(&top, &whole)?;
            tip = write_commit(&top, &tree, &[&tip], Some(&text), &message)?;
            returned.push(Returned {
                downstream: commit.clone(),
                source: tip.clone(),
                subject: message.lines().next().unwrap_or_default().to_owned(),
                has_effect: !taken.is_empty(),
            });
        }
        Ok(Plan {
            to: (tip != head).then_some(tip),
            commits: returned,
        })
    }

    /// What a downstream commit changes in the source.
    fn convert(
        &self,
        commit: &str,
        change: &[Change],
        source: &Files,
    ) -> Result<Vec<Change>, DownstreamError> {
        let before = self.before(commit)?;
        let mapping = self.mapping(source);
        let origins = mapping.origins(source, &before)?;
        let mut taken = Vec::new();
        for (path, entry) in change {
            let origin = origins.of(path)?;
            let is_known = origin.as_ref().is_some_and(|it| source.contains_key(it));
            if !is_known && self.is_made(path) {
                return Err(DownstreamError::Made {
                    commit: commit.to_owned(),
                    path: path.clone(),
                });
            }
            let Some(origin) = origin else {
                continue;
            };
            let step = Step {
                commit,
                path,
                old: before.get(path),
                new: entry.as_ref(),
                origin: &origin,
                here: source.get(&origin),
            };
            let after = self.settle(&step, &mapping)?;
            if after.as_ref() != source.get(&origin) {
                taken.push((origin, after));
            }
        }
        Ok(taken)
    }

    /// What a source file is after a downstream change to what was made of it.
    fn settle(&self, step: &Step<'_>, mapping: &Mapping) -> Result<Option<Entry>, DownstreamError> {
        let conflict = || DownstreamError::Conflict {
            commit: step.commit.to_owned(),
            path: step.origin.to_owned(),
        };
        let Some(new) = step.new else {
            return match (step.here, step.old) {
                (Some(here), Some(old)) if here.id != old.id && !self.is_specfile(step.path) => {
                    Err(conflict())
                }
                _ => Ok(None),
            };
        };
        copy_blobs(self.downstream, self.source, [new.id.as_str()])?;
        let keeps_changelog = mapping.own_changelog() == Some(step.path);
        let Some((here, old)) = step.here.zip(step.old) else {
            return match step.here {
                Some(here) if here.id != new.id => Err(conflict()),
                Some(_) | None => Ok(Some(new.clone())),
            };
        };
        if here.id == old.id && !keeps_changelog {
            return Ok(Some(new.clone()));
        }
        if here.is_link() || old.is_link() || new.is_link() {
            return if here == new {
                Ok(Some(new.clone()))
            } else {
                Err(conflict())
            };
        }
        let base = read_blob(self.downstream, &old.id)?;
        let mut theirs = read_blob(self.downstream, &new.id)?;
        if keeps_changelog {
            let mut spec = Specfile::new(&String::from_utf8_lossy(&theirs));
            spec.take_changelog(&Specfile::new(&String::from_utf8_lossy(&base)));
            theirs = spec.text().into_bytes();
        }
        let ours = read_blob(self.source, &here.id)?;
        let merged = self.merge(&ours, &base, &theirs)?.ok_or_else(conflict)?;
        Ok(Some(Entry {
            mode: new.mode.clone(),
            id: write_blob(self.source, &merged)?,
        }))
    }

    /// The lines of three files as one; `None` where they do not go together.
    fn merge(&self, ours: &[u8], base: &[u8], theirs: &[u8]) -> Result<Option<Vec<u8>>, GitError> {
        if base == theirs {
            return Ok(Some(ours.to_vec()));
        }
        if ours == base {
            return Ok(Some(theirs.to_vec()));
        }
        let folder = tempfile::tempdir().map_err(GitError::Start)?;
        let write = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).map_err(GitError::Start)?;
            Ok::<_, GitError>(path.display().to_string())
        };
        let (ours, base, theirs) = (
            write("ours", ours)?,
            write("base", base)?,
            write("theirs", theirs)?,
        );
        let words = ["merge-file", "-p", "-q", &ours, &base, &theirs];
        match self.source.bytes(&words) {
            Ok(merged) => Ok(Some(merged)),
            Err(GitError::Failed { .. }) => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    fn before(&self, commit: &str) -> Result<Files, DownstreamError> {
        match self.downstream.commit(&format!("{commit}^")) {
            Ok(parent) => Ok(list(self.downstream, &parent)?),
            Err(_) => Ok(Files::new()),
        }
    }

    /// Whether a downstream file is made from the source: a patch, or the list of archives.
    fn is_made(&self, path: &str) -> bool {
        let is_patch = std::path::Path::new(path)
            .extension()
            .is_some_and(|it| it == "patch");
        (path == "sources" && self.values.specfile().is_some())
            || (is_patch && self.values.text("upstream_ref").is_some())
    }

    fn is_specfile(&self, path: &str) -> bool {
        path == format!("{}.spec", self.values.downstream_name())
    }
}

/// One file of a downstream change.
struct Step<'s> {
    commit: &'s str,
    path: &'s str,
    old: Option<&'s Entry>,
    new: Option<&'s Entry>,
    origin: &'s str,
    here: Option<&'s Entry>,
}

impl Pair<'_> {
    /// The source files as they are once they are what the downstream commit has: what Packit
    /// calls to sync from downstream. A file that downstream has not goes only where the
    /// mapping deletes.
    pub fn pulled(&self, commit: &str, source: &Files) -> Result<Files, DownstreamError> {
        let there = list(self.downstream, commit)?;
        let mapping = self.mapping(source);
        let origins = mapping.origins(source, &there)?;
        let mut after = source.clone();
        let mut copied = Vec::new();
        for (path, entry) in &there {
            let Some(origin) = origins.of(path)? else {
                continue;
            };
            if source.get(&origin) != Some(entry) {
                copied.push(entry.id.as_str());
                after.insert(origin, entry.clone());
            }
        }
        copy_blobs(self.downstream, self.source, copied)?;
        let mut scratch = there.clone();
        for (to, from) in mapping.send(source, &mut scratch)? {
            if !there.contains_key(&to) && mapping.deletes(&to) {
                after.remove(&from);
            }
        }
        Ok(after)
    }
}
