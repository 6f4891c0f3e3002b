//! Three trees become changes and conflicts.
//!
//! **Base** is the old template with the old answers, **theirs** the new template with the
//! new ones, **ours** what stands in the workspace. What only one side changed is taken
//! from it; what both changed is merged line by line, and lines that both changed are left
//! with conflict markers. What people removed stays removed, and what cannot be merged is
//! put beside as `<path>.new`. Pure: nothing is read or written.

use std::collections::{BTreeMap, BTreeSet};

use diffy::{ConflictStyle, IncompleteHunkStyle, MergeOptions};
use serde::Serialize;

use super::similar::renames;
use super::tree::{Node, Tree};

/// Length of a conflict marker, as everywhere.
const MARKER_CHARS: usize = 7;
/// Largest file that is merged line by line, in bytes.
const MERGED_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What a file is called that stands beside the one that it could not be merged into.
const BESIDE: &str = ".new";

/// What the two sides of a conflict are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// After `<<<<<<<`.
    pub ours: String,
    /// After `>>>>>>>`.
    pub theirs: String,
}

/// What happens to one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "action")]
pub enum FileAction {
    /// It is new.
    Add,
    /// Only the template changed it.
    Update,
    /// Both changed it, and both changes are in.
    Merge,
    /// The template has it no more, and nobody had changed it.
    Remove,
    /// The template calls it otherwise now.
    Rename {
        /// What it was called.
        from: String,
    },
    /// It was removed here, and stays removed although the template changed it.
    Skip,
}

/// What happens to one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// The file.
    pub path: String,
    /// What happens to it.
    #[serde(flatten)]
    pub action: FileAction,
}

/// Why a file needs somebody to look at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum ConflictKind {
    /// Both changed the same lines: they are marked in the file.
    Marked,
    /// Both changed it and it cannot be merged: the template's stands beside.
    Beside {
        /// The template's.
        new: String,
    },
    /// The template has it no more, but it was changed here: it stays.
    Removed,
}

/// A file that needs somebody to look at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// The file.
    pub path: String,
    /// Why.
    #[serde(flatten)]
    pub kind: ConflictKind,
}

/// What a merge comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merged {
    /// What is to be written; `None` where something goes.
    pub writes: BTreeMap<String, Option<Node>>,
    /// The same for people.
    pub files: Vec<FileChange>,
    /// What needs somebody to look at it.
    pub conflicts: Vec<Conflict>,
}

/// Merges. `ours` has at least every path of `base` and `theirs` that stands in the
/// workspace; further files in it are only looked at as new names of files of `base`.
pub fn merge(base: &Tree, ours: &Tree, theirs: &Tree, labels: &Labels) -> Merged {
    let mut merge = Merge {
        ours,
        labels,
        merged: Merged::default(),
    };
    let moved = moved_by_template(base, ours, theirs);
    let moved_here = moved_here(base, ours, theirs);
    let arrived: BTreeSet<&str> = moved.values().copied().collect();
    for (old, new) in &moved {
        merge.follow(old, new, &base[*old], &theirs[*new]);
    }
    let paths: BTreeSet<&String> = base.keys().chain(theirs.keys()).collect();
    for path in paths {
        if moved.contains_key(path.as_str()) || arrived.contains(path.as_str()) {
            continue;
        }
        match (base.get(path), theirs.get(path)) {
            (Some(before), Some(after)) if before == after => {}
            (before, Some(after)) => match moved_here.get(path.as_str()) {
                Some(here) => merge.change(here, before, after),
                None => merge.change(path, before, after),
            },
            (Some(before), None) => merge.remove(path, before),
            (None, None) => {}
        }
    }
    merge.merged.files.sort_by(|a, b| a.path.cmp(&b.path));
    merge.merged.conflicts.sort_by(|a, b| a.path.cmp(&b.path));
    merge.merged
}

/// Files that the template calls otherwise now.
fn moved_by_template<'a>(
    base: &'a Tree,
    ours: &Tree,
    theirs: &'a Tree,
) -> BTreeMap<&'a str, &'a str> {
    let gone: Vec<_> = base
        .iter()
        .filter(|(it, _)| !theirs.contains_key(*it))
        .map(|(path, node)| (path.as_str(), node))
        .collect();
    let came: Vec<_> = theirs
        .iter()
        .filter(|(it, _)| !base.contains_key(*it) && !ours.contains_key(*it))
        .map(|(path, node)| (path.as_str(), node))
        .collect();
    renames(&gone, &came)
}

/// Files that people gave another name, where the template has something new for them.
fn moved_here<'a>(base: &'a Tree, ours: &'a Tree, theirs: &Tree) -> BTreeMap<&'a str, &'a str> {
    let gone: Vec<_> = base
        .iter()
        .filter(|(it, before)| {
            !ours.contains_key(*it) && theirs.get(*it).is_some_and(|after| after != *before)
        })
        .map(|(path, node)| (path.as_str(), node))
        .collect();
    let came: Vec<_> = ours
        .iter()
        .filter(|(it, _)| !base.contains_key(*it) && !theirs.contains_key(*it))
        .map(|(path, node)| (path.as_str(), node))
        .collect();
    renames(&gone, &came)
}

struct Merge<'a> {
    ours: &'a Tree,
    labels: &'a Labels,
    merged: Merged,
}

impl Merge<'_> {
    /// A file that the template adds or changes.
    fn change(&mut self, path: &str, before: Option<&Node>, after: &Node) {
        match (before, self.ours.get(path)) {
            (_, Some(here)) if here == after => {}
            (None, None) => self.write(path, after.clone(), FileAction::Add),
            (Some(_), None) => self.say(path, FileAction::Skip),
            (Some(before), Some(here)) if here == before => {
                self.write(path, after.clone(), FileAction::Update);
            }
            (before, Some(here)) => match self.combine(path, before, here, after) {
                Some(node) => self.write(path, node, FileAction::Merge),
                None => self.beside(path, after),
            },
        }
    }

    /// A file that the template has no more.
    fn remove(&mut self, path: &str, before: &Node) {
        match self.ours.get(path) {
            None => {}
            Some(here) if here == before => {
                self.merged.writes.insert(path.to_owned(), None);
                self.say(path, FileAction::Remove);
            }
            Some(_) => self.conflict(path, ConflictKind::Removed),
        }
    }

    /// A file that the template calls `new` now.
    fn follow(&mut self, old: &str, new: &str, before: &Node, after: &Node) {
        let Some(here) = self.ours.get(old) else {
            self.say(new, FileAction::Skip);
            return;
        };
        let node = if here == before {
            Some(after.clone())
        } else {
            self.combine(new, Some(before), here, after)
        };
        match node {
            Some(node) => {
                self.merged.writes.insert(old.to_owned(), None);
                let from = old.to_owned();
                self.write(new, node, FileAction::Rename { from });
            }
            None => self.beside(old, after),
        }
    }

    /// Both changes in one file; `None` where that cannot be.
    fn combine(
        &mut self,
        path: &str,
        before: Option<&Node>,
        here: &Node,
        after: &Node,
    ) -> Option<Node> {
        let (
            Node::File {
                bytes: ours,
                executable: here_runs,
            },
            Node::File {
                bytes: theirs,
                executable: after_runs,
            },
        ) = (here, after)
        else {
            return None;
        };
        let (base, ran) = match before {
            Some(Node::File { bytes, executable }) => (bytes.as_slice(), *executable),
            None => (&[][..], *here_runs),
            Some(Node::Link { .. } | Node::Folder) => return None,
        };
        let executable = if *here_runs == ran {
            *after_runs
        } else {
            *here_runs
        };
        let bytes = match merge_text(text(base)?, text(ours)?, text(theirs)?, self.labels) {
            Ok(text) => text.into_bytes(),
            Err(marked) => {
                self.conflict(path, ConflictKind::Marked);
                marked.into_bytes()
            }
        };
        Some(Node::File { bytes, executable })
    }

    /// What cannot be merged stays, and the template's goes beside.
    fn beside(&mut self, path: &str, after: &Node) {
        let free = |it: &String| {
            self.ours.get(it).is_none_or(|it| it == after) && !self.merged.writes.contains_key(it)
        };
        let numbered = (2..).map(|it| format!("{path}{BESIDE}{it}"));
        let new = std::iter::once(format!("{path}{BESIDE}"))
            .chain(numbered)
            .find(free)
            .expect("numbers do not end");
        self.merged.writes.insert(new.clone(), Some(after.clone()));
        self.conflict(path, ConflictKind::Beside { new });
    }

    fn write(&mut self, path: &str, node: Node, action: FileAction) {
        if self.ours.get(path) != Some(&node) {
            self.merged.writes.insert(path.to_owned(), Some(node));
            self.say(path, action);
        }
    }

    fn say(&mut self, path: &str, action: FileAction) {
        let path = path.to_owned();
        self.merged.files.push(FileChange { path, action });
    }

    fn conflict(&mut self, path: &str, kind: ConflictKind) {
        let path = path.to_owned();
        self.merged.conflicts.push(Conflict { path, kind });
    }
}

/// Bytes as text that can be merged line by line.
fn text(bytes: &[u8]) -> Option<&str> {
    if bytes.len() > MERGED_BYTES_MAX || bytes.contains(&0) {
        return None;
    }
    std::str::from_utf8(bytes).ok()
}

/// Merges three texts; the error is the text with its conflicts marked.
fn merge_text(base: &str, ours: &str, theirs: &str, labels: &Labels) -> Result<String, String> {
    // The library's own labels are fixed words. Markers longer than anything in the texts
    // can be told from the texts and replaced.
    let longest = [base, ours, theirs].map(longest_run).into_iter().max();
    let length = longest.unwrap_or(0).max(MARKER_CHARS) + 1;
    let mut options = MergeOptions::new();
    options
        .set_conflict_style(ConflictStyle::Merge)
        .set_incomplete_hunk_style(IncompleteHunkStyle::Git)
        .set_conflict_marker_length(length);
    options
        .merge(base, ours, theirs)
        .map_err(|marked| relabelled(&marked, length, labels))
}

/// The longest run of a character that markers are made of.
fn longest_run(text: &str) -> usize {
    let (mut longest, mut run, mut last) = (0, 0, ' ');
    for character in text.chars() {
        run = if character == last { run + 1 } else { 1 };
        last = character;
        if matches!(character, '<' | '=' | '>' | '|') {
            longest = longest.max(run);
        }
    }
    longest
}

fn relabelled(marked: &str, length: usize, labels: &Labels) -> String {
    let mut text = String::with_capacity(marked.len());
    for line in marked.split_inclusive('\n') {
        let begins = |sign: char| line.starts_with(&sign.to_string().repeat(length));
        let label = match () {
            () if begins('<') => format!("{} {}\n", "<".repeat(MARKER_CHARS), labels.ours),
            () if begins('=') => format!("{}\n", "=".repeat(MARKER_CHARS)),
            () if begins('>') => format!("{} {}\n", ">".repeat(MARKER_CHARS), labels.theirs),
            () => line.to_owned(),
        };
        text.push_str(&label);
    }
    text
}

#[cfg(test)]
mod tests;
