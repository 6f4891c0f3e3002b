//! Where bytes come from: a trait that the caller implements over HTTP, a folder or memory.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;

/// Reads files below a registry's base. It decides nothing: whatever it returns is verified.
pub trait Transport: Send + Sync {
    /// Fetches `path`, relative to the registry's base (`metadata/timestamp.json`).
    ///
    /// `None` means that the file does not exist (404, or absent from the folder). It must
    /// stop reading, and fail with [`TransportError::TooLarge`], after `max_bytes`; and it
    /// owns time-outs and retries. `path` is already spelled for a URL where a role's name
    /// needs that.
    fn fetch<'a>(
        &'a self,
        path: &'a str,
        max_bytes: u64,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, TransportError>>;

    /// Whether the files lie on this machine, so that keeping copies of them gains nothing.
    fn is_at_hand(&self) -> bool {
        false
    }
}

/// Bytes could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// No answer, a broken one, or a server's error.
    #[error("the registry cannot be reached")]
    Unreachable {
        /// What happened.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// More bytes came than were asked for.
    #[error("more than {max_bytes} bytes were sent")]
    TooLarge {
        /// The limit that was given.
        max_bytes: u64,
    },
    /// The registry answered that we may not read (401, 403).
    #[error("{reason}")]
    Refused {
        /// What it said.
        reason: String,
    },
}

/// Files that lie in memory: for checking what was just signed with the client's own
/// verifier, before anyone else sees it.
#[derive(Debug, Clone, Default)]
pub struct FilesInMemory(pub BTreeMap<String, Vec<u8>>);

impl Transport for FilesInMemory {
    fn fetch<'a>(
        &'a self,
        path: &'a str,
        _max_bytes: u64,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, TransportError>> {
        Box::pin(async move { Ok(self.0.get(path).cloned()) })
    }
}
