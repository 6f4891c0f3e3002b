//! An archive's bytes, piece by piece, from wherever they come.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::error::ArchiveError;
use super::inspect::open_archive;

/// One piece of a file, in bytes.
const FILE_CHUNK_BYTES: usize = 256 * 1024;

/// Gives an archive's bytes in order, in pieces of any length.
pub trait Chunks {
    /// The next piece; `None` at the end. A piece may be empty. An error ends it: who gives
    /// the bytes has given up, and nothing is known of the rest.
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>>;
}

/// The bytes of an archive on disk.
#[derive(Debug)]
pub struct FileChunks {
    file: File,
    path: PathBuf,
}

impl FileChunks {
    /// Opens an archive, which must be a regular file.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        Ok(Self {
            file: open_archive(path)?,
            path: path.to_owned(),
        })
    }
}

impl Chunks for FileChunks {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        let mut chunk = vec![0; FILE_CHUNK_BYTES];
        loop {
            match self.file.read(&mut chunk) {
                Ok(0) => return Ok(None),
                Ok(count) => {
                    chunk.truncate(count);
                    return Ok(Some(chunk.into()));
                }
                Err(problem) if problem.kind() == io::ErrorKind::Interrupted => {}
                Err(problem) => {
                    return Err(ArchiveError::io("read", &self.path)(problem).into_io());
                }
            }
        }
    }
}
