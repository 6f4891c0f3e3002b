//! Garbage: generations that nobody goes back to, and what only they needed.
//!
//! The current generation is never garbage, and nothing that a kept generation needs is:
//! its store folders, their receipts, and the configuration files that a rollback to it
//! brings back. Collecting renames things out of the way, makes that durable, and only
//! then deletes: killed anywhere, a generation is there with all that it needs or not at
//! all, and the next writer deletes the rest.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use provisioning_package::{Digest, PackageName, Version};
use serde::Serialize;

use crate::durable;
use crate::error::InstallError;
use crate::generation::Generation;
use crate::lock::WriterLock;
use crate::prefix::Prefix;
use crate::receipt::Receipt;
use crate::record;
use crate::recover;

mod saved;

/// The size of the blocks that a file's metadata counts, in bytes.
const BLOCK_BYTES: u64 = 512;

/// Which generations stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcPolicy {
    /// How many of the newest stay, the current one counted; at least that one does.
    pub keep: usize,
    /// Of the others, only those go that were replaced before this time.
    pub replaced_before: Option<Timestamp>,
    /// Whether files that `verify --repair` and `adopt` kept go too: those that were kept
    /// before that time, where there is one.
    pub takes_saved: bool,
}

/// Files that `verify --repair` and `adopt` kept, since somebody had changed them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SavedGarbage {
    /// How many there are.
    pub found: usize,
    /// How many of them go.
    pub removed: usize,
}

/// What nobody needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Garbage {
    /// Generations that go, oldest first.
    pub removed: Vec<u64>,
    /// Generations that stay, oldest first.
    pub kept: Vec<u64>,
    /// Unpacked packages that go.
    pub packages: Vec<GarbagePackage>,
    /// What runs that were killed left behind.
    pub leftovers: usize,
    /// Files of the user's that were kept aside.
    pub saved: SavedGarbage,
    /// What all of it takes on disk. A file that another prefix shares frees nothing and is
    /// not counted.
    pub bytes: u64,
    #[serde(skip)]
    folders: Vec<PathBuf>,
    #[serde(skip)]
    files: Vec<PathBuf>,
    #[serde(skip)]
    saved_files: Vec<PathBuf>,
}

/// One unpacked package that goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GarbagePackage {
    /// Its name, where its receipt still tells.
    pub name: Option<PackageName>,
    /// Its version, where its receipt still tells.
    pub version: Option<Version>,
    /// The folder's name in the store: its archive's digest.
    pub folder: String,
}

/// What the kept generations need.
#[derive(Default)]
struct Needed {
    store: BTreeSet<String>,
    edited: BTreeSet<String>,
    /// A kept generation cannot be read, so nobody knows which files a rollback brings back.
    keeps_every_edit: bool,
}

impl Garbage {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.folders.is_empty()
            && self.files.is_empty()
            && self.saved_files.is_empty()
            && self.leftovers == 0
    }
}

/// Finds what nobody needs. Reads only.
pub fn garbage(prefix: &Prefix, policy: &GcPolicy) -> Result<Garbage, InstallError> {
    let (saved, saved_files) = saved::find(prefix, policy)?;
    let mut found = Garbage {
        saved,
        saved_files,
        ..Garbage::default()
    };
    if let Some(current) = prefix.current_number()? {
        of_generations(prefix, policy, current, &mut found)?;
    }
    let leftovers = recover::unfinished(prefix)?;
    found.leftovers = leftovers.len();
    let all = found.folders.iter().chain(&found.files);
    let all = all.chain(&found.saved_files).chain(&leftovers);
    found.bytes = all.map(|it| bytes_of(it)).sum();
    Ok(found)
}

/// Adds the generations that go, and what only they needed.
fn of_generations(
    prefix: &Prefix,
    policy: &GcPolicy,
    current: u64,
    found: &mut Garbage,
) -> Result<(), InstallError> {
    let mut numbers = prefix.generation_numbers()?;
    numbers.retain(|it| *it <= current);
    numbers.sort_unstable();
    for (index, number) in numbers.iter().enumerate() {
        let is_new = numbers.len() - index <= policy.keep.max(1);
        let next = numbers.get(index + 1);
        if is_new || !is_old(prefix, next, policy.replaced_before) {
            found.kept.push(*number);
        } else {
            found.removed.push(*number);
            found.folders.push(prefix.generation(*number));
        }
    }
    let needed = needed(prefix, &found.kept);
    for name in names_in(&prefix.store())? {
        if !needed.store.contains(&name) {
            found.packages.push(garbage_package(prefix, &name));
            found.folders.push(prefix.store().join(name));
        }
    }
    for name in names_in(&prefix.receipts())? {
        if !needed.store.contains(name.trim_end_matches(".json")) {
            found.files.push(prefix.receipts().join(name));
        }
    }
    if !needed.keeps_every_edit {
        for name in names_in(&prefix.edited())? {
            if !needed.edited.contains(&name) {
                found.files.push(prefix.edited().join(name));
            }
        }
    }
    Ok(())
}

/// Removes what nobody needs, under the prefix's lock, and says what it was.
pub fn collect(
    prefix: &Prefix,
    lock: &WriterLock,
    policy: &GcPolicy,
) -> Result<Garbage, InstallError> {
    let found = garbage(prefix, policy)?;
    recover::clean(prefix, lock)?;
    // Generations first: one without what it needs must never be seen, not even after a
    // power cut between two of these writes.
    let generations = found.removed.len();
    let (generations, others) = found.folders.split_at(generations);
    let mut aside = move_aside(generations)?;
    if !aside.is_empty() {
        durable::sync_folder(&prefix.generations())?;
    }
    aside.extend(move_aside(others)?);
    record::remove(prefix, |it| found.removed.contains(&it))?;
    for file in &found.files {
        durable::remove_if_there(file)?;
    }
    for folder in aside {
        durable::remove_tree(&folder)?;
    }
    saved::remove(prefix, &found.saved_files)?;
    Ok(found)
}

/// Gives folders the names of leftovers, which the next writer would delete too.
fn move_aside(folders: &[PathBuf]) -> Result<Vec<PathBuf>, InstallError> {
    let mut moved = Vec::new();
    for folder in folders {
        let aside = durable::beside(folder);
        fs::rename(folder, &aside).map_err(|it| InstallError::io("remove", folder, it))?;
        moved.push(aside);
    }
    Ok(moved)
}

/// Whether a generation was replaced, by `next`, before a time. One whose time cannot be
/// told stays.
fn is_old(prefix: &Prefix, next: Option<&u64>, before: Option<Timestamp>) -> bool {
    let Some(before) = before else { return true };
    next.and_then(|it| prefix.read_generation(*it).ok())
        .is_some_and(|it| it.created_at < before)
}

fn needed(prefix: &Prefix, kept: &[u64]) -> Needed {
    let mut needed = Needed::default();
    for number in kept {
        needed
            .store
            .extend(linked(prefix, &prefix.generation(*number)));
        let Ok(generation) = prefix.read_generation(*number) else {
            needed.keeps_every_edit = true;
            continue;
        };
        let folders = generation.packages.iter().map(|it| it.digest.hex());
        needed.store.extend(folders);
        needed.edited.extend(edits(&generation).map(|it| it.hex()));
    }
    needed
}

fn edits(generation: &Generation) -> impl Iterator<Item = Digest> {
    generation.config.iter().flat_map(|it| {
        let besides = [&it.beside, &it.tidied];
        let besides = besides.map(|it| it.as_ref().map(|it| it.digest));
        [it.before, it.after].into_iter().chain(besides).flatten()
    })
}

/// The store folders that a generation's own links lead to, so that one whose
/// `generation.json` was damaged does not lose its packages as well.
fn linked(prefix: &Prefix, folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|it| it.is_dir()) {
                folders.push(path);
            } else if let Ok(target) = fs::read_link(&path) {
                let mut parts = target.iter();
                let store = prefix.store();
                if parts.any(|it| Some(it) == store.file_name()) {
                    found.extend(parts.next().map(|it| it.to_string_lossy().into_owned()));
                }
            }
        }
    }
    found
}

fn garbage_package(prefix: &Prefix, folder: &str) -> GarbagePackage {
    let receipt = Digest::from_hex(folder)
        .ok()
        .and_then(|it| Receipt::read(prefix, &it).ok().flatten());
    GarbagePackage {
        name: receipt.as_ref().map(|it| it.name.clone()),
        version: receipt.map(|it| it.version),
        folder: folder.to_owned(),
    }
}

/// The names in a folder, leftovers of killed runs left out.
fn names_in(folder: &Path) -> Result<Vec<String>, InstallError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(problem) => return Err(InstallError::io("read", folder, problem)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|it| InstallError::io("read", folder, it))?;
        let name = entry.file_name().into_string();
        names.extend(name.ok().filter(|it| !it.starts_with(durable::UNFINISHED)));
    }
    names.sort();
    Ok(names)
}

/// What a tree takes on disk. Files with further names elsewhere stay there and free
/// nothing.
fn bytes_of(path: &Path) -> u64 {
    let Ok(facts) = fs::symlink_metadata(path) else {
        return 0;
    };
    if !facts.is_dir() {
        return if facts.nlink() > 1 {
            0
        } else {
            facts.blocks() * BLOCK_BYTES
        };
    }
    let inside = fs::read_dir(path).into_iter().flatten().flatten();
    facts.blocks() * BLOCK_BYTES + inside.map(|it| bytes_of(&it.path())).sum::<u64>()
}
