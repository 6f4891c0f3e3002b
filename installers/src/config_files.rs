//! Configuration files: copied to `P/etc/provisioning/<name>/…`, then the user's.
//!
//! The rule is dpkg's, over three states: what the old generation shipped, what stands on
//! disk, and what the new one ships. Untouched is replaced, edited is kept, both changed
//! keeps the user's file and leaves the new one beside it as `<file>.new`. A deleted file
//! stays deleted. A rollback brings back what stood there when the older generation was
//! left; an edit made since is kept as `<file>.edited` where the shipped file differs.
//!
//! A link counts as an edit, and is kept and brought back as a link. Where one version has a
//! file and the other a folder, an edited file gives way and is kept as `<file>.edited`. A
//! name beside a file that is taken already gets a number.
//!
//! Deciding is pure; doing happens after the switch and can be done again ([`finish`]).

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use provisioning_package::{Digest, PackageName};
use serde::{Deserialize, Serialize};

use crate::durable;
use crate::error::{Collision, InstallError};
use crate::generation::Generation;
use crate::prefix::Prefix;

/// What is done to one configuration file when a generation becomes current.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigRecord {
    /// Whose file.
    pub package: PackageName,
    /// The path in the package's tree and under `P/etc/provisioning/<package>/`.
    pub path: String,
    /// What this generation ships; `None` when it ships it no more.
    pub shipped: Option<Digest>,
    /// What stood on disk before; `None` for nothing.
    pub before: Option<Digest>,
    /// What stands there after.
    pub after: Option<Digest>,
    /// A file to leave beside it.
    #[serde(default)]
    pub beside: Option<Beside>,
    /// A file beside it that an earlier generation left, to take away.
    #[serde(default)]
    pub tidied: Option<Beside>,
}

/// A file left beside a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// What is added to the file's name: `new` or `edited`, and a number where that is taken.
    pub suffix: String,
    /// Its bytes.
    pub digest: Digest,
}

/// What a rollback brings back.
#[derive(Debug, Clone, Copy, Default)]
enum Restore {
    /// It is no rollback, or the older generation did not know the file.
    #[default]
    Nothing,
    /// What stood there when the older generation was left; `None` for nothing.
    State(Option<Digest>),
}

/// The three states of one file, and for a rollback the fourth: what stood there when the
/// older generation was left.
#[derive(Debug, Clone, Copy, Default)]
struct States {
    old_shipped: Option<Digest>,
    old_after: Option<Digest>,
    disk: Option<Digest>,
    new_shipped: Option<Digest>,
    restore: Restore,
    was_ours: bool,
}

/// A configuration file that a state ships.
pub(crate) struct Shipped {
    pub(crate) package: PackageName,
    pub(crate) path: String,
    pub(crate) digest: Digest,
}

/// Decides for every file that the old or the new state ships. `left` is the generation
/// that replaced the one being rolled back to.
pub(crate) fn decide(
    prefix: &Prefix,
    current: Option<&Generation>,
    shipped: &[Shipped],
    left: Option<&Generation>,
) -> Result<Vec<ConfigRecord>, InstallError> {
    let old = current.map_or(&[][..], |it| &it.config);
    let restore = left.map_or(&[][..], |it| &it.config);
    let keys: BTreeSet<(PackageName, String)> = old
        .iter()
        .filter(|it| it.shipped.is_some())
        .map(key)
        .chain(restore.iter().filter(|it| it.before.is_some()).map(key))
        .chain(
            shipped
                .iter()
                .map(|it| (it.package.clone(), it.path.clone())),
        )
        .collect();
    let mut records = Vec::new();
    for (package, path) in keys {
        let find = |records: &[ConfigRecord]| {
            records
                .iter()
                .find(|it| it.package == package && it.path == path)
                .cloned()
        };
        let (before, back) = (find(old), find(restore));
        let file = prefix.config_file(&package, &path);
        let gives_way = gives_way(prefix, &package, &path, old, shipped)?;
        let new_shipped = shipped
            .iter()
            .find(|it| it.package == package && it.path == path)
            .map(|it| it.digest);
        let can_come_back = |wanted: Option<Digest>| {
            let is_there = |it| edited_copy(prefix, &it).symlink_metadata().is_ok();
            wanted.is_none_or(|it| new_shipped == Some(it) || is_there(it))
        };
        let states = States {
            old_shipped: before.as_ref().and_then(|it| it.shipped),
            old_after: before.as_ref().and_then(|it| it.after),
            disk: digest_on_disk(&file)?.filter(|_| !gives_way),
            new_shipped,
            restore: back
                .as_ref()
                .filter(|it| can_come_back(it.before) && (gives_way || !is_folder(&file)))
                .map_or(Restore::Nothing, |it| Restore::State(it.before)),
            was_ours: before.as_ref().is_some_and(|it| it.shipped.is_some()),
        };
        let (after, beside) = judge(states);
        let earlier = before.as_ref().and_then(|it| it.beside.as_ref());
        records.push(ConfigRecord {
            package,
            path,
            shipped: states.new_shipped,
            before: states.disk,
            after,
            beside: beside
                .map(|it| free_beside(&file, it, earlier))
                .transpose()?,
            tidied: back.and_then(|it| it.beside),
        });
    }
    make_way(prefix, &mut records)?;
    Ok(records)
}

/// The rule itself: what stands there afterwards, and what is left beside it.
fn judge(states: States) -> (Option<Digest>, Option<Beside>) {
    let disk = states.disk;
    if let Restore::State(restore) = states.restore {
        let untouched = disk == states.old_after;
        if untouched || disk == states.old_shipped {
            return (restore, None);
        }
        if states.new_shipped != states.old_shipped {
            let edited = disk.map(|digest| Beside {
                suffix: "edited".into(),
                digest,
            });
            return (restore, edited);
        }
        return (disk, None);
    }
    match (disk, states.new_shipped) {
        (None, None) => (None, None),
        // Not there: new to this machine, or deleted by the user, which holds.
        (None, Some(new)) => (if states.was_ours { None } else { Some(new) }, None),
        // No longer shipped: untouched goes, edited stays.
        (Some(found), None) => (
            states.disk.filter(|_| Some(found) != states.old_shipped),
            None,
        ),
        (Some(found), Some(new)) if found == new => (Some(new), None),
        (Some(found), Some(new)) if Some(found) == states.old_shipped => (Some(new), None),
        (Some(found), Some(new)) if Some(new) == states.old_shipped => (Some(found), None),
        (Some(found), Some(new)) => (
            Some(found),
            Some(Beside {
                suffix: "new".into(),
                digest: new,
            }),
        ),
    }
}

/// Whether what stands at `path` is a folder that is empty once the new state is there:
/// the old one shipped all of it, nobody touched it, and the new one ships none of it.
fn gives_way(
    prefix: &Prefix,
    package: &PackageName,
    path: &str,
    old: &[ConfigRecord],
    shipped: &[Shipped],
) -> Result<bool, InstallError> {
    let place = prefix.config_file(package, path);
    if !is_folder(&place) {
        return Ok(false);
    }
    let goes = |file: &Path| -> Result<bool, InstallError> {
        let is_it = |of: &PackageName, at: &str| prefix.config_file(of, at) == file;
        let record = old.iter().find(|it| is_it(&it.package, &it.path));
        let is_shipped = shipped.iter().any(|it| is_it(&it.package, &it.path));
        let was = record.and_then(|it| it.shipped);
        Ok(!is_shipped && was.is_some() && digest_on_disk(file)? == was)
    };
    let mut folders = vec![place];
    while let Some(folder) = folders.pop() {
        let failed = |it| InstallError::io("read", &folder, it);
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if is_folder(&path) {
                folders.push(path);
            } else if !goes(&path)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Where a new file stands below what is a file now: one of ours gives way, edited or not;
/// anything else is refused.
fn make_way(prefix: &Prefix, records: &mut [ConfigRecord]) -> Result<(), InstallError> {
    let arriving: Vec<_> = records
        .iter()
        .filter(|it| it.after.is_some() && it.after != it.before)
        .map(key)
        .collect();
    for (package, path) in arriving {
        let file = prefix.config_file(&package, &path);
        let above = file.ancestors().skip(1);
        for folder in above.take_while(|it| *it != prefix.root()) {
            if folder.is_dir() || folder.symlink_metadata().is_err() {
                continue;
            }
            let record = records.iter_mut().find(|it| {
                it.package == package && prefix.config_file(&package, &it.path) == folder
            });
            match record {
                Some(it) if it.after.is_none() => {}
                Some(it) => {
                    it.after = None;
                    let edited = it.before.map(|digest| Beside {
                        suffix: "edited".into(),
                        digest,
                    });
                    let free = edited.map(|it| free_beside(folder, it, None));
                    it.beside = free.transpose()?;
                }
                None => {
                    return Err(InstallError::Collisions(vec![Collision {
                        path: folder.to_owned(),
                        wanted_by: format!("package `{package}`, as a folder"),
                        owner: "no package: it was there before".into(),
                    }]));
                }
            }
        }
    }
    Ok(())
}

/// A name beside `file` that takes nothing away: free, or left there with these bytes, or
/// left there by us and not touched since.
fn free_beside(
    file: &Path,
    mut wanted: Beside,
    earlier: Option<&Beside>,
) -> Result<Beside, InstallError> {
    let name = wanted.suffix.clone();
    let mut number = 0_u32;
    loop {
        let found = digest_on_disk(&with_suffix(file, &wanted.suffix))?;
        let is_ours =
            earlier.is_some_and(|it| it.suffix == wanted.suffix && Some(it.digest) == found);
        if found.is_none() || found == Some(wanted.digest) || is_ours {
            return Ok(wanted);
        }
        number += 1;
        wanted.suffix = format!("{name}.{number}");
    }
}

fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|it| it.is_dir())
}

/// What the user should know about the decisions.
pub(crate) fn notes(
    prefix: &Prefix,
    current: Option<&Generation>,
    records: &[ConfigRecord],
) -> Vec<String> {
    records
        .iter()
        .filter_map(|it| {
            let path = prefix.config_file(&it.package, &it.path);
            let path = path.display();
            let has_changed = |new: Digest| {
                let old = current.and_then(|current| {
                    let mut known = current.config.iter();
                    known.find(|old| key(old) == key(it))?.shipped
                });
                old.is_some_and(|old| old != new)
            };
            match (&it.beside, it.after, it.shipped) {
                (Some(beside), ..) if beside.suffix.starts_with("new") => Some(format!(
                    "`{path}` was edited and is kept; the new one is beside it as `{path}.{}`",
                    beside.suffix
                )),
                (Some(beside), Some(_), _) => Some(format!(
                    "`{path}` is brought back; your edited one is beside it as `{path}.{}`",
                    beside.suffix
                )),
                (Some(beside), None, _) => Some(format!(
                    "`{path}` is a folder now; your edited file is beside it as `{path}.{}`",
                    beside.suffix
                )),
                (None, Some(_), None) => Some(format!(
                    "`{path}` was edited and is kept, though nothing installed uses it"
                )),
                (None, None, Some(new)) if it.before.is_none() && has_changed(new) => Some(
                    format!("`{path}` was deleted and stays so, though the package has a new one"),
                ),
                (None, ..) => None,
            }
        })
        .collect()
}

/// Keeps the bytes that a later rollback or [`finish`] may need and the store has not got.
/// Happens before the switch.
pub(crate) fn save_edited(prefix: &Prefix, records: &[ConfigRecord]) -> Result<(), InstallError> {
    for record in records {
        let Some(before) = record.before else {
            continue;
        };
        let file = prefix.config_file(&record.package, &record.path);
        keep_bytes(prefix, &before, &file)?;
    }
    Ok(())
}

/// Keeps a file, or a link, under its digest, for as long as a generation may bring it back.
pub(crate) fn keep_bytes(
    prefix: &Prefix,
    digest: &Digest,
    file: &Path,
) -> Result<(), InstallError> {
    let copy = edited_copy(prefix, digest);
    let facts = file.symlink_metadata();
    let can_be_kept = facts.is_ok_and(|it| it.is_file() || it.is_symlink());
    if copy.symlink_metadata().is_ok() || !can_be_kept {
        return Ok(());
    }
    let folder = prefix.edited();
    durable::make_folder(&folder)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))
        .map_err(|it| InstallError::io("write", &folder, it))?;
    copy_whole(file, &copy, None)
}

/// Brings the files on disk to what the current generation's records say. Can be done
/// again after a crash: a file is only touched while it is as it was before.
pub(crate) fn finish(prefix: &Prefix, generation: &Generation) -> Result<(), InstallError> {
    // What goes makes way for what comes: a file may become a folder, and back.
    for record in &generation.config {
        let file = prefix.config_file(&record.package, &record.path);
        if let Some(tidied) = &record.tidied {
            let old = with_suffix(&file, &tidied.suffix);
            if digest_on_disk(&old)? == Some(tidied.digest) {
                durable::remove_if_there(&old)?;
            }
        }
        if let Some(beside) = &record.beside
            && let Some(from) = source_of(prefix, generation, record, beside.digest)
        {
            copy_whole(&from, &with_suffix(&file, &beside.suffix), Some(&file))?;
        }
        let goes = record.after.is_none() && record.before.is_some();
        if goes && digest_on_disk(&file)? == record.before {
            durable::remove_if_there(&file)?;
            prune(prefix, &file);
        }
    }
    for record in &generation.config {
        let file = prefix.config_file(&record.package, &record.path);
        let Some(after) = record.after.filter(|it| Some(*it) != record.before) else {
            continue;
        };
        if digest_on_disk(&file)? == record.before
            && let Some(from) = source_of(prefix, generation, record, after)
        {
            let like = record.before.is_some().then_some(file.as_path());
            copy_whole(&from, &file, like)?;
        }
    }
    Ok(())
}

/// Where bytes of a known digest are: shipped by the package, or saved from an edit. `None`
/// where somebody took the saved ones away: what stands there stays, rather than every later
/// command failing for it.
fn source_of(
    prefix: &Prefix,
    generation: &Generation,
    record: &ConfigRecord,
    wanted: Digest,
) -> Option<PathBuf> {
    if record.shipped == Some(wanted)
        && let Some(package) = generation.package(&record.package)
    {
        return Some(prefix.store_folder(&package.digest).join(&record.path));
    }
    let copy = edited_copy(prefix, &wanted);
    copy.symlink_metadata().is_ok().then_some(copy)
}

fn edited_copy(prefix: &Prefix, digest: &Digest) -> PathBuf {
    prefix.edited().join(digest.hex())
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

/// Copies bytes under a temporary name, then renames. The mode is that of `like` where it
/// exists (a user may have closed the file to others), else of the source, writable.
fn copy_whole(from: &Path, to: &Path, like: Option<&Path>) -> Result<(), InstallError> {
    if let Ok(target) = fs::read_link(from) {
        if let Some(folder) = to.parent() {
            durable::make_folder(folder)?;
        }
        return durable::replace_link(to, &target);
    }
    let bytes = fs::read(from).map_err(|it| InstallError::io("read", from, it))?;
    let mode_of = |path: &Path| {
        let facts = fs::metadata(path).ok().filter(fs::Metadata::is_file);
        facts.map(|it| it.permissions().mode() & 0o777)
    };
    let mode = like
        .and_then(mode_of)
        .or_else(|| mode_of(from))
        .unwrap_or(0o644)
        | 0o200;
    if let Some(folder) = to.parent() {
        durable::make_folder(folder)?;
    }
    durable::write_file(to, &bytes, mode)
}

/// The digest of what stands on disk. Anything but a regular file (a link to somewhere
/// else) counts as edited: its digest is of its kind and target, which nothing ships.
pub(crate) fn digest_on_disk(path: &Path) -> Result<Option<Digest>, InstallError> {
    let facts = match fs::symlink_metadata(path) {
        Ok(facts) => facts,
        Err(problem) if is_absent(&problem) => return Ok(None),
        Err(problem) => return Err(InstallError::io("read", path, problem)),
    };
    if !facts.is_file() {
        let target = fs::read_link(path).unwrap_or_default();
        return Ok(Some(Digest::of(
            format!("not a file\0{}", target.display()).as_bytes(),
        )));
    }
    let mut file = fs::File::open(path).map_err(|it| InstallError::io("read", path, it))?;
    Digest::of_reader(&mut file)
        .map(Some)
        .map_err(|it| InstallError::io("read", path, it))
}

fn is_absent(problem: &std::io::Error) -> bool {
    matches!(
        problem.kind(),
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
    )
}

/// Removes folders under `P/etc/provisioning` that became empty, and that one too.
fn prune(prefix: &Prefix, file: &Path) {
    let etc = prefix.etc();
    let mut folder = file.parent();
    while let Some(it) = folder.filter(|it| it.starts_with(&etc)) {
        if fs::remove_dir(it).is_err() {
            return;
        }
        folder = it.parent();
    }
}

fn key(record: &ConfigRecord) -> (PackageName, String) {
    (record.package.clone(), record.path.clone())
}

#[cfg(test)]
mod tests;
