//! A rehearsal with throw-away keys: every role's key is replaced, a root key is lost, online
//! keys are stolen, and a client follows all of it or refuses what it must.
//!
//! Everything happens in memory and in a folder of the caller's; no registry is asked and no
//! real key is touched. Each step fails loudly where it does not go as the guide says.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use provisioning_package::Digest;

use crate::change::KeyChange;
use crate::client::{Anchor, TrustedRegistry};
use crate::error::{DrillError, TrustError};
use crate::keys::{KeySet, SigningKey};
use crate::metadata::PublicKey;
use crate::repository::{MetadataFile, Repository, TargetChange, TargetFacts};
use crate::transport::{Transport, TransportError};

/// A step of the rehearsal that went as it must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillStep {
    /// What was done.
    pub done: String,
    /// What a client made of it.
    pub seen: String,
}

/// A target that `release` signs, and one that a bin does.
const FIRST_PARTY: &str = "index/core/core.json";
const COMMUNITY: &str = "index/extension/redis.json";

/// How far a thief pushes version numbers ahead.
const FAST_FORWARD: u64 = 1_000_000;

/// Rehearses. `state` is a folder for the client's trusted state, empty or absent.
pub async fn drill(state: &Path, now: Timestamp) -> Result<Vec<DrillStep>, DrillError> {
    let mut play = Play::set(state, now).await?;
    for role in [
        "timestamp",
        "snapshot",
        "bins",
        "extensions",
        "targets",
        "release",
        "root",
    ] {
        play.rotate(role).await?;
    }
    play.lose_a_root_key().await?;
    play.recover_from_stolen_online_keys().await?;
    play.recover_from_a_false_extension().await?;
    play.refuse_a_false_release().await?;
    Ok(play.steps)
}

/// The files of the registry under rehearsal.
#[derive(Default)]
struct Shelf(Mutex<BTreeMap<String, Vec<u8>>>);

impl Transport for Shelf {
    fn fetch<'a>(
        &'a self,
        path: &'a str,
        _max_bytes: u64,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, TransportError>> {
        Box::pin(async move { Ok(self.files().get(path).cloned()) })
    }
}

impl Shelf {
    fn files(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, files: Vec<MetadataFile>) {
        let named = files
            .into_iter()
            .map(|it| (format!("metadata/{}", it.name), it.bytes));
        self.files().extend(named);
    }

    fn put_target(&self, path: &str, text: &str) -> TargetChange {
        let digest = Digest::of(text.as_bytes());
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        let place = format!("targets/{folder}/{}.{file}", digest.hex());
        self.files().insert(place, text.as_bytes().to_vec());
        let length = text.len() as u64;
        TargetChange {
            path: path.to_owned(),
            facts: Some(TargetFacts { length, digest }),
        }
    }
}

struct Play {
    keys: KeySet,
    repository: Repository,
    shelf: Arc<Shelf>,
    client: TrustedRegistry,
    now: Timestamp,
    made: usize,
    steps: Vec<DrillStep>,
}

impl Play {
    async fn set(state: &Path, now: Timestamp) -> Result<Self, DrillError> {
        let keys = KeySet::generate()?;
        let (mut repository, files) = Repository::create(&keys, now)?;
        let shelf = Arc::new(Shelf::default());
        shelf.write(files);
        let changes = [
            shelf.put_target(FIRST_PARTY, "true core"),
            shelf.put_target(COMMUNITY, "true redis"),
        ];
        shelf.write(repository.apply(&keys, &changes, now)?);
        let anchor = Anchor {
            metadata: "metadata/".to_owned(),
            targets: "targets/".to_owned(),
            root_version: 1,
            root_fingerprint: repository.root_fingerprint(),
        };
        let transport: Arc<dyn Transport> = shelf.clone();
        let client = TrustedRegistry::open(state, transport, &anchor, None).await?;
        let mut play = Self {
            keys,
            repository,
            shelf,
            client,
            now,
            made: 0,
            steps: Vec::new(),
        };
        play.expect("a registry is set up", "true core", "true redis")
            .await?;
        play.note(
            "a registry was set up with three root keys",
            "a client pinned its root",
        );
        Ok(play)
    }

    fn note(&mut self, done: impl Into<String>, seen: impl Into<String>) {
        self.steps.push(DrillStep {
            done: done.into(),
            seen: seen.into(),
        });
    }

    /// A minute passes, the client asks, and must read these.
    async fn expect(&mut self, step: &str, core: &str, redis: &str) -> Result<(), DrillError> {
        self.now += SignedDuration::from_mins(1);
        self.client.refresh(self.now).await?;
        for (path, wanted) in [(FIRST_PARTY, core), (COMMUNITY, redis)] {
            let bytes = self.client.target(path, self.now).await?;
            if bytes.as_deref() != Some(wanted.as_bytes()) {
                return Err(failed(step, &format!("the client read another `{path}`")));
            }
        }
        Ok(())
    }

    /// A minute passes, the client asks, and must refuse.
    async fn expect_refusal(&mut self, step: &str) -> Result<TrustError, DrillError> {
        self.now += SignedDuration::from_mins(1);
        match self.client.refresh(self.now).await {
            Err(error) => Ok(error),
            Ok(()) => match self.client.target(FIRST_PARTY, self.now).await {
                Err(error) => Ok(error),
                Ok(_) => Err(failed(step, "the client believed it")),
            },
        }
    }

    fn new_key(&mut self) -> Result<PublicKey, DrillError> {
        let key = SigningKey::generate()?;
        let public = key.public_key();
        self.made += 1;
        self.keys.insert(&format!("drill-{}", self.made), key);
        Ok(public)
    }

    /// Forgets the keys of `role` that are not in `kept`.
    fn forget(&mut self, ids: &[String]) {
        for id in ids {
            if let Some(label) = self.keys.label_of(id).map(str::to_owned) {
                self.keys.remove(&label);
            }
        }
    }

    /// Signs a change of keys with every key at hand, and puts it in force.
    async fn put_in_force(
        &mut self,
        edit: impl FnOnce(&mut KeyChange) -> Result<(), crate::SignError>,
    ) -> Result<(), DrillError> {
        let files = self.client.role_files(self.now).await?;
        let mut draft = KeyChange::over(&files)?;
        edit(&mut draft)?;
        let mut change = draft.finish(self.now)?;
        for (_, key) in self.keys.iter() {
            change.sign(key, &files)?;
        }
        let written = self
            .repository
            .accept(&self.keys, &change.proposals, self.now)?;
        self.shelf.write(written);
        Ok(())
    }

    async fn rotate(&mut self, role: &str) -> Result<(), DrillError> {
        let of = if role == "bins" { "bin-00" } else { role };
        let old: Vec<String> = self
            .repository
            .roster(of)?
            .ids()
            .map(str::to_owned)
            .collect();
        let count = if role == "root" { 3 } else { 1 };
        let new = (0..count)
            .map(|_| self.new_key())
            .collect::<Result<Vec<_>, _>>()?;
        let threshold = self.repository.roster(of)?.threshold();
        self.put_in_force(|draft| draft.set(role, &new, threshold))
            .await?;
        self.forget(&old);
        let changes = [self.shelf.put_target(COMMUNITY, "true redis")];
        let files = self.repository.apply(&self.keys, &changes, self.now)?;
        self.shelf.write(files);
        self.expect(role, "true core", "true redis").await?;
        self.note(
            format!("`{role}` got new keys, and the old ones were thrown away"),
            "a client followed",
        );
        Ok(())
    }

    async fn lose_a_root_key(&mut self) -> Result<(), DrillError> {
        let ids: Vec<String> = self
            .repository
            .roster("root")?
            .ids()
            .map(str::to_owned)
            .collect();
        let lost = ids.first().cloned().unwrap_or_default();
        self.forget(std::slice::from_ref(&lost));
        let new = self.new_key()?;
        self.put_in_force(|draft| {
            draft.add("root", &new)?;
            draft.remove("root", &lost)
        })
        .await?;
        self.expect("a lost root key", "true core", "true redis")
            .await?;
        self.note(
            "one of three root keys was lost, and the other two replaced it",
            "a client followed",
        );
        Ok(())
    }

    /// A thief with the keys of snapshot and timestamp pushes their numbers far ahead, so that
    /// true ones look old; new keys for both make clients forget the false numbers.
    async fn recover_from_stolen_online_keys(&mut self) -> Result<(), DrillError> {
        let stolen = self.keys.clone();
        let mut false_state = self.repository.clone();
        false_state.skip_ahead(FAST_FORWARD);
        let files = false_state.sign_online(&stolen, self.now)?;
        let honest = self.shelf.files().get("metadata/timestamp.json").cloned();
        self.shelf.write(files);
        self.expect("a fast-forward", "true core", "true redis")
            .await?;
        if let Some(honest) = honest {
            let place = "metadata/timestamp.json".to_owned();
            self.shelf.files().insert(place, honest);
        }
        let refusal = self
            .expect_refusal("the true numbers after a fast-forward")
            .await?;
        self.note(
            "a thief with the online keys pushed the version numbers far ahead",
            format!("true metadata looks old now ({})", refusal.code()),
        );
        self.replace_online_keys()?;
        self.expect("new online keys", "true core", "true redis")
            .await?;
        self.note(
            "snapshot and timestamp got new keys by a root change",
            "a client forgot the false numbers and reads the truth again",
        );
        let files = false_state.sign_online(&stolen, self.now)?;
        let honest = self.shelf.files().clone();
        self.shelf.write(files);
        let refusal = self.expect_refusal("a stolen timestamp key").await?;
        *self.shelf.files() = honest;
        self.note(
            "the thief signed once more with the old keys",
            format!("a client refused it ({})", refusal.code()),
        );
        Ok(())
    }

    /// What a thief with every online key can do, and how it ends.
    async fn recover_from_a_false_extension(&mut self) -> Result<(), DrillError> {
        let changes = [self.shelf.put_target(COMMUNITY, "false redis")];
        let files = self.repository.apply(&self.keys, &changes, self.now)?;
        self.shelf.write(files);
        self.expect("a false extension", "true core", "false redis")
            .await?;
        self.note(
            "a thief with every online key replaced a community extension",
            "a client read the false one, and the true core",
        );
        let changes = [self.shelf.put_target(COMMUNITY, "true redis")];
        let files = self.repository.apply(&self.keys, &changes, self.now)?;
        self.shelf.write(files);
        self.rotate("bins").await
    }

    /// What the same thief cannot do.
    async fn refuse_a_false_release(&mut self) -> Result<(), DrillError> {
        let mut thief = self.keys.clone();
        let ids: Vec<String> = self
            .repository
            .roster("release")?
            .ids()
            .map(str::to_owned)
            .collect();
        for id in &ids {
            if let Some(label) = thief.label_of(id).map(str::to_owned) {
                thief.remove(&label);
            }
        }
        let changes = [self.shelf.put_target(FIRST_PARTY, "false core")];
        if self
            .repository
            .clone()
            .apply(&thief, &changes, self.now)
            .is_ok()
        {
            return Err(failed(
                "a false release",
                "it was signed without a release key",
            ));
        }
        let forged = self.repository.forge_release(&thief, &changes, self.now)?;
        let honest = self.shelf.files().clone();
        self.shelf.write(forged);
        let refusal = self.expect_refusal("a false release").await?;
        *self.shelf.files() = honest;
        self.note(
            "the same thief signed a false core with the online keys",
            format!("a client refused it ({})", refusal.code()),
        );
        // The thief's snapshot was believed before the release in it was refused, so true ones
        // look old until its keys are others.
        self.replace_online_keys()?;
        self.expect("the end", "true core", "true redis").await?;
        self.note(
            "snapshot and timestamp got new keys once more",
            "a client reads the truth again",
        );
        Ok(())
    }

    /// A root change that replaces the keys of snapshot and timestamp, made over the files of
    /// the registry: a client that looks at false numbers could not give them.
    fn replace_online_keys(&mut self) -> Result<(), DrillError> {
        let (snapshot, timestamp) = (self.new_key()?, self.new_key()?);
        let files = self.repository_files();
        let mut draft = KeyChange::over(&files)?;
        draft.set("snapshot", &[snapshot], 1)?;
        draft.set("timestamp", &[timestamp], 1)?;
        let mut change = draft.finish(self.now)?;
        for (_, key) in self.keys.iter() {
            change.sign(key, &files)?;
        }
        let written = self
            .repository
            .accept(&self.keys, &change.proposals, self.now)?;
        self.shelf.write(written);
        Ok(())
    }

    fn repository_files(&self) -> crate::RoleFiles {
        let files = self.shelf.files();
        let of = |name: String| files.get(&format!("metadata/{name}")).cloned();
        let role = |role: &str| {
            let states = self.repository.roles();
            let version = states
                .iter()
                .find(|it| it.name == role)
                .map(|it| it.version);
            of(format!("{}.{role}.json", version.unwrap_or(0))).unwrap_or_default()
        };
        crate::RoleFiles {
            root: role("root"),
            targets: role("targets"),
            extensions: role("extensions"),
            release: role("release"),
        }
    }
}

fn failed(step: &str, problem: &str) -> DrillError {
    DrillError::Failed {
        step: step.to_owned(),
        problem: problem.to_owned(),
    }
}
