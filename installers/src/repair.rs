//! Mending what `verify` finds, under the prefix's lock.
//!
//! A damaged package is built anew beside itself and changes place with the old one in one
//! instant, so a program that runs from it never misses it, and a run that is killed leaves
//! what was there. Its files come from where their digests are found: its own folder, the
//! packages of other generations, the user's copies; what nobody has comes from its archive.
//! Nothing that stood there is lost: what differed is kept under `P/lib/provisioning/saved`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use provisioning_package::Digest;
use serde::Serialize;

use crate::apply::assemble;
use crate::durable;
use crate::error::InstallError;
use crate::generation::{Generation, InstalledPackage};
use crate::links;
use crate::lock::WriterLock;
use crate::plan::Choice;
use crate::prefix::Prefix;
use crate::receipt::Receipt;
use crate::record;
use crate::recover;
use crate::staging::Staging;
use crate::store::{self, Staged};
use crate::verify::{Finding, current, trees, verify};

mod copies;

use copies::Copies;

/// One finding that is none any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mended {
    /// What was wrong.
    #[serde(flatten)]
    pub finding: Finding,
    /// Where what stood there is kept, if anything did.
    pub saved: Option<PathBuf>,
}

/// What a repair came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repaired {
    /// What was mended.
    pub mended: Vec<Mended>,
    /// What is still wrong.
    pub left: Vec<Finding>,
    /// Archives without which no more can be mended.
    pub needs: Vec<Choice>,
}

/// Where what stood in the way went, by where it stood.
type Saved = BTreeMap<PathBuf, PathBuf>;

/// Mends what can be mended with what is on this machine and with `archives`.
pub fn repair(
    prefix: &Prefix,
    lock: &WriterLock,
    archives: &BTreeMap<Digest, PathBuf>,
) -> Result<Repaired, InstallError> {
    let before = verify(prefix)?;
    let mut saved = Saved::new();
    let mut repaired = Repaired::default();
    if before.iter().any(Finding::is_fault) {
        mend_current(prefix, &mut saved)?;
        mend_generation(prefix, &mut saved)?;
    }
    recover::clean(prefix, lock)?;
    if let Some(current) = prefix.current_generation()? {
        let copies = Copies::new(prefix);
        for package in &current.packages {
            if !mend_package(prefix, package, &copies, archives, &mut saved)? {
                repaired.needs.push(Choice::of(package));
            }
        }
        mend_links(prefix, &current, &mut saved)?;
    }
    repaired.left = verify(prefix)?;
    let is_left = |it: &Finding| {
        let mut left = repaired.left.iter();
        left.any(|left| left.code == it.code && left.path == it.path)
    };
    repaired.mended = before
        .into_iter()
        .filter(|it| it.is_fault() && !is_left(it))
        .map(|finding| Mended {
            saved: saved.get(&finding.path).cloned(),
            finding,
        })
        .collect();
    Ok(repaired)
}

/// Where the link to the current generation is lost, the newest whole one is current again.
fn mend_current(prefix: &Prefix, saved: &mut Saved) -> Result<(), InstallError> {
    match prefix.current_number() {
        Ok(Some(_)) => return Ok(()),
        Ok(None) if !recover::lost_current(prefix)? => return Ok(()),
        Ok(None) => {}
        Err(InstallError::Foreign { path }) if path == prefix.current() => {
            let aside = free_name(&prefix.saved().join("current"));
            move_to(&path, &aside, saved)?;
        }
        Err(problem) => return Err(problem),
    }
    let mut numbers = prefix.generation_numbers()?;
    numbers.sort_unstable();
    let is_whole = |number: &u64| {
        let kept = record::read(prefix, *number).map(|(_, it)| it);
        let read = || prefix.read_generation(*number).ok();
        kept.or_else(read)
            .is_some_and(|it| it.packages.iter().all(|it| store::has(prefix, &it.digest)))
    };
    let Some(number) = numbers.into_iter().rev().find(is_whole) else {
        return Err(InstallError::NoGeneration(
            "no generation is whole any more".into(),
        ));
    };
    let target = PathBuf::from(format!("generations/{number}"));
    durable::replace_link(&prefix.current(), &target)?;
    durable::sync_folder(&prefix.base())
}

/// Builds the current generation's folder anew from its record, if anything in it differs.
fn mend_generation(prefix: &Prefix, saved: &mut Saved) -> Result<(), InstallError> {
    let mut faults = Vec::new();
    let Some(generation) = current(prefix, &mut faults)? else {
        return Ok(());
    };
    trees::generation(prefix, &generation, &mut faults)?;
    if faults.is_empty() {
        return Ok(());
    }
    let bytes = record::read(prefix, generation.generation)
        .map_or_else(|| durable::to_json(&generation), |(bytes, _)| bytes);
    let folder = assemble(prefix, &generation, &bytes)?;
    let place = prefix.generation(generation.generation);
    swap(prefix, &folder, &place)?;
    let named = format!("generation-{}", generation.generation);
    save(prefix, (&folder, &place), &named, &faults, saved)
}

/// Builds a package's store folder anew, if anything in it differs. `false` where that takes
/// its archive.
fn mend_package(
    prefix: &Prefix,
    package: &InstalledPackage,
    copies: &Copies<'_>,
    archives: &BTreeMap<Digest, PathBuf>,
    saved: &mut Saved,
) -> Result<bool, InstallError> {
    let mut faults = Vec::new();
    trees::package(prefix, package, &mut faults)?;
    if faults.is_empty() {
        return Ok(true);
    }
    let receipt = Receipt::read(prefix, &package.digest).ok().flatten();
    let receipt = receipt.filter(|it| it.digest == package.digest);
    let built = match receipt {
        Some(receipt) => copies.rebuild(&receipt, &faults)?,
        None => None,
    };
    // Staged trees go when their staging does, so it stays until they have their places.
    let (folder, list, _staging) = match built {
        Some(folder) => (folder, None, None),
        None if archives.contains_key(&package.digest) => {
            let (staging, staged) = unpack(prefix, package, archives)?;
            (staged.folder, Some(staged.receipt_file), Some(staging))
        }
        None => return Ok(false),
    };
    let place = prefix.store_folder(&package.digest);
    swap(prefix, &folder, &place)?;
    if let Some(list) = list {
        let place = prefix.receipt(&package.digest);
        fs::rename(list, &place).map_err(|it| InstallError::io("write", &place, it))?;
        durable::sync_folder(&prefix.receipts())?;
    }
    let named = format!("{}-{}", package.name, package.version);
    save(prefix, (&folder, &place), &named, &faults, saved)?;
    Ok(true)
}

/// Unpacks a package under an unfinished name, which lasts as long as the staging.
fn unpack(
    prefix: &Prefix,
    package: &InstalledPackage,
    archives: &BTreeMap<Digest, PathBuf>,
) -> Result<(Staging, Staged), InstallError> {
    let choice = Choice::of(package);
    let staging = Staging::of_files(prefix, &[&choice], archives)?;
    let staged = staging
        .take(&choice.digest)
        .ok_or_else(|| store::not_in_store(&choice))?;
    Ok((staging, staged))
}

/// Puts what was built where it belongs; what stood there is under the unfinished name then.
fn swap(prefix: &Prefix, folder: &Path, place: &Path) -> Result<(), InstallError> {
    durable::sync_file_system(&prefix.base())?;
    if place.symlink_metadata().is_ok() {
        durable::exchange(folder, place)?;
    } else {
        fs::rename(folder, place).map_err(|it| InstallError::io("write", place, it))?;
    }
    durable::sync_folder(place.parent().unwrap_or(place))
}

/// Keeps what differed in the tree that stood at `place`, which is at `old` now, and removes
/// the rest of it.
fn save(
    prefix: &Prefix,
    (old, place): (&Path, &Path),
    named: &str,
    faults: &[Finding],
    saved: &mut Saved,
) -> Result<(), InstallError> {
    durable::make_removable(old);
    let differing = faults
        .iter()
        .filter(|it| matches!(it.code.as_str(), "changed" | "extra" | "damaged"));
    for fault in differing {
        let Ok(inside) = fault.path.strip_prefix(place) else {
            continue;
        };
        let from = old.join(inside);
        if from.symlink_metadata().is_ok() {
            let to = free_name(&prefix.saved().join(named).join(inside));
            move_to(&from, &to, saved)?;
            saved.insert(fault.path.clone(), to);
        }
    }
    match old.symlink_metadata() {
        Ok(facts) if facts.is_dir() => durable::remove_tree(old),
        _ => durable::remove_if_there(old),
    }
}

/// Makes the links outside right; a stranger in their place is moved aside.
fn mend_links(
    prefix: &Prefix,
    current: &Generation,
    saved: &mut Saved,
) -> Result<(), InstallError> {
    let commands = current.commands();
    let broken = links::broken(prefix, &commands)?;
    if broken.is_empty() {
        return Ok(());
    }
    for (path, _) in &broken {
        if !links::is_free(prefix, path) {
            let mut name = path.clone().into_os_string();
            name.push(".saved");
            move_to(path, &free_name(Path::new(&name)), saved)?;
        }
    }
    links::settle(prefix, &commands)
}

fn move_to(from: &Path, to: &Path, saved: &mut Saved) -> Result<(), InstallError> {
    if let Some(folder) = to.parent() {
        durable::make_folder(folder)?;
    }
    fs::rename(from, to).map_err(|it| InstallError::io("move", from, it))?;
    saved.insert(from.to_owned(), to.to_owned());
    Ok(())
}

/// `path`, or where that is taken, `path` with a number.
pub(crate) fn free_name(path: &Path) -> PathBuf {
    let mut free = path.to_owned();
    let mut number = 0_u32;
    while free.symlink_metadata().is_ok() {
        number += 1;
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        free = PathBuf::from(name);
    }
    free
}
