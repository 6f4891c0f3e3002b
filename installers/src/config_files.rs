//! Configuration files: copied to `P/etc/provisioning/<name>/…`, then the user's.
//!
//! The rule is dpkg's, over three states: what the old generation shipped, what stands on
//! disk, and what the new one ships. Untouched is replaced, edited is kept, both changed
//! keeps the user's file and leaves the new one beside it as `<file>.new`. A deleted file
//! stays deleted. A rollback brings back what stood there when the older generation was
//! left; an edit made since is kept as `<file>.edited` where the shipped file differs.
//!
//! Deciding is pure; doing happens after the switch and can be done again ([`finish`]).

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use provisioning_package::{Digest, PackageName};
use serde::{Deserialize, Serialize};

use crate::durable;
use crate::error::InstallError;
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
    /// What is added to the file's name: `new` or `edited`.
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
        let states = States {
            old_shipped: before.as_ref().and_then(|it| it.shipped),
            old_after: before.as_ref().and_then(|it| it.after),
            disk: digest_on_disk(&prefix.config_file(&package, &path))?,
            new_shipped: shipped
                .iter()
                .find(|it| it.package == package && it.path == path)
                .map(|it| it.digest),
            restore: back
                .as_ref()
                .map_or(Restore::Nothing, |it| Restore::State(it.before)),
            was_ours: before.as_ref().is_some_and(|it| it.shipped.is_some()),
        };
        let (after, beside) = judge(states);
        records.push(ConfigRecord {
            package,
            path,
            shipped: states.new_shipped,
            before: states.disk,
            after,
            beside,
            tidied: back.and_then(|it| it.beside),
        });
    }
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

/// What the user should know about the decisions.
pub(crate) fn notes(prefix: &Prefix, records: &[ConfigRecord]) -> Vec<String> {
    records
        .iter()
        .filter_map(|it| {
            let path = prefix.config_file(&it.package, &it.path);
            let path = path.display();
            match (&it.beside, it.after, it.shipped) {
                (Some(beside), ..) if beside.suffix == "new" => Some(format!(
                    "`{path}` was edited and is kept; the new one is beside it as `{path}.new`"
                )),
                (Some(_), ..) => Some(format!(
                    "`{path}` is brought back; your edited one is beside it as `{path}.edited`"
                )),
                (None, Some(_), None) => Some(format!(
                    "`{path}` was edited and is kept, though nothing installed uses it"
                )),
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
        let copy = edited_copy(prefix, &before);
        if copy.exists() {
            continue;
        }
        let file = prefix.config_file(&record.package, &record.path);
        if !file.symlink_metadata().is_ok_and(|it| it.is_file()) {
            continue;
        }
        durable::make_folder(&prefix.edited())?;
        let folder = prefix.edited();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))
            .map_err(|it| InstallError::io("write", &folder, it))?;
        copy_whole(&file, &copy, None)?;
    }
    Ok(())
}

/// Brings the files on disk to what the current generation's records say. Can be done
/// again after a crash: a file is only touched while it is as it was before.
pub(crate) fn finish(prefix: &Prefix, generation: &Generation) -> Result<(), InstallError> {
    for record in &generation.config {
        let file = prefix.config_file(&record.package, &record.path);
        if let Some(tidied) = &record.tidied {
            let old = with_suffix(&file, &tidied.suffix);
            if digest_on_disk(&old)? == Some(tidied.digest) {
                durable::remove_if_there(&old)?;
            }
        }
        if let Some(beside) = &record.beside {
            let from = source_of(prefix, generation, record, beside.digest)?;
            copy_whole(&from, &with_suffix(&file, &beside.suffix), Some(&file))?;
        }
        if record.before == record.after || digest_on_disk(&file)? != record.before {
            continue;
        }
        if let Some(after) = record.after {
            let from = source_of(prefix, generation, record, after)?;
            let like = record.before.is_some().then_some(file.as_path());
            copy_whole(&from, &file, like)?;
        } else {
            durable::remove_if_there(&file)?;
            prune(prefix, &file);
        }
    }
    Ok(())
}

/// Where bytes of a known digest are: shipped by the package, or saved from an edit.
fn source_of(
    prefix: &Prefix,
    generation: &Generation,
    record: &ConfigRecord,
    wanted: Digest,
) -> Result<PathBuf, InstallError> {
    let copy = edited_copy(prefix, &wanted);
    if record.shipped == Some(wanted)
        && let Some(package) = generation.package(&record.package)
    {
        return Ok(prefix.store_folder(&package.digest).join(&record.path));
    }
    if copy.exists() {
        return Ok(copy);
    }
    Err(InstallError::Damaged {
        path: copy,
        reason: "a saved configuration file is gone".into(),
    })
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
    let bytes = fs::read(from).map_err(|it| InstallError::io("read", from, it))?;
    let mode_of = |path: &Path| {
        fs::metadata(path)
            .ok()
            .map(|it| it.permissions().mode() & 0o777)
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
