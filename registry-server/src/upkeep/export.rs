//! A copy of the static read side: what any web server, bucket or `file://` serves as a
//! registry of its own.
//!
//! Only what is not there yet is copied. The timestamp is the last write, so a reader of
//! the copy sees the state before or the state after, and a copy that was stopped is
//! simply continued.

use std::collections::BTreeSet;

use bytes::Bytes;
use jiff::Timestamp;
use provisioning_package::Digest;
use provisioning_registry_api::index::IndexEntry;
use provisioning_registry_api::paths;
use serde::Serialize;

use super::object::copy_object;
use super::{Place, Upkeep, UpkeepError, open_storage, signed_state, signed_targets, target_path};
use crate::storage::Storage;

/// The last metadata file that is written.
const TIMESTAMP: &str = "timestamp.json";

/// What a copy holds, and what it took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Files that were not there yet.
    pub copied: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that were there already.
    pub kept: u64,
    /// Until when clients believe the copy without another one.
    pub good_until: Timestamp,
}

impl Upkeep {
    /// Copies the read side to a folder or bucket.
    pub async fn export(&self, place: &Place, to: &str) -> Result<Exported, UpkeepError> {
        let to = open_storage(place, Some(to))?;
        let state = signed_state(&self.storage).await?;
        let timestamp = state.repository.roles().into_iter();
        let timestamp = timestamp.filter(|it| it.name == "timestamp");
        let good_until = timestamp.map(|it| it.expires).next();
        let mut copy = Copying {
            upkeep: self,
            to,
            done: Exported {
                copied: 0,
                bytes: 0,
                kept: 0,
                good_until: good_until.unwrap_or(Timestamp::UNIX_EPOCH),
            },
        };
        let mut archives = BTreeSet::new();
        for (target, digest) in signed_targets(&state.repository) {
            let bytes = self.signed_bytes(&target, &digest).await?;
            archives.extend(archives_of(&target, &bytes)?);
            copy.put(&target_path(&target, &digest), bytes).await?;
        }
        for archive in archives {
            copy.object(&paths::archive(&archive)).await?;
        }
        for name in state.repository.files() {
            let path = format!("{}{name}", paths::METADATA);
            match state.metadata.get(&name) {
                Some(_) if name == TIMESTAMP => {}
                Some(bytes) => copy.replace(&path, bytes.clone()).await?,
                None => copy.object(&path).await?,
            }
        }
        if let Some(discovery) = self.read(paths::DISCOVERY).await? {
            copy.replace(paths::DISCOVERY, discovery).await?;
        }
        if let Some(bytes) = state.metadata.get(TIMESTAMP) {
            let path = format!("{}{TIMESTAMP}", paths::METADATA);
            copy.replace(&path, bytes.clone()).await?;
        }
        Ok(copy.done)
    }

    pub(super) async fn signed_bytes(
        &self,
        target: &str,
        digest: &Digest,
    ) -> Result<Bytes, UpkeepError> {
        let path = target_path(target, digest);
        match self.read(&path).await? {
            Some(bytes) if Digest::of(&bytes) == *digest => Ok(bytes),
            Some(_) => Err(UpkeepError::Damaged {
                path,
                problem: "has other bytes than were signed",
            }),
            None => Err(UpkeepError::Damaged {
                path,
                problem: "is signed and missing",
            }),
        }
    }
}

struct Copying<'a> {
    upkeep: &'a Upkeep,
    to: Storage,
    done: Exported,
}

impl Copying<'_> {
    /// Copies a file whose name says what is in it.
    async fn object(&mut self, path: &str) -> Result<(), UpkeepError> {
        let from = self.upkeep.look(path).await?.map(|it| it.size);
        let there = self.to.length(path).await;
        let there = there.map_err(|source| UpkeepError::at(path, source))?;
        if from.is_some() && from == there {
            self.done.kept += 1;
            return Ok(());
        }
        self.done.bytes += copy_object(&self.upkeep.storage, &self.to, path).await?;
        self.done.copied += 1;
        Ok(())
    }

    /// Writes a file whose name says what is in it.
    async fn put(&mut self, path: &str, bytes: Bytes) -> Result<(), UpkeepError> {
        let there = self.to.length(path).await;
        let there = there.map_err(|source| UpkeepError::at(path, source))?;
        if there == Some(bytes.len() as u64) {
            self.done.kept += 1;
            return Ok(());
        }
        self.write(path, bytes).await
    }

    /// Writes a file that changes under its name.
    async fn replace(&mut self, path: &str, bytes: Bytes) -> Result<(), UpkeepError> {
        let there = self.to.read(path).await;
        let there = there.map_err(|source| UpkeepError::at(path, source))?;
        if there.as_ref() == Some(&bytes) {
            self.done.kept += 1;
            return Ok(());
        }
        self.write(path, bytes).await
    }

    async fn write(&mut self, path: &str, bytes: Bytes) -> Result<(), UpkeepError> {
        self.done.copied += 1;
        self.done.bytes += bytes.len() as u64;
        let written = self.to.put(path, bytes).await;
        written.map_err(|source| UpkeepError::at(path, source))
    }
}

/// The archives, provenance statements and SBOMs that a target names.
fn archives_of(target: &str, bytes: &[u8]) -> Result<Vec<Digest>, UpkeepError> {
    if !target.starts_with("index/") {
        return Ok(Vec::new());
    }
    let entry: IndexEntry = serde_json::from_slice(bytes).map_err(|_| UpkeepError::Damaged {
        path: target.to_owned(),
        problem: "is no index entry",
    })?;
    let archives = entry.versions.into_iter().flat_map(|it| it.archives);
    Ok(archives
        .flat_map(|it| [Some(it.digest), it.provenance, it.sbom])
        .flatten()
        .collect())
}
