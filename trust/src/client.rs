//! First contact, refresh, verified targets: what a machine that installs uses of this crate.
//!
//! At first contact the root is compared with the fingerprint that the registry announces
//! (and with the one that the user gives), and pinned. From then on every root must be
//! reached from that one by signatures, and a registry that announces another root under a
//! version that is known here is refused.

use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use provisioning_package::Digest;
use sigstore_tuf::UpdaterConfig;

use crate::error::TrustError;
use crate::metadata::whole_seconds;
use crate::store::{TrustStore, version_of};
use crate::transport::Transport;
use crate::verifier::{Reach, SigstoreVerifier, Source, Verifier, fetch};

/// How long metadata that was once fetched may be used without asking, unless configured.
pub const OFFLINE_AGE_MAX_DEFAULT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What the discovery document says of the registry's metadata. It is not signed: a wrong one
/// leads to an error, never to trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The metadata folder, relative to the registry's base, with its slash: `metadata/`.
    pub metadata: String,
    /// The targets folder, likewise: `targets/`.
    pub targets: String,
    /// The root that `root_fingerprint` is of.
    pub root_version: u64,
    /// sha256 of `<metadata><root_version>.root.json`.
    pub root_fingerprint: Digest,
}

/// A registry whose root is pinned on this machine.
pub struct TrustedRegistry {
    store: Arc<TrustStore>,
    /// What the registry announces; `None` where nobody was asked.
    anchor: Option<Anchor>,
    verifier: Box<dyn Verifier>,
    offline_age_max: Option<SignedDuration>,
    /// When offline metadata is judged: at the time it was fetched.
    judged_at: Option<Timestamp>,
}

impl std::fmt::Debug for TrustedRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrustedRegistry")
            .field("state", &self.store.folder())
            .field("root", &self.root_fingerprint())
            .finish_non_exhaustive()
    }
}

impl TrustedRegistry {
    /// Opens the trusted state in the folder `state` (one for each registry). At first contact
    /// the root is fetched, compared with `anchor` and `expected_root`, and pinned; later no
    /// request is made here.
    pub async fn open(
        state: &Path,
        transport: Arc<dyn Transport>,
        anchor: &Anchor,
        expected_root: Option<&Digest>,
    ) -> Result<Self, TrustError> {
        let store = Arc::new(TrustStore::open(state)?);
        let pinned = match store.pinned_root()? {
            Some(pinned) => pinned,
            None => first_contact(&store, transport.as_ref(), anchor, expected_root).await?,
        };
        check_announced(&store, &pinned, anchor)?;
        check_expected(&store, &pinned, expected_root)?;
        let reach = Reach::Online {
            transport,
            metadata: anchor.metadata.clone(),
            targets: anchor.targets.clone(),
            root_version: Some(anchor.root_version),
        };
        let source = Source::new(reach, Arc::clone(&store));
        let verifier = SigstoreVerifier::new(pinned, Arc::clone(&store), source)?;
        Ok(Self {
            store,
            anchor: Some(anchor.clone()),
            verifier: Box::new(verifier),
            offline_age_max: None,
            judged_at: None,
        })
    }

    /// Pins a root that came by other means than the registry, unless one is pinned already.
    pub fn pin(state: &Path, root: &[u8]) -> Result<(), TrustError> {
        SigstoreVerifier::check_root(root)?;
        let store = Arc::new(TrustStore::open(state)?);
        let pinned = store.pin_root(root)?;
        if pinned != root {
            return Err(TrustError::WrongRoot {
                seen: Digest::of(&pinned),
                expected: Digest::of(root),
                origin: "the root that was given",
            });
        }
        let source = Source::new(Reach::Offline, Arc::clone(&store));
        SigstoreVerifier::new(pinned, store, source).map(drop)
    }

    /// Opens a state whose root is pinned, for a registry without a discovery document:
    /// `metadata` and `targets` go before the file names that `transport` is asked for.
    /// Every refresh asks for the next root.
    pub fn open_pinned(
        state: &Path,
        transport: Arc<dyn Transport>,
        metadata: &str,
        targets: &str,
    ) -> Result<Self, TrustError> {
        let store = Arc::new(TrustStore::open(state)?);
        let pinned = store.pinned_root()?.ok_or(TrustError::NeverMet)?;
        let reach = Reach::Online {
            transport,
            metadata: metadata.to_owned(),
            targets: targets.to_owned(),
            root_version: None,
        };
        let source = Source::new(reach, Arc::clone(&store));
        let verifier = SigstoreVerifier::new(pinned, Arc::clone(&store), source)?;
        Ok(Self {
            store,
            anchor: None,
            verifier: Box::new(verifier),
            offline_age_max: None,
            judged_at: None,
        })
    }

    /// Opens the trusted state without a network: metadata and cached targets of the last
    /// refresh are used for `age_max` ([`OFFLINE_AGE_MAX_DEFAULT`]) after it.
    ///
    /// Timestamp, snapshot and bins are judged at the time of that refresh; root, `targets`,
    /// `release` and `extensions` at the present, as always.
    pub fn open_offline(state: &Path, age_max: SignedDuration) -> Result<Self, TrustError> {
        let store = Arc::new(TrustStore::open(state)?);
        let pinned = store.pinned_root()?.ok_or(TrustError::NeverMet)?;
        let source = Source::new(Reach::Offline, Arc::clone(&store));
        let verifier = SigstoreVerifier::new(pinned, Arc::clone(&store), source)?;
        Ok(Self {
            store,
            anchor: None,
            verifier: Box::new(verifier),
            offline_age_max: Some(age_max),
            judged_at: None,
        })
    }

    /// Learns what is current. One request where nothing has changed since the last time.
    pub async fn refresh(&mut self, now: Timestamp) -> Result<(), TrustError> {
        let Some(age_max) = self.offline_age_max else {
            self.verifier.refresh(now).await?;
            if let Some(anchor) = &self.anchor {
                // The root that was announced may have been fetched only now.
                check_announced(&self.store, self.verifier.root(), anchor)?;
            }
            return self.store.note_fetched(now);
        };
        let fetched = self.store.fetched()?.ok_or(TrustError::NeverMet)?;
        let age = now.duration_since(fetched);
        if age > age_max {
            return Err(TrustError::TooLongOffline {
                fetched,
                days: age.as_hours() / 24,
                days_max: age_max.as_hours() / 24,
            });
        }
        self.judged_at = Some(fetched);
        self.verifier.refresh(fetched).await?;
        self.check_lasting_roles(now)
    }

    /// The verified bytes of each target, in order; `None` where no role lists it. Needs
    /// [`TrustedRegistry::refresh`] before. Bytes that are on disk with the right digest are
    /// not fetched again; the rest is fetched concurrently.
    pub async fn targets(
        &mut self,
        paths: &[String],
        now: Timestamp,
    ) -> Result<Vec<Option<Vec<u8>>>, TrustError> {
        let judged_at = self.judged_at.unwrap_or(now);
        let bytes = self.verifier.targets(paths, judged_at).await?;
        self.check_lasting_roles(now)?;
        Ok(bytes)
    }

    /// The verified bytes of one target; see [`TrustedRegistry::targets`].
    pub async fn target(
        &mut self,
        path: &str,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, TrustError> {
        let mut all = self.targets(&[path.to_owned()], now).await?;
        Ok(all.pop().flatten())
    }

    /// sha256 of the newest root that is trusted.
    pub fn root_fingerprint(&self) -> Digest {
        Digest::of(self.verifier.root())
    }

    /// When the metadata that was refreshed ends: the timestamp's expiry.
    pub fn expires(&self) -> Option<Timestamp> {
        self.verifier.expires("timestamp")
    }

    /// When metadata was last fetched and verified.
    pub fn fetched(&self) -> Result<Option<Timestamp>, TrustError> {
        self.store.fetched()
    }

    /// Roles whose expiry holds offline too.
    fn check_lasting_roles(&self, now: Timestamp) -> Result<(), TrustError> {
        for role in ["root", "targets", "release", "extensions"] {
            if let Some(expires) = self.verifier.expires(role).filter(|end| *end <= now) {
                return Err(TrustError::Expired {
                    role: role.to_owned(),
                    expires,
                    now: whole_seconds(now),
                });
            }
        }
        Ok(())
    }
}

/// Fetches the announced root and pins it, if it is the one that was announced and expected.
async fn first_contact(
    store: &TrustStore,
    transport: &dyn Transport,
    anchor: &Anchor,
    expected_root: Option<&Digest>,
) -> Result<Vec<u8>, TrustError> {
    let path = format!("{}{}.root.json", anchor.metadata, anchor.root_version);
    let limit = UpdaterConfig::default().root_max_length;
    let bytes = fetch(transport, &path, limit)
        .await?
        .ok_or(TrustError::Missing { file: path })?;
    let seen = Digest::of(&bytes);
    let announced = (&anchor.root_fingerprint, "the registry itself");
    let expected = expected_root.map(|digest| (digest, "`--root-fingerprint`"));
    for (digest, origin) in expected.into_iter().chain([announced]) {
        if *digest != seen {
            return Err(TrustError::WrongRoot {
                seen,
                expected: *digest,
                origin,
            });
        }
    }
    SigstoreVerifier::check_root(&bytes)?;
    store.pin_root(&bytes)
}

/// Refuses a discovery document that gives a known root version another fingerprint.
fn check_announced(store: &TrustStore, pinned: &[u8], anchor: &Anchor) -> Result<(), TrustError> {
    let version = anchor.root_version;
    let known = if version_of(pinned) == Some(version) {
        Some(Digest::of(pinned))
    } else {
        store.known_root(version)?.map(|root| Digest::of(&root))
    };
    match known {
        Some(known) if known != anchor.root_fingerprint => Err(TrustError::RootChanged {
            version,
            pinned: known,
            announced: anchor.root_fingerprint,
            state: store.folder().to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Holds the user's fingerprint against every root that this machine believes: the pinned one
/// and those that followed it.
fn check_expected(
    store: &TrustStore,
    pinned: &[u8],
    expected_root: Option<&Digest>,
) -> Result<(), TrustError> {
    let Some(expected) = expected_root else {
        return Ok(());
    };
    let seen = Digest::of(pinned);
    if seen == *expected {
        return Ok(());
    }
    let mut version = version_of(pinned).unwrap_or(1) + 1;
    while let Some(root) = store.known_root(version)? {
        if Digest::of(&root) == *expected {
            return Ok(());
        }
        version += 1;
    }
    Err(TrustError::WrongRoot {
        seen,
        expected: *expected,
        origin: "`--root-fingerprint`",
    })
}
