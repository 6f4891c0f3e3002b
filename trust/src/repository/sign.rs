//! Signing one role: the next version, the new expiry, the bytes and the file's name.

use std::sync::Arc;

use jiff::Timestamp;
use provisioning_package::Digest;
use serde::Serialize;

use super::{MetadataFile, Repository};
use crate::error::SignError;
use crate::keys::KeySet;
use crate::layout::Lifetime;
use crate::metadata::{MetaFile, RoleKeys, Signature, canonical_json, whole_seconds};
use crate::proposal::envelope_bytes;

impl Repository {
    pub(super) fn sign_root(
        &mut self,
        keys: &KeySet,
        now: Timestamp,
    ) -> Result<MetadataFile, SignError> {
        let root = Arc::make_mut(&mut self.root);
        root.version += 1;
        root.expires = expiry("root", now);
        // The keys stay the same, so one set of signatures serves as the old root's word and
        // as the new one's.
        let role = self.root_keys("root")?;
        let (bytes, _) = signed_bytes(keys, "root", role, &*self.root)?;
        self.root_fingerprint = Digest::of(&bytes);
        Ok(MetadataFile {
            name: format!("{}.root.json", self.root.version),
            bytes,
        })
    }

    /// Signs the next version of `targets` or a delegated role, and pins it.
    pub(super) fn sign_role(
        &mut self,
        keys: &KeySet,
        name: &str,
        now: Timestamp,
    ) -> Result<MetadataFile, SignError> {
        let role_keys = self.keys_of(name)?;
        let version = self.after(self.roles[name].signed.version);
        let signed = self.role_mut(name);
        signed.version = version;
        signed.expires = expiry(name, now);
        let (bytes, signatures) = signed_bytes(keys, name, &role_keys, signed)?;
        let role = self.roles.get_mut(name).expect("it was just signed");
        role.signatures = signatures;
        role.pin = pin(name, version, &bytes);
        Ok(MetadataFile {
            name: format!("{version}.{name}.json"),
            bytes,
        })
    }

    pub(super) fn sign_snapshot(
        &mut self,
        keys: &KeySet,
        now: Timestamp,
    ) -> Result<MetadataFile, SignError> {
        let version = self.after(self.snapshot.version);
        let snapshot = Arc::make_mut(&mut self.snapshot);
        snapshot.version = version;
        snapshot.expires = expiry("snapshot", now);
        snapshot.meta = self
            .roles
            .iter()
            .map(|(name, role)| (format!("{name}.json"), role.pin.clone()))
            .collect();
        let role = self.root_keys("snapshot")?;
        let (bytes, _) = signed_bytes(keys, "snapshot", role, &*self.snapshot)?;
        let timestamp = Arc::make_mut(&mut self.timestamp);
        let exact = MetaFile::exact(self.snapshot.version, &bytes);
        timestamp.meta.insert("snapshot.json".to_owned(), exact);
        Ok(MetadataFile {
            name: format!("{}.snapshot.json", self.snapshot.version),
            bytes,
        })
    }

    pub(super) fn sign_timestamp(
        &mut self,
        keys: &KeySet,
        now: Timestamp,
    ) -> Result<MetadataFile, SignError> {
        let version = self.after(self.timestamp.version);
        let timestamp = Arc::make_mut(&mut self.timestamp);
        timestamp.version = version;
        timestamp.expires = expiry("timestamp", now);
        let role = self.root_keys("timestamp")?;
        let (bytes, _) = signed_bytes(keys, "timestamp", role, &*self.timestamp)?;
        Ok(MetadataFile {
            name: "timestamp.json".to_owned(),
            bytes,
        })
    }
}

/// When a role that is signed now ends.
pub(super) fn expiry(role: &str, now: Timestamp) -> Timestamp {
    whole_seconds(now + Lifetime::of(role).lives)
}

/// How the snapshot pins a role. A bin is pinned by version alone: its key is as online as
/// the snapshot's, so a hash would protect nothing, and 256 hashes would treble a file that
/// every client fetches after every change. The roles of offline keys are pinned to the byte,
/// so that their keys alone cannot put two versions under one number.
pub(super) fn pin(name: &str, version: u64, bytes: &[u8]) -> MetaFile {
    if name.starts_with("bin-") {
        MetaFile::version_only(version)
    } else {
        MetaFile::exact(version, bytes)
    }
}

pub(super) fn signed_bytes<T: Serialize>(
    keys: &KeySet,
    name: &str,
    role: &RoleKeys,
    signed: &T,
) -> Result<(Vec<u8>, Vec<Signature>), SignError> {
    let message = canonical_json(signed)?;
    let signatures = keys.sign(name, role, &message)?;
    Ok((envelope_bytes(&message, signatures.clone())?, signatures))
}
