//! Unpacking while the bytes still arrive: one pass that hashes, checks and writes.
//!
//! Whoever unpacks for a store has promises for the archive in hand, signed ones, and a new
//! folder of his own that nobody looks into. There, checking everything first and writing
//! afterwards would read each byte twice for nothing: what was written of an archive that
//! turns out bad is thrown away by the caller, and nothing of it ever had a final name.
//! `docs/decisions/0013-one-pass-into-a-private-folder.md` says why that is as safe. Three things hold at every moment: no entry is
//! written before its own path, kind and size passed every rule and promise; no link exists
//! before all files are written and every link was followed; and the result is given only
//! once the digest of all bytes is the promised one.

use std::io::{self, BufRead, Read};
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, Scope, ScopedJoinHandle};

use bytes::Bytes;

use super::chunks::Chunks;
use super::crew::{Crew, Place, joined};
use super::error::ArchiveError;
use super::inspect::read_text;
use super::layout::Layout;
use super::links::check_links;
use super::member::{MemberKind, walk_stream};
use super::stream::{TarStream, check_expansion};
use super::{ArchiveFacts, ArchiveReport, EntryKind};
use crate::digest::{Digest, Hasher};
use crate::manifest::{MANIFEST_BYTES_MAX, Manifest};

/// Up to this size an archive is hashed without a thread of its own: starting one takes
/// longer.
const ALONE_BYTES_MAX: u64 = 1024 * 1024;
/// Pieces that may wait to be hashed.
const PIECES_WAITING: usize = 4;

/// What is known of an archive before its first byte, from who signs for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promise {
    /// The sha256 of the file.
    pub digest: Digest,
    /// The file's length in bytes.
    pub size: u64,
    /// Most bytes that it unpacks to, where that was said.
    pub unpacked: Option<u64>,
    /// Most entries that it lists, where that was said.
    pub entries: Option<u64>,
}

/// What [`unpack_arriving`] wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// The archive.
    pub report: ArchiveReport,
    /// The sha256 of each regular file, by the number of its entry.
    pub digests: Vec<Option<Digest>>,
}

/// Unpacks an archive into the new folder `to` while its bytes arrive, read-only and on
/// several threads. Every rule and limit of [`inspect_archive`](super::inspect_archive)
/// holds, and never more bytes, entries or unpacked bytes than promised are taken. Nothing
/// is synced. After an error the folder may be there in part: it is the caller's, under an
/// unfinished name, to remove.
///
/// Bytes other than the promised ones are [`ArchiveError::NotPromised`], whatever else is
/// wrong with them: a refusal of another kind is the verdict on the promised bytes.
pub fn unpack_arriving(
    chunks: &mut dyn Chunks,
    promise: &Promise,
    to: &Path,
) -> Result<Arrived, ArchiveError> {
    thread::scope(|scope| {
        let mut arriving = Arriving::new(chunks, promise.size, scope);
        let written = write_members(&mut arriving, promise, to);
        if written.as_ref().is_err_and(|it| !it.is_refusal()) {
            return written;
        }
        // Bad bytes from a bad mirror say nothing about the archive: whose they are is known
        // at their end.
        arriving.drain()?;
        let (digest, size) = arriving.finish();
        if (digest, size) != (promise.digest, promise.size) {
            return Err(ArchiveError::NotPromised { digest, size });
        }
        written
    })
}

fn write_members(
    arriving: &mut Arriving<'_, '_>,
    promise: &Promise,
    to: &Path,
) -> Result<Arrived, ArchiveError> {
    let stream = TarStream::of_arriving(arriving, promise.size)?;
    let format = stream.format();
    let place = Place::make(to)?;
    let mut layout = Layout::new();
    let mut manifest = None;
    let digests = thread::scope(|scope| {
        let mut crew = Crew::new(scope, &place);
        walk_stream(stream, &mut |member, data| {
            let number = layout.entries.len();
            let link = match &member.kind {
                MemberKind::HardLink { to } => Some(to.clone()),
                MemberKind::File { .. } | MemberKind::Folder | MemberKind::Symlink { .. } => None,
            };
            layout.add(member)?;
            promise.check(&layout)?;
            let entry = &layout.entries[number];
            match (&entry.kind, link) {
                (EntryKind::File { .. }, Some(of)) => crew.copy(number, entry, of),
                (EntryKind::File { .. }, None) if is_manifest(&entry.path, entry.size) => {
                    let bytes = read_all(entry.size, data)?;
                    manifest = read_text(&mut bytes.as_slice())?;
                    crew.file(number, entry, &mut bytes.as_slice())
                }
                (EntryKind::File { .. }, None) => crew.file(number, entry, data),
                (EntryKind::Folder, _) => crew.folder(&entry.path),
                (EntryKind::Symlink { target }, _) => {
                    crew.symlink(&entry.path, target);
                    Ok(())
                }
            }
        })?;
        check_links(&mut layout)?;
        check_expansion(layout.unpacked(), promise.size)?;
        crew.finish(&layout.entries)
    })?;
    let facts = ArchiveFacts {
        format,
        digest: promise.digest,
        size: promise.size,
        unpacked: layout.unpacked(),
        entries: layout.entries.len() as u64,
    };
    let report = ArchiveReport {
        facts,
        entries: layout.entries,
        manifest,
    };
    Ok(Arrived { report, digests })
}

fn is_manifest(path: &str, size: u64) -> bool {
    path == Manifest::FILE && size <= MANIFEST_BYTES_MAX as u64
}

fn read_all(size: u64, data: &mut dyn Read) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = Vec::new();
    data.take(size)
        .read_to_end(&mut bytes)
        .map_err(super::stream::into_error)?;
    Ok(bytes)
}

impl Promise {
    /// Refuses what goes beyond it, before anything of it is written: the room was planned,
    /// and reviewers judged the package, by these numbers.
    fn check(&self, layout: &Layout) -> Result<(), ArchiveError> {
        let entries = layout.entries.len() as u64;
        let is_within = self.unpacked.is_none_or(|it| layout.unpacked() <= it)
            && self.entries.is_none_or(|it| entries <= it);
        if is_within {
            return Ok(());
        }
        Err(ArchiveError::BeyondPromise {
            unpacked: self.unpacked,
            entries: self.entries,
        })
    }
}

/// The bytes as they arrive: counted, hashed, and never more of them than promised.
struct Arriving<'c, 'scope> {
    chunks: &'c mut dyn Chunks,
    current: Bytes,
    left: u64,
    tap: Tap<'scope>,
}

/// Who hashes.
enum Tap<'scope> {
    Here(Hasher),
    There {
        sender: SyncSender<Bytes>,
        thread: ScopedJoinHandle<'scope, (Digest, u64)>,
    },
}

impl<'c, 'scope> Arriving<'c, 'scope> {
    fn new<'env>(
        chunks: &'c mut dyn Chunks,
        size: u64,
        scope: &'scope Scope<'scope, 'env>,
    ) -> Self {
        let tap = if size <= ALONE_BYTES_MAX {
            Tap::Here(Hasher::new())
        } else {
            let (sender, pieces) = sync_channel::<Bytes>(PIECES_WAITING);
            let thread = scope.spawn(move || {
                let mut hasher = Hasher::new();
                for piece in pieces {
                    hasher.update(&piece);
                }
                hasher.finish()
            });
            Tap::There { sender, thread }
        };
        Self {
            chunks,
            current: Bytes::new(),
            left: size,
            tap,
        }
    }

    /// Takes what is left to take.
    fn drain(&mut self) -> Result<(), ArchiveError> {
        loop {
            let count = self.fill_buf().map_err(super::stream::into_error)?.len();
            if count == 0 {
                return Ok(());
            }
            self.consume(count);
        }
    }

    fn finish(self) -> (Digest, u64) {
        match self.tap {
            Tap::Here(hasher) => hasher.finish(),
            Tap::There { sender, thread } => {
                drop(sender);
                joined(thread)
            }
        }
    }
}

impl Tap<'_> {
    fn take(&mut self, chunk: &Bytes) {
        match self {
            Self::Here(hasher) => hasher.update(chunk),
            // The thread ends only when this end is gone.
            Self::There { sender, .. } => drop(sender.send(chunk.clone())),
        }
    }
}

impl BufRead for Arriving<'_, '_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current.is_empty() {
            let next = match self.chunks.next_chunk() {
                Ok(next) => next,
                Err(problem) => {
                    let problem = ArchiveError::from_io(problem);
                    let broken = |source| ArchiveError::BrokenOff { source };
                    return Err(problem.unwrap_or_else(broken).into_io());
                }
            };
            let Some(chunk) = next else { break };
            // Not hashed: one byte too many is enough to know that it is another file.
            self.left = match self.left.checked_sub(chunk.len() as u64) {
                Some(left) => left,
                None => return Err(ArchiveError::TooLong.into_io()),
            };
            self.tap.take(&chunk);
            self.current = chunk;
        }
        Ok(&self.current)
    }

    fn consume(&mut self, count: usize) {
        let _ = self.current.split_to(count);
    }
}

impl Read for Arriving<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}
