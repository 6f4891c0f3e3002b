//! Who may remove from the cache, and when: nobody, while an archive of it may be in use.
//!
//! A process that takes archives out of a cache holds its lock, shared with others, until it
//! ends or lets go; `cache prune` takes it alone. Where the lock cannot be had, such as on a
//! disk that is read-only, nothing can be removed either.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};

/// The locks that this process holds, by folder.
static HELD: Mutex<Vec<(PathBuf, File)>> = Mutex::new(Vec::new());

/// Keeps everybody from removing archives in `folder` until [`let_go`].
pub(super) fn hold(folder: &Path) {
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    if held.iter().any(|(it, _)| it == folder) {
        return;
    }
    if let Ok(file) = open(folder)
        && file.lock_shared().is_ok()
    {
        held.push((folder.to_owned(), file));
    }
}

/// Lets go of every lock of this process.
pub(crate) fn let_go() {
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    held.clear();
}

/// The lock of the archives in `folder` for one who removes; `None` while somebody uses them.
pub(crate) fn try_alone(folder: &Path) -> std::io::Result<Option<File>> {
    let file = open(folder)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(problem)) => Err(problem),
    }
}

/// Notes that a file of the cache was used just now: its modification time says so, since
/// access times are often not kept.
pub(super) fn note_use(path: &Path) {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW,
    };
    let kept = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_OMIT,
    };
    let times = Timestamps {
        last_access: kept,
        last_modification: now,
    };
    let flags = rustix::fs::AtFlags::empty();
    let _ = rustix::fs::utimensat(rustix::fs::CWD, path, &times, flags);
}

fn open(folder: &Path) -> std::io::Result<File> {
    let path = folder.parent().unwrap_or(folder).join(".lock");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).open(path)
}
