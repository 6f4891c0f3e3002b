//! Bytes on their way from a transfer to whoever unpacks them.
//!
//! The transfer and the unpacking run at once: the one hands pieces over, the other takes
//! them on a thread that may block. Few pieces wait, so a slow disk slows the transfer down
//! and memory stays small.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use provisioning_package::{Chunks, Digest};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use crate::failure::Failure;

/// Pieces that may wait; a piece is what one read of the network brought.
const PIECES_WAITING: usize = 8;

/// What became of an archive's bytes.
pub(crate) enum Landed {
    /// They are the archive, and what was to be done with it is done.
    Right,
    /// They are something else, and nothing of it is left.
    Wrong {
        /// What they are; `None` where there were more of them than signed.
        found: Option<(Digest, u64)>,
    },
    /// No other place can help: the archive itself is refused, or this machine fails.
    Failed(Failure),
}

/// Takes archives while they arrive.
pub(crate) trait Landing: Send + Sync {
    /// Takes the bytes of the archive that was signed with `digest`. May block. Where
    /// `chunks` fails, the transfer was given up and the answer is not read.
    fn land(&self, digest: &Digest, chunks: &mut dyn Chunks) -> Landed;
}

/// One archive that is landing.
pub(super) struct Flight {
    sender: Sender<Option<Bytes>>,
    thread: JoinHandle<Landed>,
}

impl Flight {
    pub(super) fn start(landing: &Arc<dyn Landing>, digest: Digest) -> Self {
        let (sender, receiver) = channel(PIECES_WAITING);
        let landing = Arc::clone(landing);
        let thread = tokio::task::spawn_blocking(move || {
            let mut pieces = Pieces {
                receiver,
                is_at_end: false,
            };
            landing.land(&digest, &mut pieces)
        });
        Self { sender, thread }
    }

    /// Hands a piece over; `false` where nobody takes any more, who will say why.
    pub(super) async fn add(&self, piece: Bytes) -> bool {
        self.sender.send(Some(piece)).await.is_ok()
    }

    /// There is no more.
    pub(super) async fn end(self) -> Landed {
        let _gone = self.sender.send(None).await;
        self.thread
            .await
            .expect("a landing neither panics nor is cancelled")
    }

    /// Gives it up, and waits until nothing of it is left.
    pub(super) async fn give_up(self) {
        drop(self.sender);
        let _answer = self.thread.await;
    }
}

/// The other end.
struct Pieces {
    receiver: Receiver<Option<Bytes>>,
    is_at_end: bool,
}

impl Chunks for Pieces {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        if self.is_at_end {
            return Ok(None);
        }
        match self.receiver.blocking_recv() {
            Some(Some(piece)) => Ok(Some(piece)),
            Some(None) => {
                self.is_at_end = true;
                Ok(None)
            }
            None => Err(io::Error::other("the transfer was given up")),
        }
    }
}
