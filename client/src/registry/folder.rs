//! A registry's files in a folder: an export, a mirror, a mounted disk.

use std::io::{Read as _, SeekFrom};
use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use provisioning_trust::TransportError;
use tokio::fs::File;
use tokio::io::AsyncSeekExt as _;
use tokio_util::io::ReaderStream;
use url::Url;

use super::source::FileStream;

/// How much is read at a time.
const CHUNK_BYTES: usize = 256 * 1024;

/// A folder with the layout of a registry.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    base: Url,
}

impl Folder {
    /// The folder at `root`, whose address is `base`.
    pub(super) fn new(root: PathBuf, base: Url) -> Self {
        Self { root, base }
    }

    /// The whole of a small file. It is read where it is asked for: handing each of
    /// thousands of index entries to another thread and back costs far more than reading.
    pub(super) fn fetch(
        &self,
        path: &str,
        max_bytes: u64,
    ) -> Result<Option<Vec<u8>>, TransportError> {
        let Some(place) = self.place(path) else {
            return Ok(None);
        };
        let file = match std::fs::File::open(&place) {
            Ok(file) => file,
            Err(problem) => return self.absent(problem),
        };
        let mut bytes = Vec::new();
        file.take(max_bytes.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(unreachable)?;
        if bytes.len() as u64 > max_bytes {
            return Err(TransportError::TooLarge { max_bytes });
        }
        Ok(Some(bytes))
    }

    /// A file from `offset` on.
    pub(super) async fn stream(
        &self,
        path: &str,
        offset: u64,
    ) -> Result<Option<FileStream>, TransportError> {
        let Some(mut file) = self.open(path).await? else {
            return Ok(None);
        };
        file.seek(SeekFrom::Start(offset))
            .await
            .map_err(unreachable)?;
        let total = file.metadata().await.map_err(unreachable)?.len();
        let chunks = ReaderStream::with_capacity(file, CHUNK_BYTES);
        Ok(Some(FileStream {
            offset,
            total: Some(total),
            etag: None,
            chunks: chunks.map(|it| it.map_err(unreachable)).boxed(),
        }))
    }

    /// Opens a file below the folder; `None` where the folder is there and the file is not.
    async fn open(&self, path: &str) -> Result<Option<File>, TransportError> {
        let Some(place) = self.place(path) else {
            return Ok(None);
        };
        match File::open(&place).await {
            Ok(file) => Ok(Some(file)),
            Err(problem) => self.absent(problem),
        }
    }

    /// What it means that a file cannot be opened.
    fn absent<T>(&self, problem: std::io::Error) -> Result<Option<T>, TransportError> {
        if problem.kind() != std::io::ErrorKind::NotFound {
            return Err(unreachable(problem));
        }
        // A disk that is not mounted is not an empty registry.
        std::fs::metadata(&self.root).map_err(unreachable)?;
        Ok(None)
    }

    /// Where `path` is, if it stays below the folder.
    fn place(&self, path: &str) -> Option<PathBuf> {
        let url = self.base.join(path).ok()?;
        let place = url.to_file_path().ok()?;
        let is_plain = |it: &Path| {
            it.components()
                .all(|part| part != std::path::Component::ParentDir)
        };
        (place.starts_with(&self.root) && is_plain(&place)).then_some(place)
    }
}

fn unreachable(problem: std::io::Error) -> TransportError {
    TransportError::Unreachable {
        source: Box::new(problem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_leaves_the_folder() {
        let base = Url::parse("file:///srv/registry/").unwrap();
        let folder = Folder::new("/srv/registry/".into(), base);
        assert_eq!(
            folder.place("metadata/1.root.json").unwrap(),
            Path::new("/srv/registry/metadata/1.root.json")
        );
        for bad in [
            "../x",
            "/etc/passwd",
            "a/../../x",
            "file:///etc/passwd",
            "http://a/b",
            "..%2fx",
        ] {
            assert_eq!(folder.place(bad), None, "{bad}");
        }
    }
}
