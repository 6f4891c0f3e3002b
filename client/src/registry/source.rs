//! Where a registry's files come from: a server or a folder, and its mirrors, behind one door.
//!
//! Whatever comes is verified by others, so any place may give any file. Small files are
//! asked of the registry first, which alone knows what is newest; archives, which never
//! change, of the mirrors first. A place that did not answer is asked last from then on.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use provisioning_trust::{Transport, TransportError};

use super::folder::Folder;
use super::http::{Network, Server};
use crate::context::Context;
use crate::failure::Outcome;
use crate::settings::RegistryLocation;

/// What a registry's files are read from.
#[derive(Debug)]
pub(crate) struct Source {
    /// The registry itself, then its mirrors.
    places: Vec<Place>,
    /// Whether what is read need not be kept: it can be read again as easily.
    is_at_hand: bool,
}

/// A server or a folder.
#[derive(Debug)]
pub(crate) struct Place {
    kind: PlaceKind,
    address: String,
    did_not_answer: AtomicBool,
}

#[derive(Debug)]
enum PlaceKind {
    Server(Box<Server>),
    Folder(Folder),
}

/// Where in a file to begin.
#[derive(Debug, Clone, Default)]
pub(crate) struct Resumption {
    /// How many bytes are here already.
    pub(crate) offset: u64,
    /// The `ETag` that they were sent under, if there was one.
    pub(crate) etag: Option<String>,
}

/// The bytes of a file, from some position on.
pub(crate) struct FileStream {
    /// Where the bytes begin: what was asked for, or 0 where the server cannot skip.
    pub(crate) offset: u64,
    /// The length of the whole file, where that was said.
    pub(crate) total: Option<u64>,
    /// The strong `ETag` of the file, if there is one.
    pub(crate) etag: Option<String>,
    /// The bytes.
    pub(crate) chunks: BoxStream<'static, Result<Bytes, TransportError>>,
}

impl Source {
    /// The registry at `location` alone, without credentials; nothing is asked yet. What is
    /// read is kept, also from a folder: an import's goes away.
    pub(crate) fn open(location: &RegistryLocation) -> Outcome<Self> {
        Ok(Self {
            places: vec![Place::open(location, &Network::default())?],
            is_at_hand: false,
        })
    }

    /// The registry of `context`'s settings, with its mirrors.
    pub(crate) fn of_context(location: &RegistryLocation, context: &Context) -> Outcome<Self> {
        let network = Network {
            ca_file: context.settings.ca_file.clone(),
            credentials: context.credentials(location),
        };
        let mut places = vec![Place::open(location, &network)?];
        for mirror in &context.settings.mirrors {
            let network = Network {
                ca_file: network.ca_file.clone(),
                credentials: context.mirror_credentials(mirror),
            };
            places.push(Place::open(mirror, &network)?);
        }
        let is_folder = |it: &Place| matches!(it.kind, PlaceKind::Folder(_));
        let is_at_hand = places.iter().all(is_folder);
        Ok(Self { places, is_at_hand })
    }

    /// From now on the registry gets credentials with every request.
    pub(crate) fn authorise(&self) {
        if let Some(PlaceKind::Server(server)) = self.places.first().map(|it| &it.kind) {
            server.authorise();
        }
    }

    /// The places to ask for archives, the most promising first.
    pub(super) fn for_archives(&self) -> Vec<&Place> {
        let (registry, mirrors) = self.places.split_at(1);
        in_turn(mirrors.iter().chain(registry))
    }
}

impl Place {
    fn open(location: &RegistryLocation, network: &Network) -> Outcome<Self> {
        let kind = match location.folder() {
            Some(folder) => PlaceKind::Folder(Folder::new(folder, location.url().clone())),
            None => PlaceKind::Server(Box::new(Server::new(location, network)?)),
        };
        Ok(Self {
            kind,
            address: location.to_string(),
            did_not_answer: AtomicBool::new(false),
        })
    }

    /// What people call it.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The bytes of a file from some position on; `None` where there is no such file.
    pub(super) async fn stream(
        &self,
        path: &str,
        from: &Resumption,
    ) -> Result<Option<FileStream>, TransportError> {
        match &self.kind {
            PlaceKind::Server(server) => server.stream(path, from).await,
            PlaceKind::Folder(folder) => folder.stream(path, from.offset).await,
        }
    }

    async fn fetch(&self, path: &str, max: u64) -> Result<Option<Vec<u8>>, TransportError> {
        match &self.kind {
            PlaceKind::Server(server) => server.fetch(path, max).await,
            PlaceKind::Folder(folder) => folder.fetch(path, max),
        }
    }

    /// Notes that it could not be reached.
    pub(super) fn give_up(&self) {
        self.did_not_answer.store(true, Ordering::Relaxed);
    }
}

impl Transport for Source {
    fn fetch<'a>(
        &'a self,
        path: &'a str,
        max_bytes: u64,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, TransportError>> {
        Box::pin(async move {
            let mut first_problem = None;
            for place in in_turn(self.places.iter()) {
                match place.fetch(path, max_bytes).await {
                    Err(problem @ TransportError::Unreachable { .. }) => {
                        place.give_up();
                        tracing::debug!(path, place = place.address, "passed over: {problem}");
                        first_problem.get_or_insert(problem);
                    }
                    settled => return settled,
                }
            }
            Err(first_problem.expect("there is at least the registry itself"))
        })
    }

    fn is_at_hand(&self) -> bool {
        self.is_at_hand
    }
}

/// The places that did not answer go to the end.
fn in_turn<'a>(places: impl Iterator<Item = &'a Place>) -> Vec<&'a Place> {
    let mut places: Vec<&Place> = places.collect();
    places.sort_by_key(|it| it.did_not_answer.load(Ordering::Relaxed));
    places
}

/// What lies behind a transport's error: the last error of the network where it has one.
pub(super) fn cause_of(problem: &TransportError) -> &(dyn std::error::Error + 'static) {
    if let TransportError::Unreachable { source } = problem {
        source.as_ref()
    } else {
        problem
    }
}
