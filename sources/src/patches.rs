//! Patches of a package, made from the commits on top of its upstream.
//!
//! `git format-patch` from `upstream_ref`, limited to the package's paths and rooted as its
//! archive is, without what goes downstream by itself (`files_to_sync`) and what
//! `patch_generation_ignore_paths` names. Packit's trailers say what a patch is called, which
//! number it has, and whether there is one at all.

use std::fs;

use crate::config::Effective;
use crate::git::{Git, GitError};
use crate::objects::{CommitText, read_commit};
use crate::specfile::Specfile;

/// Why patches are not made.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// Git refused.
    #[error(transparent)]
    Git(#[from] GitError),
    /// Git's files cannot be read.
    #[error("cannot read the patches of git")]
    Io(#[from] std::io::Error),
    /// Two patches that do not follow each other have one name.
    #[error("patches that do not follow each other have one name: `{0}`")]
    Name(String),
    /// A name is a path.
    #[error("`{0}` is no name for a patch")]
    Path(String),
    /// A number is taken.
    #[error(
        "the patch `{name}` asks for the number {number}, which a patch has that comes before it"
    )]
    Number {
        /// The patch.
        name: String,
        /// The number.
        number: u64,
    },
}

/// A patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Its file's name.
    pub name: String,
    /// Its number in the specfile, where it asks for one.
    pub number: Option<u64>,
    /// What the specfile says above it.
    pub comment: String,
    /// Whether the specfile has it already.
    pub is_in_specfile: bool,
    /// Its content.
    pub content: Vec<u8>,
}

impl Patch {
    /// Whether another content is the same change: all but what names the commit and the
    /// version of git.
    pub fn is_same(&self, other: &[u8]) -> bool {
        let lines = |content: &[u8]| -> Vec<Vec<u8>> {
            let is_noise = |it: &&[u8]| {
                it.starts_with(b"From ") || it.starts_with(b"index ") || it.starts_with(b"2.")
            };
            let lines = content.split(|it| *it == b'\n');
            lines
                .filter(|it| !is_noise(it))
                .map(<[u8]>::to_vec)
                .collect()
        };
        lines(&self.content) == lines(other)
    }
}

/// The patches of a package at a commit; none without an `upstream_ref`.
pub fn make_patches(git: &Git, commit: &str, values: &Effective) -> Result<Vec<Patch>, PatchError> {
    let Some(upstream) = values.text("upstream_ref").filter(|it| !it.is_empty()) else {
        return Ok(Vec::new());
    };
    let base = upstream_commit(git, upstream)?;
    let range = format!("{base}..{commit}");
    let scope = Scope::of(git, values)?;
    let made = if is_contained(git, &base, &range)? {
        format_patches(git, &range, &scope)?
    } else {
        linear_patches(git, &range, &scope)?
    };
    let has_trailers = made
        .iter()
        .any(|(_, text, _)| !Trailers::read(&text.message).is_empty());
    let mut patches: Vec<Patch> = Vec::new();
    for (name, text, content) in made {
        let trailers = Trailers::read(&text.message);
        if trailers.is_ignored {
            continue;
        }
        let patch = patch(name, &text, content, trailers, has_trailers)?;
        if let Some(last) = patches.last_mut().filter(|it| it.name == patch.name) {
            last.content.extend(patch.content);
        } else if patches.iter().any(|it| it.name == patch.name) {
            return Err(PatchError::Name(patch.name));
        } else {
            patches.push(patch);
        }
    }
    Ok(patches)
}

/// The commit of an `upstream_ref`: a revision, or a branch of `origin`.
pub fn upstream_commit(git: &Git, upstream: &str) -> Result<String, GitError> {
    git.commit(upstream).or_else(|problem| {
        git.commit(&format!("origin/{upstream}"))
            .map_err(|_| problem)
    })
}

/// Names the patches in a specfile.
pub fn add_to_specfile(
    spec: &mut Specfile,
    patches: &[Patch],
    values: &Effective,
) -> Result<(), PatchError> {
    let digits = values.value("patch_generation_patch_id_digits").as_u64();
    let digits = usize::try_from(digits.unwrap_or(4)).unwrap_or(4);
    for patch in patches.iter().filter(|it| !it.is_in_specfile) {
        if !spec.add_patch(&patch.name, patch.number, &patch.comment, digits) {
            return Err(PatchError::Number {
                name: patch.name.clone(),
                number: patch.number.unwrap_or_default(),
            });
        }
    }
    Ok(())
}

/// Which files count, and from where their names count.
struct Scope {
    /// The folder that is the root of the package's archive.
    root: Option<String>,
    pathspecs: Vec<String>,
}

impl Scope {
    fn of(git: &Git, values: &Effective) -> Result<Self, GitError> {
        let paths = values.clean_paths();
        let prefix = git.text(&["rev-parse", "--show-prefix"])?;
        let root = match paths.as_slice() {
            [path] if !path.is_empty() => Some(format!("{prefix}{path}")),
            _ => Some(prefix.trim_end_matches('/').to_owned()).filter(|it| !it.is_empty()),
        };
        let mut pathspecs: Vec<String> = paths
            .iter()
            .map(|it| {
                if it.is_empty() {
                    ".".to_owned()
                } else {
                    format!(":(literal){it}")
                }
            })
            .collect();
        let synced = values.files_to_sync();
        let synced = synced.iter().flat_map(|it| it.sources.iter());
        let ignored = values.texts("patch_generation_ignore_paths");
        let left_out = ignored
            .into_iter()
            .map(str::to_owned)
            .chain(synced.cloned());
        for path in left_out {
            let path = crate::paths::clean(&path);
            if !path.is_empty() {
                pathspecs.push(format!(":(exclude,glob){path}"));
                pathspecs.push(format!(":(exclude,glob){path}/**"));
            }
        }
        Ok(Self { root, pathspecs })
    }

    fn words(&self, mut words: Vec<String>) -> Vec<String> {
        words.extend(self.root.iter().map(|it| format!("--relative={it}")));
        words.push("--".to_owned());
        words.extend(self.pathspecs.iter().cloned());
        words
    }
}

/// A patch as git makes it: its file's name, its commit, its content.
type Made = (String, CommitText, Vec<u8>);

fn format_patches(git: &Git, range: &str, scope: &Scope) -> Result<Vec<Made>, PatchError> {
    let folder = tempfile::tempdir()?;
    let words = scope.words(vec![
        "format-patch".to_owned(),
        "--quiet".to_owned(),
        "--no-signature".to_owned(),
        "--output-directory".to_owned(),
        folder.path().display().to_string(),
        range.to_owned(),
    ]);
    git.run(&words)?;
    let mut files: Vec<_> = fs::read_dir(folder.path())?.collect::<Result<_, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    let mut made = Vec::new();
    for file in files {
        let content = fs::read(file.path())?;
        let text = read_commit(git, &commit_of(&content))?;
        made.push((
            file.file_name().to_string_lossy().into_owned(),
            text,
            content,
        ));
    }
    Ok(made)
}

/// Where merges bring in what began before the upstream, patches of single commits would not
/// apply; those along the first parents always do.
fn linear_patches(git: &Git, range: &str, scope: &Scope) -> Result<Vec<Made>, PatchError> {
    let mut words = vec![
        "log".to_owned(),
        "--first-parent".to_owned(),
        "--reverse".to_owned(),
        "--format=%H".to_owned(),
        range.to_owned(),
        "--".to_owned(),
    ];
    words.extend(scope.pathspecs.iter().cloned());
    let mut made = Vec::new();
    for commit in git.text(&words)?.lines() {
        let show = scope.words(vec![
            "show".to_owned(),
            "--diff-merges=first-parent".to_owned(),
            "--format=email".to_owned(),
            "--stat".to_owned(),
            "--patch".to_owned(),
            commit.to_owned(),
        ]);
        let content = git.bytes(&show)?;
        let name = git.text(&["show", "--no-patch", "--format=%f", commit])?;
        let number = made.len() + 1;
        let name: String = format!("{number:04}-{name}").chars().take(60).collect();
        made.push((format!("{name}.patch"), read_commit(git, commit)?, content));
    }
    Ok(made)
}

/// Whether every commit on top of the upstream begins there.
fn is_contained(git: &Git, base: &str, range: &str) -> Result<bool, GitError> {
    let listed = git.text(&["rev-list", "--parents", range])?;
    let own: std::collections::BTreeSet<&str> = listed
        .lines()
        .filter_map(|it| it.split(' ').next())
        .collect();
    let parents = listed.lines().flat_map(|it| it.split(' ').skip(1));
    Ok(parents.into_iter().all(|it| it == base || own.contains(it)))
}

/// `From <commit> Mon Sep 17 00:00:00 2001`.
fn commit_of(patch: &[u8]) -> String {
    let commit = patch.split(|it| *it == b' ').nth(1).unwrap_or_default();
    String::from_utf8_lossy(commit).into_owned()
}

fn patch(
    name: String,
    text: &CommitText,
    content: Vec<u8>,
    trailers: Trailers,
    has_trailers: bool,
) -> Result<Patch, PatchError> {
    let name = trailers.name.unwrap_or(name);
    if name.is_empty() || name.contains('/') || name.starts_with('.') {
        return Err(PatchError::Path(name));
    }
    let subject = text.message.lines().next().unwrap_or_default();
    let comment = match trailers.status {
        Some(status) => status,
        None if has_trailers => trailers.rest,
        None => format!("{subject}\nAuthor: {} <{}>", text.name, text.email),
    };
    let content = if trailers.has_no_prefix {
        without_prefixes(&content)
    } else {
        content
    };
    Ok(Patch {
        name,
        number: trailers.number,
        comment: comment.trim().to_owned(),
        is_in_specfile: trailers.is_in_specfile,
        content,
    })
}

/// A patch without `a/` and `b/`.
fn without_prefixes(patch: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(patch.len());
    for line in patch.split_inclusive(|it| *it == b'\n') {
        let stripped = if line.starts_with(b"diff --git a/") {
            let text = String::from_utf8_lossy(line);
            let text = text.replacen(" a/", " ", 1);
            Some(text.replacen(" b/", " ", 1).into_bytes())
        } else {
            [(&b"--- a/"[..], &b"--- "[..]), (b"+++ b/", b"+++ ")]
                .iter()
                .find_map(|(from, to)| Some([to, line.strip_prefix(*from)?].concat()))
        };
        out.extend(stripped.unwrap_or_else(|| line.to_vec()));
    }
    out
}

/// What a message says about its patch.
#[derive(Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a trailer of its own, and none depends on another"
)]
struct Trailers {
    name: Option<String>,
    number: Option<u64>,
    status: Option<String>,
    is_in_specfile: bool,
    is_ignored: bool,
    has_no_prefix: bool,
    is_there: bool,
    /// The message without any trailers.
    rest: String,
}

impl Trailers {
    fn is_empty(&self) -> bool {
        !self.is_there
    }

    fn read(message: &str) -> Self {
        let mut found = Self::default();
        let body = message.trim_end();
        let (text, block) = body.rsplit_once("\n\n").unwrap_or((body, ""));
        let is_block = block.lines().next().is_some_and(|line| {
            line.split_once(':').is_some_and(|(name, _)| {
                !name.is_empty()
                    && name
                        .chars()
                        .all(|it| it.is_ascii_alphanumeric() || it == '-')
            })
        });
        if !is_block {
            body.clone_into(&mut found.rest);
            return found;
        }
        text.clone_into(&mut found.rest);
        let mut lines = block.lines().peekable();
        while let Some(line) = lines.next() {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let mut value = value.trim().to_owned();
            let mut more = Vec::new();
            while let Some(next) = lines.next_if(|it| it.starts_with([' ', '\t'])) {
                more.push(next.trim());
            }
            if value == "|" {
                value = more.join("\n");
            } else if !more.is_empty() {
                value = format!("{value} {}", more.join(" "));
            }
            found.take(name, value);
        }
        found
    }

    fn take(&mut self, name: &str, value: String) {
        let is_true = matches!(value.as_str(), "true" | "True" | "yes" | "on");
        match name {
            "Patch-name" => self.name = Some(value),
            "Patch-id" => self.number = value.parse().ok(),
            "Patch-status" => self.status = Some(value),
            "Patch-present-in-specfile" => self.is_in_specfile = is_true,
            "Ignore-patch" => self.is_ignored = is_true,
            "No-prefix" => self.has_no_prefix = is_true,
            _ => return,
        }
        self.is_there = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_say_what_a_patch_is() {
        let found = Trailers::read(
            "subject\n\nbody\n\nPatch-name: a.patch\nPatch-id: 12\nPatch-status: |\n    # one\n    # two\nIgnore-patch: true\nSigned-off-by: A",
        );
        assert_eq!(found.name.as_deref(), Some("a.patch"));
        assert_eq!(found.number, Some(12));
        assert_eq!(found.status.as_deref(), Some("# one\n# two"));
        assert!(found.is_ignored && !found.has_no_prefix);
        assert_eq!(found.rest, "subject\n\nbody");
        assert!(Trailers::read("Patch-name: subject").is_empty());
        assert!(Trailers::read("s\n\nSigned-off-by: A").is_empty());
    }

    #[test]
    fn prefixes_go_from_the_heads_of_a_patch_alone() {
        let patch = b"diff --git a/x b/x\n--- a/x\n+++ b/x\n-see a/x\n+see b/x\n";
        let expected = b"diff --git x x\n--- x\n+++ x\n-see a/x\n+see b/x\n";
        assert_eq!(without_prefixes(patch), expected);
    }
}
