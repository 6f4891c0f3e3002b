//! Writing the entries of a checked archive into a new folder, on several threads.
//!
//! One thread reads the archive, makes the folders and links, and hands the files' bytes
//! over: small files many at a time, a large one piece by piece to a thread that writes it
//! and one that hashes it. Every path is relative to the new folder's handle, everything is
//! created and nothing opened, and memory is bounded by the few pieces that wait.

use std::collections::HashSet;
use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope, ScopedJoinHandle};

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Mode, OFlags};

use super::error::ArchiveError;
use super::stream::into_error;
use super::{ArchiveEntry, ArchiveReport, EntryKind};
use crate::digest::{Digest, Hasher};

/// Most threads that write the small files of one archive.
const WRITERS_MAX: usize = 4;
/// Bytes of small files that are handed over at once.
const BATCH_BYTES: usize = 512 * 1024;
/// Small files that are handed over at once.
const BATCH_FILES: usize = 128;
/// Batches that may wait.
const BATCHES_WAITING: usize = 2;
/// From this size on a file is written piece by piece.
const LARGE_FILE_BYTES: u64 = 512 * 1024;
/// One piece of a large file.
const PIECE_BYTES: usize = 256 * 1024;
/// Pieces of a large file that may wait, for each of its two threads.
const PIECES_WAITING: usize = 4;
/// Up to this size an archive is written without other threads: starting them takes longer.
const ALONE_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// What was written: the digest of each regular file, by the number of its entry.
pub(super) type Digests = Vec<Option<Digest>>;

/// A new folder, and whether modes are what we ask for.
struct Place<'r> {
    handle: OwnedFd,
    path: &'r Path,
    entries: &'r [ArchiveEntry],
    /// Whether the umask (or an inherited access list) takes bits away.
    is_masked: bool,
}

/// Small files, one behind the other.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    /// The number of each file's entry, and its length.
    files: Vec<(usize, usize)>,
}

/// What a writer brings home.
type Written = Result<Vec<(usize, Digest)>, ArchiveError>;

/// The threads of one archive, and what waits for them.
struct Threads<'scope> {
    sender: SyncSender<Batch>,
    writers: Vec<ScopedJoinHandle<'scope, Written>>,
}

/// Takes the entries of an archive, in its order.
pub(super) struct Crew<'scope, 'r> {
    scope: &'scope Scope<'scope, 'r>,
    place: &'r Place<'r>,
    threads: Option<Threads<'scope>>,
    batch: Batch,
    digests: Digests,
    folders: HashSet<&'r str>,
    /// Hard links, by entry and by the path of the file that each copies.
    copies: Vec<(usize, String)>,
}

/// Makes the folder `to`, which must not be there, and lets `give` hand every entry of
/// `report` to a crew. All of it comes out read-only, and nothing is synced.
pub(super) fn write_closed(
    report: &ArchiveReport,
    to: &Path,
    give: impl FnOnce(&mut Crew<'_, '_>) -> Result<(), ArchiveError>,
) -> Result<Digests, ArchiveError> {
    let place = Place::make(to, &report.entries)?;
    thread::scope(|scope| {
        let mut crew = Crew::new(scope, &place, report.facts.unpacked);
        give(&mut crew)?;
        crew.finish()
    })
}

impl<'scope, 'r> Crew<'scope, 'r> {
    fn new(scope: &'scope Scope<'scope, 'r>, place: &'r Place<'r>, unpacked: u64) -> Self {
        let threads = (unpacked > ALONE_BYTES_MAX).then(|| Threads::start(scope, place));
        Self {
            scope,
            place,
            threads,
            batch: Batch::default(),
            digests: vec![None; place.entries.len()],
            folders: HashSet::new(),
            copies: Vec::new(),
        }
    }

    /// Takes a regular file and gives its length.
    pub(super) fn file(&mut self, number: usize, data: &mut dyn Read) -> Result<u64, ArchiveError> {
        let entry = &self.place.entries[number];
        self.make_parent(&entry.path)?;
        if entry.size >= LARGE_FILE_BYTES {
            let (digest, length) = large_file(self.scope, self.place, entry, data)?;
            self.digests[number] = Some(digest);
            return Ok(length);
        }
        let before = self.batch.bytes.len();
        // One byte more than was promised tells a longer file.
        (&mut *data)
            .take(entry.size + 1)
            .read_to_end(&mut self.batch.bytes)
            .map_err(into_error)?;
        let length = self.batch.bytes.len() - before;
        self.batch.files.push((number, length));
        if self.batch.bytes.len() >= BATCH_BYTES || self.batch.files.len() >= BATCH_FILES {
            self.hand_over()?;
        }
        Ok(length as u64)
    }

    /// Takes a hard link, which becomes a copy when all files are written.
    pub(super) fn copy(&mut self, number: usize, of: String) -> Result<(), ArchiveError> {
        self.make_parent(&self.place.entries[number].path)?;
        self.copies.push((number, of));
        Ok(())
    }

    /// Takes a folder.
    pub(super) fn folder(&mut self, number: usize) -> Result<(), ArchiveError> {
        let path = &self.place.entries[number].path;
        self.make_parent(path)?;
        self.make_folder(path)
    }

    /// Takes a symlink.
    pub(super) fn symlink(&mut self, number: usize, target: &str) -> Result<(), ArchiveError> {
        let path = &self.place.entries[number].path;
        self.make_parent(path)?;
        rustix::fs::symlinkat(target, &self.place.handle, path.as_str())
            .map_err(|it| self.place.failed("make the link", path, it))
    }

    fn make_parent(&mut self, path: &'r str) -> Result<(), ArchiveError> {
        let Some((parent, _)) = path.rsplit_once('/') else {
            return Ok(());
        };
        if self.folders.contains(parent) {
            return Ok(());
        }
        self.make_parent(parent)?;
        self.make_folder(parent)
    }

    fn make_folder(&mut self, path: &'r str) -> Result<(), ArchiveError> {
        let (handle, mode) = (&self.place.handle, Mode::from_raw_mode(0o755));
        if !self.folders.insert(path) {
            return Ok(());
        }
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
        let batch = std::mem::take(&mut self.batch);
        let Some(threads) = &self.threads else {
            let done = self.place.write(&batch)?;
            self.note(done);
            return Ok(());
        };
        // Writers go away only after a failure, which `finish` tells.
        threads
            .sender
            .send(batch)
            .or_else(|_| self.join().map(drop))
    }

    fn note(&mut self, done: Vec<(usize, Digest)>) {
        for (number, digest) in done {
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

    /// Waits for every file, makes the copies, and takes the write bits of folders away.
    fn finish(mut self) -> Result<Digests, ArchiveError> {
        self.hand_over()?;
        self.join()?;
        for (number, of) in std::mem::take(&mut self.copies) {
            self.digests[number] = Some(self.copied(number, &of)?);
        }
        let closed = Mode::from_raw_mode(0o555);
        for folder in &self.folders {
            rustix::fs::chmodat(&self.place.handle, *folder, closed, AtFlags::empty())
                .map_err(|it| self.place.failed("set the mode of", folder, it))?;
        }
        rustix::fs::fchmod(&self.place.handle, closed)
            .map_err(|it| self.place.failed("set the mode of", "", it))?;
        Ok(self.digests)
    }

    fn copied(&self, number: usize, of: &str) -> Result<Digest, ArchiveError> {
        let place = self.place;
        let source = place.entries.iter().position(|it| it.path == of);
        let digest = source.and_then(|it| self.digests[it]);
        let Some(digest) = digest else {
            return Err(ArchiveError::Changed { path: of.into() });
        };
        let entry = &place.entries[number];
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let from = rustix::fs::openat(&place.handle, of, flags, Mode::empty())
            .map_err(|it| place.failed("open", of, it))?;
        let mut file = place.create(entry)?;
        io::copy(&mut File::from(from), &mut file)
            .map_err(ArchiveError::io("write", &place.at(&entry.path)))?;
        Ok(digest)
    }
}

impl<'scope> Threads<'scope> {
    fn start<'r>(scope: &'scope Scope<'scope, 'r>, place: &'r Place<'r>) -> Self {
        let (sender, receiver) = sync_channel(BATCHES_WAITING);
        let receiver = Arc::new(Mutex::new(receiver));
        let count = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let writers = (0..count.min(WRITERS_MAX))
            .map(|_| {
                let receiver = Arc::clone(&receiver);
                scope.spawn(move || write_batches(place, &receiver))
            })
            .collect();
        Self { sender, writers }
    }
}

fn write_batches(place: &Place<'_>, receiver: &Mutex<Receiver<Batch>>) -> Written {
    let mut all = Vec::new();
    loop {
        let next = receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        let Ok(batch) = next else {
            return Ok(all);
        };
        all.extend(place.write(&batch)?);
    }
}

/// Writes a file while another thread hashes the same pieces.
fn large_file<'scope, 'r>(
    scope: &'scope Scope<'scope, 'r>,
    place: &'r Place<'r>,
    entry: &ArchiveEntry,
    data: &mut dyn Read,
) -> Result<(Digest, u64), ArchiveError> {
    let file = place.create(entry)?;
    let at = place.at(&entry.path);
    let (to_writer, pieces) = sync_channel::<Arc<Vec<u8>>>(PIECES_WAITING);
    let writer = scope.spawn(move || write_pieces(file, &at, &pieces));
    let (to_hasher, pieces) = sync_channel::<Arc<Vec<u8>>>(PIECES_WAITING);
    let hasher = scope.spawn(move || hash_pieces(&pieces));
    let read = give_pieces(data, &[&to_writer, &to_hasher]);
    drop((to_writer, to_hasher));
    let written = joined(writer);
    let found = joined(hasher);
    read?;
    written?;
    Ok(found)
}

/// Reads to the end. Who of `takers` went away has a reason, which is told when it is joined.
fn give_pieces(
    data: &mut dyn Read,
    takers: &[&SyncSender<Arc<Vec<u8>>>],
) -> Result<(), ArchiveError> {
    loop {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        (&mut *data)
            .take(PIECE_BYTES as u64)
            .read_to_end(&mut piece)
            .map_err(into_error)?;
        let piece = Arc::new(piece);
        let lost = |it: &&SyncSender<_>| it.send(Arc::clone(&piece)).is_err();
        if piece.is_empty() || takers.iter().any(lost) {
            return Ok(());
        }
    }
}

fn write_pieces(
    mut file: File,
    at: &Path,
    pieces: &Receiver<Arc<Vec<u8>>>,
) -> Result<(), ArchiveError> {
    pieces.iter().try_for_each(|piece| {
        file.write_all(&piece)
            .map_err(ArchiveError::io("write", at))
    })
}

fn hash_pieces(pieces: &Receiver<Arc<Vec<u8>>>) -> (Digest, u64) {
    let mut hasher = Hasher::new();
    for piece in pieces {
        hasher.update(&piece);
    }
    hasher.finish()
}

impl<'r> Place<'r> {
    fn make(path: &'r Path, entries: &'r [ArchiveEntry]) -> Result<Self, ArchiveError> {
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
            entries,
            is_masked,
        })
    }

    fn write(&self, batch: &Batch) -> Written {
        let mut rest = batch.bytes.as_slice();
        let mut digests = Vec::with_capacity(batch.files.len());
        for &(number, length) in &batch.files {
            let (bytes, behind) = rest.split_at(length);
            rest = behind;
            let entry = &self.entries[number];
            self.create(entry)?
                .write_all(bytes)
                .map_err(ArchiveError::io("write", &self.at(&entry.path)))?;
            digests.push((number, Digest::of(bytes)));
        }
        Ok(digests)
    }

    /// Creates a file that must not be there. Its mode leaves the handle writable.
    fn create(&self, entry: &ArchiveEntry) -> Result<File, ArchiveError> {
        let executable = entry.kind == EntryKind::File { executable: true };
        let mode = Mode::from_raw_mode(if executable { 0o555 } else { 0o444 });
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let failed = |it| self.failed("create", &entry.path, it);
        let file =
            rustix::fs::openat(&self.handle, entry.path.as_str(), flags, mode).map_err(failed)?;
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

/// What a thread brings home; its panic is ours.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
