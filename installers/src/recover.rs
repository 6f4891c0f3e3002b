//! After a crash: finish what was switched to, forget what was not.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::config_files;
use crate::durable;
use crate::error::InstallError;
use crate::generation::Generation;
use crate::links;
use crate::lock::{Holder, WriterLock};
use crate::prefix::Prefix;

/// For readers: finishes the work of a writer that was killed after its switch, where
/// there is any, nobody writes right now, and this user may write. Waits for nobody and
/// never fails: what cannot be finished now, the next writer finishes.
pub fn recover(prefix: &Prefix, holder: &Holder) {
    if !prefix.pending().exists() {
        return;
    }
    if let Some(lock) = WriterLock::try_acquire(prefix, holder) {
        let _ = clean(prefix, &lock);
    }
}

/// Brings a prefix to a whole state, under the lock.
pub(crate) fn clean(prefix: &Prefix, lock: &WriterLock) -> Result<(), InstallError> {
    debug_assert!(lock.guards(prefix), "the lock of another prefix");
    let current = prefix.current_generation()?;
    if let Some(pending) = read_pending(prefix)? {
        // Killed before the switch, the current generation's own files were finished long
        // ago; doing them again would undo what the user changed since.
        let switched = current.as_ref().filter(|it| it.generation == pending);
        if let Some(generation) = switched {
            config_files::finish(prefix, generation)?;
        }
        settle(prefix, current.as_ref())?;
    }
    remove_unfinished(&prefix.base())?;
    remove_unfinished(&prefix.store())?;
    remove_unfinished(&prefix.receipts())?;
    remove_unfinished(&prefix.edited())?;
    remove_unfinished(&prefix.generations())?;
    let newest = current.as_ref().map_or(0, |it| it.generation);
    for number in prefix.generation_numbers()? {
        // Numbers only grow and the current one is the greatest, so a greater one was
        // built and never switched to.
        if number > newest {
            durable::remove_tree(&prefix.generation(number))?;
        }
    }
    Ok(())
}

/// Everything that happens after the switch; done again after a crash it does no harm.
pub(crate) fn finish(prefix: &Prefix, current: &Generation) -> Result<(), InstallError> {
    config_files::finish(prefix, current)?;
    settle(prefix, Some(current))
}

/// Links outside become what the current generation says; then nothing is pending.
fn settle(prefix: &Prefix, current: Option<&Generation>) -> Result<(), InstallError> {
    match current {
        Some(generation) => links::settle(prefix, &generation.commands())?,
        None => links::remove_stale(prefix, &BTreeSet::new())?,
    }
    durable::remove_if_there(&prefix.pending())
}

/// The generation whose work after the switch may be unfinished; 0 when the note itself
/// is.
fn read_pending(prefix: &Prefix) -> Result<Option<u64>, InstallError> {
    let path = prefix.pending();
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim().parse().unwrap_or(0))),
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(problem) => Err(InstallError::io("read", &path, problem)),
    }
}

fn remove_unfinished(folder: &Path) -> Result<(), InstallError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(problem) => return Err(InstallError::io("read", folder, problem)),
    };
    for entry in entries {
        let entry = entry.map_err(|it| InstallError::io("read", folder, it))?;
        let name = entry.file_name();
        let unfinished = name
            .as_encoded_bytes()
            .starts_with(durable::UNFINISHED.as_bytes());
        if !unfinished {
            continue;
        }
        if entry.file_type().is_ok_and(|it| it.is_dir()) {
            durable::remove_tree(&entry.path())?;
        } else {
            durable::remove_if_there(&entry.path())?;
        }
    }
    Ok(())
}
