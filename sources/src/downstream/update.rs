//! What an update of a downstream repository brings: a downstream commit for each source
//! commit that alters the package.
//!
//! Commits along the first parents count, so that the downstream tree is at each of them
//! what the source tree says; a merge is one step. The newest source commit is always
//! named by the last downstream commit, even where it alters nothing.

use std::collections::BTreeMap;

use super::point::{SyncPoint, sync_point};
use super::{DownstreamError, Mapping, specfile};
use crate::config::Effective;
use crate::git::Git;
use crate::objects::{
    CommitText, Files, apply, changes, copy_blobs, list, read_blob, read_commit, write_blob,
    write_commit, write_tree,
};
use crate::patches::{Patch, make_patches};
use crate::specfile::Specfile;
use crate::trailers::{FROM_DOWNSTREAM, FROM_SOURCE, PACKAGE, values as trailer, with, without};

/// A package and the two repositories that have it.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'p> {
    /// The package's key.
    pub package: &'p str,
    /// Its values.
    pub values: &'p Effective,
    /// The source repository, at the configuration's root.
    pub source: &'p Git,
    /// The downstream repository.
    pub downstream: &'p Git,
    /// Whether the source repository has no other package.
    pub is_only: bool,
    /// What goes along with a specfile, as Packit has it.
    pub config_file: Option<&'p str>,
}

/// How commits are made downstream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// One commit with this message instead of one for each source commit.
    pub message: Option<String>,
    /// One commit, its message made from the source commits.
    pub is_squashed: bool,
}

/// A source commit that a downstream commit brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// The source commit.
    pub source: String,
    /// The downstream commit.
    pub downstream: String,
    /// The first line of its message.
    pub subject: String,
    /// Whether it alters a file.
    pub has_effect: bool,
}

/// What an update makes of a downstream repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Where the downstream branch goes; `None` if it stays.
    pub to: Option<String>,
    /// The commits, the oldest first.
    pub commits: Vec<Carried>,
}

impl Pair<'_> {
    /// Where the two agree.
    pub fn point(&self) -> Result<Option<SyncPoint>, DownstreamError> {
        sync_point(self.source, self.downstream, self.package, self.is_only)
    }

    /// The mapping as a source tree has it.
    pub fn mapping(&self, source: &Files) -> Mapping {
        Mapping::of(self.package, self.values, source, self.config_file)
    }

    /// Which source commits alter the package and were not sent downstream, without writing
    /// anything but objects.
    pub fn ahead(&self, head: &str) -> Result<Vec<String>, DownstreamError> {
        match self.point()? {
            Some(point) => self.unsent(point.sent.as_deref().unwrap_or(&point.source), head),
            None => Ok(Vec::new()),
        }
    }

    /// The commits between two that alter the package and did not come from downstream.
    fn unsent(&self, since: &str, head: &str) -> Result<Vec<String>, DownstreamError> {
        let steps = Steps::since(self, since, head)?;
        let mut work = Work::at(self, Files::new());
        work.settle(steps.base(), &steps.files, false)?;
        let mut found = Vec::new();
        let mut files = steps.files.clone();
        for (commit, change) in &steps.commits {
            apply(&mut files, change);
            if self.concerns(&files, change)
                && work.settle(commit, &files, false)?
                && !self.is_returned(commit)?
            {
                found.push(commit.clone());
            }
        }
        Ok(found)
    }

    /// Whether a source commit was not sent before downstream commits came back over it. Such
    /// a commit cannot be replayed alone: at it, the source had not what came back.
    fn has_early(&self, point: &SyncPoint) -> Result<bool, DownstreamError> {
        match &point.sent {
            Some(sent) => Ok(!self.unsent(sent, &point.source)?.is_empty()),
            None => Ok(false),
        }
    }

    /// Whether a change may have a part in what goes downstream, so that the rest is not
    /// looked at.
    fn concerns(&self, source: &Files, change: &[crate::objects::Change]) -> bool {
        let mapping = self.mapping(source);
        let paths = match self.values.text("upstream_ref") {
            Some(_) => self.values.clean_paths(),
            None => Vec::new(),
        };
        change.iter().any(|(path, _)| {
            mapping.concerns(path)
                || is_named(path, "spec")
                || paths.iter().any(|it| crate::paths::is_in(path, it))
        })
    }

    fn is_returned(&self, commit: &str) -> Result<bool, DownstreamError> {
        let text = read_commit(self.source, commit)?;
        let is_ours = trailer(&text.message, PACKAGE).contains(&self.package);
        Ok(is_ours && !trailer(&text.message, FROM_DOWNSTREAM).is_empty())
    }

    /// Makes the commits that bring the downstream branch from `tip` to the source's `head`.
    pub fn plan(
        &self,
        head: &str,
        tip: Option<&str>,
        wish: &Wish,
    ) -> Result<Planned, DownstreamError> {
        let point = self.point()?;
        let has_early = match &point {
            Some(point) => self.has_early(point)?,
            None => false,
        };
        if point.as_ref().is_some_and(|it| it.source == head) && !has_early {
            return Ok(Planned {
                to: None,
                commits: Vec::new(),
            });
        }
        let before = match tip {
            Some(tip) => list(self.downstream, tip)?,
            None => Files::new(),
        };
        let mut work = Work::at(self, before);
        if let Some(point) = &point {
            work.remember(&list(self.source, &point.source)?)?;
        }
        let mut line = Line {
            pair: self,
            tip: tip.map(str::to_owned),
            commits: Vec::new(),
        };
        let is_whole = wish.is_squashed || wish.message.is_some() || has_early;
        match point {
            Some(point) if !is_whole => {
                let steps = Steps::since(self, &point.source, head)?;
                let mut files = steps.files.clone();
                for (commit, change) in &steps.commits {
                    apply(&mut files, change);
                    if self.concerns(&files, change) && work.settle(commit, &files, true)? {
                        line.carry(&work, commit)?;
                    }
                }
                if line.commits.last().is_none_or(|it| it.source != head) {
                    line.record(&work, head)?;
                }
            }
            point => {
                let files = list(self.source, head)?;
                let has_effect = work.settle(head, &files, true)?;
                if !has_effect && point.is_none() && work.files.is_empty() {
                    return Err(DownstreamError::Nothing(self.package.to_owned()));
                }
                let since = point.map(|it| it.sent.unwrap_or(it.source));
                line.whole(&work, head, since.as_deref(), has_effect, wish)?;
            }
        }
        Ok(Planned {
            to: line.tip.filter(|it| Some(it.as_str()) != tip),
            commits: line.commits,
        })
    }

    /// What the downstream tree is once it has the source commit, over what is there now.
    pub fn tree(&self, commit: &str, before: Files) -> Result<Files, DownstreamError> {
        let mut work = Work::at(self, before);
        if let Some(point) = self.point()? {
            work.remember(&list(self.source, &point.source)?)?;
        }
        let files = list(self.source, commit)?;
        work.settle(commit, &files, true)?;
        Ok(work.files)
    }
}

/// The source commits to carry, with what each changes.
struct Steps {
    base: String,
    files: Files,
    commits: Vec<(String, Vec<crate::objects::Change>)>,
}

impl Steps {
    fn since(pair: &Pair<'_>, point: &str, head: &str) -> Result<Self, DownstreamError> {
        let range = format!("{point}..{head}");
        let listed = pair
            .source
            .text(&["rev-list", "--first-parent", "--reverse", &range])?;
        let commits: Vec<String> = listed.lines().map(str::to_owned).collect();
        let parent = |it: &String| pair.source.commit(&format!("{it}^")).ok();
        let base = commits.first().and_then(parent);
        let base = base.unwrap_or_else(|| point.to_owned());
        Ok(Self {
            files: list(pair.source, &base)?,
            commits: changes(pair.source, &commits)?,
            base,
        })
    }

    fn base(&self) -> &str {
        &self.base
    }
}

/// The downstream tree as it grows.
struct Work<'p> {
    pair: &'p Pair<'p>,
    files: Files,
    /// What the source had last, where that is the package's paths.
    sent: Vec<String>,
    /// Specfiles that were made, by what they were made from.
    made: BTreeMap<(String, String), String>,
}

impl<'p> Work<'p> {
    fn at(pair: &'p Pair<'p>, files: Files) -> Self {
        Self {
            pair,
            files,
            sent: Vec::new(),
            made: BTreeMap::new(),
        }
    }

    /// Remembers what the source had, so that what it takes away can be told from what
    /// downstream alone has.
    fn remember(&mut self, source: &Files) -> Result<(), DownstreamError> {
        let mapping = self.pair.mapping(source);
        if mapping.is_of_paths() {
            let sent = mapping.send(source, &mut Files::new())?;
            self.sent = sent.into_iter().map(|(to, _)| to).collect();
        }
        Ok(())
    }

    /// Brings the tree to what the source has at `commit`; whether that altered it.
    /// `writes` is false where objects are only compared.
    fn settle(
        &mut self,
        commit: &str,
        source: &Files,
        writes: bool,
    ) -> Result<bool, DownstreamError> {
        let pair = self.pair;
        let mut after = self.files.clone();
        let mapping = pair.mapping(source);
        let sent = mapping.send(source, &mut after)?;
        if mapping.is_of_paths() {
            let now: Vec<String> = sent.iter().map(|(to, _)| to.clone()).collect();
            let kept: std::collections::BTreeSet<&String> = now.iter().collect();
            after.retain(|path, _| kept.contains(path) || !self.sent.contains(path));
            self.sent = now;
        }
        if writes {
            let new = sent
                .iter()
                .filter(|(to, from)| self.files.get(to) != Some(&source[from]))
                .map(|(_, from)| source[from].id.as_str());
            copy_blobs(pair.source, pair.downstream, new)?;
        }
        let patches = make_patches(pair.source, commit, pair.values)?;
        self.finish_specfile(source, &mut after, &patches)?;
        self.place_patches(source, &mut after, &patches)?;
        let is_altered = after != self.files;
        self.files = after;
        Ok(is_altered)
    }

    /// The specfile keeps its own changelog where that is wanted, and names the patches.
    fn finish_specfile(
        &mut self,
        source: &Files,
        after: &mut Files,
        patches: &[Patch],
    ) -> Result<(), DownstreamError> {
        let pair = self.pair;
        let name = format!("{}.spec", pair.values.downstream_name());
        let Some(path) = specfile(pair.values, source) else {
            return Ok(());
        };
        let Some(entry) = after.get(&name).cloned() else {
            return Ok(());
        };
        let before = self.files.get(&name).cloned();
        // What downstream has is sent by another file, or not sent at all.
        if entry.id != source[&path].id {
            return Ok(());
        }
        let key = (
            entry.id.clone(),
            format!("{:?} {patches:?}", before.as_ref().map(|it| &it.id)),
        );
        if let Some(id) = self.made.get(&key) {
            after.insert(
                name,
                crate::objects::Entry {
                    id: id.clone(),
                    ..entry
                },
            );
            return Ok(());
        }
        let text = String::from_utf8_lossy(&read_blob(pair.source, &entry.id)?).into_owned();
        let mut spec = Specfile::new(&text);
        if !pair.values.is_true("sync_changelog")
            && let Some(before) = &before
        {
            let own = read_blob(pair.downstream, &before.id)?;
            spec.take_changelog(&Specfile::new(&String::from_utf8_lossy(&own)));
        }
        crate::patches::add_to_specfile(&mut spec, patches, pair.values)?;
        let id = write_blob(pair.downstream, spec.text().as_bytes())?;
        self.made.insert(key, id.clone());
        after.insert(name, crate::objects::Entry { id, ..entry });
        Ok(())
    }

    /// The patches that are made lie beside the specfile, and those no longer made go.
    fn place_patches(
        &self,
        source: &Files,
        after: &mut Files,
        patches: &[Patch],
    ) -> Result<(), DownstreamError> {
        let pair = self.pair;
        if pair.values.text("upstream_ref").is_none() {
            return Ok(());
        }
        let sent: Vec<String> = {
            let mut scratch = Files::new();
            let sent = pair.mapping(source).send(source, &mut scratch)?;
            sent.into_iter().map(|(to, _)| to).collect()
        };
        after.retain(|path, _| {
            let is_patch = !path.contains('/') && is_named(path, "patch");
            !is_patch || sent.contains(path) || patches.iter().any(|it| it.name == *path)
        });
        for patch in patches {
            let before = self.files.get(&patch.name);
            if let Some(before) = before {
                let old = read_blob(pair.downstream, &before.id)?;
                // A patch that differs in its head alone is the same patch.
                if patch.is_same(&old) {
                    after.insert(patch.name.clone(), before.clone());
                    continue;
                }
            }
            let entry = crate::objects::Entry {
                mode: "100644".to_owned(),
                id: write_blob(pair.downstream, &patch.content)?,
            };
            after.insert(patch.name.clone(), entry);
        }
        Ok(())
    }
}

/// The downstream commits as they are made.
struct Line<'p> {
    pair: &'p Pair<'p>,
    tip: Option<String>,
    commits: Vec<Carried>,
}

impl Line<'_> {
    /// A source commit with its author, time and message.
    fn carry(&mut self, work: &Work<'_>, commit: &str) -> Result<(), DownstreamError> {
        let text = read_commit(self.pair.source, commit)?;
        self.commit(work, commit, Some(&text), &text.message, true)
    }

    /// A source commit that alters nothing, so that the pair is its.
    fn record(&mut self, work: &Work<'_>, commit: &str) -> Result<(), DownstreamError> {
        let text = read_commit(self.pair.source, commit)?;
        self.commit(work, commit, Some(&text), &text.message, false)
    }

    /// One commit for all.
    fn whole(
        &mut self,
        work: &Work<'_>,
        head: &str,
        since: Option<&str>,
        has_effect: bool,
        wish: &Wish,
    ) -> Result<(), DownstreamError> {
        let message = match (&wish.message, since) {
            (Some(message), _) => message.clone(),
            (None, None) => format!("Import {} from {}", self.pair.package, short(head)),
            (None, Some(since)) => {
                let range = format!("{since}..{head}");
                let list = self.pair.source.text(&[
                    "log",
                    "--first-parent",
                    "--reverse",
                    "--format=- %s (%an)",
                    &range,
                ])?;
                format!("Update {} to {}\n\n{list}", self.pair.package, short(head))
            }
        };
        self.commit(work, head, None, &message, has_effect)
    }

    fn commit(
        &mut self,
        work: &Work<'_>,
        source: &str,
        author: Option<&CommitText>,
        message: &str,
        has_effect: bool,
    ) -> Result<(), DownstreamError> {
        let git = self.pair.downstream;
        let trailers = [(FROM_SOURCE, source), (PACKAGE, self.pair.package)];
        let message = with(
            &without(message, &[FROM_SOURCE, FROM_DOWNSTREAM, PACKAGE]),
            &trailers,
        );
        let tree = write_tree(git, &work.files)?;
        let parents: Vec<&str> = self.tip.as_deref().into_iter().collect();
        let id = write_commit(git, &tree, &parents, author, &message)?;
        self.commits.push(Carried {
            source: source.to_owned(),
            downstream: id.clone(),
            subject: message.lines().next().unwrap_or_default().to_owned(),
            has_effect,
        });
        self.tip = Some(id);
        Ok(())
    }
}

/// Whether a file's name ends so.
fn is_named(path: &str, extension: &str) -> bool {
    let found = std::path::Path::new(path).extension();
    found.is_some_and(|it| it == extension)
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}
