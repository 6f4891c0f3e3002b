//! Unpacked archives: one read-only folder for each digest.
//!
//! An archive is unpacked under an unfinished name (`staging`), its receipt is written under
//! another, all of them are made durable at once, and only then both take their final names:
//! a folder that has its final name and a receipt is whole.

use std::fs;
use std::path::{Path, PathBuf};

use provisioning_package::{ArchiveError, Digest, Manifest};

use crate::apply::Observer;
use crate::durable;
use crate::error::InstallError;
use crate::plan::Choice;
use crate::prefix::Prefix;
use crate::receipt::Receipt;
use crate::staging::Staging;
use crate::{share, workers};

/// The mode of a file in the store.
pub(crate) const FILE_MODE: u32 = 0o444;

/// The mode of a program, and of a folder, in the store.
pub(crate) const PROGRAM_MODE: u32 = 0o555;

/// An unpacked archive that has not taken its final name.
#[derive(Debug)]
pub(crate) struct Staged {
    pub(crate) folder: PathBuf,
    pub(crate) receipt_file: PathBuf,
    pub(crate) receipt: Receipt,
}

impl Staged {
    /// Removes it.
    pub(crate) fn discard(&self) {
        let _ = durable::remove_tree(&self.folder);
        let _ = durable::remove_if_there(&self.receipt_file);
    }
}

/// Whether the store has this archive, whole.
pub(crate) fn has(prefix: &Prefix, digest: &Digest) -> bool {
    prefix.store_folder(digest).is_dir() && prefix.receipt(digest).is_file()
}

/// Takes the tree of every archive that the store has not got, from what is staged or from
/// another prefix. Nothing takes its final name; after an error nothing is left.
pub(crate) fn stage(
    prefix: &Prefix,
    choices: &[&Choice],
    staging: Option<&Staging>,
    observer: &dyn Observer,
) -> Result<Vec<Staged>, InstallError> {
    let done = workers::on_each(choices, |choice| {
        let staged = stage_one(prefix, choice, staging);
        observer.unpacked(choice);
        staged
    });
    if done.failure.is_some() {
        done.results.iter().for_each(Staged::discard);
    }
    done.all()
}

/// Gives unpacked and durable folders their final names, and makes those durable too.
pub(crate) fn commit(prefix: &Prefix, staged: Vec<Staged>) -> Result<(), InstallError> {
    if staged.is_empty() {
        return Ok(());
    }
    for it in staged {
        let place = prefix.store_folder(&it.receipt.digest);
        // A folder without its receipt is damage from outside; what was staged replaces it.
        if place.symlink_metadata().is_ok() {
            durable::exchange(&it.folder, &place)?;
            durable::remove_tree(&it.folder)?;
        } else {
            fs::rename(&it.folder, &place).map_err(|it| InstallError::io("write", &place, it))?;
        }
        let place = prefix.receipt(&it.receipt.digest);
        fs::rename(&it.receipt_file, &place).map_err(|it| InstallError::io("write", &place, it))?;
    }
    durable::sync_folder(&prefix.receipts())?;
    durable::sync_folder(&prefix.store())
}

fn stage_one(
    prefix: &Prefix,
    choice: &Choice,
    staging: Option<&Staging>,
) -> Result<Staged, InstallError> {
    if let Some(staged) = staging.and_then(|it| it.take(&choice.digest)) {
        return Ok(staged);
    }
    match prefix.shared(&choice.digest) {
        Some(other) => stage_shared(prefix, &other, choice),
        None => Err(not_in_store(choice)),
    }
}

/// Takes a tree from another prefix.
fn stage_shared(prefix: &Prefix, other: &Prefix, choice: &Choice) -> Result<Staged, InstallError> {
    let folder = durable::beside(&prefix.store_folder(&choice.digest));
    durable::remove_tree(&folder)?;
    let staged = share::take(other, &choice.digest, &folder)
        .and_then(|receipt| with_receipt(prefix, &folder, receipt));
    if staged.is_err() {
        let _ = durable::remove_tree(&folder);
    }
    staged.map_err(|it| {
        if matches!(it, InstallError::DiskFull { .. }) {
            it
        } else {
            InstallError::NotShared(Box::new(it))
        }
    })
}

/// Writes the receipt of a staged folder, under an unfinished name too.
fn with_receipt(prefix: &Prefix, folder: &Path, receipt: Receipt) -> Result<Staged, InstallError> {
    let receipt_file = durable::beside(&prefix.receipt(&receipt.digest));
    durable::write_new(&receipt_file, &durable::to_compact_json(&receipt), 0o644)?;
    Ok(Staged {
        folder: folder.to_owned(),
        receipt_file,
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

pub(crate) fn not_in_store(choice: &Choice) -> InstallError {
    InstallError::NotInStore {
        name: choice.name.clone(),
        version: choice.version.clone(),
        digest: choice.digest,
    }
}

/// Bytes that are not the signed ones: what they are, or nothing where there were more of
/// them than signed.
pub(crate) fn digest_mismatch(choice: &Choice, found: Option<(Digest, u64)>) -> InstallError {
    let signed = choice.digest.prefixed();
    let reason = match found {
        Some((digest, size)) if digest == choice.digest => {
            format!("it has {size} bytes, the index signs {}", choice.size)
        }
        Some((digest, _)) => format!(
            "its bytes are {}, the index signs {signed}",
            digest.prefixed()
        ),
        None => format!(
            "it has more than the {} bytes that the index signs",
            choice.size
        ),
    };
    InstallError::Mismatch {
        name: choice.name.clone(),
        reason,
    }
}

/// What is refused is the archive's fault, file errors are this machine's.
pub(crate) fn archive_error(choice: &Choice, problem: ArchiveError) -> InstallError {
    if let ArchiveError::Io {
        action,
        path,
        source,
    } = problem
    {
        return InstallError::io(action, &path, source);
    }
    let name = choice.name.clone();
    if let ArchiveError::BeyondPromise { unpacked, entries } = problem {
        let reason = format!(
            "it unpacks to more than the index signs: {} bytes in {} entries",
            unpacked.unwrap_or_default(),
            entries.unwrap_or_default()
        );
        return InstallError::Mismatch { name, reason };
    }
    let source = problem;
    InstallError::Archive { name, source }
}
