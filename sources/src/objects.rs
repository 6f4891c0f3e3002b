//! The objects of a repository as values: the files of a tree, blobs, commits.
//!
//! Nothing here looks at a checkout or moves a branch: trees and commits are made beside what
//! is there, and whoever asked decides when a branch may point at them. So a change is whole
//! or not at all, and no symlink can lead out of a tree.

use std::collections::{BTreeMap, BTreeSet};

use crate::git::{Git, GitError};

/// The mode of a symbolic link.
const LINK: &str = "120000";
/// The mode of a submodule.
const SUBMODULE: &str = "160000";

/// One file of a tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Git's mode: `100644`, `100755`, `120000`.
    pub mode: String,
    /// The object with its content.
    pub id: String,
}

impl Entry {
    /// Whether it is a symbolic link.
    pub fn is_link(&self) -> bool {
        self.mode == LINK
    }

    /// Whether it is a submodule, which has no content here.
    pub fn is_submodule(&self) -> bool {
        self.mode == SUBMODULE
    }
}

/// The files of a tree by their path.
pub type Files = BTreeMap<String, Entry>;

/// The files that `revision` has, from the folder that git runs in.
pub fn list(git: &Git, revision: &str) -> Result<Files, GitError> {
    let items = git.items(&["ls-tree", "-r", "-z", revision])?;
    Ok(items.iter().filter_map(|it| entry(it)).collect())
}

/// `100644 blob <id>\t<path>`.
fn entry(item: &str) -> Option<(String, Entry)> {
    let (head, path) = item.split_once('\t')?;
    let mut words = head.split(' ');
    let mode = words.next()?.to_owned();
    let id = words.nth(1)?.to_owned();
    Some((path.to_owned(), Entry { mode, id }))
}

/// Writes a tree of these files; its id.
pub fn write_tree(git: &Git, files: &Files) -> Result<String, GitError> {
    let folder = tempfile::tempdir().map_err(GitError::Start)?;
    let git = git
        .clone()
        .with("GIT_INDEX_FILE", folder.path().join("index"));
    let mut lines = Vec::new();
    for (path, entry) in files {
        lines.extend_from_slice(format!("{} {}\t{path}\0", entry.mode, entry.id).as_bytes());
    }
    // Without a line, git would wait for none and write no index: the empty tree is its own.
    if lines.is_empty() {
        git.run(&["read-tree", "--empty"])?;
    } else {
        git.feed(&["update-index", "-z", "--index-info"], &lines)?;
    }
    git.text(&["write-tree"])
}

/// The content of a blob.
pub fn read_blob(git: &Git, id: &str) -> Result<Vec<u8>, GitError> {
    git.bytes(&["cat-file", "blob", id])
}

/// Writes a blob; its id.
pub fn write_blob(git: &Git, content: &[u8]) -> Result<String, GitError> {
    // An empty input would be no input at all, and git would read ours.
    if content.is_empty() {
        return git.text(&["hash-object", "-w", "-t", "blob", "/dev/null"]);
    }
    let id = git.feed(&["hash-object", "-w", "--stdin"], content)?;
    Ok(String::from_utf8_lossy(&id).trim().to_owned())
}

/// Gives `to` the blobs that `from` has.
pub fn copy_blobs<'i>(
    from: &Git,
    to: &Git,
    ids: impl IntoIterator<Item = &'i str>,
) -> Result<(), GitError> {
    let ids: BTreeSet<&str> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(());
    }
    let list = ids.into_iter().collect::<Vec<_>>().join("\n") + "\n";
    let pack = from.feed(&["pack-objects", "--stdout", "-q"], list.as_bytes())?;
    to.feed(&["unpack-objects", "-q"], &pack).map(|_| ())
}

/// Who made a commit, when, and what they said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitText {
    /// The author's name.
    pub name: String,
    /// The author's address.
    pub email: String,
    /// When, as git reads it back: seconds since 1970 and the time zone.
    pub date: String,
    /// The whole message.
    pub message: String,
}

/// What a commit says.
pub fn read_commit(git: &Git, commit: &str) -> Result<CommitText, GitError> {
    let format = "--format=%an%x00%ae%x00%ad%x00%B";
    let said = git.text(&["show", "--no-patch", "--date=raw", format, commit])?;
    let mut parts = said.splitn(4, '\0').map(str::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    Ok(CommitText {
        name: next(),
        email: next(),
        date: next(),
        message: next(),
    })
}

/// Makes a commit of a tree; its id. Its committer is who runs git; its author too, unless
/// one is given.
pub fn write_commit(
    git: &Git,
    tree: &str,
    parents: &[&str],
    author: Option<&CommitText>,
    message: &str,
) -> Result<String, GitError> {
    let mut git = git.clone();
    if let Some(author) = author {
        // A name or address that is empty would stop git; it is no reason to lose a commit.
        let or = |text: &str, other: &str| {
            if text.trim().is_empty() {
                other.to_owned()
            } else {
                text.to_owned()
            }
        };
        git = git
            .with("GIT_AUTHOR_NAME", or(&author.name, "unknown"))
            .with("GIT_AUTHOR_EMAIL", or(&author.email, "unknown"))
            .with("GIT_AUTHOR_DATE", &author.date);
    }
    let mut words = vec!["commit-tree", tree];
    for parent in parents {
        words.extend(["-p", parent]);
    }
    let id = git.feed(&words, format!("{}\n", message.trim_end()).as_bytes())?;
    Ok(String::from_utf8_lossy(&id).trim().to_owned())
}

/// A changed file: what it is after the change, or `None` if it is gone.
pub type Change = (String, Option<Entry>);

/// What each of some commits changes against its first parent, from the folder that git runs
/// in; commits that change nothing there are left out. In the order given.
pub fn changes(git: &Git, commits: &[String]) -> Result<Vec<(String, Vec<Change>)>, GitError> {
    if commits.is_empty() {
        return Ok(Vec::new());
    }
    let input = commits.join("\n") + "\n";
    let words = [
        "diff-tree",
        "--stdin",
        "-r",
        "-m",
        "--diff-merges=first-parent",
        "--root",
        "--raw",
        "--no-renames",
        "--no-abbrev",
        "--relative",
        "-z",
    ];
    let said = git.feed(&words, input.as_bytes())?;
    let said = String::from_utf8(said).map_err(|_| GitError::NoText("diff-tree".to_owned()))?;
    let mut all: Vec<(String, Vec<Change>)> = Vec::new();
    let mut items = said.split('\0').filter(|it| !it.is_empty());
    while let Some(item) = items.next() {
        let Some(raw) = item.strip_prefix(':') else {
            all.push((item.trim().to_owned(), Vec::new()));
            continue;
        };
        let Some((path, (_, changed))) = items.next().zip(all.last_mut()) else {
            break;
        };
        let mut words = raw.split(' ').skip(1);
        let mode = words.next().unwrap_or_default().to_owned();
        let id = words.nth(1).unwrap_or_default().to_owned();
        let is_gone = words.next().is_some_and(|it| it.starts_with('D'));
        changed.push((path.to_owned(), (!is_gone).then_some(Entry { mode, id })));
    }
    Ok(all)
}

/// Puts a change into some files.
pub fn apply(files: &mut Files, change: &[Change]) {
    for (path, entry) in change {
        match entry {
            Some(entry) => {
                files.insert(path.clone(), entry.clone());
            }
            None => {
                files.remove(path);
            }
        }
    }
}

/// Whether some files have something in this folder; the root is always there.
pub fn has_folder(files: &Files, folder: &str) -> bool {
    if folder.is_empty() {
        return true;
    }
    let inside = format!("{folder}/");
    let next = files.range(inside.clone()..).next();
    next.is_some_and(|(path, _)| path.starts_with(&inside))
}
