//! Archives in the cache: streamed, resumed, and under their final name only when right.
//!
//! `<cache>/archives/sha256/<hex>` is a whole archive whose digest was checked;
//! `<hex>.part` is what has arrived of one, and is locked by whoever writes it. Memory use
//! does not depend on an archive's size.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use provisioning_package::{Digest, Hasher, HashingReader};
use provisioning_trust::TransportError;

use super::source::{FileStream, Source, cause_of};
use crate::durable::sync_folder;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Bar, Progress};

#[cfg(test)]
mod tests;

/// How many archives are fetched at a time.
const FETCHES_MAX: usize = 4;
/// How often a transfer that broke off is taken up again.
const RESUMES_MAX: usize = 8;
/// How long to wait before taking one up again.
const RESUME_DELAY: Duration = Duration::from_millis(500);

/// An archive to fetch, as signed metadata describes it.
#[derive(Debug, Clone)]
pub(crate) struct WantedArchive {
    /// What people call it: `core 3.1.0`.
    pub(crate) label: String,
    /// The digest that it must have.
    pub(crate) digest: Digest,
    /// The size in bytes that it must have.
    pub(crate) size: u64,
}

/// The folder that archives are kept in.
#[derive(Debug, Clone)]
pub(super) struct ArchiveCache {
    folder: PathBuf,
}

/// An archive that is being written.
struct Part {
    path: PathBuf,
    file: File,
    hasher: Hasher,
}

impl ArchiveCache {
    pub(super) fn new(cache: &Path) -> Self {
        Self {
            folder: cache.join("archives/sha256"),
        }
    }

    /// Fetches all, several at a time; the paths come in the order asked. Without a source,
    /// only what is in the cache can be had.
    pub(super) async fn fetch_all(
        &self,
        source: Option<&Source>,
        base: &str,
        wanted: &[WantedArchive],
        progress: &Progress,
    ) -> Outcome<Vec<PathBuf>> {
        std::fs::create_dir_all(&self.folder)
            .map_err(|problem| Failure::io("create", &self.folder, &problem))?;
        futures_util::stream::iter(wanted)
            .map(|it| self.fetch(source, base, it, progress))
            .buffered(FETCHES_MAX)
            .try_collect()
            .await
    }

    async fn fetch(
        &self,
        source: Option<&Source>,
        base: &str,
        wanted: &WantedArchive,
        progress: &Progress,
    ) -> Outcome<PathBuf> {
        let place = self.folder.join(wanted.digest.hex());
        if is_cached(place.clone(), wanted.clone()).await? {
            return Ok(place);
        }
        let source = source.ok_or_else(|| offline(wanted))?;
        let path = format!("{base}sha256/{}", wanted.digest.hex());
        let bar = progress.bytes(&wanted.label, wanted.size);
        let mut part = self.open_part(wanted).await?;
        let resumed = part.hasher.length() > 0;
        transfer(source, &path, wanted, &mut part, &bar).await?;
        if resumed && !part.is_right(wanted) {
            // What arrived before may have been of no use; once more from the start.
            part.restart()
                .map_err(|problem| Failure::io("write", &part.path, &problem))?;
            transfer(source, &path, wanted, &mut part, &bar).await?;
        }
        if !part.is_right(wanted) {
            let _ = std::fs::remove_file(&part.path);
            let (digest, length) = part.hasher.finish();
            return Err(wrong_bytes(wanted, digest, length));
        }
        finish(&part, &place)?;
        sync_folder(&self.folder)?;
        Ok(place)
    }

    /// The file to write into: what arrived before, if no other process is at it.
    async fn open_part(&self, wanted: &WantedArchive) -> Outcome<Part> {
        let path = self.folder.join(format!("{}.part", wanted.digest.hex()));
        let size = wanted.size;
        let folder = self.folder.clone();
        blocking(move || {
            let failed = |problem: io::Error| Failure::io("write", &path, &problem);
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .map_err(failed)?;
            if file.try_lock().is_err() || !is_still_at(&file, &path) {
                return unshared_part(&folder);
            }
            resume(path.clone(), file, size).map_err(failed)
        })
        .await
    }
}

/// The size of an archive that is in the cache with the right bytes.
pub(crate) fn cached_size(cache: &Path, digest: &Digest) -> Option<u64> {
    let place = ArchiveCache::new(cache).folder.join(digest.hex());
    let mut reader = HashingReader::new(File::open(place).ok()?);
    io::copy(&mut reader, &mut io::sink()).ok()?;
    let (found, length) = reader.finish();
    (found == *digest).then_some(length)
}

/// Where all of `wanted` are in the cache; `None` where one is not. Nobody is asked.
pub(crate) async fn take_cached(
    cache: &Path,
    wanted: &[WantedArchive],
) -> Outcome<Option<Vec<PathBuf>>> {
    let cache = ArchiveCache::new(cache);
    let mut places = Vec::new();
    for it in wanted {
        let place = cache.folder.join(it.digest.hex());
        if !is_cached(place.clone(), it.clone()).await? {
            return Ok(None);
        }
        places.push(place);
    }
    Ok(Some(places))
}

/// Takes up what arrived before by hashing it again.
fn resume(path: PathBuf, mut file: File, size: u64) -> io::Result<Part> {
    let mut hasher = Hasher::new();
    if file.metadata()?.len() >= size {
        file.set_len(0)?;
    }
    let mut buffer = vec![0; 256 * 1024];
    file.seek(SeekFrom::Start(0))?;
    loop {
        match io::Read::read(&mut file, &mut buffer)? {
            0 => break,
            count => hasher.update(&buffer[..count]),
        }
    }
    Ok(Part { path, file, hasher })
}

/// A file of our own, since another process is fetching the same archive.
fn unshared_part(folder: &Path) -> Outcome<Part> {
    let (file, path) = tempfile::Builder::new()
        .prefix("fetch-")
        .suffix(".part")
        .tempfile_in(folder)
        .and_then(|it| it.keep().map_err(|it| it.error))
        .map_err(|problem| Failure::io("write in", folder, &problem))?;
    Ok(Part {
        path,
        file,
        hasher: Hasher::new(),
    })
}

/// Whether the file that we locked still has its name. The process that held the lock
/// before may have finished and renamed it, and then it is not ours to write to.
fn is_still_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(ours), Ok(named)) => ours.ino() == named.ino() && ours.dev() == named.dev(),
        _ => false,
    }
}

/// Streams the rest of an archive, taking it up again where a transfer breaks off.
async fn transfer(
    source: &Source,
    path: &str,
    wanted: &WantedArchive,
    part: &mut Part,
    bar: &Bar,
) -> Outcome<()> {
    let mut breaks = 0;
    while part.hasher.length() < wanted.size {
        let before = part.hasher.length();
        let problem = match source.stream(path, before).await {
            Ok(None) => return Err(absent(wanted)),
            Ok(Some(stream)) => match receive(stream, wanted, part, bar).await? {
                Ok(()) => break,
                Err(problem) => problem,
            },
            Err(problem) => problem,
        };
        breaks += 1;
        if breaks > RESUMES_MAX || !matches!(problem, TransportError::Unreachable { .. }) {
            return Err(broken_off(wanted, &problem));
        }
        tracing::debug!(archive = wanted.label, "taking up again: {problem}");
        tokio::time::sleep(RESUME_DELAY).await;
    }
    Ok(())
}

/// Writes a stream to the end. The outer error is final, the inner one may be tried again.
async fn receive(
    mut stream: FileStream,
    wanted: &WantedArchive,
    part: &mut Part,
    bar: &Bar,
) -> Outcome<Result<(), TransportError>> {
    if stream.offset != part.hasher.length() {
        if stream.offset != 0 {
            return Err(wrong_bytes(wanted, Digest::of(b""), stream.offset));
        }
        part.restart()
            .map_err(|problem| Failure::io("write", &part.path, &problem))?;
    }
    bar.restart_at(part.hasher.length());
    while let Some(chunk) = stream.chunks.next().await {
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(problem) => return Ok(Err(problem)),
        };
        let length = part.hasher.length() + chunk.len() as u64;
        if length > wanted.size {
            let _ = std::fs::remove_file(&part.path);
            return Err(Failure::new(
                "archive-too-long",
                format!("the archive of {} is longer than signed", wanted.label),
            )
            .with_cause(format!("{} bytes were signed", wanted.size))
            .with_hint("nothing was installed; try again, or use another mirror")
            .with_exit(Exit::Verification));
        }
        part.file
            .write_all(&chunk)
            .map_err(|problem| Failure::io("write", &part.path, &problem))?;
        part.hasher.update(&chunk);
        bar.advance(chunk.len() as u64);
    }
    Ok(Ok(()))
}

impl Part {
    /// Whether exactly what was signed has arrived.
    fn is_right(&self, wanted: &WantedArchive) -> bool {
        self.hasher.clone().finish() == (wanted.digest, wanted.size)
    }

    /// Forgets what arrived.
    fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.hasher = Hasher::new();
        Ok(())
    }
}

/// Makes a right archive durable under its final name.
fn finish(part: &Part, place: &Path) -> Outcome<()> {
    part.file
        .sync_all()
        .and_then(|()| std::fs::rename(&part.path, place))
        .map_err(|problem| Failure::io("finish", place, &problem))
}

/// Whether the cache holds the archive, whole. Disks rot and people edit, so the digest is
/// taken again; a wrong file is removed.
async fn is_cached(place: PathBuf, wanted: WantedArchive) -> Outcome<bool> {
    blocking(move || {
        let Ok(file) = File::open(&place) else {
            return Ok(false);
        };
        let mut reader = HashingReader::new(file);
        let read = io::copy(&mut reader, &mut io::sink());
        let (digest, length) = reader.finish();
        if read.is_ok() && digest == wanted.digest && length == wanted.size {
            return Ok(true);
        }
        let _ = std::fs::remove_file(&place);
        Ok(false)
    })
    .await
}

/// Runs disk work where it does not hold up transfers.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Outcome<T> + Send + 'static,
) -> Outcome<T> {
    tokio::task::spawn_blocking(work)
        .await
        .expect("disk work neither panics nor is cancelled")
}

fn wrong_bytes(wanted: &WantedArchive, seen: Digest, length: u64) -> Failure {
    Failure::new(
        "archive-digest",
        format!("the archive of {} is not what was signed", wanted.label),
    )
    .with_cause(format!(
        "signed: `{}`, {} bytes",
        wanted.digest.prefixed(),
        wanted.size
    ))
    .with_cause(format!("received: `{}`, {length} bytes", seen.prefixed()))
    .with_hint("nothing was installed; try again, or use another mirror")
    .with_exit(Exit::Verification)
}

fn absent(wanted: &WantedArchive) -> Failure {
    Failure::new(
        "archive-missing",
        format!("the registry does not have the archive of {}", wanted.label),
    )
    .with_cause(format!(
        "`{}` is signed but not served",
        wanted.digest.prefixed()
    ))
    .with_hint("the copy is incomplete: use another mirror, or tell the registry's operator")
    .with_exit(Exit::Verification)
}

fn offline(wanted: &WantedArchive) -> Failure {
    Failure::new(
        "offline",
        format!("the archive of {} is not in the cache", wanted.label),
    )
    .with_hint("run the command once without `--offline`")
    .with_exit(Exit::Unreachable)
}

fn broken_off(wanted: &WantedArchive, problem: &TransportError) -> Failure {
    let failure = Failure::new(
        "registry-unreachable",
        format!("cannot fetch the archive of {}", wanted.label),
    );
    failure
        .with_chain(cause_of(problem))
        .with_exit(Exit::Unreachable)
        .with_hint("run the same command again: what has arrived is kept and taken up")
}
