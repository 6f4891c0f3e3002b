//! Unpacked archives: one read-only folder for each digest.
//!
//! An archive is unpacked under an unfinished name, its receipt is written, everything is
//! made durable, and only then it takes its final name: a folder that has its final name
//! and a receipt is whole.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use provisioning_package::{ArchiveError, ArchiveReport, Digest, Manifest, unpack_inspected};

use crate::apply::Observer;
use crate::durable;
use crate::error::InstallError;
use crate::plan::Choice;
use crate::prefix::Prefix;
use crate::receipt::Receipt;

/// Most archives that are unpacked at once.
const WORKERS_MAX: usize = 4;

/// Where archives are, and what was found in them. A report was only made for an archive
/// whose digest is the signed one.
pub(crate) struct Sources<'a> {
    pub(crate) archives: &'a BTreeMap<Digest, PathBuf>,
    pub(crate) reports: &'a BTreeMap<Digest, ArchiveReport>,
}

/// An unpacked archive that has not taken its final name.
#[derive(Debug)]
pub(crate) struct Staged {
    folder: PathBuf,
    receipt: Receipt,
}

/// Whether the store has this archive, whole.
pub(crate) fn has(prefix: &Prefix, digest: &Digest) -> bool {
    prefix.store_folder(digest).is_dir() && prefix.receipt(digest).is_file()
}

/// Unpacks every archive that the store has not got. Nothing takes its final name; after
/// an error nothing is left.
pub(crate) fn stage(
    prefix: &Prefix,
    choices: &[&Choice],
    sources: &Sources<'_>,
    observer: &dyn Observer,
) -> Result<Vec<Staged>, InstallError> {
    let queue = Mutex::new(choices.iter());
    let done = Mutex::new(Vec::new());
    let failed = Mutex::new(None);
    let workers = thread::available_parallelism()
        .map_or(1, NonZeroUsize::get)
        .min(WORKERS_MAX)
        .min(choices.len());
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(choice) = next(&queue, &failed) {
                    match stage_one(prefix, choice, sources) {
                        Ok(staged) => locked(&done).push(staged),
                        Err(problem) => {
                            locked(&failed).get_or_insert(problem);
                        }
                    }
                    observer.unpacked(choice);
                }
            });
        }
    });
    let staged = done
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    match failed
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
    {
        None => Ok(staged),
        Some(problem) => {
            for it in staged {
                let _ = durable::remove_tree(&it.folder);
            }
            Err(problem)
        }
    }
}

/// Gives unpacked and durable folders their final names.
pub(crate) fn commit(prefix: &Prefix, staged: Vec<Staged>) -> Result<(), InstallError> {
    for it in staged {
        let place = prefix.store_folder(&it.receipt.digest);
        // A folder without its receipt is damage from outside; what was staged replaces it.
        if place.symlink_metadata().is_ok() {
            durable::remove_tree(&place)?;
        }
        fs::rename(&it.folder, &place).map_err(|it| InstallError::io("write", &place, it))?;
    }
    Ok(())
}

fn next<'a>(
    queue: &Mutex<std::slice::Iter<'_, &'a Choice>>,
    failed: &Mutex<Option<InstallError>>,
) -> Option<&'a Choice> {
    if locked(failed).is_some() {
        return None;
    }
    locked(queue).next().copied()
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn stage_one(
    prefix: &Prefix,
    choice: &Choice,
    sources: &Sources<'_>,
) -> Result<Staged, InstallError> {
    let archive = sources.archives.get(&choice.digest);
    let (Some(archive), Some(report)) = (archive, sources.reports.get(&choice.digest)) else {
        return Err(InstallError::NotInStore {
            name: choice.name.clone(),
            version: choice.version.clone(),
            digest: choice.digest,
        });
    };
    let folder = durable::beside(&prefix.store_folder(&choice.digest));
    durable::remove_tree(&folder)?;
    let staged = unpack(prefix, choice, (archive, report), &folder);
    if staged.is_err() {
        let _ = durable::remove_tree(&folder);
    }
    staged
}

fn unpack(
    prefix: &Prefix,
    choice: &Choice,
    (archive, report): (&Path, &ArchiveReport),
    folder: &Path,
) -> Result<Staged, InstallError> {
    let digests =
        unpack_inspected(archive, report, folder).map_err(|it| archive_error(choice, it))?;
    let manifest = read_manifest(choice, report.manifest.as_deref())?;
    close(folder).map_err(|it| InstallError::io("write", folder, it))?;
    let receipt = Receipt::of(&manifest, choice.digest, &report.entries, &digests);
    durable::write_file(
        &prefix.receipt(&choice.digest),
        &durable::to_json(&receipt),
        0o644,
    )?;
    Ok(Staged {
        folder: folder.to_owned(),
        receipt,
    })
}

/// An archive's manifest, which must say what the signed index says.
pub(crate) fn read_manifest(choice: &Choice, text: Option<&str>) -> Result<Manifest, InstallError> {
    let mismatch = |reason: String| InstallError::Mismatch {
        name: choice.name.clone(),
        reason,
    };
    let text = text.ok_or_else(|| mismatch(format!("it has no `{}`", Manifest::FILE)))?;
    let manifest = Manifest::parse(text)
        .map_err(|source| InstallError::Manifest {
            name: choice.name.clone(),
            source,
        })?
        .manifest;
    if manifest.name != choice.name || manifest.version != choice.version {
        return Err(mismatch(format!(
            "its manifest says `{}` {}, the index `{}` {}",
            manifest.name, manifest.version, choice.name, choice.version
        )));
    }
    Ok(manifest)
}

pub(crate) fn digest_mismatch(choice: &Choice, found: Digest) -> InstallError {
    InstallError::Mismatch {
        name: choice.name.clone(),
        reason: format!(
            "its bytes are {}, the index signs {}",
            found.prefixed(),
            choice.digest.prefixed()
        ),
    }
}

/// Refused bytes are the archive's fault, file errors are this machine's.
pub(crate) fn archive_error(choice: &Choice, problem: ArchiveError) -> InstallError {
    if let ArchiveError::Io {
        action,
        path,
        source,
    } = problem
    {
        return InstallError::io(action, &path, source);
    }
    InstallError::Archive {
        name: choice.name.clone(),
        source: problem,
    }
}

/// Takes the write bits away from a whole tree, links left alone.
fn close(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let facts = entry.file_type()?;
        if facts.is_dir() {
            close(&entry.path())?;
        } else if facts.is_file() {
            let mode = entry.metadata()?.permissions().mode();
            let closed = if mode & 0o111 == 0 { 0o444 } else { 0o555 };
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(closed))?;
        }
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o555))
}
