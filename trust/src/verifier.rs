//! What checks metadata: a trait of ours, so that the crate behind it can be replaced.
//!
//! `sigstore-tuf` decides what is believed: signatures, thresholds, versions, expiry, pins.
//! This file feeds it: bytes from the transport, or from the trusted state where a versioned
//! file of the same number was verified before (and if what lies there no longer verifies,
//! from the transport after all).

mod source;
mod walk;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::{BoxFuture, try_join_all};
use jiff::Timestamp;
use sigstore_tuf::{Error, TargetFile, TrustedMetadataSet, Updater};

use crate::error::TrustError;
use crate::metadata::whole_seconds;
use crate::store::TrustStore;
pub(crate) use source::{FETCHES_MAX, Reach, Source, fetch};
use walk::Walked;

/// Checks the metadata of one registry.
pub(crate) trait Verifier: Send + Sync {
    /// Brings root, timestamp, snapshot and `targets` up to date, judging expiry at `now`.
    fn refresh(&mut self, now: Timestamp) -> BoxFuture<'_, Result<(), TrustError>>;

    /// The verified bytes of each target, in order; `None` where no role lists it.
    fn targets<'a>(
        &'a mut self,
        paths: &'a [String],
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Option<Vec<u8>>>, TrustError>>;

    /// The newest root that is trusted, as it was served.
    fn root(&self) -> &[u8];

    /// The number of the verified snapshot.
    fn snapshot_version(&self) -> Option<u64>;

    /// When a role that is loaded ends.
    fn expires(&self, role: &str) -> Option<Timestamp>;

    /// The version of a role that is loaded.
    fn version(&self, role: &str) -> Option<u64>;
}

/// The verifier over `sigstore-tuf`.
pub(crate) struct SigstoreVerifier {
    pinned_root: Vec<u8>,
    store: Arc<TrustStore>,
    source: Arc<Source>,
    updater: Updater,
    /// What `updater` has checked.
    walked: Walked,
}

impl SigstoreVerifier {
    /// A verifier that starts from the pinned root and whatever chain of roots was verified
    /// from there before.
    pub(crate) fn new(
        pinned_root: Vec<u8>,
        store: Arc<TrustStore>,
        source: Source,
    ) -> Result<Self, TrustError> {
        let source = Arc::new(source);
        let updater = updater(&pinned_root, &store, &source)?;
        Ok(Self {
            pinned_root,
            store,
            source,
            updater,
            walked: Walked::default(),
        })
    }

    /// Whether `bytes` are a root that enough of its own keys have signed.
    pub(crate) fn check_root(bytes: &[u8]) -> Result<(), TrustError> {
        let checked = TrustedMetadataSet::from_root(bytes);
        checked
            .map(drop)
            .map_err(|error| explain(error, Timestamp::UNIX_EPOCH))
    }

    /// One refresh with a fresh updater: the floor comes from the disk, which every process
    /// raises, and a refresh that failed half-way leaves nothing behind in memory.
    async fn attempt(&mut self, now: Timestamp) -> Result<(), TrustError> {
        self.updater = updater(&self.pinned_root, &self.store, &self.source)?;
        self.walked = Walked::default();
        let result = self.updater.refresh(now).await;
        self.store.take_failure()?;
        result.map_err(|error| self.told(error, now))
    }

    /// The verifier's words in ours, with the file that they are about where they name none.
    fn told(&self, error: Error, now: Timestamp) -> TrustError {
        let told = explain(error, now);
        if let TrustError::Malformed { problem } = told {
            let problem = format!("`{}`: {problem}", self.source.last());
            return TrustError::Malformed { problem };
        }
        told
    }

    async fn resolve(
        &mut self,
        path: &str,
        now: Timestamp,
    ) -> Result<Option<TargetFile>, TrustError> {
        if let Ok(found) = self.walked.find(self.updater.trusted(), path, now) {
            return Ok(found);
        }
        let first = self.updater.get_target_info(path, now).await;
        let found = match first.map_err(|error| self.told(error, now)) {
            Err(error) if !error.is_unreachable() && self.source.served_from_disk() => {
                // A file of the trusted state went bad: ask the registry for it.
                self.source.distrust_disk();
                let again = self.updater.get_target_info(path, now).await;
                again.map_err(|error| self.told(error, now))?
            }
            other => other?,
        };
        self.store.take_failure()?;
        let noted = self.walked.note(self.updater.trusted(), path, now);
        noted.map_err(|role| TrustError::Unlisted {
            role,
            path: path.to_owned(),
        })?;
        Ok(found)
    }

    /// Fetches the roles that `paths` need all at once, level by level, where one by one
    /// would cost a round trip each.
    async fn load_roles(&mut self, paths: &[String], now: Timestamp) -> Result<(), TrustError> {
        loop {
            let mut needed = BTreeSet::new();
            let mut asking = Vec::new();
            for path in paths {
                if self.walked.find(self.updater.trusted(), path, now).is_ok() {
                    continue;
                }
                let role = unloaded_role(self.updater.trusted(), path);
                if let Some(role) = role.filter(|role| needed.insert(role.clone())) {
                    asking.push((path, role));
                }
            }
            if asking.len() < 2 {
                return Ok(());
            }
            let pin = |role: &str| {
                let snapshot = self.updater.trusted().snapshot()?;
                Some(snapshot.meta.get(&format!("{role}.json"))?.version)
            };
            let names: Vec<String> = asking
                .iter()
                .filter_map(|(_, role)| Some(format!("{}.{role}.json", pin(role)?)))
                .collect();
            self.source.prefetch(&names).await;
            for (path, role) in asking {
                self.resolve(path, now).await?;
                if self.updater.trusted().targets_role(&role).is_none() {
                    // The walk took another way than we foresaw; it will find its own.
                    return Ok(());
                }
            }
        }
    }

    async fn bytes(&self, path: &str, file: Option<TargetFile>) -> Result<Option<Vec<u8>>, Error> {
        let Some(file) = file else { return Ok(None) };
        if let Some(bytes) = self.updater.find_cached_target(&file, path) {
            return Ok(Some(bytes));
        }
        self.updater.download_target(&file, path).await.map(Some)
    }
}

impl Verifier for SigstoreVerifier {
    fn refresh(&mut self, now: Timestamp) -> BoxFuture<'_, Result<(), TrustError>> {
        Box::pin(async move {
            let next_root = self.updater.trusted().root().version + 1;
            self.source.begin(next_root).await?;
            let first = self.attempt(now).await;
            match first {
                Err(error) if !error.is_unreachable() && self.source.took_a_shortcut() => {
                    self.source.distrust_disk();
                    self.attempt(now).await
                }
                other => other,
            }
        })
    }

    fn targets<'a>(
        &'a mut self,
        paths: &'a [String],
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Option<Vec<u8>>>, TrustError>> {
        Box::pin(async move {
            self.load_roles(paths, now).await?;
            let mut files = Vec::new();
            for path in paths {
                files.push((path.as_str(), self.resolve(path, now).await?));
            }
            let mut all = Vec::new();
            let mut files = files.into_iter();
            loop {
                let group: Vec<_> = files.by_ref().take(FETCHES_MAX).collect();
                if group.is_empty() {
                    return Ok(all);
                }
                let fetches = group.into_iter().map(|(path, file)| self.bytes(path, file));
                let bytes = try_join_all(fetches).await;
                all.extend(bytes.map_err(|error| explain(error, now))?);
            }
        })
    }

    fn root(&self) -> &[u8] {
        self.updater.trusted().root_bytes()
    }

    fn snapshot_version(&self) -> Option<u64> {
        self.updater.trusted().snapshot().map(|it| it.version)
    }

    fn expires(&self, role: &str) -> Option<Timestamp> {
        let trusted = self.updater.trusted();
        match role {
            "root" => Some(trusted.root().expires),
            "timestamp" => trusted.timestamp().map(|timestamp| timestamp.expires),
            "snapshot" => trusted.snapshot().map(|snapshot| snapshot.expires),
            other => trusted.targets_role(other).map(|targets| targets.expires),
        }
    }

    fn version(&self, role: &str) -> Option<u64> {
        let trusted = self.updater.trusted();
        match role {
            "root" => Some(trusted.root().version),
            "timestamp" => trusted.timestamp().map(|timestamp| timestamp.version),
            "snapshot" => trusted.snapshot().map(|snapshot| snapshot.version),
            other => trusted.targets_role(other).map(|targets| targets.version),
        }
    }
}

fn updater(
    pinned_root: &[u8],
    store: &Arc<TrustStore>,
    source: &Arc<Source>,
) -> Result<Updater, TrustError> {
    let updater = Updater::new(Arc::clone(source).repository(), pinned_root)
        .map_err(|error| explain(error, Timestamp::UNIX_EPOCH))?
        .with_store(Arc::clone(store));
    store.take_failure()?;
    Ok(updater)
}

/// The first role on the way to `path` that is pinned and not loaded yet.
fn unloaded_role(trusted: &TrustedMetadataSet, path: &str) -> Option<String> {
    let mut role = "targets".to_owned();
    let mut seen = BTreeSet::new();
    while seen.insert(role.clone()) {
        let targets = trusted.targets_role(&role)?;
        if targets.target(path).is_some() {
            return None;
        }
        let children = &targets.delegations.as_ref()?.roles;
        let mut matching = children
            .iter()
            .filter(|child| child.matches_path(path).unwrap_or(false));
        let child = matching.next()?;
        if trusted.targets_role(&child.name).is_none() {
            return Some(child.name.clone());
        }
        role.clone_from(&child.name);
    }
    None
}

/// Turns the verifier's words into ours, which say what to do.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enum is open, and whatever else it says is about metadata's form"
)]
pub(crate) fn explain(error: Error, now: Timestamp) -> TrustError {
    match error {
        Error::Rollback { role, trusted, new } => TrustError::Rollback {
            role,
            trusted,
            offered: new,
        },
        Error::BadRootVersion { trusted, new } => TrustError::BrokenRootChain {
            wanted: trusted.saturating_add(1),
            offered: new,
        },
        Error::Expired { role, expires } => TrustError::Expired {
            role,
            expires,
            now: whole_seconds(now),
        },
        Error::ThresholdNotMet {
            role,
            found,
            threshold,
        } => TrustError::BadSignature {
            role,
            found,
            threshold,
        },
        Error::IntegrityMismatch(what) => TrustError::Mismatch { what },
        Error::Transport {
            message,
            source: Some(source),
        } => match source.downcast::<TrustError>() {
            Ok(ours) => *ours,
            Err(source) => TrustError::Unreachable {
                file: message,
                source,
            },
        },
        Error::Json(source) => TrustError::Malformed {
            problem: source.to_string(),
        },
        other => TrustError::Malformed {
            problem: other.to_string(),
        },
    }
}
