//! A file's bytes in large pieces, the next one read while one is sent.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use rustix::buffer::spare_capacity;

use super::{ByteRange, ByteStream};

/// Bytes that are read at a time.
const CHUNK_BYTES: u64 = 256 * 1024;
/// Pieces that are read or wait to be sent: what a slow client costs.
const AHEAD: usize = 2;

/// Streams part of the file at `path`; an end that comes too early is an error.
pub(super) async fn stream(path: PathBuf, range: ByteRange) -> io::Result<ByteStream> {
    let file = blocking(move || File::open(path)).await?;
    let file = Arc::new(file);
    let end = range.start + range.length;
    let starts =
        (0..range.length.div_ceil(CHUNK_BYTES)).map(move |it| range.start + it * CHUNK_BYTES);
    let pieces = futures_util::stream::iter(starts).map(move |start| {
        let file = Arc::clone(&file);
        let length = CHUNK_BYTES.min(end - start);
        blocking(move || read_at(&file, start, length))
    });
    Ok(pieces.buffered(AHEAD).boxed())
}

fn read_at(file: &File, start: u64, length: u64) -> io::Result<Bytes> {
    let wanted = usize::try_from(length).map_err(io::Error::other)?;
    let mut bytes = Vec::with_capacity(wanted);
    while bytes.len() < wanted {
        let at = start + bytes.len() as u64;
        let more = rustix::io::pread(file, spare_capacity(&mut bytes), at)?;
        if more == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    // Capacity may be a little more than was asked for.
    bytes.truncate(wanted);
    Ok(bytes.into())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|failure| Err(io::Error::other(failure)))
}
