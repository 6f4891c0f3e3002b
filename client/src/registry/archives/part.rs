//! What has arrived of one archive: counted, hashed or unpacked on the way, and kept.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use provisioning_package::{Chunks as _, FileChunks, Hasher};

use super::landing::{Flight, Landed, Landing};
use super::{WantedArchive, blocking};
use crate::failure::{Failure, Outcome};

/// Up to this size an archive that is unpacked while it arrives is kept in the cache too.
pub(super) const KEPT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// A larger one is kept unless, when this much of it has come,
const JUDGED_AT_BYTES: u64 = 16 * 1024 * 1024;
/// … the whole would take no longer than this at the speed so far: then keeping it costs
/// more than having it again.
const QUICK: Duration = Duration::from_secs(10);

/// An archive that arrives.
pub(in super::super) struct Part {
    wanted: WantedArchive,
    length: u64,
    /// The address that it came from last, and the `ETag` that it had there.
    etag: Option<(String, String)>,
    kept: Option<Kept>,
    taker: Taker,
}

/// The file that it is kept in.
struct Kept {
    path: PathBuf,
    file: File,
}

/// What is done with the bytes.
enum Taker {
    Hash(Hasher),
    Land {
        landing: Arc<dyn Landing>,
        /// `None` before the first byte.
        flight: Option<Flight>,
    },
}

impl Part {
    /// Takes up what arrived in an earlier run, if no other process is at it.
    pub(super) async fn open(
        folder: &Path,
        wanted: &WantedArchive,
        landing: Option<&Arc<dyn Landing>>,
    ) -> Outcome<Self> {
        let path = folder.join(format!("{}.part", wanted.digest.hex()));
        let (folder, size) = (folder.to_owned(), wanted.size);
        let (kept, length) = blocking(move || open_kept(&folder, path, size)).await?;
        let taker = match landing {
            None => Taker::Hash(Hasher::new()),
            Some(landing) => Taker::Land {
                landing: Arc::clone(landing),
                flight: None,
            },
        };
        let mut part = Self {
            wanted: wanted.clone(),
            length: 0,
            etag: kept.etag(),
            kept: None,
            taker,
        };
        if length > 0 {
            part.replay(&kept).await?;
        }
        part.kept = Some(kept);
        Ok(part)
    }

    /// How many bytes are here.
    pub(in super::super) fn length(&self) -> u64 {
        self.length
    }

    /// Whether what is here is there for the next run too.
    pub(in super::super) fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// Takes the next bytes. A failure is of this machine, or the verdict on the archive.
    pub(in super::super) async fn add(&mut self, piece: Bytes) -> Outcome<()> {
        if let Some(kept) = &mut self.kept {
            let path = &kept.path;
            kept.file
                .write_all(&piece)
                .map_err(|problem| Failure::io("write", path, &problem))?;
        }
        self.take(piece).await
    }

    /// Stops keeping a large archive that came fast: `count` bytes of it in `time`.
    pub(in super::super) fn judge_speed(&mut self, count: u64, time: Duration) {
        let is_judged = matches!(self.taker, Taker::Land { .. })
            && self.wanted.size > KEPT_BYTES_MAX
            && count >= JUDGED_AT_BYTES;
        if !is_judged || self.kept.is_none() {
            return;
        }
        let whole = time.as_millis() * u128::from(self.wanted.size) / u128::from(count);
        if whole <= QUICK.as_millis()
            && let Some(kept) = self.kept.take()
        {
            tracing::debug!(archive = self.wanted.label, "comes fast: not kept");
            kept.remove();
        }
    }

    /// Everything has come: whether it is exactly what was signed.
    pub(in super::super) async fn verdict(&mut self) -> Landed {
        match &mut self.taker {
            Taker::Hash(hasher) => {
                let found = hasher.clone().finish();
                if found == (self.wanted.digest, self.wanted.size) {
                    Landed::Right
                } else {
                    Landed::Wrong { found: Some(found) }
                }
            }
            Taker::Land { landing, flight } => {
                let flight = flight.take();
                let flight = flight.unwrap_or_else(|| Flight::start(landing, self.wanted.digest));
                flight.end().await
            }
        }
    }

    /// Forgets what arrived.
    pub(in super::super) async fn restart(&mut self) -> Outcome<()> {
        self.length = 0;
        self.note_etag("", None);
        if let Some(kept) = &mut self.kept {
            let path = &kept.path;
            kept.file
                .set_len(0)
                .and_then(|()| kept.file.seek(SeekFrom::Start(0)))
                .map_err(|problem| Failure::io("write", path, &problem))?;
        }
        match &mut self.taker {
            Taker::Hash(hasher) => *hasher = Hasher::new(),
            Taker::Land { flight, .. } => {
                if let Some(flight) = flight.take() {
                    flight.give_up().await;
                }
            }
        }
        Ok(())
    }

    /// The `ETag` under which `address` sent what arrived.
    pub(in super::super) fn etag(&self, address: &str) -> Option<String> {
        let (from, etag) = self.etag.as_ref()?;
        (from == address).then(|| etag.clone())
    }

    /// Notes the `ETag` for the next time. Without it a resumption is checked later, by digest.
    pub(in super::super) fn note_etag(&mut self, address: &str, etag: Option<&str>) {
        self.etag = etag.map(|it| (address.to_owned(), it.to_owned()));
        if let Some(kept) = &self.kept {
            let path = kept.etag_path();
            let _ = match etag {
                Some(etag) => std::fs::write(path, format!("{address}\n{etag}")),
                None => std::fs::remove_file(path),
            };
        }
    }

    /// Gives a right archive its final name, where it is kept. It is not synced: an archive
    /// can be had again, and its digest is taken whenever it is used, so one that a power cut
    /// has torn is fetched anew.
    pub(super) fn finish(self, place: &Path) -> Outcome<()> {
        let Some(kept) = self.kept else {
            return Ok(());
        };
        std::fs::rename(&kept.path, place)
            .map_err(|problem| Failure::io("finish", place, &problem))?;
        let _ = std::fs::remove_file(kept.etag_path());
        Ok(())
    }

    /// Gives up. What arrived stays for the next run.
    pub(super) async fn give_up(self) {
        if let Taker::Land {
            flight: Some(flight),
            ..
        } = self.taker
        {
            flight.give_up().await;
        }
        if let Some(kept) = self.kept
            && self.length == 0
        {
            kept.remove();
        }
    }

    async fn take(&mut self, piece: Bytes) -> Outcome<()> {
        self.length += piece.len() as u64;
        match &mut self.taker {
            Taker::Hash(hasher) => hasher.update(&piece),
            Taker::Land { landing, flight } => {
                let digest = self.wanted.digest;
                let flying = flight.get_or_insert_with(|| Flight::start(landing, digest));
                if flying.add(piece).await {
                    return Ok(());
                }
                let Some(flight) = flight.take() else {
                    return Ok(());
                };
                // Who stops before the end has a reason that more bytes do not change.
                return match flight.end().await {
                    Landed::Failed(failure) => Err(failure),
                    Landed::Right | Landed::Wrong { .. } => Err(stopped_early(&self.wanted)),
                };
            }
        }
        Ok(())
    }

    /// Takes what an earlier run left.
    async fn replay(&mut self, kept: &Kept) -> Outcome<()> {
        let path = kept.path.clone();
        let mut chunks = blocking(move || FileChunks::open(&path).map_err(Failure::from)).await?;
        loop {
            let (next, back) = blocking(move || Ok((chunks.next_chunk(), chunks))).await?;
            chunks = back;
            match next.map_err(|problem| Failure::io("read", &kept.path, &problem))? {
                Some(piece) => self.take(piece).await?,
                None => return Ok(()),
            }
        }
    }
}

impl Kept {
    fn etag_path(&self) -> PathBuf {
        self.path.with_extension("etag")
    }

    fn etag(&self) -> Option<(String, String)> {
        let text = std::fs::read_to_string(self.etag_path()).ok()?;
        let (from, etag) = text.split_once('\n')?;
        Some((from.to_owned(), etag.to_owned()))
    }

    fn remove(&self) {
        let _ = std::fs::remove_file(&self.path);
        let _ = std::fs::remove_file(self.etag_path());
    }
}

/// The file to write into, at its end, and how much is in it.
fn open_kept(folder: &Path, path: PathBuf, size: u64) -> Outcome<(Kept, u64)> {
    let failed = |problem: io::Error| Failure::io("write", &path, &problem);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(failed)?;
    if file.try_lock().is_err() || !is_still_at(&file, &path) {
        return unshared(folder).map(|it| (it, 0));
    }
    if file.metadata().map_err(failed)?.len() > size {
        file.set_len(0).map_err(failed)?;
    }
    let length = file.seek(SeekFrom::End(0)).map_err(failed)?;
    Ok((Kept { path, file }, length))
}

/// A file of our own, since another process is fetching the same archive.
fn unshared(folder: &Path) -> Outcome<Kept> {
    let (file, path) = tempfile::Builder::new()
        .prefix("fetch-")
        .suffix(".part")
        .tempfile_in(folder)
        .and_then(|it| it.keep().map_err(|it| it.error))
        .map_err(|problem| Failure::io("write in", folder, &problem))?;
    Ok(Kept { path, file })
}

/// Whether the file that we locked still has its name. The process that held the lock
/// before may have finished and renamed it, and then it is not ours to write to.
fn is_still_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(ours), Ok(named)) => ours.ino() == named.ino() && ours.dev() == named.dev(),
        _ => false,
    }
}

fn stopped_early(wanted: &WantedArchive) -> Failure {
    Failure::new(
        "archive-digest",
        format!("the archive of {} is not what was signed", wanted.label),
    )
    .with_exit(crate::failure::Exit::Verification)
}
