//! Changes are written to a workspace, all or none.
//!
//! Everything new is staged in a folder inside the workspace and made durable, what it
//! replaces is copied there, a journal says what comes, and only then the files are renamed
//! into place. Removing the journal is the instant at which it is done: whatever ends the
//! run before it, a failure or a kill, is taken back, by this run or by the next
//! ([`recover_changes`]). What somebody edited in between is left alone.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use provisioning_package::Digest;
use serde::{Deserialize, Serialize};

use super::tree::{Node, Tree};
use super::{ScaffoldError, failed};
use crate::durable;

/// Where changes are staged, in the workspace.
const STAGE: &str = ".provisioning-update";
/// What comes, in the stage.
const JOURNAL: &str = "journal.json";
/// Held by the process that changes a workspace, in the stage.
const LOCK: &str = "lock";

/// What is to happen at one path, and what tells whether it has.
#[derive(Debug, Serialize, Deserialize)]
struct Step {
    path: String,
    before: Option<String>,
    after: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Journal {
    schema: u32,
    steps: Vec<Step>,
}

/// A stage that this process holds.
struct Stage {
    root: PathBuf,
    folder: PathBuf,
    lock: File,
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Also where a child that is just being started holds a copy of the file.
        let _ = self.lock.unlock();
    }
}

/// Makes a new folder of a tree: built beside its place and renamed, so that it is there
/// whole or not at all. `to` must not exist; its parents are created.
pub fn make_folder_of(to: &Path, tree: &Tree) -> Result<(), ScaffoldError> {
    if to.symlink_metadata().is_ok() {
        return Err(ScaffoldError::Occupied(to.to_owned()));
    }
    let parent = to.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent).map_err(failed("create", parent))?;
    let mut staging = durable::beside(to).into_os_string();
    staging.push(format!("-{}", std::process::id()));
    let staging = PathBuf::from(staging);
    let _ = fs::remove_dir_all(&staging);
    let fill = || {
        fs::create_dir(&staging).map_err(failed("create", &staging))?;
        for (path, node) in tree {
            put(&staging.join(path), node)?;
        }
        fs::rename(&staging, to).map_err(failed("create", to))
    };
    let made = fill();
    if made.is_err() {
        let _ = fs::remove_dir_all(&staging);
    }
    made
}

/// Writes changes into the folder `root`: a node where something is to stand, `None` where
/// it goes. Either all of them are done, or nothing is.
pub fn apply_changes(
    root: &Path,
    changes: &BTreeMap<String, Option<Node>>,
) -> Result<(), ScaffoldError> {
    check_places(root, changes)?;
    let stage = Stage::open(root)?;
    let done = stage.prepare(changes).and_then(|journal| {
        let carried_out = stage.carry_out(changes);
        if carried_out.is_err() {
            stage.take_back(&journal);
        }
        carried_out
    });
    // Without its journal a stage means nothing, so this is the end of the transaction.
    let journal = stage.folder.join(JOURNAL);
    if journal.exists() {
        fs::remove_file(&journal).map_err(failed("remove", &journal))?;
        durable::sync_folder(&stage.folder).ok();
    }
    let _ = fs::remove_dir_all(&stage.folder);
    done
}

/// Takes back what a run that was killed left half-done in the workspace `root`. Whether
/// there was something to take back.
pub fn recover_changes(root: &Path) -> Result<bool, ScaffoldError> {
    let folder = root.join(STAGE);
    if !folder.symlink_metadata().is_ok_and(|it| it.is_dir()) {
        return Ok(false);
    }
    let stage = Stage::open(root)?;
    let _ = fs::remove_dir_all(&stage.folder);
    Ok(true)
}

impl Stage {
    /// Takes the stage; what a killed run left in it is taken back first.
    fn open(root: &Path) -> Result<Self, ScaffoldError> {
        let folder = root.join(STAGE);
        // Copies of people's files go there for a moment.
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Err(problem) if problem.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed("create", &folder)(problem));
            }
            _ => {}
        }
        let path = folder.join(LOCK);
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)
            .map_err(failed("write", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ScaffoldError::Busy(root.to_owned())),
            Err(TryLockError::Error(problem)) => return Err(failed("lock", &path)(problem)),
        }
        let stage = Self {
            root: root.to_owned(),
            folder,
            lock,
        };
        let journal = stage.folder.join(JOURNAL);
        let left = fs::read(&journal).ok();
        if let Some(left) = left.and_then(|it| serde_json::from_slice::<Journal>(&it).ok()) {
            stage.take_back(&left);
        }
        for name in [JOURNAL, "new", "old"] {
            let path = stage.folder.join(name);
            let _ = fs::remove_file(&path);
            let _ = fs::remove_dir_all(&path);
        }
        Ok(stage)
    }

    /// Stages what is new and what is replaced, and writes the journal.
    fn prepare(&self, changes: &BTreeMap<String, Option<Node>>) -> Result<Journal, ScaffoldError> {
        for name in ["new", "old"] {
            let folder = self.folder.join(name);
            fs::create_dir(&folder).map_err(failed("create", &folder))?;
        }
        let mut steps = Vec::new();
        for (index, (path, node)) in changes.iter().enumerate() {
            let before = Node::read(&self.root.join(path))?;
            if let Some(before) = &before {
                put(&self.staged("old", index), before)?;
                keep_readers(&self.root.join(path), &self.staged("old", index), before)?;
            }
            if let Some(node) = node {
                put(&self.staged("new", index), node)?;
                keep_readers(&self.root.join(path), &self.staged("new", index), node)?;
            }
            steps.push(Step {
                path: path.clone(),
                before: before.as_ref().map(fingerprint),
                after: node.as_ref().map(fingerprint),
            });
        }
        let journal = Journal { schema: 1, steps };
        let path = self.folder.join(JOURNAL);
        durable::write_file(&path, &durable::to_json(&journal), 0o600)
            .and_then(|()| durable::sync_file_system(&self.folder))
            .map_err(|it| failed("write", &path)(io::Error::other(it.to_string())))?;
        Ok(journal)
    }

    /// Removals first, since a file may become a folder.
    fn carry_out(&self, changes: &BTreeMap<String, Option<Node>>) -> Result<(), ScaffoldError> {
        for (path, _) in changes.iter().filter(|(_, it)| it.is_none()) {
            self.clear(path)?;
        }
        for (index, (path, node)) in changes.iter().enumerate() {
            if node.is_some() {
                self.bring("new", index, path)?;
            }
        }
        durable::sync_folder(&self.root)
            .map_err(|it| failed("sync", &self.root)(io::Error::other(it.to_string())))
    }

    /// Puts back what was, wherever the new thing stands and nobody has touched it.
    fn take_back(&self, journal: &Journal) {
        for (index, step) in journal.steps.iter().enumerate().rev() {
            let now = Node::read(&self.root.join(&step.path)).ok().flatten();
            if now.as_ref().map(fingerprint) != step.after || step.after == step.before {
                continue;
            }
            // What fails here is left as it is; the rest is still taken back.
            let _ = self.clear(&step.path);
            if step.before.is_some() {
                let _ = self.bring("old", index, &step.path);
            }
        }
    }

    /// Moves a staged thing to its place.
    fn bring(&self, side: &str, index: usize, path: &str) -> Result<(), ScaffoldError> {
        let place = self.root.join(path);
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent).map_err(failed("create", parent))?;
        }
        let staged = self.staged(side, index);
        // A folder that holds nothing gives way; one that holds something does not.
        if place.symlink_metadata().is_ok_and(|it| it.is_dir()) {
            fs::remove_dir(&place).map_err(failed("replace", &place))?;
        }
        fs::rename(staged, &place).map_err(failed("write", &place))
    }

    /// Removes a thing, and the folders that hold nothing then.
    fn clear(&self, path: &str) -> Result<(), ScaffoldError> {
        let place = self.root.join(path);
        let Ok(facts) = place.symlink_metadata() else {
            return Ok(());
        };
        let removed = if facts.is_dir() {
            fs::remove_dir(&place)
        } else {
            fs::remove_file(&place)
        };
        removed.map_err(failed("remove", &place))?;
        for (at, _) in path.rmatch_indices('/') {
            if fs::remove_dir(self.root.join(&path[..at])).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn staged(&self, side: &str, index: usize) -> PathBuf {
        self.folder.join(side).join(index.to_string())
    }
}

/// What tells whether something is what it was.
fn fingerprint(node: &Node) -> String {
    match node {
        Node::File { bytes, executable } => {
            format!("{} {executable}", Digest::of(bytes).prefixed())
        }
        Node::Link { target } => format!("link {target}"),
        Node::Folder => "folder".to_owned(),
    }
}

/// Refuses places that cannot be written or lead elsewhere, all of them named.
fn check_places(
    root: &Path,
    changes: &BTreeMap<String, Option<Node>>,
) -> Result<(), ScaffoldError> {
    let goes = |path: &str| changes.get(path).is_some_and(Option::is_none);
    let mut wrong = Vec::new();
    for (path, node) in changes {
        for (at, _) in path.match_indices('/') {
            let parent = &path[..at];
            // A link would take us to another place, perhaps out of the workspace.
            let is_in_the_way = root
                .join(parent)
                .symlink_metadata()
                .is_ok_and(|it| !it.is_dir());
            if is_in_the_way && !goes(parent) {
                wrong.push(parent.to_owned());
            }
        }
        if node.is_some() && is_full_folder(&root.join(path), path, &goes) {
            wrong.push(path.clone());
        }
    }
    wrong.dedup();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(ScaffoldError::Clashes(wrong))
    }
}

/// Whether a folder holds something that does not go.
fn is_full_folder(place: &Path, path: &str, goes: &dyn Fn(&str) -> bool) -> bool {
    if !place.symlink_metadata().is_ok_and(|it| it.is_dir()) {
        return false;
    }
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    entries.into_iter().any(|it| {
        let inside = format!("{path}/{}", it.file_name().to_string_lossy());
        !goes(&inside) && (!it.path().is_dir() || is_full_folder(&it.path(), &inside, goes))
    })
}

/// Writes one thing that is not there yet, its folders included. The user's umask decides
/// who may read it.
fn put(place: &Path, node: &Node) -> Result<(), ScaffoldError> {
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent).map_err(failed("create", parent))?;
    }
    match node {
        Node::Folder => fs::create_dir_all(place),
        Node::Link { target } => symlink(target, place),
        Node::File { bytes, executable } => OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(if *executable { 0o777 } else { 0o666 })
            .open(place)
            .and_then(|mut it| it.write_all(bytes)),
    }
    .map_err(failed("write", place))
}

/// What replaces a file may be read by whoever could read that one, and nobody else: people
/// close files that hold secrets.
fn keep_readers(place: &Path, staged: &Path, node: &Node) -> Result<(), ScaffoldError> {
    let Node::File { executable, .. } = node else {
        return Ok(());
    };
    let Ok(facts) = place.symlink_metadata() else {
        return Ok(());
    };
    if !facts.is_file() {
        return Ok(());
    }
    let mode = facts.permissions().mode() & 0o777;
    let mode = match executable {
        true if mode & 0o100 == 0 => mode | ((mode & 0o444) >> 2),
        true => mode,
        false => mode & !0o111,
    };
    fs::set_permissions(staged, fs::Permissions::from_mode(mode)).map_err(failed("write", staged))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, files: &[(&str, &str)]) {
        for (path, text) in files {
            let place = root.join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, text).unwrap();
        }
    }

    fn read(root: &Path, path: &str) -> String {
        fs::read_to_string(root.join(path)).unwrap_or_else(|_| "nothing".to_owned())
    }

    fn changes(list: &[(&str, Option<&str>)]) -> BTreeMap<String, Option<Node>> {
        list.iter()
            .map(|(path, it)| ((*path).to_owned(), it.map(Node::text)))
            .collect()
    }

    #[test]
    fn changes_are_done_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write(root, &[("a", "1"), ("b/c", "2"), ("d", "3")]);
        let list = [
            ("a", Some("one")),
            ("b/c", None),
            ("d", None),
            ("d/e", Some("4")),
        ];
        apply_changes(root, &changes(&list)).unwrap();
        assert_eq!(
            (read(root, "a"), read(root, "d/e")),
            ("one".into(), "4".into())
        );
        let mut names: Vec<_> = fs::read_dir(root)
            .unwrap()
            .map(|it| it.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["a", "d"]);
    }

    #[test]
    fn a_file_that_was_closed_to_others_stays_closed_when_it_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write(root, &[("secret", "1")]);
        let close = fs::Permissions::from_mode(0o600);
        fs::set_permissions(root.join("secret"), close).unwrap();
        let program = Node::File {
            bytes: b"#!/bin/sh\n".to_vec(),
            executable: true,
        };
        let mode = |path: &str| {
            let facts = fs::metadata(root.join(path)).unwrap();
            facts.permissions().mode() & 0o777
        };
        apply_changes(root, &changes(&[("secret", Some("2"))])).unwrap();
        assert_eq!(mode("secret"), 0o600);
        apply_changes(root, &[("secret".to_owned(), Some(program))].into()).unwrap();
        assert_eq!(mode("secret"), 0o700);
    }

    #[test]
    fn a_link_or_a_full_folder_in_the_way_is_named_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (root, outside) = (folder.path().join("w"), folder.path().join("outside"));
        fs::create_dir_all(&outside).unwrap();
        write(&root, &[("full/x", "mine"), ("a", "1")]);
        symlink(&outside, root.join("infra")).unwrap();
        let list = [
            ("a", Some("2")),
            ("full", Some("x")),
            ("infra/y", Some("z")),
        ];
        let refused = apply_changes(&root, &changes(&list)).unwrap_err();
        let ScaffoldError::Clashes(named) = refused else {
            panic!("{refused}")
        };
        assert_eq!(named, ["full", "infra"]);
        assert_eq!(read(&root, "a"), "1");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }

    #[test]
    fn a_run_that_was_killed_anywhere_is_taken_back_but_for_later_edits() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let list = changes(&[
            ("a", Some("one")),
            ("b", None),
            ("c/d", Some("new")),
            ("e", Some("5")),
        ]);
        for done in 0..=4 {
            write(root, &[("a", "1"), ("b", "2"), ("e", "3")]);
            let stage = Stage::open(root).unwrap();
            stage.prepare(&list).unwrap();
            // What `carry_out` does, cut off after so many steps.
            let mut steps: Vec<Box<dyn Fn()>> = vec![Box::new(|| stage.clear("b").unwrap())];
            for (index, path) in [(0, "a"), (2, "c/d"), (3, "e")] {
                let stage = &stage;
                steps.push(Box::new(move || stage.bring("new", index, path).unwrap()));
            }
            steps.iter().take(done).for_each(|it| it());
            drop(steps);
            drop(stage);
            if done == 4 {
                write(root, &[("e", "edited since")]);
            }
            assert!(recover_changes(root).unwrap());
            let expected = if done == 4 { "edited since" } else { "3" };
            assert_eq!(
                [
                    read(root, "a"),
                    read(root, "b"),
                    read(root, "c/d"),
                    read(root, "e")
                ],
                ["1", "2", "nothing", expected],
                "after {done} steps"
            );
            assert!(!root.join(STAGE).exists() && !root.join("c").exists());
        }
    }
}
