//! Takes away what nothing refers to: archives that no version uses, and metadata and
//! targets that newer ones replaced.
//!
//! A grace period keeps what a slow publisher is about to use and what a slow client is
//! still reading. Roots stay for ever: a client that was away for years walks through them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use provisioning_package::Digest;
use provisioning_registry_api::paths;
use serde::Serialize;

use super::{Upkeep, UpkeepError, signed_state, signed_targets, target_path};
use crate::db::upkeep::{claim_unknown_archive, forget_archive, unclaim_archive};

/// What may go.
#[derive(Debug, Clone, Copy)]
pub struct GcOptions {
    /// For how long something may lie there unused.
    pub grace: SignedDuration,
    /// Say what would go, and leave it.
    pub dry_run: bool,
}

/// What went, or would go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// The objects, by path.
    pub paths: Vec<String>,
    /// Their size together.
    pub bytes: u64,
}

impl Upkeep {
    /// Takes away what nothing has referred to for longer than the grace period.
    pub async fn gc(&self, options: GcOptions) -> Result<Collected, UpkeepError> {
        let then = self.before(options.grace);
        let mut collected = Collected::default();
        self.collect_archives(options.dry_run, then, &mut collected)
            .await?;
        self.collect_signed(options.dry_run, then, &mut collected)
            .await?;
        collected.paths.sort();
        Ok(collected)
    }

    async fn collect_archives(
        &self,
        dry_run: bool,
        then: Timestamp,
        collected: &mut Collected,
    ) -> Result<(), UpkeepError> {
        let stored = self.listed(&format!("{}sha256", paths::ARCHIVES)).await?;
        let rows = self.db.kept_archives().await?;
        for row in &rows {
            if row.needed_by.is_some() || row.stored_at >= then {
                continue;
            }
            if dry_run || self.collect_known(&row.digest, then).await? {
                collected.add(paths::archive(&row.digest), row.size);
            }
        }
        let known: BTreeSet<String> = rows.iter().map(|row| paths::archive(&row.digest)).collect();
        for object in stored {
            if known.contains(&object.path) || object.written_at >= then {
                continue;
            }
            if dry_run || self.collect_unknown(&object.path, then).await? {
                collected.add(object.path, object.size);
            }
        }
        Ok(())
    }

    async fn collect_signed(
        &self,
        dry_run: bool,
        then: Timestamp,
        collected: &mut Collected,
    ) -> Result<(), UpkeepError> {
        let mut stored = self.listed(paths::METADATA.trim_end_matches('/')).await?;
        stored.extend(self.listed(paths::TARGETS.trim_end_matches('/')).await?);
        let repository = signed_state(&self.storage).await?.repository;
        let metadata = repository.files().into_iter();
        let mut needed: BTreeSet<String> = metadata
            .map(|name| format!("{}{name}", paths::METADATA))
            .collect();
        let targets = signed_targets(&repository);
        needed.extend(targets.map(|(target, digest)| target_path(&target, &digest)));
        let mut gone = BTreeSet::new();
        for object in stored {
            let is_root = object.path.ends_with(".root.json");
            if is_root || needed.contains(&object.path) || object.written_at >= then {
                continue;
            }
            if !dry_run {
                // It may have been written again since it was listed.
                let now = self.look(&object.path).await?;
                if now.is_none_or(|it| it.written_at >= then) {
                    continue;
                }
                self.delete(&object.path).await?;
                gone.insert(object.path.clone());
            }
            collected.add(object.path, object.size);
        }
        self.bring_back(&gone).await
    }

    /// Writes again what became needed while it was deleted: content that came back, such as
    /// an index entry after yank and unyank, has its old name.
    async fn bring_back(&self, gone: &BTreeSet<String>) -> Result<(), UpkeepError> {
        let repository = signed_state(&self.storage).await?.repository;
        let lost: BTreeMap<String, Digest> = signed_targets(&repository)
            .map(|(target, digest)| (target_path(&target, &digest), digest))
            .filter(|(path, _)| gone.contains(path))
            .collect();
        if !lost.is_empty() {
            self.write_again(&repository, &lost).await?;
        }
        Ok(())
    }

    /// Takes away an archive that the database knows, if nothing needs it still.
    pub(super) async fn collect_known(
        &self,
        digest: &Digest,
        then: Timestamp,
    ) -> Result<bool, UpkeepError> {
        let mut tx = self.db.write_quietly().await?;
        if !forget_archive(&mut tx, digest, then).await? {
            return Ok(false);
        }
        // Inside the transaction: whoever stores the same bytes waits for its row.
        self.delete(&paths::archive(digest)).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Takes away an archive that the database does not know, if that is still so.
    pub(super) async fn collect_unknown(
        &self,
        path: &str,
        then: Timestamp,
    ) -> Result<bool, UpkeepError> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let Ok(digest) = Digest::from_hex(name) else {
            // Nothing of ours has such a name: somebody's own file.
            return Ok(false);
        };
        let mut tx = self.db.write_quietly().await?;
        if !claim_unknown_archive(&mut tx, &digest).await? {
            return Ok(false);
        }
        let now = self.look(path).await?;
        if now.is_none_or(|it| it.written_at >= then) {
            return Ok(false);
        }
        self.delete(path).await?;
        unclaim_archive(tx.connection(), &digest).await?;
        tx.commit().await?;
        Ok(true)
    }
}

impl Collected {
    fn add(&mut self, path: String, bytes: u64) {
        self.paths.push(path);
        self.bytes += bytes;
    }
}
