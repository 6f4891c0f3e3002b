//! Writing the entries of an archive into a new folder, on several threads.
//!
//! One thread reads the archive, makes the folders, and hands the files' bytes over: small
//! files many at a time, a large one piece by piece (`pieces`). Every path is relative to the
//! new folder's handle, everything is created and nothing opened, links are made when no
//! file is left to write, and memory is bounded by the few pieces that wait.

use std::collections::HashSet;
use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope, ScopedJoinHandle};

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Mode, OFlags};

use super::error::ArchiveError;
use super::pieces::large_file;
use super::stream::into_error;
use super::{ArchiveEntry, EntryKind};
use crate::digest::Digest;

/// Most threads that write the small files of one archive.
const WRITERS_MAX: usize = 4;
/// Bytes of small files that are handed over at once, at most one file's more.
const BATCH_BYTES: usize = 256 * 1024;
/// Small files that are handed over at once.
const BATCH_FILES: usize = 128;
/// Batches that may wait.
const BATCHES_WAITING: usize = 2;
/// From this size on a file is written piece by piece.
const LARGE_FILE_BYTES: u64 = 256 * 1024;
/// Up to this size an archive is written without other threads: starting them takes longer.
const ALONE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// What was written: the digest of each regular file, by the number of its entry.
pub(super) type Digests = Vec<Option<Digest>>;

/// A new folder, and whether modes are what we ask for.
pub(super) struct Place<'r> {
    handle: OwnedFd,
    path: &'r Path,
    /// Whether the umask (or an inherited access list) takes bits away.
    is_masked: bool,
}

/// A small file of a batch.
struct Small {
    /// The number of its entry.
    number: usize,
    path: String,
    is_executable: bool,
    length: usize,
}

/// Small files, one behind the other.
#[derive(Default)]
struct Batch {
    /// Used up to `used`; longer where the memory was used before.
    bytes: Vec<u8>,
    used: usize,
    files: Vec<Small>,
}

/// What a writer brings home.
type Written = Result<Vec<(usize, Digest)>, ArchiveError>;

/// The threads of one archive, and what waits for them.
struct Threads<'scope> {
    sender: SyncSender<Batch>,
    /// Batches that were written: their memory is used again.
    spare: Arc<Mutex<Vec<Batch>>>,
    writers: Vec<ScopedJoinHandle<'scope, Written>>,
}

/// Takes the entries of an archive, in its order.
pub(super) struct Crew<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    place: &'env Place<'env>,
    threads: Option<Threads<'scope>>,
    /// Bytes that were written without threads.
    alone: usize,
    batch: Batch,
    digests: Digests,
    folders: HashSet<String>,
    /// The folder of the last entry; most have the same.
    last_parent: String,
    /// Hard links, by entry and by the path of the file that each copies.
    copies: Vec<(usize, String)>,
    /// Symlinks, and where each points.
    links: Vec<(String, String)>,
}

impl<'scope, 'env> Crew<'scope, 'env> {
    pub(super) fn new(scope: &'scope Scope<'scope, 'env>, place: &'env Place<'env>) -> Self {
        Self {
            scope,
            place,
            threads: None,
            alone: 0,
            batch: Batch::default(),
            digests: Vec::new(),
            folders: HashSet::new(),
            last_parent: String::new(),
            copies: Vec::new(),
            links: Vec::new(),
        }
    }

    /// Takes a regular file, whose `data` has exactly the bytes that its entry says.
    pub(super) fn file(
        &mut self,
        number: usize,
        entry: &ArchiveEntry,
        data: &mut dyn Read,
    ) -> Result<(), ArchiveError> {
        self.make_parent(&entry.path)?;
        if entry.size >= LARGE_FILE_BYTES {
            let file = self.place.create(&entry.path, is_executable(entry))?;
            let at = self.place.at(&entry.path);
            let digest = large_file(self.scope, file, at, data)?;
            self.note(vec![(number, digest)]);
            return Ok(());
        }
        let length = usize::try_from(entry.size).expect("a small file's length fits");
        let bytes = self.batch.room(length);
        data.read_exact(bytes).map_err(into_error)?;
        self.batch.used += length;
        self.batch.files.push(Small {
            number,
            path: entry.path.clone(),
            is_executable: is_executable(entry),
            length,
        });
        if self.batch.used >= BATCH_BYTES || self.batch.files.len() >= BATCH_FILES {
            self.hand_over()?;
        }
        Ok(())
    }

    /// Takes a hard link, which becomes a copy when all files are written.
    pub(super) fn copy(
        &mut self,
        number: usize,
        entry: &ArchiveEntry,
        of: String,
    ) -> Result<(), ArchiveError> {
        self.make_parent(&entry.path)?;
        self.copies.push((number, of));
        Ok(())
    }

    /// Takes a folder.
    pub(super) fn folder(&mut self, path: &str) -> Result<(), ArchiveError> {
        self.make_parent(path)?;
        self.make_folder(path)
    }

    /// Takes a symlink, which is made when nothing is left to write: until then there is none
    /// that anything could be written through.
    pub(super) fn symlink(&mut self, path: &str, target: &str) {
        self.links.push((path.to_owned(), target.to_owned()));
    }

    fn make_parent(&mut self, path: &str) -> Result<(), ArchiveError> {
        let Some((parent, _)) = path.rsplit_once('/') else {
            return Ok(());
        };
        if parent == self.last_parent || self.folders.contains(parent) {
            return Ok(());
        }
        self.make_parent(parent)?;
        self.make_folder(parent)?;
        parent.clone_into(&mut self.last_parent);
        Ok(())
    }

    fn make_folder(&mut self, path: &str) -> Result<(), ArchiveError> {
        let (handle, mode) = (&self.place.handle, Mode::from_raw_mode(0o755));
        if self.folders.contains(path) {
            return Ok(());
        }
        self.folders.insert(path.to_owned());
        rustix::fs::mkdirat(handle, path, mode)
            .and_then(|()| {
                if self.place.is_masked {
                    rustix::fs::chmodat(handle, path, mode, AtFlags::empty())?;
                }
                Ok(())
            })
            .map_err(|it| self.place.failed("make the folder", path, it))
    }

    fn hand_over(&mut self) -> Result<(), ArchiveError> {
        if self.threads.is_none() {
            if self.alone + self.batch.used <= ALONE_BYTES_MAX {
                self.alone += self.batch.used;
                let done = self.place.write(&self.batch)?;
                self.batch.clear();
                self.note(done);
                return Ok(());
            }
            self.threads = Some(Threads::start(self.scope, self.place));
        }
        let Some(threads) = &self.threads else {
            return Ok(());
        };
        let next = locked(&threads.spare).pop().unwrap_or_default();
        let batch = std::mem::replace(&mut self.batch, next);
        // Writers go away only after a failure, which `join` tells.
        threads
            .sender
            .send(batch)
            .or_else(|_| self.join().map(drop))
    }

    fn note(&mut self, done: Vec<(usize, Digest)>) {
        for (number, digest) in done {
            if self.digests.len() <= number {
                self.digests.resize(number + 1, None);
            }
            self.digests[number] = Some(digest);
        }
    }

    fn join(&mut self) -> Result<(), ArchiveError> {
        let Some(threads) = self.threads.take() else {
            return Ok(());
        };
        drop(threads.sender);
        let mut first = Ok(());
        for writer in threads.writers {
            match joined(writer) {
                Ok(done) => self.note(done),
                Err(problem) => first = first.and(Err(problem)),
            }
        }
        first
    }

    /// Waits for every file, makes the copies and then the links, and takes the write bits of
    /// folders away. Nothing is synced.
    pub(super) fn finish(mut self, entries: &[ArchiveEntry]) -> Result<Digests, ArchiveError> {
        self.hand_over()?;
        self.join()?;
        self.digests.resize(entries.len(), None);
        for (number, of) in std::mem::take(&mut self.copies) {
            self.digests[number] = Some(self.copied(entries, number, &of)?);
        }
        for (path, target) in std::mem::take(&mut self.links) {
            self.make_parent(&path)?;
            rustix::fs::symlinkat(target, &self.place.handle, path.as_str())
                .map_err(|it| self.place.failed("make the link", &path, it))?;
        }
        let closed = Mode::from_raw_mode(0o555);
        for folder in &self.folders {
            rustix::fs::chmodat(
                &self.place.handle,
                folder.as_str(),
                closed,
                AtFlags::empty(),
            )
            .map_err(|it| self.place.failed("set the mode of", folder, it))?;
        }
        rustix::fs::fchmod(&self.place.handle, closed)
            .map_err(|it| self.place.failed("set the mode of", "", it))?;
        Ok(self.digests)
    }

    fn copied(
        &self,
        entries: &[ArchiveEntry],
        number: usize,
        of: &str,
    ) -> Result<Digest, ArchiveError> {
        let place = self.place;
        let source = entries[..number].iter().position(|it| it.path == of);
        let digest = source.and_then(|it| self.digests[it]);
        let Some(digest) = digest else {
            return Err(ArchiveError::Changed { path: of.into() });
        };
        let entry = &entries[number];
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let from = rustix::fs::openat(&place.handle, of, flags, Mode::empty())
            .map_err(|it| place.failed("open", of, it))?;
        let mut file = place.create(&entry.path, is_executable(entry))?;
        io::copy(&mut File::from(from), &mut file)
            .map_err(ArchiveError::io("write", &place.at(&entry.path)))?;
        Ok(digest)
    }
}

impl Batch {
    /// Room for one file more; its bytes count once `used` says so.
    fn room(&mut self, length: usize) -> &mut [u8] {
        let end = self.used + length;
        if self.bytes.len() < end {
            self.bytes.resize(end.max(BATCH_BYTES), 0);
        }
        &mut self.bytes[self.used..end]
    }

    fn clear(&mut self) {
        self.used = 0;
        self.files.clear();
    }
}

impl<'scope> Threads<'scope> {
    fn start<'env>(scope: &'scope Scope<'scope, 'env>, place: &'env Place<'env>) -> Self {
        let (sender, receiver) = sync_channel(BATCHES_WAITING);
        let receiver = Arc::new(Mutex::new(receiver));
        let spare = Arc::new(Mutex::new(Vec::new()));
        let count = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let writers = (0..count.min(WRITERS_MAX))
            .map(|_| {
                let (receiver, spare) = (Arc::clone(&receiver), Arc::clone(&spare));
                scope.spawn(move || write_batches(place, &receiver, &spare))
            })
            .collect();
        Self {
            sender,
            spare,
            writers,
        }
    }
}

fn write_batches(
    place: &Place<'_>,
    receiver: &Mutex<Receiver<Batch>>,
    spare: &Mutex<Vec<Batch>>,
) -> Written {
    let mut all = Vec::new();
    loop {
        let next = locked(receiver).recv();
        let Ok(mut batch) = next else {
            return Ok(all);
        };
        all.extend(place.write(&batch)?);
        batch.clear();
        locked(spare).push(batch);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'r> Place<'r> {
    /// Makes the folder at `path`, which must not be there.
    pub(super) fn make(path: &'r Path) -> Result<Self, ArchiveError> {
        DirBuilder::new()
            .create(path)
            .map_err(ArchiveError::io("make the folder", path))?;
        let failed = |it: rustix::io::Errno| ArchiveError::io("open", path)(it.into());
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = rustix::fs::open(path, flags, Mode::empty()).map_err(failed)?;
        let found = rustix::fs::fstat(&handle).map_err(failed)?.st_mode;
        let is_masked = found & 0o755 != 0o755;
        if is_masked {
            rustix::fs::fchmod(&handle, Mode::from_raw_mode(0o755)).map_err(failed)?;
        }
        Ok(Self {
            handle,
            path,
            is_masked,
        })
    }

    fn write(&self, batch: &Batch) -> Written {
        let mut rest = &batch.bytes[..batch.used];
        let mut digests = Vec::with_capacity(batch.files.len());
        for file in &batch.files {
            let (bytes, behind) = rest.split_at(file.length);
            rest = behind;
            self.create(&file.path, file.is_executable)?
                .write_all(bytes)
                .map_err(ArchiveError::io("write", &self.at(&file.path)))?;
            digests.push((file.number, Digest::of(bytes)));
        }
        Ok(digests)
    }

    /// Creates a file that must not be there. Its mode leaves the handle writable.
    fn create(&self, path: &str, is_executable: bool) -> Result<File, ArchiveError> {
        let mode = Mode::from_raw_mode(if is_executable { 0o555 } else { 0o444 });
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let failed = |it| self.failed("create", path, it);
        let file = rustix::fs::openat(&self.handle, path, flags, mode).map_err(failed)?;
        if self.is_masked {
            rustix::fs::fchmod(&file, mode).map_err(failed)?;
        }
        Ok(file.into())
    }

    fn at(&self, path: &str) -> PathBuf {
        self.path.join(path)
    }

    fn failed(&self, action: &'static str, path: &str, problem: rustix::io::Errno) -> ArchiveError {
        ArchiveError::io(action, &self.at(path))(problem.into())
    }
}

fn is_executable(entry: &ArchiveEntry) -> bool {
    entry.kind == EntryKind::File { executable: true }
}

/// What a thread brings home; its panic is ours.
pub(super) fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
