//! Unpacked trees that another prefix of this machine has: taken from there instead of
//! being fetched and unpacked again.
//!
//! Each file is cloned where the file system can, else hard-linked, else copied; which of
//! them happened is nobody's concern. Only a tree that belongs to this user or to root is
//! taken, and only after every file was read and had the digest that its receipt records.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink,
};
use std::path::{Component, Path, PathBuf};

use provisioning_package::Digest;

use crate::error::InstallError;
use crate::plan::{Choice, Plan};
use crate::prefix::Prefix;
use crate::receipt::{Receipt, ReceiptFile};
use crate::{store, workers};

/// The archives of a plan that the prefix has not got and one of `others` has, whole and
/// on the same file system.
pub fn shared_trees(prefix: &Prefix, plan: &Plan, others: &[Prefix]) -> BTreeMap<Digest, PathBuf> {
    let Some(device) = device_of(&prefix.store()) else {
        return BTreeMap::new();
    };
    let others: Vec<&Prefix> = others
        .iter()
        .filter(|it| it.root() != prefix.root() && device_of(&it.store()) == Some(device))
        .collect();
    if others.is_empty() {
        return BTreeMap::new();
    }
    let absent = crate::prepare::missing(prefix, plan);
    let found = workers::on_each(&absent, |choice| {
        let other = others.iter().find(|it| is_whole(it, choice));
        Ok::<_, InstallError>(other.map(|it| (choice.digest, it.root().to_owned())))
    });
    found.results.into_iter().flatten().collect()
}

/// Makes `folder` the tree that `other` has of this archive, and gives its receipt.
pub(crate) fn take(
    other: &Prefix,
    digest: &Digest,
    folder: &Path,
) -> Result<Receipt, InstallError> {
    let receipt = Receipt::read(other, digest)?.ok_or_else(|| InstallError::Damaged {
        path: other.receipt(digest),
        reason: "it went away while its tree was taken".into(),
    })?;
    let source = other.store_folder(digest);
    let failed = |path: &Path, it| InstallError::io("write", path, it);
    let folders = receipt.all_folders();
    for it in &folders {
        let place = folder.join(it);
        DirBuilder::new()
            .mode(0o700)
            .create(&place)
            .map_err(|it| failed(&place, it))?;
    }
    for (path, target) in &receipt.links {
        let place = folder.join(path);
        symlink(target, &place).map_err(|it| failed(&place, it))?;
    }
    let mut way = Way::Clone;
    for path in receipt.files.keys() {
        let place = folder.join(path);
        way = put(&source.join(path), &place, way).map_err(|it| failed(&place, it))?;
    }
    for it in folders.iter().rev() {
        let place = folder.join(it);
        fs::set_permissions(&place, Permissions::from_mode(0o555))
            .map_err(|it| failed(&place, it))?;
    }
    Ok(receipt)
}

/// How a file gets here, the best way first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Clone,
    Link,
    Copy,
}

/// Puts one file, and gives the way that worked, for the next.
fn put(from: &Path, to: &Path, way: Way) -> io::Result<Way> {
    if way == Way::Clone {
        if clone_file(from, to)? {
            return Ok(Way::Clone);
        }
        return put(from, to, Way::Link);
    }
    if way == Way::Link && fs::hard_link(from, to).is_ok() {
        return Ok(Way::Link);
    }
    let mut source = File::open(from)?;
    let mode = source.metadata()?.permissions().mode() & 0o555;
    io::copy(&mut source, &mut create(to, mode)?)?;
    Ok(Way::Copy)
}

/// Whether the file system could make `to` share the blocks of `from` until one changes.
#[cfg(target_os = "linux")]
fn clone_file(from: &Path, to: &Path) -> io::Result<bool> {
    let source = File::open(from)?;
    let mode = source.metadata()?.permissions().mode() & 0o555;
    let file = create(to, mode)?;
    if rustix::fs::ioctl_ficlone(&file, &source).is_ok() {
        return Ok(true);
    }
    fs::remove_file(to)?;
    Ok(false)
}

#[cfg(not(target_os = "linux"))]
fn clone_file(_from: &Path, _to: &Path) -> io::Result<bool> {
    Ok(false)
}

fn create(path: &Path, mode: u32) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    Ok(file)
}

/// Whether `other` has the archive, nobody else can have written it, and every file is as
/// its receipt says.
fn is_whole(other: &Prefix, choice: &Choice) -> bool {
    let folder = other.store_folder(&choice.digest);
    let is_trusted = store::has(other, &choice.digest)
        && [
            other.base(),
            other.store(),
            other.receipts(),
            folder.clone(),
        ]
        .iter()
        .chain([&other.receipt(&choice.digest)])
        .all(|it| fs::symlink_metadata(it).is_ok_and(|it| is_ours(&it)));
    if !is_trusted {
        return false;
    }
    let Ok(Some(receipt)) = Receipt::read(other, &choice.digest) else {
        return false;
    };
    receipt.digest == choice.digest
        && receipt.name == choice.name
        && receipt.version == choice.version
        && paths_of(&receipt).all(stays_inside)
        && receipt
            .files
            .iter()
            .all(|(path, it)| is_file(&folder.join(path), it))
}

fn is_file(path: &Path, wanted: &ReceiptFile) -> bool {
    let found = fs::symlink_metadata(path);
    let fits = found.is_ok_and(|it| {
        let mode = if wanted.executable { 0o555 } else { 0o444 };
        it.is_file() && is_ours(&it) && it.len() == wanted.size && it.mode() & 0o7777 == mode
    });
    fits && File::open(path)
        .and_then(|mut it| Digest::of_reader(&mut it))
        .is_ok_and(|it| it == wanted.digest)
}

/// Belongs to this user or to root, and nobody else may write to it.
fn is_ours(facts: &Metadata) -> bool {
    let is_ours = [0, rustix::process::geteuid().as_raw()].contains(&facts.uid());
    is_ours && facts.mode() & 0o022 == 0
}

fn paths_of(receipt: &Receipt) -> impl Iterator<Item = &str> {
    let files = receipt.files.keys().chain(receipt.links.keys());
    files.chain(&receipt.folders).map(String::as_str)
}

/// A path that somebody wrote into a receipt could lead anywhere.
fn stays_inside(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    !path.is_empty() && parts.all(|it| matches!(it, Component::Normal(_)))
}

/// The file system of a folder, or of where it will be.
fn device_of(folder: &Path) -> Option<u64> {
    let there = folder.ancestors().find(|it| it.exists())?;
    Some(fs::metadata(there).ok()?.dev())
}
