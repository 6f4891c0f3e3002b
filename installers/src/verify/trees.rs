//! The trees that are ours alone: store folders against their receipts, and the current
//! generation's folder against its record.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::{Finding, inside};
use crate::config_files::digest_on_disk;
use crate::error::InstallError;
use crate::generation::{Generation, InstalledPackage};
use crate::prefix::Prefix;
use crate::receipt::{Receipt, ReceiptFile};
use crate::store::{FILE_MODE, PROGRAM_MODE};
use crate::workers;

/// Everything that is wrong with the store folders of `packages`.
pub(super) fn packages(
    prefix: &Prefix,
    packages: &[InstalledPackage],
) -> Result<Vec<Finding>, InstallError> {
    let found = workers::on_each(packages, |it| {
        let mut findings = Vec::new();
        package(prefix, it, &mut findings).map(|()| findings)
    });
    Ok(found.all()?.into_iter().flatten().collect())
}

/// Everything that is wrong with one store folder.
pub(crate) fn package(
    prefix: &Prefix,
    package: &InstalledPackage,
    findings: &mut Vec<Finding>,
) -> Result<(), InstallError> {
    let folder = prefix.store_folder(&package.digest);
    let found = |code: &str, path: PathBuf| Finding::new(code, Some(package), path);
    let place = prefix.receipt(&package.digest);
    let receipt = match Receipt::read(prefix, &package.digest) {
        Ok(Some(receipt)) if receipt.digest == package.digest => receipt,
        Ok(None) => {
            findings.push(found("missing", place).with("the list of its files"));
            return Ok(());
        }
        Ok(Some(_)) | Err(InstallError::Damaged { .. }) => {
            findings.push(found("damaged", place).with("the list of its files"));
            return Ok(());
        }
        Err(problem) => return Err(problem),
    };
    if !folder.symlink_metadata().is_ok_and(|it| it.is_dir()) {
        findings.push(found("missing", folder).with("the whole package"));
        return Ok(());
    }
    for (path, file) in &receipt.files {
        let place = folder.join(path);
        if let Some((code, detail)) = file_fault(&place, file)? {
            findings.push(Finding {
                detail,
                ..found(code, place)
            });
        }
    }
    for (path, target) in &receipt.links {
        let place = folder.join(path);
        match fs::read_link(&place) {
            Ok(it) if it == Path::new(target) => {}
            Ok(it) => findings.push(found("link", place).with(leads_to(&it))),
            Err(_) if place.symlink_metadata().is_err() => findings.push(found("missing", place)),
            Err(_) => findings.push(found("changed", place).with("is no link")),
        }
    }
    let folders = receipt.all_folders();
    for path in &folders {
        let place = folder.join(path);
        match place.symlink_metadata() {
            Ok(facts) if facts.is_dir() => {
                let mode = facts.permissions().mode() & 0o7777;
                if mode != PROGRAM_MODE {
                    findings.push(found("mode", place).with(modes(mode, PROGRAM_MODE)));
                }
            }
            Ok(_) => findings.push(found("changed", place).with("is no folder")),
            Err(_) => findings.push(found("missing", place)),
        }
    }
    let files = receipt.files.keys().chain(receipt.links.keys());
    let known: BTreeSet<&str> = files.chain(&folders).map(String::as_str).collect();
    extra(&folder, &folder, &known, &mut |path| {
        findings.push(found("extra", path));
    })
}

/// What is wrong with one regular file.
fn file_fault(
    place: &Path,
    file: &ReceiptFile,
) -> Result<Option<(&'static str, Option<String>)>, InstallError> {
    let Ok(facts) = fs::symlink_metadata(place) else {
        return Ok(Some(("missing", None)));
    };
    if !facts.is_file() {
        return Ok(Some(("changed", Some("is no file".to_owned()))));
    }
    // Other sizes are other bytes: nothing has to be read to know that.
    if facts.len() != file.size || digest_on_disk(place)? != Some(file.digest) {
        return Ok(Some(("changed", None)));
    }
    let wanted = if file.executable {
        PROGRAM_MODE
    } else {
        FILE_MODE
    };
    let mode = facts.permissions().mode() & 0o7777;
    Ok((mode != wanted).then(|| ("mode", Some(modes(mode, wanted)))))
}

/// Everything that is wrong with the folder of a generation.
pub(crate) fn generation(
    prefix: &Prefix,
    generation: &Generation,
    findings: &mut Vec<Finding>,
) -> Result<(), InstallError> {
    let root = prefix.generation(generation.generation);
    if !root.is_dir() {
        findings.push(Finding::new("missing", None, root).with("the generation's folder"));
        return Ok(());
    }
    let links = generation.links();
    for (at, target) in &links {
        let path = root.join(at);
        let detail = match fs::read_link(&path) {
            Ok(it) if it == Path::new(target) => continue,
            Ok(it) => leads_to(&it),
            Err(_) if path.symlink_metadata().is_err() => "is gone".to_owned(),
            Err(_) => "is no link".to_owned(),
        };
        findings.push(Finding::new("link", None, path).with(detail));
    }
    let mut known: BTreeSet<&str> = links.keys().map(String::as_str).collect();
    known.insert(Generation::FILE);
    for folder in Generation::FOLDERS {
        known.extend(Path::new(folder).ancestors().filter_map(Path::to_str));
        if !root.join(folder).is_dir() {
            findings.push(Finding::new("missing", None, root.join(folder)));
        }
    }
    extra(&root, &root, &known, &mut |path| {
        findings.push(Finding::new("extra", None, path).with("the next change leaves it behind"));
    })
}

/// Names what is not `known` below `folder`; of an unknown folder, only itself.
fn extra(
    root: &Path,
    folder: &Path,
    known: &BTreeSet<&str>,
    found: &mut dyn FnMut(PathBuf),
) -> Result<(), InstallError> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry.map_err(|it| InstallError::io("read", folder, it))?;
        let path = entry.path();
        if !inside(root, &path).is_some_and(|it| known.contains(it.as_str())) {
            found(path);
        } else if entry.file_type().is_ok_and(|it| it.is_dir()) {
            extra(root, &path, known, found)?;
        }
    }
    Ok(())
}

fn leads_to(target: &Path) -> String {
    format!("leads to `{}`", target.display())
}

fn modes(found: u32, wanted: u32) -> String {
    format!("is {found:04o}, was {wanted:04o}")
}
