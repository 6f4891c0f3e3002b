//! Is everything still as it was installed? Reads every file of the current generation
//! again and compares it with the digests that were recorded when it was unpacked.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use provisioning_package::{Digest, PackageName};
use serde::{Deserialize, Serialize};

use crate::config_files;
use crate::error::InstallError;
use crate::generation::{Generation, InstalledPackage};
use crate::layout;
use crate::links;
use crate::prefix::Prefix;
use crate::receipt::Receipt;

/// One thing that is not as it was installed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// What is wrong: `missing`, `changed`, `extra`, `link`, or `edited` (a configuration
    /// file, which is no fault).
    pub code: String,
    /// Whose file, where it is a package's.
    pub package: Option<PackageName>,
    /// Where.
    pub path: PathBuf,
}

impl Finding {
    /// Whether it is a fault. An edited configuration file is the user's good right.
    pub fn is_fault(&self) -> bool {
        self.code != "edited"
    }

    fn new(code: &str, package: Option<&InstalledPackage>, path: PathBuf) -> Self {
        Self {
            code: code.to_owned(),
            package: package.map(|it| it.name.clone()),
            path,
        }
    }
}

/// Everything that is not as it was installed.
pub fn verify(prefix: &Prefix) -> Result<Vec<Finding>, InstallError> {
    let Some(current) = prefix.current_generation()? else {
        return Ok(Vec::new());
    };
    let mut findings = Vec::new();
    for package in &current.packages {
        verify_package(prefix, package, &mut findings)?;
    }
    let folder = prefix.generation(current.generation);
    for package in &current.packages {
        let tree = layout::place(package.kind, &package.name);
        let commands = package.commands.keys().map(|it| format!("bin/{it}"));
        for link in commands.chain([tree]) {
            let path = folder.join(link);
            if !path.exists() {
                findings.push(Finding::new("link", Some(package), path));
            }
        }
    }
    let outside = links::broken(prefix, &current.commands());
    findings.extend(outside.into_iter().map(|it| Finding::new("link", None, it)));
    verify_config(prefix, &current, &mut findings)?;
    findings.sort();
    Ok(findings)
}

fn verify_package(
    prefix: &Prefix,
    package: &InstalledPackage,
    findings: &mut Vec<Finding>,
) -> Result<(), InstallError> {
    let folder = prefix.store_folder(&package.digest);
    let Some(receipt) = Receipt::read(prefix, &package.digest)? else {
        findings.push(Finding::new(
            "missing",
            Some(package),
            prefix.receipt(&package.digest),
        ));
        return Ok(());
    };
    for (path, file) in &receipt.files {
        let place = folder.join(path);
        let found = config_files::digest_on_disk(&place)?;
        match found {
            None => findings.push(Finding::new("missing", Some(package), place)),
            Some(digest) if digest != file.digest => {
                findings.push(Finding::new("changed", Some(package), place));
            }
            Some(_) => {}
        }
    }
    for (path, target) in &receipt.links {
        let place = folder.join(path);
        if !fs::read_link(&place).is_ok_and(|it| it == Path::new(target)) {
            findings.push(Finding::new("changed", Some(package), place));
        }
    }
    for path in &receipt.folders {
        let place = folder.join(path);
        if !place.symlink_metadata().is_ok_and(|it| it.is_dir()) {
            findings.push(Finding::new("missing", Some(package), place));
        }
    }
    let known: BTreeSet<&str> = receipt
        .files
        .keys()
        .chain(receipt.links.keys())
        .map(String::as_str)
        .collect();
    extra(&folder, &folder, &known, package, findings)
}

/// Files that were never part of the package.
fn extra(
    root: &Path,
    folder: &Path,
    known: &BTreeSet<&str>,
    package: &InstalledPackage,
    findings: &mut Vec<Finding>,
) -> Result<(), InstallError> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry.map_err(|it| InstallError::io("read", folder, it))?;
        let path = entry.path();
        let is_folder = entry.file_type().is_ok_and(|it| it.is_dir());
        if is_folder {
            extra(root, &path, known, package, findings)?;
            continue;
        }
        let inside = path.strip_prefix(root).ok().and_then(Path::to_str);
        if !inside.is_some_and(|it| known.contains(it)) {
            findings.push(Finding::new("extra", Some(package), path));
        }
    }
    Ok(())
}

fn verify_config(
    prefix: &Prefix,
    current: &Generation,
    findings: &mut Vec<Finding>,
) -> Result<(), InstallError> {
    for record in current.config.iter().filter(|it| it.shipped.is_some()) {
        let path = prefix.config_file(&record.package, &record.path);
        let found: Option<Digest> = config_files::digest_on_disk(&path)?;
        if found != record.shipped {
            let package = current.package(&record.package);
            findings.push(Finding::new("edited", package, path));
        }
    }
    Ok(())
}
