//! What `verify --repair` and `adopt` kept of files that somebody had changed.
//!
//! These copies are the user's: they are counted every time, and go only where that was asked
//! for.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::{GcPolicy, SavedGarbage};
use crate::durable;
use crate::error::InstallError;
use crate::prefix::Prefix;

/// Counts the copies, and finds those that go.
pub(super) fn find(
    prefix: &Prefix,
    policy: &GcPolicy,
) -> Result<(SavedGarbage, Vec<PathBuf>), InstallError> {
    let mut found = SavedGarbage::default();
    let mut going = Vec::new();
    let mut folders = vec![prefix.saved(), prefix.adopted()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => continue,
            Err(problem) => return Err(InstallError::io("read", &folder, problem)),
        };
        for entry in entries {
            let path = entry
                .map_err(|it| InstallError::io("read", &folder, it))?
                .path();
            let facts =
                fs::symlink_metadata(&path).map_err(|it| InstallError::io("read", &path, it))?;
            if facts.is_dir() {
                folders.push(path);
                continue;
            }
            found.found += 1;
            // A file that moves keeps its own times; the one of its last change of name is
            // when it was kept.
            let kept_at = Timestamp::from_second(facts.ctime()).unwrap_or(Timestamp::MAX);
            if policy.takes_saved && policy.replaced_before.is_none_or(|it| kept_at < it) {
                going.push(path);
            }
        }
    }
    going.sort();
    found.removed = going.len();
    Ok((found, going))
}

/// Removes copies, and the folders that have nothing in them then.
pub(super) fn remove(prefix: &Prefix, files: &[PathBuf]) -> Result<(), InstallError> {
    let mut folders = BTreeSet::new();
    for file in files {
        durable::remove_if_there(file)?;
        let above = file.ancestors().skip(1);
        folders.extend(
            above
                .take_while(|it| *it != prefix.base())
                .map(Path::to_path_buf),
        );
    }
    for folder in folders.iter().rev() {
        // One that still holds something stays.
        let _ = fs::remove_dir(folder);
    }
    Ok(())
}
