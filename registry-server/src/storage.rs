//! The read side at rest: archives, targets and metadata, as files that any web server,
//! bucket or `file://` could serve as they are.
//!
//! Everything but `timestamp.json` is written once under a name that holds its digest or
//! version. A write that returned is durable, but for those that say otherwise: what the
//! database can give again need not wait for the disk.

use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use url::Url;

use crate::random::random_bytes;

mod chunks;
#[cfg(test)]
mod conformance;
mod hot;
mod probe;

use hot::Hot;
pub(crate) use hot::{HOT_BYTES_MAX, HotFile};

/// Bytes that are read or copied at a time.
const CHUNK_BYTES: usize = 256 * 1024;

/// Objects of a bucket that are written at once.
const WRITES_AT_ONCE: usize = 8;

/// Why the storage could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The folder cannot be used.
    #[error("the folder `{}` cannot hold the registry's files", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The URL means no storage.
    #[error("`{0}` is no storage: expected a folder or `s3://bucket/prefix`")]
    Url(String),
    /// The backend refused.
    #[error("the storage cannot be opened")]
    Backend(#[from] object_store::Error),
}

/// A range of an object's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByteRange {
    pub(crate) start: u64,
    pub(crate) length: u64,
}

/// The bytes of an object as they are read.
pub(crate) type ByteStream = BoxStream<'static, io::Result<Bytes>>;

/// An object as a client is sent it.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// All of it.
    Small(Arc<HotFile>),
    /// Its length; [`Storage::stream`] gives the bytes.
    Large(u64),
}

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) path: String,
    pub(crate) size: u64,
    /// When it was last written.
    pub(crate) written_at: Timestamp,
}

/// The read side at rest.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    objects: Arc<dyn ObjectStore>,
    /// The folder behind `objects`, if there is one: staged files are renamed into it
    /// rather than copied, and read without the generic layer's small chunks.
    folder: Option<PathBuf>,
    /// Whether `objects` is a bucket, whose service may have ways of its own.
    is_bucket: bool,
    /// Whether something was written that a power failure would take back.
    is_unsettled: Arc<AtomicBool>,
    hot: Hot,
}

impl Storage {
    /// Opens `url`, or the folder `public` in `data` where there is none. `options` are
    /// what the environment says about buckets (`AWS_…`).
    pub(crate) fn open(
        url: Option<&str>,
        data: &FilePath,
        options: &[(String, String)],
    ) -> Result<Self, StorageError> {
        match url {
            None => Self::folder(&data.join("public")),
            Some(text) => match Url::parse(text) {
                Ok(url) if url.scheme() == "memory" => Ok(Self {
                    objects: Arc::new(InMemory::new()),
                    folder: None,
                    is_bucket: false,
                    is_unsettled: Arc::default(),
                    hot: Hot::default(),
                }),
                Ok(url) if url.scheme() == "file" => {
                    let folder = url
                        .to_file_path()
                        .map_err(|()| StorageError::Url(text.to_owned()))?;
                    Self::folder(&folder)
                }
                Ok(url) => {
                    let options = options.iter().map(|(key, value)| (key, value.clone()));
                    let (store, prefix) = object_store::parse_url_opts(&url, options)?;
                    Ok(Self {
                        objects: Arc::new(PrefixStore::new(store, prefix)),
                        folder: None,
                        is_bucket: true,
                        is_unsettled: Arc::default(),
                        hot: Hot::default(),
                    })
                }
                Err(_) => Self::folder(FilePath::new(text)),
            },
        }
    }

    fn folder(path: &FilePath) -> Result<Self, StorageError> {
        let wrap = |source| StorageError::Folder {
            path: path.to_owned(),
            source,
        };
        std::fs::create_dir_all(path).map_err(wrap)?;
        let path = path.canonicalize().map_err(wrap)?;
        Ok(Self {
            objects: Arc::new(LocalFileSystem::new_with_prefix(&path)?.with_fsync(true)),
            folder: Some(path),
            is_bucket: false,
            is_unsettled: Arc::default(),
            hot: Hot::default(),
        })
    }

    /// Whether a power failure can take back what [`Storage::put_hastily`] wrote.
    pub(crate) const fn can_forget(&self) -> bool {
        self.folder.is_some()
    }

    /// Writes a small object whole or not at all, as everybody sees it from now on; in a
    /// folder it is durable only after [`Storage::settle`].
    pub(crate) async fn put_hastily(
        &self,
        path: &str,
        bytes: impl Into<Bytes>,
    ) -> Result<(), object_store::Error> {
        let Some(folder) = &self.folder else {
            return self.put(path, bytes).await;
        };
        // The generic layer's rules for paths hold here too.
        let to = folder.join(Path::parse(path)?.as_ref());
        let bytes = bytes.into();
        self.is_unsettled.store(true, Ordering::Release);
        let written = tokio::task::spawn_blocking(move || write_hastily(&to, &bytes)).await;
        written
            .expect("writing a file does not panic")
            .map_err(generic)
    }

    /// Writes several small objects, as [`Storage::put_hastily`] does one.
    pub(crate) async fn put_all_hastily(
        &self,
        files: Vec<(String, Bytes)>,
    ) -> Result<(), object_store::Error> {
        let Some(folder) = &self.folder else {
            return futures_util::stream::iter(files)
                .map(|(path, bytes)| async move { self.put(&path, bytes).await })
                .buffer_unordered(WRITES_AT_ONCE)
                .try_collect()
                .await;
        };
        let files = files
            .into_iter()
            .map(|(path, bytes)| Ok((folder.join(Path::parse(path)?.as_ref()), bytes)))
            .collect::<Result<Vec<_>, object_store::Error>>()?;
        self.is_unsettled.store(true, Ordering::Release);
        let written = tokio::task::spawn_blocking(move || {
            files
                .iter()
                .try_for_each(|(to, bytes)| write_hastily(to, bytes))
        });
        written
            .await
            .expect("writing files does not panic")
            .map_err(generic)
    }

    /// Makes everything durable that was written hastily before the call; says whether
    /// there was anything.
    pub(crate) async fn settle(&self) -> Result<bool, object_store::Error> {
        let Some(folder) = &self.folder else {
            return Ok(false);
        };
        if !self.is_unsettled.swap(false, Ordering::AcqRel) {
            return Ok(false);
        }
        let folder = folder.clone();
        let synced = tokio::task::spawn_blocking(move || sync_all_of(&folder)).await;
        let synced = synced.expect("syncing a file system does not panic");
        if let Err(error) = synced {
            self.is_unsettled.store(true, Ordering::Release);
            return Err(generic(error));
        }
        Ok(true)
    }

    /// Writes a small object, replacing what was there.
    pub(crate) async fn put(
        &self,
        path: &str,
        bytes: impl Into<Bytes>,
    ) -> Result<(), object_store::Error> {
        self.objects
            .put(&Path::parse(path)?, bytes.into().into())
            .await?;
        Ok(())
    }

    /// Moves a staged file, already synced, to `path`. The content is named by its digest,
    /// so replacing an equal one is harmless.
    pub(crate) async fn put_file(
        &self,
        path: &str,
        staged: &FilePath,
    ) -> Result<(), object_store::Error> {
        let location = Path::parse(path)?;
        if let Some(folder) = &self.folder {
            let to = folder.join(path);
            let from = staged.to_owned();
            let moved = tokio::task::spawn_blocking(move || rename_durably(&from, &to))
                .await
                .expect("renaming a file does not panic");
            match moved {
                Ok(()) => return Ok(()),
                // The staging area may be on another file system than `--storage`.
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {}
                Err(error) => return Err(generic(error)),
            }
        }
        let mut from = tokio::fs::File::open(staged).await.map_err(generic)?;
        let mut to = BufWriter::new(Arc::clone(&self.objects), location);
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let count = from.read(&mut buffer).await.map_err(generic)?;
            if count == 0 {
                break;
            }
            to.write_all(&buffer[..count]).await.map_err(generic)?;
        }
        to.shutdown().await.map_err(generic)
    }

    /// Moves a staged file to `path` where that is a folder's; it is durable only after
    /// [`Storage::settle`].
    pub(crate) async fn move_hastily(
        &self,
        path: &str,
        staged: &FilePath,
    ) -> Result<(), object_store::Error> {
        let Some(folder) = &self.folder else {
            return self.put_file(path, staged).await;
        };
        let to = folder.join(Path::parse(path)?.as_ref());
        let from = staged.to_owned();
        self.is_unsettled.store(true, Ordering::Release);
        let moved = tokio::task::spawn_blocking(move || match std::fs::rename(&from, &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::create_dir_all(to.parent().unwrap_or(&to))?;
                std::fs::rename(&from, &to)
            }
            other => other,
        });
        match moved.await.expect("renaming a file does not panic") {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                self.put_file(path, staged).await
            }
            other => other.map_err(generic),
        }
    }

    /// A small object's bytes; `None` where there is none.
    pub(crate) async fn read(&self, path: &str) -> Result<Option<Bytes>, object_store::Error> {
        match self.objects.get(&Path::parse(path)?).await {
            Ok(found) => Ok(Some(found.bytes().await?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What a client is sent of an object: its bytes where it is small, else its length.
    pub(crate) async fn find(&self, path: &str) -> Result<Option<Found>, object_store::Error> {
        if let Some(file) = self.hot.get(path) {
            return Ok(Some(Found::Small(file)));
        }
        let Some(length) = self.length(path).await? else {
            return Ok(None);
        };
        if length > HOT_BYTES_MAX {
            return Ok(Some(Found::Large(length)));
        }
        let bytes = self.read(path).await?;
        Ok(bytes.map(|it| Found::Small(self.hot.keep(path, it))))
    }

    /// An object's length; `None` where there is none.
    pub(crate) async fn length(&self, path: &str) -> Result<Option<u64>, object_store::Error> {
        match self.objects.head(&Path::parse(path)?).await {
            Ok(found) => Ok(Some(found.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every object whose path begins with the folder `prefix`, in no order.
    pub(crate) fn list(
        &self,
        prefix: &str,
    ) -> BoxStream<'static, Result<Listed, object_store::Error>> {
        self.objects
            .list(Some(&Path::from(prefix)))
            .map(|found| found.map(|it| listed(&it)))
            .boxed()
    }

    /// What a listing would show of one object; `None` where there is none.
    pub(crate) async fn look(&self, path: &str) -> Result<Option<Listed>, object_store::Error> {
        match self.objects.head(&Path::parse(path)?).await {
            Ok(found) => Ok(Some(listed(&found))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes an object away; one that is not there already is no error.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), object_store::Error> {
        self.hot.forget(path);
        match self.objects.delete(&Path::parse(path)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes what `stream` brings, as a whole or not at all.
    pub(crate) async fn put_stream(
        &self,
        path: &str,
        mut stream: ByteStream,
    ) -> Result<(), object_store::Error> {
        let mut to = BufWriter::new(Arc::clone(&self.objects), Path::parse(path)?);
        while let Some(chunk) = stream.next().await {
            let written = match chunk {
                Ok(bytes) => to.put(bytes).await,
                Err(error) => Err(generic(error)),
            };
            if let Err(error) = written {
                // What was sent so far must not stay behind as a half upload.
                let _ = to.abort().await;
                return Err(error);
            }
        }
        to.shutdown().await.map_err(generic)
    }

    /// Streams part of an object.
    pub(crate) async fn stream(
        &self,
        path: &str,
        range: ByteRange,
    ) -> Result<ByteStream, object_store::Error> {
        let location = Path::parse(path)?;
        if let Some(folder) = &self.folder {
            let file = folder.join(location.as_ref());
            return chunks::stream(file, range).await.map_err(generic);
        }
        let options = GetOptions {
            range: Some(GetRange::Bounded(range.start..range.start + range.length)),
            ..GetOptions::default()
        };
        let found = self.objects.get_opts(&location, options).await?;
        Ok(found
            .into_stream()
            .map(|chunk| chunk.map_err(io::Error::other))
            .boxed())
    }
}

fn listed(found: &object_store::ObjectMeta) -> Listed {
    let second = found.last_modified.timestamp();
    Listed {
        path: found.location.to_string(),
        size: found.size,
        written_at: Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH),
    }
}

fn rename_durably(from: &FilePath, to: &FilePath) -> io::Result<()> {
    let parent = to
        .parent()
        .expect("a path below the storage's folder has one");
    if !parent.is_dir() {
        std::fs::create_dir_all(parent)?;
        let mut above = parent.parent();
        // At most `archives` and `sha256` are new; syncing one more folder is harmless.
        for _ in 0..3 {
            let Some(folder) = above else { break };
            sync_folder(folder)?;
            above = folder.parent();
        }
    }
    std::fs::rename(from, to)?;
    sync_folder(parent)
}

/// Writes a file beside its place and renames it. Nothing waits for the disk.
fn write_hastily(to: &FilePath, bytes: &[u8]) -> io::Result<()> {
    let mut beside = to.as_os_str().to_owned();
    // As the generic layer spells what is not finished: no listing shows it.
    beside.push(format!("#{}", u32::from_le_bytes(random_bytes())));
    let beside = PathBuf::from(beside);
    let written = match std::fs::write(&beside, bytes) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            std::fs::create_dir_all(to.parent().unwrap_or(to))?;
            std::fs::write(&beside, bytes)
        }
        other => other,
    };
    let renamed = written.and_then(|()| std::fs::rename(&beside, to));
    if renamed.is_err() {
        // What is left of it would only fill a disk that may be full.
        let _ = std::fs::remove_file(&beside);
    }
    renamed
}

#[cfg(target_os = "linux")]
fn sync_all_of(folder: &FilePath) -> io::Result<()> {
    Ok(rustix::fs::syncfs(std::fs::File::open(folder)?)?)
}

#[cfg(not(target_os = "linux"))]
fn sync_all_of(_: &FilePath) -> io::Result<()> {
    rustix::fs::sync();
    Ok(())
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &FilePath) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

/// A system error as the storage tells it.
pub(crate) fn generic(error: io::Error) -> object_store::Error {
    object_store::Error::Generic {
        store: "folder",
        source: Box::new(error),
    }
}
