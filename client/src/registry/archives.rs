//! Archives: streamed, resumed, and never taken for right before their digest was.
//!
//! `<cache>/archives/sha256/<hex>` is a whole archive whose digest was checked;
//! `<hex>.part` is what has arrived of one, and is locked by whoever writes it. An archive
//! that is installed is unpacked while it arrives ([`Landing`]); it is kept in the cache too
//! unless it is large and came fast. Memory use does not depend on an archive's size.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _};
use provisioning_package::{Digest, FileChunks, HashingReader};
use tokio::sync::Semaphore;

use super::cache_lock;
use super::source::Source;
use super::transfer::{Failed, transfer};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Progress;

mod landing;
mod part;

pub(crate) use landing::{Landed, Landing};
pub(super) use part::Part;

#[cfg(test)]
mod tests;

/// How many archives are fetched at a time.
const FETCHES_MAX: usize = 6;
/// From this size on an archive counts as two of them: unpacking a large one takes memory.
const LARGE_BYTES: u64 = 4 * 1024 * 1024;

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
        self.open()?;
        let from = From { source, base };
        in_turn(wanted, async |it| {
            let place = self.place(it);
            if !is_cached(place.clone(), it.clone()).await? {
                self.fetch(from, it, None, progress).await?;
            }
            Ok(())
        })
        .await?;
        Ok(wanted.iter().map(|it| self.place(it)).collect())
    }

    /// Lands all that is in the cache, and gives the others. Nobody is asked.
    pub(crate) async fn land_cached(
        &self,
        wanted: &[WantedArchive],
        landing: &Arc<dyn Landing>,
    ) -> Outcome<Vec<WantedArchive>> {
        if !self.folder.is_dir() {
            return Ok(wanted.to_vec());
        }
        cache_lock::hold(&self.folder);
        let landed = in_turn(wanted, async |it| {
            let (place, it) = (self.place(it), it.clone());
            let landing = Arc::clone(landing);
            blocking(move || land_file(&place, &it, &*landing)).await
        });
        let landed = landed.await?;
        let both = wanted.iter().zip(landed);
        let others = both.filter(|(_, has_landed)| !has_landed);
        Ok(others.map(|(it, _)| it.clone()).collect())
    }

    /// Lands all while they arrive, several at a time and the largest first.
    pub(super) async fn land_all(
        &self,
        source: Option<&Source>,
        base: &str,
        wanted: &[WantedArchive],
        landing: &Arc<dyn Landing>,
        progress: &Progress,
    ) -> Outcome<()> {
        self.open()?;
        let from = From { source, base };
        in_turn(wanted, async |it| {
            self.fetch(from, it, Some(landing), progress).await
        })
        .await?;
        Ok(())
    }

    /// Makes the folder, and keeps others from removing what is in it.
    fn open(&self) -> Outcome<()> {
        std::fs::create_dir_all(&self.folder)
            .map_err(|problem| Failure::io("create", &self.folder, &problem))?;
        cache_lock::hold(&self.folder);
        Ok(())
    }

    fn place(&self, wanted: &WantedArchive) -> PathBuf {
        self.folder.join(wanted.digest.hex())
    }

    /// Fetches one archive from the first place that has it: into the cache, or to where it
    /// lands.
    async fn fetch(
        &self,
        from: From<'_>,
        wanted: &WantedArchive,
        landing: Option<&Arc<dyn Landing>>,
        progress: &Progress,
    ) -> Outcome<()> {
        let source = from.source.ok_or_else(|| offline(wanted))?;
        let path = format!("{}sha256/{}", from.base, wanted.digest.hex());
        let bar = progress.bytes(&wanted.label, wanted.size);
        let mut part = Part::open(&self.folder, wanted, landing).await?;
        let mut causes = Vec::new();
        let mut worst: Option<Failed> = None;
        for place in source.for_archives() {
            let moved = match transfer(place, &path, wanted, &mut part, &bar).await {
                Ok(moved) => moved,
                Err(failure) => {
                    part.give_up().await;
                    return Err(failure);
                }
            };
            match moved {
                Ok(()) => return part.finish(&self.place(wanted)),
                Err(failed) => {
                    causes.push(format!("{}: {}", place.address(), failed.reason));
                    worst = Some(match worst {
                        Some(worst) if worst.kind >= failed.kind => worst,
                        _ => failed,
                    });
                }
            }
        }
        let is_kept = part.is_kept();
        part.give_up().await;
        let failed = worst.expect("there is at least the registry itself");
        let causes = if causes.len() > 1 { causes } else { Vec::new() };
        Err(failed.into_failure(wanted, is_kept).with_causes(causes))
    }
}

/// Where archives come from.
#[derive(Clone, Copy)]
struct From<'a> {
    source: Option<&'a Source>,
    base: &'a str,
}

/// Does `work` for each of `wanted`, several at a time and the largest first; results come in
/// the order of `wanted`.
async fn in_turn<T>(
    wanted: &[WantedArchive],
    work: impl AsyncFn(&WantedArchive) -> Outcome<T>,
) -> Outcome<Vec<T>> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|it| std::cmp::Reverse(wanted[*it].size));
    let room = Semaphore::new(FETCHES_MAX);
    let (room, work) = (&room, &work);
    let mut results: Vec<(usize, T)> = futures_util::stream::iter(order)
        .map(|it| async move {
            let weight = if wanted[it].size >= LARGE_BYTES { 2 } else { 1 };
            let _place = room.acquire_many(weight).await;
            Ok::<_, Failure>((it, work(&wanted[it]).await?))
        })
        .buffer_unordered(FETCHES_MAX)
        .try_collect()
        .await?;
    results.sort_by_key(|(it, _)| *it);
    Ok(results.into_iter().map(|(_, result)| result).collect())
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

/// Lands what the cache holds; `false` where it does not hold the archive, whole. A wrong
/// file is removed.
fn land_file(place: &Path, wanted: &WantedArchive, landing: &dyn Landing) -> Outcome<bool> {
    if place.symlink_metadata().is_err() {
        return Ok(false);
    }
    let landed = match FileChunks::open(place) {
        Ok(mut chunks) => landing.land(&wanted.digest, &mut chunks),
        Err(_) => Landed::Wrong { found: None },
    };
    match landed {
        Landed::Right => {
            cache_lock::note_use(place);
            Ok(true)
        }
        Landed::Wrong { .. } => {
            let _ = std::fs::remove_file(place);
            Ok(false)
        }
        Landed::Failed(failure) => Err(failure),
    }
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
