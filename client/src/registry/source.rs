//! Where a registry's files come from: a server or a folder, behind one door.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use provisioning_trust::{Transport, TransportError};

use super::folder::Folder;
use super::http::Server;
use crate::credentials::Secret;
use crate::failure::Outcome;
use crate::settings::RegistryLocation;

/// What a registry's files are read from.
#[derive(Debug)]
pub(crate) enum Source {
    /// A server.
    Server(Server),
    /// A folder with the same files.
    Folder(Folder),
}

/// The bytes of a file, from some position on.
pub(crate) struct FileStream {
    /// Where the bytes begin: what was asked for, or 0 where the server cannot skip.
    pub(crate) offset: u64,
    /// The bytes.
    pub(crate) chunks: BoxStream<'static, Result<Bytes, TransportError>>,
}

impl Source {
    /// The source at `location`; nothing is asked yet.
    pub(crate) fn open(location: &RegistryLocation) -> Outcome<Self> {
        match location.folder() {
            Some(folder) => Ok(Self::Folder(Folder::new(folder, location.url().clone()))),
            None => Ok(Self::Server(Server::new(location)?)),
        }
    }

    /// The same source, with a token in every request. A folder needs none.
    pub(crate) fn with_token(self, token: Secret) -> Self {
        match self {
            Self::Server(server) => Self::Server(server.with_token(token)),
            folder @ Self::Folder(_) => folder,
        }
    }

    /// The bytes of a file from `offset` on; `None` where there is no such file.
    pub(crate) async fn stream(
        &self,
        path: &str,
        offset: u64,
    ) -> Result<Option<FileStream>, TransportError> {
        match self {
            Self::Server(server) => server.stream(path, offset).await,
            Self::Folder(folder) => folder.stream(path, offset).await,
        }
    }
}

impl Transport for Source {
    fn fetch<'a>(
        &'a self,
        path: &'a str,
        max_bytes: u64,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, TransportError>> {
        Box::pin(async move {
            match self {
                Self::Server(server) => server.fetch(path, max_bytes).await,
                Self::Folder(folder) => folder.fetch(path, max_bytes).await,
            }
        })
    }
}

/// What lies behind a transport's error: the last error of the network where it has one.
pub(super) fn cause_of(problem: &TransportError) -> &(dyn std::error::Error + 'static) {
    if let TransportError::Unreachable { source } = problem {
        source.as_ref()
    } else {
        problem
    }
}
