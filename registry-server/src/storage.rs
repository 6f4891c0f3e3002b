//! The read side at rest: archives, targets and metadata, as files that any web server,
//! bucket or `file://` could serve as they are.
//!
//! Everything but `timestamp.json` is written once under a name that holds its digest or
//! version. A write that returned is durable.

use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tokio_util::io::ReaderStream;
use url::Url;

/// Bytes that are read or copied at a time.
const CHUNK_BYTES: usize = 256 * 1024;

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
        })
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

    /// A small object's bytes; `None` where there is none.
    pub(crate) async fn read(&self, path: &str) -> Result<Option<Bytes>, object_store::Error> {
        match self.objects.get(&Path::parse(path)?).await {
            Ok(found) => Ok(Some(found.bytes().await?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
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
            let mut file = tokio::fs::File::open(folder.join(path))
                .await
                .map_err(generic)?;
            file.seek(io::SeekFrom::Start(range.start))
                .await
                .map_err(generic)?;
            let part = file.take(range.length);
            return Ok(ReaderStream::with_capacity(part, CHUNK_BYTES).boxed());
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
