//! A second copy of every `generation.json`, named for its digest and kept apart from the
//! first: a damaged generation can be told from a whole one, and built again.

use std::fs;
use std::path::PathBuf;

use provisioning_package::Digest;

use crate::durable;
use crate::error::InstallError;
use crate::generation::{GENERATION_SCHEMA, Generation};
use crate::prefix::Prefix;

/// Keeps the bytes of generation `number`.
pub(crate) fn write(prefix: &Prefix, number: u64, bytes: &[u8]) -> Result<(), InstallError> {
    durable::make_folder(&prefix.records())?;
    let name = format!("{number}-{}.json", Digest::of(bytes).hex());
    let place = prefix.records().join(name);
    // Made durable with the generation itself; a half one is told by its name.
    durable::write_new(&durable::beside(&place), bytes, 0o644)?;
    fs::rename(durable::beside(&place), &place).map_err(|it| InstallError::io("write", &place, it))
}

/// What generation `number` was when it was made: its bytes and their meaning. `None` where
/// no copy is whole; generations from before there were copies have none.
pub(crate) fn read(prefix: &Prefix, number: u64) -> Option<(Vec<u8>, Generation)> {
    let mut found = None;
    for (of, path) in all(prefix) {
        let Ok(bytes) = fs::read(&path) else { continue };
        let name = format!("{of}-{}.json", Digest::of(&bytes).hex());
        if of == number && path.ends_with(name) {
            let generation = durable::from_json(&path, &bytes, GENERATION_SCHEMA).ok();
            found = generation.map(|it| (bytes, it)).or(found);
        }
    }
    found
}

/// Removes the copies of generations that `goes` says are gone.
pub(crate) fn remove(prefix: &Prefix, goes: impl Fn(u64) -> bool) -> Result<(), InstallError> {
    for (number, path) in all(prefix) {
        if goes(number) {
            durable::remove_if_there(&path)?;
        }
    }
    Ok(())
}

/// Every copy, and which generation it is of.
fn all(prefix: &Prefix) -> Vec<(u64, PathBuf)> {
    let entries = fs::read_dir(prefix.records());
    entries
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|it| {
            let name = it.file_name().into_string().ok()?;
            let number = name.split_once('-')?.0.parse().ok()?;
            Some((number, it.path()))
        })
        .collect()
}
