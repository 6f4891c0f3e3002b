//! One archive on its way to the registry: streamed from disk, in constant memory.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use provisioning_package::Digest;
use provisioning_registry_api::session::{SessionStatus, UploadOffset};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Method};
use tokio::fs::File;
use tokio::io::{AsyncSeekExt as _, SeekFrom};
use tokio_util::io::ReaderStream;

use super::WriteClient;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Bar, Progress};

/// At which byte of the archive a request's body begins.
const UPLOAD_OFFSET: &str = "upload-offset";
/// Archives below this size are sent whole.
const RESUME_BYTES_MIN: u64 = 1024 * 1024;
/// How much is read at a time.
const CHUNK_BYTES: usize = 256 * 1024;
/// How long nothing may move before an upload counts as broken off.
const STALL_TIMEOUT: Duration = Duration::from_mins(2);
/// How often that is looked at.
const STALL_TICK: Duration = Duration::from_secs(2);
/// How often an upload is begun again.
const TRIES_MAX: u32 = 4;
/// How long to wait before that, times the number of the try.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// An archive to send.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    /// What people call it: `core 3.1.0`.
    pub(crate) label: String,
    /// The file.
    pub(crate) file: PathBuf,
    /// Its digest.
    pub(crate) digest: Digest,
    /// Its size in bytes.
    pub(crate) size: u64,
}

impl WriteClient {
    /// Sends an archive that `session` waits for. Begun again where the connection breaks,
    /// unless the registry turns out to have the archive after all.
    pub(crate) async fn upload(
        &self,
        session: &str,
        upload: &Upload,
        progress: &Progress,
    ) -> Outcome<SessionStatus> {
        let bar = Arc::new(progress.bytes(&upload.label, upload.size));
        let mut tries = 0;
        // What an earlier publish left is worth a question only where much may be there.
        let mut offset = if upload.size >= RESUME_BYTES_MIN {
            self.upload_offset(session, upload).await
        } else {
            0
        };
        loop {
            tries += 1;
            let failure = match self.send_bytes(session, upload, offset, &bar).await {
                Err(failure) if failure.exit() == Exit::Unreachable => failure,
                settled => return settled,
            };
            let status = self.session(session).await?;
            let is_missing = |it: &Digest| status.missing.iter().any(|one| one.digest == Some(*it));
            if !is_missing(&upload.digest) {
                return Ok(status);
            }
            if tries == TRIES_MAX {
                return Err(failure);
            }
            tracing::debug!(archive = upload.label, "sending again: {failure}");
            tokio::time::sleep(RETRY_DELAY * tries).await;
            offset = self.upload_offset(session, upload).await;
        }
    }

    /// At which byte an upload goes on; its first where the registry does not tell.
    async fn upload_offset(&self, session: &str, upload: &Upload) -> u64 {
        let hex = upload.digest.hex();
        let path = ["sessions", session, "archives", &hex];
        let told: Outcome<UploadOffset> = self.call(Method::GET, &path, None::<&()>).await;
        told.map_or(0, |it| it.offset.min(upload.size))
    }

    async fn send_bytes(
        &self,
        session: &str,
        upload: &Upload,
        offset: u64,
        bar: &Arc<Bar>,
    ) -> Outcome<SessionStatus> {
        let unreadable = |problem| Failure::io("read", &upload.file, &problem);
        let mut file = File::open(&upload.file).await.map_err(unreadable)?;
        file.seek(SeekFrom::Start(offset))
            .await
            .map_err(unreadable)?;
        bar.restart_at(offset);
        let sent = Arc::new(AtomicU64::new(offset));
        let chunks = ReaderStream::with_capacity(file, CHUNK_BYTES).inspect({
            let (sent, bar) = (Arc::clone(&sent), Arc::clone(bar));
            move |chunk| {
                if let Ok(chunk) = chunk {
                    sent.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                    bar.advance(chunk.len() as u64);
                }
            }
        });
        let hex = upload.digest.hex();
        let url = self.url(&["sessions", session, "archives", &hex]);
        let request = if offset == 0 {
            self.request(Method::PUT, url)
        } else {
            self.request(Method::PATCH, url)
                .header(UPLOAD_OFFSET, offset)
        };
        let request = request
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, upload.size - offset)
            .body(Body::wrap_stream(chunks));
        tokio::select! {
            answer = request.send() => match answer {
                Ok(response) => self.read(response).await,
                Err(problem) => Err(self.unreachable(&problem)),
            },
            () = stalled(&sent, upload.size) => Err(Failure::new(
                "upload-stalled",
                format!("the registry takes no more of `{}`", upload.file.display()),
            )
            .with_exit(Exit::Unreachable)
            .with_hint("run the same command again: it goes on where it stopped")),
        }
    }
}

/// Returns once nothing was sent for [`STALL_TIMEOUT`], or, with everything sent, once no
/// answer came for as long as an answer may take.
async fn stalled(sent: &AtomicU64, size: u64) {
    let (mut before, mut idle) = (0, Duration::ZERO);
    loop {
        tokio::time::sleep(STALL_TICK).await;
        let now = sent.load(Ordering::Relaxed);
        idle = if now == before {
            idle + STALL_TICK
        } else {
            Duration::ZERO
        };
        before = now;
        let patience = if now >= size {
            super::ANSWER_TIMEOUT
        } else {
            STALL_TIMEOUT
        };
        if idle >= patience {
            return;
        }
    }
}
