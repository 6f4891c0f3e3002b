//! After a crash: finish what was switched to, forget what was not.

use std::fs;
use std::path::PathBuf;

use crate::adopt;
use crate::config_files;
use crate::durable;
use crate::error::InstallError;
use crate::generation::Generation;
use crate::links;
use crate::lock::{Holder, WriterLock};
use crate::prefix::Prefix;
use crate::record;
use crate::staging;

/// For readers: finishes the work of a writer that was killed after its switch, where
/// there is any, nobody writes right now, and this user may write. Waits for nobody and
/// never fails: what cannot be finished now, the next writer finishes.
pub fn recover(prefix: &Prefix, holder: &Holder) {
    if !prefix.pending().exists() && !prefix.adopting().exists() {
        return;
    }
    if let Some(lock) = WriterLock::try_acquire(prefix, holder) {
        let _ = clean(prefix, &lock);
    }
}

/// For readers: the current generation. Where generations stand and the link that says which
/// of them is current is gone, that is damage and not an empty prefix.
pub fn current_if_whole(prefix: &Prefix) -> Result<Option<Generation>, InstallError> {
    // A first install that ends between two looks leaves a link for the last one.
    if prefix.current_number()?.is_none()
        && lost_current(prefix)?
        && prefix.current_number()?.is_none()
    {
        return Err(lost(prefix));
    }
    prefix.current_generation()
}

fn lost(prefix: &Prefix) -> InstallError {
    InstallError::Damaged {
        path: prefix.current(),
        reason: "the link to the current generation is gone".into(),
    }
}

/// Brings a prefix to a whole state, under the lock.
pub(crate) fn clean(prefix: &Prefix, lock: &WriterLock) -> Result<(), InstallError> {
    debug_assert!(lock.guards(prefix), "the lock of another prefix");
    if lost_current(prefix)? {
        // Generations above the current one are swept below; without it, that is all.
        return Err(lost(prefix));
    }
    let current = prefix.current_generation()?;
    adopt::settle(prefix, current.is_some())?;
    for leftover in unfinished(prefix)? {
        staging::sweep(&leftover)?;
    }
    sweep(prefix, current.as_ref().map_or(0, |it| it.generation))?;
    if let Some(pending) = read_pending(prefix)? {
        // Killed before the switch, the current generation's own files were finished long
        // ago; doing them again would undo what the user changed since.
        let switched = current.as_ref().filter(|it| it.generation == pending);
        if let Some(generation) = switched {
            config_files::finish(prefix, generation)?;
        }
        settle(prefix, current.as_ref())?;
    }
    Ok(())
}

/// Removes generations that were built and never switched to: numbers only grow and the
/// current one is the greatest. Happens before the note of a first install goes, which is
/// what tells them from ones whose link to the current one was lost.
fn sweep(prefix: &Prefix, newest: u64) -> Result<(), InstallError> {
    let mut numbers = prefix.generation_numbers()?;
    numbers.retain(|it| *it > newest);
    for number in &numbers {
        durable::remove_tree(&prefix.generation(*number))?;
    }
    if newest == 0 && !numbers.is_empty() {
        durable::sync_folder(&prefix.generations())?;
    }
    record::remove(prefix, |it| it > newest)
}

/// Whether something was installed and the link that says what is gone. A run that was
/// killed before its first switch leaves no link either, but its note is pending or nothing
/// leads to it yet.
pub(crate) fn lost_current(prefix: &Prefix) -> Result<bool, InstallError> {
    if prefix.current_number()?.is_some() {
        return Ok(false);
    }
    let numbers = prefix.generation_numbers()?;
    let was_second = numbers.iter().any(|it| *it > 1);
    let was_finished = !numbers.is_empty() && !prefix.pending().exists();
    Ok(was_second || (was_finished && links::any(prefix)?))
}

/// Everything that happens after the switch; done again after a crash it does no harm.
pub(crate) fn finish(prefix: &Prefix, current: &Generation) -> Result<(), InstallError> {
    config_files::finish(prefix, current)?;
    adopt::settle(prefix, true)?;
    settle(prefix, Some(current))
}

/// Links outside become what the current generation says; then nothing is pending.
fn settle(prefix: &Prefix, current: Option<&Generation>) -> Result<(), InstallError> {
    match current {
        Some(generation) => links::settle(prefix, &generation.commands())?,
        None => links::remove_all(prefix)?,
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

/// What killed runs left under unfinished names. What a process that lives has staged is
/// none of it.
pub(crate) fn unfinished(prefix: &Prefix) -> Result<Vec<PathBuf>, InstallError> {
    let folders = [
        prefix.base(),
        prefix.store(),
        prefix.receipts(),
        prefix.records(),
        prefix.edited(),
        prefix.generations(),
    ];
    let mut found = Vec::new();
    for folder in folders {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => continue,
            Err(problem) => return Err(InstallError::io("read", &folder, problem)),
        };
        for entry in entries {
            let entry = entry.map_err(|it| InstallError::io("read", &folder, it))?;
            let name = entry.file_name();
            let unfinished = durable::UNFINISHED.as_bytes();
            let is_unfinished = name.as_encoded_bytes().starts_with(unfinished);
            if is_unfinished && !staging::is_in_use(&entry.path()) {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}
