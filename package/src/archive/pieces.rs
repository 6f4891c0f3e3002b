//! A large file, piece by piece: while one is read, another is written and a third hashed.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

use super::crew::joined;
use super::error::ArchiveError;
use super::stream::into_error;
use crate::digest::{Digest, Hasher};

/// One piece, in bytes.
const PIECE_BYTES: usize = 256 * 1024;
/// Pieces that may wait, for each of the two threads.
const PIECES_WAITING: usize = 3;
/// Pieces whose memory is used again: as many as can be under way at once.
const PIECES_KEPT: usize = PIECES_WAITING + 2;

/// Bytes of a file.
struct Piece {
    bytes: Vec<u8>,
    used: usize,
}

impl Piece {
    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.used]
    }
}

/// Writes everything that `data` gives to `file`, which is `at`, and gives its digest.
pub(super) fn large_file<'scope>(
    scope: &'scope Scope<'scope, '_>,
    file: File,
    at: PathBuf,
    data: &mut dyn Read,
) -> Result<Digest, ArchiveError> {
    let (to_writer, pieces) = sync_channel::<Arc<Piece>>(PIECES_WAITING);
    let writer = scope.spawn(move || write_pieces(file, &at, &pieces));
    let (to_hasher, pieces) = sync_channel::<Arc<Piece>>(PIECES_WAITING);
    let hasher = scope.spawn(move || hash_pieces(&pieces));
    let read = give_pieces(data, &[&to_writer, &to_hasher]);
    drop((to_writer, to_hasher));
    let written = joined(writer);
    let digest = joined(hasher);
    read?;
    written?;
    Ok(digest)
}

/// Reads to the end. Who of `takers` went away has a reason, which is told when it is joined.
fn give_pieces(
    data: &mut dyn Read,
    takers: &[&SyncSender<Arc<Piece>>],
) -> Result<(), ArchiveError> {
    let mut kept = VecDeque::with_capacity(PIECES_KEPT);
    loop {
        let mut next = free_piece(&mut kept);
        let Some(piece) = Arc::get_mut(&mut next) else {
            continue;
        };
        piece.used = fill(data, &mut piece.bytes)?;
        if piece.used == 0 {
            return Ok(());
        }
        if takers.iter().any(|it| it.send(Arc::clone(&next)).is_err()) {
            return Ok(());
        }
        kept.push_back(next);
    }
}

/// The oldest piece, if nobody needs it any more; else a new one.
fn free_piece(kept: &mut VecDeque<Arc<Piece>>) -> Arc<Piece> {
    let oldest = kept.front_mut().and_then(Arc::get_mut).is_some();
    let free = if oldest { kept.pop_front() } else { None };
    if kept.len() >= PIECES_KEPT {
        kept.pop_front();
    }
    free.unwrap_or_else(|| {
        let bytes = vec![0; PIECE_BYTES];
        Arc::new(Piece { bytes, used: 0 })
    })
}

fn fill(data: &mut dyn Read, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
    let mut used = 0;
    while used < buffer.len() {
        match data.read(&mut buffer[used..]) {
            Ok(0) => break,
            Ok(count) => used += count,
            Err(problem) if problem.kind() == std::io::ErrorKind::Interrupted => {}
            Err(problem) => return Err(into_error(problem)),
        }
    }
    Ok(used)
}

fn write_pieces(
    mut file: File,
    at: &Path,
    pieces: &Receiver<Arc<Piece>>,
) -> Result<(), ArchiveError> {
    pieces.iter().try_for_each(|piece| {
        file.write_all(piece.as_bytes())
            .map_err(ArchiveError::io("write", at))
    })
}

fn hash_pieces(pieces: &Receiver<Arc<Piece>>) -> Digest {
    let mut hasher = Hasher::new();
    for piece in pieces {
        hasher.update(piece.as_bytes());
    }
    hasher.finish().0
}
