//! The first metadata of a registry: every role, all of them empty, all of them signed.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use provisioning_package::Digest;

use super::sign::expiry;
use super::{MetadataFile, Repository, Role, bin_names};
use crate::error::SignError;
use crate::keys::{KeySet, SigningKey};
use crate::layout::{EXTENSION_PATHS, RELEASE_PATHS, ROOT_KEYS, ROOT_THRESHOLD};
use crate::metadata::{
    DelegatedRole, Delegations, Listing, MetaFile, RoleKeys, Root, SPEC_VERSION, Targets,
};

/// How many keys the roles of a new registry have that people sign, by their labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolePlan {
    /// The labels of the root keys.
    pub root: Vec<String>,
    /// How many root keys must agree.
    pub root_threshold: usize,
    /// The labels of the release keys.
    pub release: Vec<String>,
    /// How many release keys must sign.
    pub release_threshold: usize,
}

impl Default for RolePlan {
    /// What a fresh registry makes itself.
    fn default() -> Self {
        Self {
            root: (1..=ROOT_KEYS).map(|it| format!("root-{it}")).collect(),
            root_threshold: ROOT_THRESHOLD,
            release: vec!["release".to_owned()],
            release_threshold: 1,
        }
    }
}

impl Repository {
    /// Makes and signs every role as [`RolePlan::default`] says.
    pub fn create(keys: &KeySet, now: Timestamp) -> Result<(Self, Vec<MetadataFile>), SignError> {
        Self::create_by(keys, &RolePlan::default(), now)
    }

    /// The same, where all but the root carry the version `number` (or 1, where that is
    /// greater): a start that was killed may have left files of lower numbers.
    pub fn create_numbered(
        keys: &KeySet,
        number: u64,
        now: Timestamp,
    ) -> Result<(Self, Vec<MetadataFile>), SignError> {
        Self::make(keys, &RolePlan::default(), number, now)
    }

    /// Makes and signs every role: root, `targets`, `release`, `extensions`, all 256 bins,
    /// snapshot and timestamp. Write the files in their order.
    pub fn create_by(
        keys: &KeySet,
        plan: &RolePlan,
        now: Timestamp,
    ) -> Result<(Self, Vec<MetadataFile>), SignError> {
        Self::make(keys, plan, 1, now)
    }

    fn make(
        keys: &KeySet,
        plan: &RolePlan,
        number: u64,
        now: Timestamp,
    ) -> Result<(Self, Vec<MetadataFile>), SignError> {
        let bins = bin_names();
        let mut roles = BTreeMap::new();
        let delegations = targets_delegations(keys, plan)?;
        roles.insert("targets".to_owned(), unsigned_role(Some(delegations), now));
        roles.insert("release".to_owned(), unsigned_role(None, now));
        let delegations = bin_delegations(keys.need("bins")?, &bins);
        roles.insert(
            "extensions".to_owned(),
            unsigned_role(Some(delegations), now),
        );
        for bin in bins.iter() {
            roles.insert(bin.clone(), unsigned_role(None, now));
        }
        let names: Vec<String> = roles.keys().cloned().collect();
        let mut repository = Self {
            root: Arc::new(unsigned_root(keys, plan, now)?),
            root_fingerprint: Digest::of(b""),
            roles,
            bins,
            snapshot: Arc::new(unsigned_listing("snapshot", now)),
            timestamp: Arc::new(unsigned_listing("timestamp", now)),
            floor: number,
        };
        let mut files = vec![repository.sign_root(keys, now)?];
        for name in names {
            files.push(repository.sign_role(keys, &name, now)?);
        }
        files.push(repository.sign_snapshot(keys, now)?);
        files.push(repository.sign_timestamp(keys, now)?);
        Ok((repository, files))
    }
}

// Each of these is version 0, which no file ever carries: signing makes it 1.

fn unsigned_root(keys: &KeySet, plan: &RolePlan, now: Timestamp) -> Result<Root, SignError> {
    let mut public = BTreeMap::new();
    let mut role = |labels: &[String], threshold| -> Result<RoleKeys, SignError> {
        let mut keyids = Vec::new();
        for label in labels {
            let key = keys.need(label)?;
            public.insert(key.key_id().to_owned(), key.public_key());
            keyids.push(key.key_id().to_owned());
        }
        Ok(RoleKeys { keyids, threshold })
    };
    let mut roles = BTreeMap::new();
    roles.insert("root".to_owned(), role(&plan.root, plan.root_threshold)?);
    for name in ["targets", "snapshot", "timestamp"] {
        roles.insert(name.to_owned(), role(&[name.to_owned()], 1)?);
    }
    Ok(Root {
        kind: "root".to_owned(),
        consistent_snapshot: true,
        expires: expiry("root", now),
        keys: public,
        roles,
        spec_version: SPEC_VERSION.to_owned(),
        version: 0,
    })
}

fn unsigned_role(delegations: Option<Delegations>, now: Timestamp) -> Role {
    let signed = Targets {
        kind: "targets".to_owned(),
        delegations,
        expires: expiry("targets", now),
        spec_version: SPEC_VERSION.to_owned(),
        files: BTreeMap::new(),
        version: 0,
    };
    Role {
        signed: Arc::new(signed),
        signatures: Vec::new(),
        pin: MetaFile::version_only(0),
    }
}

fn unsigned_listing(kind: &str, now: Timestamp) -> Listing {
    Listing {
        kind: kind.to_owned(),
        expires: expiry(kind, now),
        meta: BTreeMap::new(),
        spec_version: SPEC_VERSION.to_owned(),
        version: 0,
    }
}

fn targets_delegations(keys: &KeySet, plan: &RolePlan) -> Result<Delegations, SignError> {
    let mut public = BTreeMap::new();
    let mut roles = Vec::new();
    let extensions = ["extensions".to_owned()];
    for (name, paths, labels, threshold) in [
        (
            "release",
            &RELEASE_PATHS[..],
            &plan.release[..],
            plan.release_threshold,
        ),
        ("extensions", &EXTENSION_PATHS[..], &extensions[..], 1),
    ] {
        let mut keyids = Vec::new();
        for label in labels {
            let key = keys.need(label)?;
            public.insert(key.key_id().to_owned(), key.public_key());
            keyids.push(key.key_id().to_owned());
        }
        roles.push(DelegatedRole {
            keyids,
            name: name.to_owned(),
            path_hash_prefixes: None,
            paths: Some(paths.iter().map(|&path| path.to_owned()).collect()),
            terminating: true,
            threshold,
        });
    }
    Ok(Delegations {
        keys: public,
        roles,
    })
}

fn bin_delegations(key: &SigningKey, bins: &[String]) -> Delegations {
    let roles = bins.iter().enumerate().map(|(index, bin)| DelegatedRole {
        keyids: vec![key.key_id().to_owned()],
        name: bin.clone(),
        path_hash_prefixes: Some(vec![format!("{index:02x}")]),
        paths: None,
        terminating: true,
        threshold: 1,
    });
    Delegations {
        keys: BTreeMap::from([(key.key_id().to_owned(), key.public_key())]),
        roles: roles.collect(),
    }
}
