//! Changing who may sign: from the keys in force to proposals that people sign.
//!
//! A [`KeyChange`] starts from verified files, is told what should be otherwise, and gives a
//! [`Change`]: the next version of every role that has to be signed for it, in one file that
//! travels between the people who hold the keys.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provisioning_package::Digest;
use serde::{Deserialize, Serialize};

use crate::error::SignError;
use crate::keys::SigningKey;
use crate::layout::Lifetime;
use crate::metadata::{
    DelegatedRole, Delegations, Envelope, PublicKey, RoleKeys, Root, Signature, Targets,
    canonical_json, whole_seconds,
};
use crate::proposal::{OFFLINE_ROLES, Proposal};
use crate::repository::{TargetFacts, delegation_roster};
use crate::roster::{Roster, Standing};

mod words;

/// The version of the form in which changes are carried.
const CHANGE_SCHEMA: u32 = 1;

/// The roles whose keys can be changed: `bins` are the 256 bins together.
pub const KEYED_ROLES: [&str; 7] = [
    "root",
    "targets",
    "release",
    "extensions",
    "bins",
    "snapshot",
    "timestamp",
];

/// The verified files of the roles that people sign.
#[derive(Debug, Clone)]
pub struct RoleFiles {
    /// The newest root.
    pub root: Vec<u8>,
    /// The current `targets`.
    pub targets: Vec<u8>,
    /// The current `extensions`.
    pub extensions: Vec<u8>,
    /// The current `release`.
    pub release: Vec<u8>,
}

/// Proposals that take effect together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    schema: u32,
    /// The roles' next versions, in the order in which they take effect.
    pub proposals: Vec<Proposal>,
}

/// How far one proposal of a change has come, under one set of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleStanding {
    /// The role.
    pub role: String,
    /// Its version once it is in force.
    pub version: u64,
    /// Who has signed. A root has two of these: by the old keys and by its own.
    pub standing: Standing,
}

/// The keys of every role, while somebody changes them.
#[derive(Debug, Clone)]
pub struct KeyChange {
    root: Draft<Root>,
    targets: Draft<Targets>,
    extensions: Draft<Targets>,
    release: Draft<Targets>,
}

/// A role's file, and what is to become of it.
#[derive(Debug, Clone)]
struct Draft<T> {
    before: T,
    after: T,
    signatures: Vec<Signature>,
    /// Whether it is signed again though nothing in it changes.
    is_renewed: bool,
}

impl<T: Clone + Serialize + serde::de::DeserializeOwned> Draft<T> {
    fn read(role: &str, file: &[u8]) -> Result<Self, SignError> {
        let envelope: Envelope<T> = serde_json::from_slice(file)
            .map_err(|error| SignError::damaged(role, format!("cannot be read: {error}")))?;
        Ok(Self {
            before: envelope.signed.clone(),
            after: envelope.signed,
            signatures: envelope.signatures,
            is_renewed: false,
        })
    }

    /// Whether its content changes, or its signatures do not satisfy `roster`.
    fn must_be_signed(&self, roster: &Roster) -> Result<bool, SignError> {
        let before = canonical_json(&self.before)?;
        let holds = roster.standing(&before, &self.signatures).is_met();
        Ok(self.is_renewed || !holds || before != canonical_json(&self.after)?)
    }
}

impl KeyChange {
    /// Starts from what is in force.
    pub fn over(files: &RoleFiles) -> Result<Self, SignError> {
        Ok(Self {
            root: Draft::read("root", &files.root)?,
            targets: Draft::read("targets", &files.targets)?,
            extensions: Draft::read("extensions", &files.extensions)?,
            release: Draft::read("release", &files.release)?,
        })
    }

    /// The keys that `role` would have.
    pub fn roster(&self, role: &str) -> Result<Roster, SignError> {
        let (keys, names) = match role {
            "release" | "extensions" => {
                let (delegations, role) = delegation(&self.targets.after, role)?;
                return Ok(delegation_roster(delegations, role));
            }
            "bins" => {
                let (delegations, role) = delegation(&self.extensions.after, "bin-00")?;
                return Ok(delegation_roster(delegations, role));
            }
            name => (&self.root.after.keys, self.root.after.roles.get(name)),
        };
        let names = names.ok_or_else(|| no_such_role(role))?;
        Ok(Roster::new(names, keys))
    }

    /// Gives `role` these keys and no others.
    pub fn set(
        &mut self,
        role: &str,
        keys: &[PublicKey],
        threshold: usize,
    ) -> Result<(), SignError> {
        let wanted = RoleKeys {
            keyids: keys.iter().map(PublicKey::id).collect(),
            threshold,
        };
        let mut distinct = wanted.keyids.clone();
        distinct.sort_unstable();
        distinct.dedup();
        if threshold == 0 || distinct.len() < threshold || distinct.len() != keys.len() {
            return Err(SignError::BadProposal {
                role: role.to_owned(),
                problem: format!(
                    "would need {threshold} signatures of {} keys",
                    distinct.len()
                ),
            });
        }
        match role {
            "release" | "extensions" => {
                let delegations = self.targets.after.delegations.as_mut();
                set_delegated(delegations, |name| name == role, keys, &wanted)
            }
            "bins" => {
                let delegations = self.extensions.after.delegations.as_mut();
                set_delegated(delegations, |_| true, keys, &wanted)
            }
            name => {
                let root = &mut self.root.after;
                let role = root.roles.get_mut(name);
                *role.ok_or_else(|| no_such_role(name))? = wanted;
                root.keys
                    .extend(keys.iter().map(|it| (it.id(), it.clone())));
                let roles = &root.roles;
                root.keys
                    .retain(|id, _| roles.values().any(|role| role.keyids.contains(id)));
                Ok(())
            }
        }
    }

    /// Adds a key to a role.
    pub fn add(&mut self, role: &str, key: &PublicKey) -> Result<(), SignError> {
        let roster = self.roster(role)?;
        let mut keys: Vec<PublicKey> = roster.keys().cloned().collect();
        if !roster.has(&key.id()) {
            keys.push(key.clone());
        }
        self.set(role, &keys, roster.threshold())
    }

    /// Takes a key from a role.
    pub fn remove(&mut self, role: &str, id: &str) -> Result<(), SignError> {
        let roster = self.roster(role)?;
        if !roster.has(id) {
            return Err(SignError::BadProposal {
                role: role.to_owned(),
                problem: format!("has no key `{id}` that could be taken from it"),
            });
        }
        let keys = roster.keys().filter(|it| it.id() != id).cloned();
        self.set(role, &keys.collect::<Vec<_>>(), roster.threshold())
    }

    /// Changes how many keys of a role must sign.
    pub fn threshold(&mut self, role: &str, threshold: usize) -> Result<(), SignError> {
        let keys: Vec<PublicKey> = self.roster(role)?.keys().cloned().collect();
        self.set(role, &keys, threshold)
    }

    /// Signs `role` again though nothing in it changes, so that it lives on.
    pub fn renew(&mut self, role: &str) -> Result<(), SignError> {
        match role {
            "root" => self.root.is_renewed = true,
            "targets" => self.targets.is_renewed = true,
            "extensions" => self.extensions.is_renewed = true,
            "release" => self.release.is_renewed = true,
            other => return Err(no_such_role(other)),
        }
        Ok(())
    }

    /// The roles that have to be signed for all this; none where nothing changes.
    pub fn finish(&self, now: Timestamp) -> Result<Change, SignError> {
        let mut proposals = Vec::new();
        if self.root.must_be_signed(&self.old_roster("root")?)? {
            let mut next = self.root.after.clone();
            next.version += 1;
            next.expires = expiry("root", now);
            proposals.push(Proposal::new("root", &next)?);
        }
        let drafts = [
            ("targets", &self.targets),
            ("extensions", &self.extensions),
            ("release", &self.release),
        ];
        for (name, draft) in drafts {
            if draft.must_be_signed(&self.roster(name)?)? {
                let mut next = draft.after.clone();
                next.version += 1;
                next.expires = expiry(name, now);
                proposals.push(Proposal::new(name, &next)?);
            }
        }
        Ok(Change {
            schema: CHANGE_SCHEMA,
            proposals,
        })
    }

    fn old_roster(&self, role: &str) -> Result<Roster, SignError> {
        let root = &self.root.before;
        let names = root.roles.get(role).ok_or_else(|| no_such_role(role))?;
        Ok(Roster::new(names, &root.keys))
    }
}

impl Change {
    /// Reads a change that was carried here.
    pub fn read(bytes: &[u8]) -> Result<Self, SignError> {
        let read: Self = serde_json::from_slice(bytes)
            .map_err(|error| bad_change(format!("cannot be read: {error}")))?;
        if read.schema != CHANGE_SCHEMA {
            return Err(bad_change(format!(
                "has form {}, and this program knows form {CHANGE_SCHEMA}",
                read.schema
            )));
        }
        let known = |it: &Proposal| OFFLINE_ROLES.contains(&it.role());
        let mut roles: Vec<&str> = read.proposals.iter().map(Proposal::role).collect();
        let count = roles.len();
        roles.sort_unstable();
        roles.dedup();
        if count == 0 || roles.len() != count || !read.proposals.iter().all(known) {
            return Err(bad_change(
                "must hold one proposal for each of the roles that it changes".to_owned(),
            ));
        }
        Ok(read)
    }

    /// The text to carry.
    pub fn to_json(&self) -> Result<String, SignError> {
        let mut text = serde_json::to_string_pretty(self).map_err(SignError::json)?;
        text.push('\n');
        Ok(text)
    }

    /// Whether nothing changes.
    pub const fn is_empty(&self) -> bool {
        self.proposals.is_empty()
    }

    /// The proposal for `role`.
    pub fn proposal(&self, role: &str) -> Option<&Proposal> {
        self.proposals.iter().find(|it| it.role() == role)
    }

    /// Signs every proposal that `key` may sign; the roles that it signed.
    pub fn sign(&mut self, key: &SigningKey, files: &RoleFiles) -> Result<Vec<String>, SignError> {
        let rosters = self.rosters(files)?;
        let mut signed = Vec::new();
        for (proposal, rosters) in self.proposals.iter_mut().zip(rosters) {
            if rosters.iter().any(|it| it.has(key.key_id())) {
                proposal.sign(key)?;
                signed.push(proposal.role().to_owned());
            }
        }
        Ok(signed)
    }

    /// How far each proposal has come. `files` are what is in force.
    pub fn standings(&self, files: &RoleFiles) -> Result<Vec<RoleStanding>, SignError> {
        let mut all = Vec::new();
        for (proposal, rosters) in self.proposals.iter().zip(self.rosters(files)?) {
            for roster in rosters {
                all.push(RoleStanding {
                    role: proposal.role().to_owned(),
                    version: proposal.version(),
                    standing: proposal.standing(&roster)?,
                });
            }
        }
        Ok(all)
    }

    /// Whether enough have signed everything.
    pub fn is_met(&self, files: &RoleFiles) -> Result<bool, SignError> {
        Ok(self.standings(files)?.iter().all(|it| it.standing.is_met()))
    }

    /// The rosters that each proposal must satisfy.
    fn rosters(&self, files: &RoleFiles) -> Result<Vec<Vec<Roster>>, SignError> {
        let after = self.applied(files)?;
        let of = |proposal: &Proposal| -> Result<Vec<Roster>, SignError> {
            let mut rosters = vec![after.roster(proposal.role())?];
            if proposal.role() == "root" {
                let old = after.old_roster("root")?;
                if old != rosters[0] {
                    rosters.insert(0, old);
                }
            }
            Ok(rosters)
        };
        self.proposals.iter().map(of).collect()
    }

    /// What is in force, with the proposals laid over it; refuses one that does not follow.
    fn applied(&self, files: &RoleFiles) -> Result<KeyChange, SignError> {
        let mut state = KeyChange::over(files)?;
        for proposal in &self.proposals {
            match proposal.role() {
                "root" => {
                    state.root.after = proposal.read()?;
                    follows(proposal, state.root.before.version)?;
                }
                "targets" => {
                    state.targets.after = proposal.read()?;
                    follows(proposal, state.targets.before.version)?;
                }
                "extensions" => {
                    state.extensions.after = proposal.read()?;
                    follows(proposal, state.extensions.before.version)?;
                }
                _ => {
                    state.release.after = proposal.read()?;
                    follows(proposal, state.release.before.version)?;
                }
            }
        }
        Ok(state)
    }
}

impl RoleFiles {
    /// What the current `release` lists.
    pub fn release_targets(&self) -> Result<BTreeMap<String, TargetFacts>, SignError> {
        let draft: Draft<Targets> = Draft::read("release", &self.release)?;
        facts("release", &draft.before)
    }

    /// The version of the current `release`.
    pub fn release_version(&self) -> Result<u64, SignError> {
        let draft: Draft<Targets> = Draft::read("release", &self.release)?;
        Ok(draft.before.version)
    }
}

impl Proposal {
    /// What a proposed targets role lists.
    pub fn targets(&self) -> Result<BTreeMap<String, TargetFacts>, SignError> {
        facts(self.role(), &self.read()?)
    }

    /// When the proposed role would end.
    pub fn expires(&self) -> Result<Timestamp, SignError> {
        match self.role() {
            "root" => Ok(self.read::<Root>()?.expires),
            _ => Ok(self.read::<Targets>()?.expires),
        }
    }

    /// Refuses a role that says more than such a role may, or holds longer: what the server
    /// checks, checked where it is signed.
    pub fn check(&self, now: Timestamp) -> Result<(), SignError> {
        crate::repository::check_proposal(self, now)
    }
}

fn facts(role: &str, signed: &Targets) -> Result<BTreeMap<String, TargetFacts>, SignError> {
    let one = |(path, file): (&String, &crate::metadata::TargetFile)| {
        let digest = Digest::from_hex(&file.hashes.sha256)
            .map_err(|_| SignError::damaged(role, format!("gives `{path}` no sha256")))?;
        let length = file.length;
        Ok((path.clone(), TargetFacts { length, digest }))
    };
    signed.files.iter().map(one).collect()
}

fn set_delegated(
    delegations: Option<&mut Delegations>,
    is_meant: impl Fn(&str) -> bool,
    keys: &[PublicKey],
    wanted: &RoleKeys,
) -> Result<(), SignError> {
    let delegations = delegations.ok_or_else(|| no_such_role("delegations"))?;
    for role in delegations.roles.iter_mut().filter(|it| is_meant(&it.name)) {
        role.keyids.clone_from(&wanted.keyids);
        role.threshold = wanted.threshold;
    }
    let named = keys.iter().map(|it| (it.id(), it.clone()));
    delegations.keys.extend(named);
    let roles = &delegations.roles;
    delegations
        .keys
        .retain(|id, _| roles.iter().any(|role| role.keyids.contains(id)));
    Ok(())
}

fn delegation<'a>(
    targets: &'a Targets,
    name: &str,
) -> Result<(&'a Delegations, &'a DelegatedRole), SignError> {
    let found = targets.delegations.iter().find_map(|delegations| {
        let role = delegations.roles.iter().find(|it| it.name == name)?;
        Some((delegations, role))
    });
    found.ok_or_else(|| no_such_role(name))
}

fn follows(proposal: &Proposal, current: u64) -> Result<(), SignError> {
    if proposal.version() == current + 1 {
        return Ok(());
    }
    Err(SignError::BaseMoved {
        role: proposal.role().to_owned(),
        current,
        proposed: proposal.version(),
    })
}

fn expiry(role: &str, now: Timestamp) -> Timestamp {
    whole_seconds(now + Lifetime::of(role).lives)
}

fn no_such_role(role: &str) -> SignError {
    SignError::BadProposal {
        role: role.to_owned(),
        problem: "is no role of this registry whose keys could change".to_owned(),
    }
}

fn bad_change(problem: String) -> SignError {
    SignError::BadProposal {
        role: "change".to_owned(),
        problem,
    }
}
