//! One writer at a time: a lock on `P/lib/provisioning/lock` that the kernel releases when
//! its holder dies. What the file says is only for people who wait.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::durable;
use crate::error::InstallError;
use crate::prefix::Prefix;

/// How often a waiting writer looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// How much longer a writer that must give up waits for the holder's note: whoever took the
/// lock just now has not written it yet.
const NOTE_WAIT: Duration = Duration::from_millis(300);

/// Longest holder note that is read back, in bytes.
const HOLDER_BYTES_MAX: u64 = 4096;

/// Who holds the lock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process.
    pub pid: Option<u32>,
    /// What it does.
    pub command: Option<String>,
    /// Since when it has been at it.
    #[serde(default)]
    pub since: Option<Timestamp>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pid, &self.command) {
            (Some(pid), Some(command)) => write!(f, "process {pid} (`{command}`)"),
            (Some(pid), None) => write!(f, "process {pid}"),
            (None, _) => f.write_str("another process"),
        }?;
        match self.since {
            Some(since) => write!(f, " since {}", since.strftime("%Y-%m-%d %H:%M:%SZ")),
            None => Ok(()),
        }
    }
}

/// The right to write to a prefix, until it is dropped.
#[derive(Debug)]
pub struct WriterLock {
    file: File,
    root: PathBuf,
}

impl WriterLock {
    /// Takes the lock, waiting at most `patience`; `waiting` is told once who holds it.
    pub fn acquire(
        prefix: &Prefix,
        holder: &Holder,
        patience: Duration,
        waiting: &mut dyn FnMut(&Holder),
    ) -> Result<Self, InstallError> {
        let (mut file, path) = open(prefix)?;
        let started = Instant::now();
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) if is_at(&file, &path) => break,
                // Its holder removed the prefix, and the file with it: others see another.
                Ok(()) => (file, _) = open(prefix)?,
                Err(TryLockError::Error(problem)) => {
                    return Err(InstallError::io("lock", &path, problem));
                }
                Err(TryLockError::WouldBlock) => {}
            }
            let holder = read_holder(&mut file);
            let waited = started.elapsed();
            let is_known = holder.pid.is_some();
            if waited >= patience && (is_known || waited >= patience + NOTE_WAIT) {
                return Err(InstallError::Locked {
                    path: prefix.root().to_owned(),
                    holder,
                });
            }
            if !told && is_known {
                waiting(&holder);
                told = true;
            }
            thread::sleep(LOOK_AGAIN.min(patience).max(LOOK_AGAIN / 10));
        }
        Self::taken(prefix, file, holder)
    }

    /// Who writes to the prefix right now; `None` where nobody does. Nothing is written, and
    /// nobody waits for this.
    pub fn holder(prefix: &Prefix) -> Option<Holder> {
        let mut file = File::open(prefix.lock()).ok()?;
        // The holder's note is written after the lock is taken and cleared before it goes, so
        // an empty file needs no look at the lock itself.
        if file.metadata().ok()?.len() == 0 {
            return None;
        }
        match file.try_lock_shared() {
            Ok(()) | Err(TryLockError::Error(_)) => None,
            Err(TryLockError::WouldBlock) => Some(read_holder(&mut file)),
        }
    }

    /// Takes the lock if nobody has it and this user may; `None` otherwise.
    pub(crate) fn try_acquire(prefix: &Prefix, holder: &Holder) -> Option<Self> {
        let (file, path) = open(prefix).ok()?;
        file.try_lock().ok()?;
        if !is_at(&file, &path) {
            return None;
        }
        Self::taken(prefix, file, holder).ok()
    }

    fn taken(prefix: &Prefix, mut file: File, holder: &Holder) -> Result<Self, InstallError> {
        write_holder(&mut file, holder)
            .map_err(|it| InstallError::io("write", &prefix.lock(), it))?;
        Ok(Self {
            file,
            root: prefix.root().to_owned(),
        })
    }

    /// Whether this is the right to write to `prefix`.
    pub(crate) fn guards(&self, prefix: &Prefix) -> bool {
        self.root == prefix.root()
    }
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        // The note is only for people, so a failure to clear it is none.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

fn open(prefix: &Prefix) -> Result<(File, PathBuf), InstallError> {
    durable::make_folder(&prefix.base())?;
    let path = prefix.lock();
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|it| InstallError::io("write", &path, it))?;
    Ok((file, path))
}

/// Whether an open file is still the one that others find at `path`.
fn is_at(file: &File, path: &Path) -> bool {
    let there = std::fs::metadata(path);
    matches!((file.metadata(), there), (Ok(ours), Ok(there))
        if (ours.dev(), ours.ino()) == (there.dev(), there.ino()))
}

fn write_holder(file: &mut File, holder: &Holder) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&durable::to_json(holder))
}

fn read_holder(file: &mut File) -> Holder {
    let mut text = Vec::new();
    let read = file
        .rewind()
        .and_then(|()| file.take(HOLDER_BYTES_MAX).read_to_end(&mut text));
    match read {
        Ok(_) => serde_json::from_slice(&text).unwrap_or_default(),
        Err(_) => Holder::default(),
    }
}
