//! The signer's state: every role of the registry, and how a change becomes files.
//!
//! Pure: it returns the files to write and never touches a disk. The order of the files is
//! the order to write them in; **`timestamp.json` is last and is the switch**. Until it is
//! replaced, a versioned file that a crash left behind is referenced by nothing, so the next
//! attempt, which starts from what the timestamp references and therefore picks the same
//! number, may overwrite it with other bytes. Clients accept only what the chain from the
//! timestamp pins; versioned names must not be served before they are referenced, or not with
//! a long cache life.
//!
//! Cloning is cheap. Apply a change to a clone, write the files durably, then keep the clone;
//! where writing failed, drop it.

mod accept;
mod check;
mod create;
mod load;
mod misuse;
mod sign;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use provisioning_package::Digest;

use crate::error::SignError;
use crate::keys::KeySet;
use crate::layout::{BINS, Lifetime, bin_name, covers};
use crate::metadata::{Hashes, Listing, MetaFile, RoleKeys, Root, Signature, TargetFile, Targets};
use crate::proposal::Proposal;
use crate::roster::Roster;

pub(crate) use check::{delegation_roster, proposal as check_proposal};
pub use create::RolePlan;

/// A metadata file to write: its name below the metadata folder, and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataFile {
    /// `1.root.json`, `7.release.json`, `timestamp.json`.
    pub name: String,
    /// What to write.
    pub bytes: Vec<u8>,
}

/// What a target's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetFacts {
    /// How many bytes.
    pub length: u64,
    /// Their sha256.
    pub digest: Digest,
}

/// A target that appears or changes (`Some`) or goes (`None`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetChange {
    /// The target's path: `index/core/core.json`.
    pub path: String,
    /// What it is from now on.
    pub facts: Option<TargetFacts>,
}

/// How a role stands: for `keys status`, readiness and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleState {
    /// `root`, `targets`, `release`, `extensions`, `bin-00` …, `snapshot`, `timestamp`.
    pub name: String,
    /// Its current version.
    pub version: u64,
    /// When its signature ends.
    pub expires: Timestamp,
}

/// A delegated role or `targets`: what it says, and how the snapshot pins it.
#[derive(Debug, Clone)]
struct Role {
    signed: Arc<Targets>,
    signatures: Vec<Signature>,
    pin: MetaFile,
}

/// The current state of all metadata.
#[derive(Debug, Clone)]
pub struct Repository {
    root: Arc<Root>,
    root_fingerprint: Digest,
    /// `targets`, `release`, `extensions` and the bins, by name.
    roles: BTreeMap<String, Role>,
    /// The parsed `bin_name` of each bin, so that a publish formats none.
    bins: Arc<[String]>,
    snapshot: Arc<Listing>,
    timestamp: Arc<Listing>,
    /// What is signed next has at least this version.
    floor: u64,
}

impl Repository {
    /// Takes `number` for whatever is signed next: its version is `number`, or one more than
    /// its last where that is greater. Several signers of one registry each take a number that
    /// nobody else was given, so that no two of them ever write one file name with different
    /// bytes. Roots are outside of this: their numbers have no gaps (TUF 5.3.3).
    pub const fn number_from(&mut self, number: u64) {
        self.floor = number;
    }

    /// The version of the current timestamp.
    pub fn timestamp_version(&self) -> u64 {
        self.timestamp.version
    }

    /// Changes targets: the roles that sign them, the snapshot and the timestamp are signed
    /// anew, nothing else. Returns no files where nothing changes.
    ///
    /// On an error nothing has changed.
    pub fn apply(
        &mut self,
        keys: &KeySet,
        changes: &[TargetChange],
        now: Timestamp,
    ) -> Result<Vec<MetadataFile>, SignError> {
        self.advance(keys, &[], changes, now)
    }

    /// Takes in what people have signed, then changes targets, under one snapshot and one
    /// timestamp. Returns no files where nothing changes.
    ///
    /// On an error nothing has changed.
    pub fn advance(
        &mut self,
        keys: &KeySet,
        proposals: &[Proposal],
        changes: &[TargetChange],
        now: Timestamp,
    ) -> Result<Vec<MetadataFile>, SignError> {
        let mut next = self.clone();
        let mut files = next.take_in(keys, proposals, now)?;
        for name in next.change_targets(changes)? {
            files.push(next.sign_role(keys, &name, now)?);
        }
        if files.is_empty() {
            return Ok(files);
        }
        files.push(next.sign_snapshot(keys, now)?);
        files.push(next.sign_timestamp(keys, now)?);
        *self = next;
        Ok(files)
    }

    /// Changes targets without signing; the roles that list others now.
    fn change_targets(&mut self, changes: &[TargetChange]) -> Result<BTreeSet<String>, SignError> {
        let mut touched = BTreeSet::new();
        for change in changes {
            let name = self.signer_of(&change.path)?;
            let role = self.role_mut(&name);
            let current = role.files.get(&change.path);
            let wanted = change.facts.map(TargetFile::from);
            if current == wanted.as_ref() {
                continue;
            }
            match wanted {
                Some(file) => role.files.insert(change.path.clone(), file),
                None => role.files.remove(&change.path),
            };
            touched.insert(name);
        }
        Ok(touched)
    }

    /// Whether the keys at hand can sign the target at `path`.
    pub fn can_sign(&self, keys: &KeySet, path: &str) -> Result<bool, SignError> {
        let role = self.signer_of(path)?;
        Ok(keys.can_sign(&self.keys_of(&role)?))
    }

    /// Whether the keys at hand can sign `role`.
    pub fn is_online(&self, keys: &KeySet, role: &str) -> Result<bool, SignError> {
        Ok(keys.can_sign(&self.keys_of(role)?))
    }

    /// The next `release`, as people will have to sign it: the present one with `changes`.
    /// `None` where nothing changes and its signature is not growing old.
    pub fn propose_release(
        &self,
        changes: &[TargetChange],
        now: Timestamp,
    ) -> Result<Option<Proposal>, SignError> {
        let current = &self.roles["release"].signed;
        let mut next = Targets::clone(current);
        for change in changes {
            if self.signer_of(&change.path)? != "release" {
                return Err(SignError::ForeignPath {
                    path: change.path.clone(),
                });
            }
            match change.facts {
                Some(facts) => next.files.insert(change.path.clone(), facts.into()),
                None => next.files.remove(&change.path),
            };
        }
        if next.files == current.files && !is_due("release", current.expires, now) {
            return Ok(None);
        }
        next.version += 1;
        next.expires = sign::expiry("release", now);
        Ok(Some(Proposal::new("release", &next)?))
    }

    /// Whether any role may be signed with this key now.
    pub fn names_key(&self, key_id: &str) -> bool {
        let of_root = self.root.roles.values().map(|role| &role.keyids);
        let delegated = self
            .roles
            .values()
            .flat_map(|role| &role.signed.delegations)
            .flat_map(|delegations| &delegations.roles)
            .map(|role| &role.keyids);
        of_root
            .chain(delegated)
            .any(|ids| ids.iter().any(|id| id == key_id))
    }

    /// The keys that may sign `role`.
    pub fn roster(&self, role: &str) -> Result<Roster, SignError> {
        let names = self.keys_of(role)?;
        if self.root.roles.contains_key(role) {
            return Ok(Roster::new(&names, &self.root.keys));
        }
        let parent = parent_of(role);
        let delegations = self.roles[parent].signed.delegations.iter();
        let keys = delegations.map(|it| &it.keys).next();
        Ok(Roster::new(&names, keys.unwrap_or(&BTreeMap::new())))
    }

    /// Signs again what grows old: the timestamp hourly, the snapshot daily, every other role
    /// at half its life. Returns no files where nothing is due; a role whose keys are not at
    /// hand is left as it is ([`Repository::roles`] tells when it ends).
    ///
    /// On an error nothing has changed.
    pub fn refresh(
        &mut self,
        keys: &KeySet,
        now: Timestamp,
    ) -> Result<Vec<MetadataFile>, SignError> {
        let mut next = self.clone();
        let mut files = Vec::new();
        if is_due("root", next.root.expires, now) && keys.can_sign(next.root_keys("root")?) {
            files.push(next.sign_root(keys, now)?);
        }
        let due: Vec<String> = next
            .roles
            .iter()
            .filter(|(name, role)| is_due(name, role.signed.expires, now))
            .map(|(name, _)| name.clone())
            .collect();
        let mut resigned = false;
        for name in due {
            if keys.can_sign(&next.keys_of(&name)?) {
                files.push(next.sign_role(keys, &name, now)?);
                resigned = true;
            }
        }
        let snapshot = resigned || is_due("snapshot", next.snapshot.expires, now);
        if snapshot {
            files.push(next.sign_snapshot(keys, now)?);
        }
        if snapshot || !files.is_empty() || is_due("timestamp", next.timestamp.expires, now) {
            files.push(next.sign_timestamp(keys, now)?);
        }
        *self = next;
        Ok(files)
    }

    /// The version of the current root.
    pub fn root_version(&self) -> u64 {
        self.root.version
    }

    /// sha256 of the current root's file: what people compare.
    pub const fn root_fingerprint(&self) -> Digest {
        self.root_fingerprint
    }

    /// What signed metadata says of the target at `path`.
    pub fn target(&self, path: &str) -> Option<TargetFacts> {
        let role = self.roles.get(&self.signer_of(path).ok()?)?;
        let file = role.signed.files.get(path)?;
        Some(TargetFacts {
            length: file.length,
            digest: Digest::from_hex(&file.hashes.sha256).ok()?,
        })
    }

    /// Every target, sorted within its role.
    pub fn targets(&self) -> impl Iterator<Item = (&str, &str)> {
        self.roles.iter().flat_map(|(name, role)| {
            let paths = role.signed.files.keys();
            paths.map(move |path| (name.as_str(), path.as_str()))
        })
    }

    /// How each role stands.
    pub fn roles(&self) -> Vec<RoleState> {
        let state = |name: &str, version, expires| RoleState {
            name: name.to_owned(),
            version,
            expires,
        };
        let mut states = vec![
            state("root", self.root.version, self.root.expires),
            state("snapshot", self.snapshot.version, self.snapshot.expires),
            state("timestamp", self.timestamp.version, self.timestamp.expires),
        ];
        for (name, role) in &self.roles {
            states.push(state(name, role.signed.version, role.signed.expires));
        }
        states
    }

    /// The names of all metadata files that a client may ask for now: every root, the current
    /// version of each role, `timestamp.json` last (the order in which a copy must be made).
    pub fn files(&self) -> Vec<String> {
        let roots = (1..=self.root.version).map(|version| format!("{version}.root.json"));
        let roles = self
            .roles
            .iter()
            .map(|(name, role)| format!("{}.{name}.json", role.signed.version));
        roots
            .chain(roles)
            .chain([
                format!("{}.snapshot.json", self.snapshot.version),
                "timestamp.json".to_owned(),
            ])
            .collect()
    }

    /// The role that signs `path`: the first delegation that covers it, from `targets` down.
    fn signer_of(&self, path: &str) -> Result<String, SignError> {
        check_path(path)?;
        let mut name = "targets";
        loop {
            let Some(delegations) = &self.roles[name].signed.delegations else {
                return Ok(name.to_owned());
            };
            if name == "extensions" {
                let first = Digest::of(path.as_bytes()).as_bytes()[0];
                return Ok(self.bins[usize::from(first)].clone());
            }
            let covering = delegations.roles.iter().find(|role| {
                let mut patterns = role.paths.iter().flatten();
                patterns.any(|pattern| covers(pattern, path))
            });
            name = match covering {
                Some(role) => &role.name,
                None => {
                    return Err(SignError::ForeignPath {
                        path: path.to_owned(),
                    });
                }
            };
        }
    }

    /// The version that follows `version`.
    fn after(&self, version: u64) -> u64 {
        (version + 1).max(self.floor)
    }

    fn role_mut(&mut self, name: &str) -> &mut Targets {
        let role = self
            .roles
            .get_mut(name)
            .expect("loading and creating leave no role out");
        Arc::make_mut(&mut role.signed)
    }

    /// The keys of a top-level role.
    fn root_keys(&self, name: &str) -> Result<&RoleKeys, SignError> {
        let file = || format!("{}.root.json", self.root.version);
        let keys = self.root.roles.get(name);
        keys.ok_or_else(|| SignError::damaged(&file(), format!("has no role `{name}`")))
    }

    /// The keys of any role: from the root, or from the role that delegates to it.
    fn keys_of(&self, name: &str) -> Result<RoleKeys, SignError> {
        if let Some(keys) = self.root.roles.get(name) {
            return Ok(keys.clone());
        }
        let parent = parent_of(name);
        let delegations = self.roles[parent].signed.delegations.iter();
        let role = delegations
            .flat_map(|delegations| &delegations.roles)
            .find(|role| role.name == name)
            .ok_or_else(|| {
                SignError::damaged(&format!("{parent}.json"), format!("has no role `{name}`"))
            })?;
        Ok(RoleKeys {
            keyids: role.keyids.clone(),
            threshold: role.threshold,
        })
    }
}

impl From<TargetFacts> for TargetFile {
    fn from(facts: TargetFacts) -> Self {
        Self {
            hashes: Hashes::of(&facts.digest),
            length: facts.length,
        }
    }
}

/// The role that delegates to `name`.
fn parent_of(name: &str) -> &'static str {
    if name.starts_with("bin-") {
        "extensions"
    } else {
        "targets"
    }
}

/// Whether a role has grown so old that it must be signed again.
fn is_due(role: &str, expires: Timestamp, now: Timestamp) -> bool {
    let lifetime = Lifetime::of(role);
    expires.duration_since(now) <= lifetime.lives - lifetime.renew_after
}

/// Refuses what would be spelled differently in canonical JSON, in URLs or on disks.
fn check_path(path: &str) -> Result<(), SignError> {
    let plain = |component: &str| {
        let odd = |byte: u8| byte.is_ascii_control() || byte == b'\\' || byte == b'"';
        !component.is_empty()
            && component != "."
            && component != ".."
            && !component.bytes().any(odd)
    };
    if path.split('/').all(plain) {
        return Ok(());
    }
    Err(SignError::BadPath {
        path: path.to_owned(),
    })
}

/// The names of all bins.
fn bin_names() -> Arc<[String]> {
    (0..BINS).map(bin_name).collect()
}
