//! Feeds the verifier with bytes, and saves it requests that cannot tell it anything new.
//!
//! Nothing here decides what is believed. A shortcut that leads to an error is undone, and
//! the verifier asks again without it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join_all;
use sigstore_tuf::transport::{FetchFuture, Repository, UpdaterConfig};

use crate::error::TrustError;
use crate::store::{TrustStore, version_of, versioned};
use crate::transport::{Transport, TransportError};

/// How many files are fetched at once.
pub(crate) const FETCHES_MAX: usize = 16;

/// Where the bytes come from.
pub(crate) enum Reach {
    /// The registry.
    Online {
        transport: Arc<dyn Transport>,
        /// The metadata folder, relative to the registry's base.
        metadata: String,
        /// The targets folder, likewise.
        targets: String,
        /// The newest root that the registry speaks of, unsigned; `None` where it was not
        /// asked, so that only walking the roots tells.
        root_version: Option<u64>,
    },
    /// The trusted state alone.
    Offline,
}

/// The bytes that the verifier sees.
pub(crate) struct Source {
    reach: Reach,
    store: Arc<TrustStore>,
    /// Answers that are known before they are asked for, used once.
    held: Mutex<HashMap<String, Option<Vec<u8>>>>,
    /// The file that was read last: what words about a file are about.
    last: Mutex<String>,
    /// Whether versioned files of the trusted state may stand for the registry's.
    trust_disk: AtomicBool,
    served_from_disk: AtomicBool,
    took_a_shortcut: AtomicBool,
}

impl Source {
    pub(crate) fn new(reach: Reach, store: Arc<TrustStore>) -> Self {
        Self {
            reach,
            store,
            held: Mutex::default(),
            last: Mutex::default(),
            trust_disk: AtomicBool::new(true),
            served_from_disk: AtomicBool::new(false),
            took_a_shortcut: AtomicBool::new(false),
        }
    }

    /// Starts a refresh: fetches the timestamp first, and where it is byte for byte the one
    /// that was verified last, answers that no newer root exists without asking, so that an
    /// unchanged poll is one request.
    ///
    /// This gives nobody a new power: whoever can replay a timestamp can as well answer 404
    /// for the next root, and both end when that timestamp expires, 48 hours after it was
    /// signed. A root that is published shows at the next timestamp, an hour later at most.
    pub(crate) async fn begin(&self, next_root: u64) -> Result<(), TrustError> {
        self.trust_disk.store(true, Ordering::Relaxed);
        self.served_from_disk.store(false, Ordering::Relaxed);
        self.took_a_shortcut.store(false, Ordering::Relaxed);
        self.hold().clear();
        let Reach::Online { root_version, .. } = &self.reach else {
            return Ok(());
        };
        let known = self.store.metadata("timestamp.json");
        let newer = root_version.is_none_or(|version| version >= next_root);
        if newer || known.is_none() {
            return Ok(());
        }
        let name = "timestamp.json";
        let limit = UpdaterConfig::default().timestamp_max_length;
        let offered = self.fetch_metadata_online(name, limit).await?;
        if offered == known {
            self.hold().insert(format!("{next_root}.root.json"), None);
            self.took_a_shortcut.store(true, Ordering::Relaxed);
        }
        self.hold().insert(name.to_owned(), offered);
        Ok(())
    }

    /// Fetches metadata files that will be asked for, all at once. What fails is fetched
    /// again, and its failure told, when it is asked for.
    pub(crate) async fn prefetch(&self, names: &[String]) {
        let limit = UpdaterConfig::default().targets_max_length;
        for group in names.chunks(FETCHES_MAX) {
            let fetches = group.iter().map(|name| async move {
                if self.kept(name).is_none()
                    && let Ok(answer) = self.fetch_metadata_online(name, limit).await
                {
                    self.hold().insert(name.clone(), answer);
                }
            });
            join_all(fetches).await;
        }
    }

    /// Whether a file of the trusted state stood for the registry's since [`Source::begin`].
    pub(crate) fn served_from_disk(&self) -> bool {
        self.served_from_disk.load(Ordering::Relaxed)
    }

    /// Whether asking again, without shortcuts, could give another answer.
    pub(crate) fn took_a_shortcut(&self) -> bool {
        self.took_a_shortcut.load(Ordering::Relaxed) || self.served_from_disk()
    }

    /// From now on everything comes from the registry.
    pub(crate) fn distrust_disk(&self) {
        self.trust_disk.store(false, Ordering::Relaxed);
        self.served_from_disk.store(false, Ordering::Relaxed);
        self.took_a_shortcut.store(false, Ordering::Relaxed);
        self.hold().clear();
    }

    /// What `sigstore-tuf` reads from.
    pub(crate) fn repository(self: Arc<Self>) -> impl Repository + 'static {
        Shared(self)
    }

    /// The file that was read last.
    pub(crate) fn last(&self) -> String {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }

    fn hold(&self) -> std::sync::MutexGuard<'_, HashMap<String, Option<Vec<u8>>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn metadata(&self, name: &str, max: u64) -> Result<Option<Vec<u8>>, TrustError> {
        name.clone_into(&mut self.last.lock().unwrap_or_else(PoisonError::into_inner));
        let held = self.hold().remove(name);
        if let Some(answer) = held {
            return Ok(answer);
        }
        if self.trust_disk.load(Ordering::Relaxed)
            && let Some(bytes) = self.kept(name)
        {
            self.served_from_disk.store(true, Ordering::Relaxed);
            return capped(name, max, Some(bytes));
        }
        match &self.reach {
            Reach::Online { .. } => self.fetch_metadata_online(name, max).await,
            Reach::Offline if name.ends_with(".root.json") => Ok(None),
            Reach::Offline => match self.store.metadata(name) {
                Some(bytes) => capped(name, max, Some(bytes)),
                None => Err(offline(name)),
            },
        }
    }

    /// A versioned file whose number the trusted state holds. Versioned files never change,
    /// and only what was verified is ever kept.
    fn kept(&self, name: &str) -> Option<Vec<u8>> {
        let (version, file) = versioned(name)?;
        let bytes = self.store.metadata(file)?;
        (version_of(&bytes) == Some(version)).then_some(bytes)
    }

    async fn fetch_metadata_online(
        &self,
        name: &str,
        max: u64,
    ) -> Result<Option<Vec<u8>>, TrustError> {
        let Reach::Online { metadata, .. } = &self.reach else {
            return Err(offline(name));
        };
        let path = format!("{metadata}{name}");
        let answer = self.fetch(&path, max).await?;
        let root = name.ends_with(".root.json");
        if answer.is_none() && !root {
            return Err(TrustError::Missing { file: path });
        }
        Ok(answer)
    }

    async fn target(&self, name: &str, max: u64) -> Result<Option<Vec<u8>>, TrustError> {
        let Reach::Online { targets, .. } = &self.reach else {
            return Err(offline(name));
        };
        let path = format!("{targets}{name}");
        match self.fetch(&path, max).await? {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(TrustError::Missing { file: path }),
        }
    }

    async fn fetch(&self, path: &str, max: u64) -> Result<Option<Vec<u8>>, TrustError> {
        let Reach::Online { transport, .. } = &self.reach else {
            return Err(offline(path));
        };
        fetch(transport.as_ref(), path, max).await
    }
}

/// Fetches one file, with the transport's failures in our words, and its limit held even by
/// a transport that forgets to.
pub(crate) async fn fetch(
    transport: &dyn Transport,
    path: &str,
    max: u64,
) -> Result<Option<Vec<u8>>, TrustError> {
    let file = path.to_owned();
    match transport.fetch(path, max).await {
        Ok(answer) => capped(path, max, answer),
        Err(TransportError::Unreachable { source }) => {
            Err(TrustError::Unreachable { file, source })
        }
        Err(TransportError::TooLarge { max_bytes }) => Err(TrustError::TooLarge {
            file,
            bytes_max: max_bytes,
        }),
        Err(TransportError::Refused { reason }) => Err(TrustError::Refused { file, reason }),
    }
}

fn capped(file: &str, max: u64, answer: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, TrustError> {
    match answer {
        Some(bytes) if bytes.len() as u64 > max => Err(TrustError::TooLarge {
            file: file.to_owned(),
            bytes_max: max,
        }),
        answer => Ok(answer),
    }
}

fn offline(file: &str) -> TrustError {
    TrustError::Unreachable {
        file: file.to_owned(),
        source: "it is not on this machine, and `--offline` was given".into(),
    }
}

struct Shared(Arc<Source>);

impl Repository for Shared {
    fn fetch_metadata<'a>(&'a self, name: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(async move { wrap(name, self.0.metadata(name, max_length).await) })
    }

    fn fetch_target<'a>(&'a self, path: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(async move { wrap(path, self.0.target(path, max_length).await) })
    }
}

/// Carries our error through the verifier, unchanged.
fn wrap<T>(name: &str, result: Result<T, TrustError>) -> sigstore_tuf::Result<T> {
    result.map_err(|error| sigstore_tuf::Error::transport_with_source(name, error))
}
