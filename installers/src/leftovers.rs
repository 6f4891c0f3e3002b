//! What killed runs left behind, for people who want to know. Nothing here writes: the next
//! writer removes all of it by itself.

use std::fs;
use std::path::{Path, PathBuf};

use crate::durable::UNFINISHED;
use crate::error::InstallError;
use crate::prefix::Prefix;

/// Unfinished files and folders, generations that were never switched to, and the note of
/// work that is left to do.
pub fn leftovers(prefix: &Prefix) -> Result<Vec<PathBuf>, InstallError> {
    let mut found = Vec::new();
    if prefix.pending().exists() {
        found.push(prefix.pending());
    }
    for folder in [
        prefix.base(),
        prefix.store(),
        prefix.receipts(),
        prefix.edited(),
        prefix.generations(),
    ] {
        found.extend(unfinished(&folder));
    }
    let newest = prefix.current_number()?.unwrap_or(0);
    for number in prefix.generation_numbers()? {
        if number > newest {
            found.push(prefix.generation(number));
        }
    }
    found.sort();
    Ok(found)
}

/// What cannot be read counts as nothing: who may not look cannot clean up either.
fn unfinished(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let is_unfinished = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes())
    };
    entries
        .flatten()
        .filter(is_unfinished)
        .map(|it| it.path())
        .collect()
}
