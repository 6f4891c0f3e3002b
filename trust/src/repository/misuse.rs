//! What a thief would sign: for the rehearsal and for tests, where clients must refuse it.
//!
//! Nothing here gives a power that the keys do not give; it only leaves out the checks that
//! an honest registry makes before it signs.

use std::sync::Arc;

use jiff::Timestamp;

use super::sign::{pin, signed_bytes};
use super::{MetadataFile, Repository, TargetChange};
use crate::error::SignError;
use crate::keys::KeySet;
use crate::metadata::RoleKeys;

impl Repository {
    /// Pushes the numbers of snapshot and timestamp ahead.
    pub(crate) fn skip_ahead(&mut self, versions: u64) {
        Arc::make_mut(&mut self.snapshot).version += versions;
        Arc::make_mut(&mut self.timestamp).version += versions;
    }

    /// Signs snapshot and timestamp, whatever else would be due.
    pub(crate) fn sign_online(
        &mut self,
        keys: &KeySet,
        now: Timestamp,
    ) -> Result<Vec<MetadataFile>, SignError> {
        Ok(vec![
            self.sign_snapshot(keys, now)?,
            self.sign_timestamp(keys, now)?,
        ])
    }

    /// A `release` with `changes`, signed with whatever keys are at hand, and pinned by a true
    /// snapshot and timestamp.
    pub(crate) fn forge_release(
        &self,
        keys: &KeySet,
        changes: &[TargetChange],
        now: Timestamp,
    ) -> Result<Vec<MetadataFile>, SignError> {
        let mut next = self.clone();
        let signed = next.role_mut("release");
        for change in changes {
            if let Some(facts) = change.facts {
                signed.files.insert(change.path.clone(), facts.into());
            }
        }
        signed.version += 1;
        let version = signed.version;
        let anyone = RoleKeys {
            keyids: keys
                .iter()
                .map(|(_, key)| key.key_id().to_owned())
                .collect(),
            threshold: 1,
        };
        let (bytes, signatures) = signed_bytes(keys, "release", &anyone, signed)?;
        if let Some(role) = next.roles.get_mut("release") {
            role.signatures = signatures;
            role.pin = pin("release", version, &bytes);
        }
        let mut files = vec![MetadataFile {
            name: format!("{version}.release.json"),
            bytes,
        }];
        files.extend(next.sign_online(keys, now)?);
        Ok(files)
    }
}
