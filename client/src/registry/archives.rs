//! Archives in the cache: streamed, resumed, and under their final name only when right.
//!
//! `<cache>/archives/sha256/<hex>` is a whole archive whose digest was checked;
//! `<hex>.part` is what has arrived of one, and is locked by whoever writes it. Memory use
//! does not depend on an archive's size.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use futures_util::{StreamExt as _, TryStreamExt as _};
use provisioning_package::{Digest, Hasher, HashingReader};

use super::cache_lock;
use super::source::Source;
use super::transfer::{Failed, transfer};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Progress;

#[cfg(test)]
mod tests;

/// How many archives are fetched at a time.
const FETCHES_MAX: usize = 6;

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
pub(crate) struct ArchiveCache {
    folder: PathBuf,
}

/// An archive that is being written.
pub(super) struct Part {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) hasher: Hasher,
}

impl ArchiveCache {
    /// The archives below `cache`, which need not be there yet.
    pub(crate) fn new(cache: &Path) -> Self {
        Self {
            folder: cache.join("archives/sha256"),
        }
    }

    /// Fetches all, several at a time and the largest first; the paths come in the order
    /// asked. Without a source, only what is in the cache can be had.
    pub(super) async fn fetch_all(
        &self,
        source: Option<&Source>,
        base: &str,
        wanted: &[WantedArchive],
        progress: &Progress,
    ) -> Outcome<Vec<PathBuf>> {
        std::fs::create_dir_all(&self.folder)
            .map_err(|problem| Failure::io("create", &self.folder, &problem))?;
        cache_lock::hold(&self.folder);
        let mut order: Vec<usize> = (0..wanted.len()).collect();
        order.sort_by_key(|it| std::cmp::Reverse(wanted[*it].size));
        let mut places: Vec<(usize, PathBuf)> = futures_util::stream::iter(order)
            .map(|it| async move {
                let place = self.fetch(source, base, &wanted[it], progress).await?;
                Ok::<_, Failure>((it, place))
            })
            .buffer_unordered(FETCHES_MAX)
            .try_collect()
            .await?;
        places.sort();
        Ok(places.into_iter().map(|(_, place)| place).collect())
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
        let mut causes = Vec::new();
        let mut worst: Option<Failed> = None;
        for from in source.for_archives() {
            match transfer(from, &path, wanted, &mut part, &bar).await? {
                Ok(()) => {
                    finish(&part, &place)?;
                    return Ok(place);
                }
                Err(failed) => {
                    causes.push(format!("{}: {}", from.address(), failed.reason));
                    worst = Some(match worst {
                        Some(worst) if worst.kind >= failed.kind => worst,
                        _ => failed,
                    });
                }
            }
        }
        if part.hasher.length() == 0 {
            part.remove();
        }
        let failed = worst.expect("there is at least the registry itself");
        let causes = if causes.len() > 1 { causes } else { Vec::new() };
        Err(failed.into_failure(wanted).with_causes(causes))
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
    cache_lock::hold(&cache.folder);
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
    if file.metadata()?.len() > size {
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

impl Part {
    /// Whether exactly what was signed has arrived.
    pub(super) fn is_right(&self, wanted: &WantedArchive) -> bool {
        self.hasher.clone().finish() == (wanted.digest, wanted.size)
    }

    /// Forgets what arrived.
    pub(super) fn restart(&mut self) -> Outcome<()> {
        self.file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .map_err(|problem| Failure::io("write", &self.path, &problem))?;
        self.hasher = Hasher::new();
        Ok(())
    }

    /// Where the `ETag` of what arrived is kept.
    fn etag_path(&self) -> PathBuf {
        self.path.with_extension("etag")
    }

    /// The `ETag` under which `address` sent what arrived.
    pub(super) fn etag(&self, address: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.etag_path()).ok()?;
        let (from, etag) = text.split_once('\n')?;
        (from == address).then(|| etag.to_owned())
    }

    /// Notes the `ETag` for the next time. Without it a resumption is checked later, by digest.
    pub(super) fn note_etag(&self, address: &str, etag: Option<&str>) {
        let path = self.etag_path();
        let _ = match etag {
            Some(etag) => std::fs::write(path, format!("{address}\n{etag}")),
            None => std::fs::remove_file(path),
        };
    }

    fn remove(&self) {
        let _ = std::fs::remove_file(&self.path);
        let _ = std::fs::remove_file(self.etag_path());
    }
}

/// Gives a right archive its final name. It is not synced: an archive can be had again, and
/// its digest is taken whenever it is used, so one that a power cut has torn is fetched anew.
fn finish(part: &Part, place: &Path) -> Outcome<()> {
    std::fs::rename(&part.path, place).map_err(|problem| Failure::io("finish", place, &problem))?;
    let _ = std::fs::remove_file(part.etag_path());
    Ok(())
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
            cache_lock::note_use(&place);
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

fn offline(wanted: &WantedArchive) -> Failure {
    Failure::new(
        "offline",
        format!("the archive of {} is not in the cache", wanted.label),
    )
    .with_hint("run the command once without `--offline`")
    .with_exit(Exit::Unreachable)
}
