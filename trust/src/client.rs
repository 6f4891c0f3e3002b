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

use crate::change::RoleFiles;
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

/// The age up to which a timestamp may have grown when it expires: a copy carries no time of
/// its own that could be believed, so it counts as made this long before that.
const TIMESTAMP_LIFE: SignedDuration = SignedDuration::from_hours(48);

/// Clocks differ by so much without anything being wrong.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_mins(5);

/// How many roots before the announced one are looked at for a fingerprint that the user knows.
const OLDER_ROOTS_MAX: u64 = 64;

/// Where the files of a registry that is asked come from.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) metadata: String,
    pub(crate) targets: String,
}

/// A registry whose root is pinned on this machine.
pub struct TrustedRegistry {
    store: Arc<TrustStore>,
    /// Where files come from; `None` where nobody is asked.
    origin: Option<Origin>,
    /// How old a copy may be that outlived its timestamp; `None` for a registry that lives.
    copy_age_max: Option<SignedDuration>,
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
        Self::open_store(TrustStore::open(state)?, transport, anchor, expected_root).await
    }

    /// The same for a run that must write nothing: what it learns is believed as always, and
    /// forgotten with the process. `state` need not exist.
    pub async fn open_untouched(
        state: &Path,
        transport: Arc<dyn Transport>,
        anchor: &Anchor,
        expected_root: Option<&Digest>,
    ) -> Result<Self, TrustError> {
        let store = TrustStore::untouched(state);
        Self::open_store(store, transport, anchor, expected_root).await
    }

    async fn open_store(
        mut store: TrustStore,
        transport: Arc<dyn Transport>,
        anchor: &Anchor,
        expected_root: Option<&Digest>,
    ) -> Result<Self, TrustError> {
        if transport.is_at_hand() {
            store = store.without_targets();
        }
        let store = Arc::new(store);
        let pinned = match store.pinned_root()? {
            Some(pinned) => pinned,
            None => first_contact(&store, transport.as_ref(), anchor, expected_root).await?,
        };
        check_announced(&store, &pinned, anchor)?;
        check_expected(&store, &pinned, expected_root)?;
        let origin = Origin {
            transport: Arc::clone(&transport),
            metadata: anchor.metadata.clone(),
            targets: anchor.targets.clone(),
        };
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
            origin: Some(origin),
            copy_age_max: None,
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
        let origin = Origin {
            transport: Arc::clone(&transport),
            metadata: metadata.to_owned(),
            targets: targets.to_owned(),
        };
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
            origin: Some(origin),
            copy_age_max: None,
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
    ///
    /// Nothing is learned without a network, so nothing is written.
    pub fn open_offline(state: &Path, age_max: SignedDuration) -> Result<Self, TrustError> {
        let store = Arc::new(TrustStore::untouched(state));
        let pinned = store.pinned_root()?.ok_or(TrustError::NeverMet)?;
        let source = Source::new(Reach::Offline, Arc::clone(&store));
        let verifier = SigstoreVerifier::new(pinned, Arc::clone(&store), source)?;
        Ok(Self {
            store,
            origin: None,
            copy_age_max: None,
            anchor: None,
            verifier: Box::new(verifier),
            offline_age_max: Some(age_max),
            judged_at: None,
        })
    }

    /// Opens the trusted state for a copy that is carried to this machine, such as an exported
    /// file: like [`TrustedRegistry::open`], but its timestamp, snapshot and bins may have
    /// expired. Such a copy is usable for `age_max` after it can last have been signed.
    pub async fn open_copy(
        state: &Path,
        transport: Arc<dyn Transport>,
        anchor: &Anchor,
        expected_root: Option<&Digest>,
        age_max: SignedDuration,
    ) -> Result<Self, TrustError> {
        let mut opened = Self::open(state, transport, anchor, expected_root).await?;
        opened.copy_age_max = Some(age_max);
        Ok(opened)
    }

    /// Learns what is current. One request where nothing has changed since the last time.
    pub async fn refresh(&mut self, now: Timestamp) -> Result<(), TrustError> {
        if let (Some(age_max), Some(origin)) = (self.copy_age_max, self.origin.clone()) {
            return self.refresh_copy(&origin, age_max, now).await;
        }
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
        if age < -CLOCK_SLACK {
            // A clock that is set back must not make offline use last for ever.
            return Err(TrustError::ClockBehind {
                now: whole_seconds(now),
                seen: fetched,
            });
        }
        self.judged_at = Some(fetched);
        self.verifier.refresh(fetched).await?;
        self.check_lasting_roles(now)
    }

    /// Learns what a copy says. Nothing but its signatures is believed, so its age counts from
    /// the last instant at which its timestamp can have been signed.
    async fn refresh_copy(
        &mut self,
        origin: &Origin,
        age_max: SignedDuration,
        now: Timestamp,
    ) -> Result<(), TrustError> {
        let name = format!("{}timestamp.json", origin.metadata);
        let limit = UpdaterConfig::default().timestamp_max_length;
        let bytes = fetch(origin.transport.as_ref(), &name, limit).await?;
        let bytes = bytes.ok_or(TrustError::Missing { file: name })?;
        let expires = expires_of(&bytes).ok_or_else(|| TrustError::Malformed {
            problem: "the timestamp does not say when it expires".to_owned(),
        })?;
        // A second before the end is the last time at which it held.
        let judged_at = now.min(expires - SignedDuration::from_secs(1));
        self.judged_at = Some(judged_at);
        self.verifier.refresh(judged_at).await?;
        if self.expires() != Some(expires) {
            return Err(TrustError::Mismatch {
                what: "the timestamp changed while it was read".to_owned(),
            });
        }
        if let Some(anchor) = &self.anchor {
            check_announced(&self.store, self.verifier.root(), anchor)?;
        }
        let signed = now.min(expires - TIMESTAMP_LIFE);
        let age = now.duration_since(signed);
        if expires <= now && age > age_max {
            return Err(TrustError::CopyTooOld {
                signed,
                days: age.as_hours() / 24,
                days_max: age_max.as_hours() / 24,
            });
        }
        self.check_lasting_roles(now)?;
        match self.store.fetched()? {
            Some(fetched) if fetched > signed => Ok(()),
            _ => self.store.note_fetched(signed),
        }
    }

    /// Notes that this state is known from a copy alone, so that nobody is asked for more.
    pub fn note_imported(&self) -> Result<(), TrustError> {
        self.store.note_imported()
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

    /// The number of the snapshot that was refreshed: it names every target there is.
    pub fn snapshot_version(&self) -> Option<u64> {
        self.verifier.snapshot_version()
    }

    /// When the metadata that was refreshed ends: the timestamp's expiry.
    pub fn expires(&self) -> Option<Timestamp> {
        self.verifier.expires("timestamp")
    }

    /// The version of a role that was verified, and when it ends.
    pub fn role(&self, role: &str) -> Option<(u64, Timestamp)> {
        Some((self.verifier.version(role)?, self.verifier.expires(role)?))
    }

    /// The verified files of the roles that people sign, byte for byte as they were served.
    /// Needs [`TrustedRegistry::refresh`] before.
    pub async fn role_files(&mut self, now: Timestamp) -> Result<RoleFiles, TrustError> {
        // Looking for a target of each loads and checks the role that would list it.
        for path in ["versions.toml", "index/extension/a.json"] {
            self.target(path, now).await?;
        }
        let file = |role: &str| {
            let name = format!("{role}.json");
            let bytes = self.store.metadata(&name);
            bytes
                .filter(|it| version_of(it) == self.verifier.version(role))
                .ok_or(TrustError::Missing { file: name })
        };
        Ok(RoleFiles {
            root: self.verifier.root().to_vec(),
            targets: file("targets")?,
            extensions: file("extensions")?,
            release: file("release")?,
        })
    }

    /// When metadata was last fetched and verified.
    pub fn fetched(&self) -> Result<Option<Timestamp>, TrustError> {
        self.store.fetched()
    }

    /// The newest root that is trusted, as it was served.
    pub(crate) fn root(&self) -> &[u8] {
        self.verifier.root()
    }

    pub(crate) fn store(&self) -> &TrustStore {
        &self.store
    }

    pub(crate) const fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    pub(crate) const fn judged_at(&self) -> Option<Timestamp> {
        self.judged_at
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

/// Whether the trusted state in `state` is known from a copy alone: see
/// [`TrustedRegistry::note_imported`].
pub fn is_imported(state: &Path) -> bool {
    TrustStore::is_imported(state)
}

/// From now on the registry of `state` is asked again.
pub fn forget_import(state: &Path) -> Result<(), TrustError> {
    TrustStore::forget_import(state)
}

/// When metadata says that it expires, before any of it is verified.
fn expires_of(bytes: &[u8]) -> Option<Timestamp> {
    #[derive(serde::Deserialize)]
    struct Peek {
        signed: Expires,
    }
    #[derive(serde::Deserialize)]
    struct Expires {
        expires: Timestamp,
    }
    let peek: Peek = serde_json::from_slice(bytes).ok()?;
    Some(peek.signed.expires)
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
    let wrong = |expected: &Digest, origin| TrustError::WrongRoot {
        seen,
        expected: *expected,
        origin,
    };
    if let Some(expected) = expected_root.filter(|it| **it != seen) {
        let older = older_root(transport, anchor, expected).await?;
        let older = older.ok_or_else(|| wrong(expected, "`--root-fingerprint`"))?;
        SigstoreVerifier::check_root(&older)?;
        return store.pin_root(&older);
    }
    if anchor.root_fingerprint != seen {
        return Err(wrong(&anchor.root_fingerprint, "the registry itself"));
    }
    SigstoreVerifier::check_root(&bytes)?;
    store.pin_root(&bytes)
}

/// The root that the user knows, where the registry has a newer one by now: what was written
/// down once stays good, and signatures lead from there to the present.
async fn older_root(
    transport: &dyn Transport,
    anchor: &Anchor,
    expected: &Digest,
) -> Result<Option<Vec<u8>>, TrustError> {
    let limit = UpdaterConfig::default().root_max_length;
    let newest = anchor.root_version;
    for version in (newest.saturating_sub(OLDER_ROOTS_MAX).max(1)..newest).rev() {
        let path = format!("{}{version}.root.json", anchor.metadata);
        match fetch(transport, &path, limit).await? {
            Some(bytes) if Digest::of(&bytes) == *expected => return Ok(Some(bytes)),
            Some(_) => {}
            None => break,
        }
    }
    Ok(None)
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
