//! A registry in memory: a signer, the files that it wrote, and a transport that counts
//! requests and lies where a test tells it to.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use provisioning_package::Digest;
use provisioning_trust::{
    Anchor, KeySet, MetadataFile, Repository, TargetChange, TargetFacts, Transport, TransportError,
    TrustError, TrustedRegistry,
};

pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// What a test does to one answer.
pub(crate) type Lie = Box<dyn Fn(&str, Option<Vec<u8>>) -> Option<Vec<u8>> + Send + Sync>;

/// Serves files from memory.
#[derive(Default)]
pub(crate) struct Wire {
    pub(crate) files: Mutex<Files>,
    pub(crate) asked: Mutex<Vec<String>>,
    pub(crate) lie: Mutex<Option<Lie>>,
    pub(crate) down: Mutex<bool>,
}

impl Wire {
    /// The requests since this was last asked.
    pub(crate) fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    pub(crate) fn lie(
        &self,
        lie: impl Fn(&str, Option<Vec<u8>>) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) {
        *self.lie.lock().unwrap() = Some(Box::new(lie));
    }

    pub(crate) fn tell_the_truth(&self) {
        *self.lie.lock().unwrap() = None;
    }

    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        let mut files = self.files.lock().unwrap();
        files.insert(path.to_owned(), bytes.to_vec());
    }

    pub(crate) fn get(&self, path: &str) -> Vec<u8> {
        self.files.lock().unwrap()[path].clone()
    }
}

impl Transport for Wire {
    fn fetch<'a>(
        &'a self,
        path: &'a str,
        _max_bytes: u64,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, TransportError>> {
        Box::pin(async move {
            self.asked.lock().unwrap().push(path.to_owned());
            if *self.down.lock().unwrap() {
                return Err(TransportError::Unreachable {
                    source: "connection refused".into(),
                });
            }
            let honest = self.files.lock().unwrap().get(path).cloned();
            let lie = self.lie.lock().unwrap();
            Ok(lie.as_ref().map_or(honest.clone(), |lie| lie(path, honest)))
        })
    }
}

/// The start of every test's time.
pub(crate) fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

pub(crate) fn hours(count: i64) -> SignedDuration {
    SignedDuration::from_hours(count)
}

/// A registry with keys, metadata and targets, served by a [`Wire`].
pub(crate) struct TestRegistry {
    pub(crate) keys: KeySet,
    pub(crate) repository: Repository,
    pub(crate) wire: Arc<Wire>,
    pub(crate) now: Timestamp,
}

impl TestRegistry {
    pub(crate) fn new() -> Self {
        Self::new_at(start())
    }

    pub(crate) fn new_at(now: Timestamp) -> Self {
        let keys = KeySet::generate().unwrap();
        let (repository, files) = Repository::create(&keys, now).unwrap();
        let registry = Self {
            keys,
            repository,
            wire: Arc::new(Wire::default()),
            now,
        };
        registry.write(&files);
        registry
    }

    pub(crate) fn write(&self, files: &[MetadataFile]) {
        for file in files {
            self.wire
                .put(&format!("metadata/{}", file.name), &file.bytes);
        }
    }

    /// Publishes targets: bytes first, then metadata, timestamp last.
    pub(crate) fn publish(&mut self, targets: &[(&str, &str)]) -> Vec<String> {
        let changes: Vec<_> = targets
            .iter()
            .map(|(path, text)| {
                let facts = facts(text.as_bytes());
                self.wire.put(&served_at(path, &facts), text.as_bytes());
                TargetChange {
                    path: (*path).to_owned(),
                    facts: Some(facts),
                }
            })
            .collect();
        self.apply(&changes)
    }

    pub(crate) fn remove(&mut self, path: &str) -> Vec<String> {
        self.apply(&[TargetChange {
            path: path.to_owned(),
            facts: None,
        }])
    }

    fn apply(&mut self, changes: &[TargetChange]) -> Vec<String> {
        let files = self
            .repository
            .apply(&self.keys, changes, self.now)
            .unwrap();
        self.write(&files);
        files.into_iter().map(|file| file.name).collect()
    }

    /// Lets time pass, and signs again what is due.
    pub(crate) fn pass(&mut self, time: SignedDuration) -> Vec<String> {
        self.now += time;
        let files = self.repository.refresh(&self.keys, self.now).unwrap();
        self.write(&files);
        files.into_iter().map(|file| file.name).collect()
    }

    pub(crate) fn anchor(&self) -> Anchor {
        Anchor {
            metadata: "metadata/".to_owned(),
            targets: "targets/".to_owned(),
            root_version: self.repository.root_version(),
            root_fingerprint: self.repository.root_fingerprint(),
        }
    }

    pub(crate) async fn open(&self, state: &Path) -> Result<TrustedRegistry, TrustError> {
        TrustedRegistry::open(state, self.wire.clone(), &self.anchor(), None).await
    }

    /// What a command does: open, refresh.
    pub(crate) async fn client(&self, state: &Path) -> Result<TrustedRegistry, TrustError> {
        let mut client = self.open(state).await?;
        client.refresh(self.now).await?;
        Ok(client)
    }

    /// Loads the signer's state from the files that are served.
    pub(crate) fn reload(&self) -> Repository {
        let files = self.wire.files.lock().unwrap();
        Repository::load(&|name| Ok(files.get(&format!("metadata/{name}")).cloned())).unwrap()
    }
}

pub(crate) fn facts(bytes: &[u8]) -> TargetFacts {
    TargetFacts {
        length: bytes.len() as u64,
        digest: Digest::of(bytes),
    }
}

/// Where a target's bytes are served.
pub(crate) fn served_at(path: &str, facts: &TargetFacts) -> String {
    let hex = facts.digest.hex();
    match path.rsplit_once('/') {
        Some((folder, file)) => format!("targets/{folder}/{hex}.{file}"),
        None => format!("targets/{hex}.{path}"),
    }
}
