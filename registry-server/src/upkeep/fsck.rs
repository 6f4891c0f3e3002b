//! Is the registry whole? Compares the database, the archives and the signed read side with
//! each other, byte by byte.
//!
//! What can be told from what is there is mended: a projection that lags becomes a job, a
//! target whose bytes the database still gives is written again, an archive comes from a
//! copy of the registry. Bytes that are nowhere are named and left to a backup.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use provisioning_package::Digest;
use provisioning_registry_api::paths;
use provisioning_trust::Repository;
use serde::Serialize;

use super::object::{ArchiveState, archive_state, copy_object};
use super::{Place, SignedState, Upkeep, UpkeepError, open_storage, signed_state};
use crate::db::upkeep::KeptArchive;
use crate::read_side::{Subject, render};
use crate::storage::Storage;

/// How often a projection that lags is looked at: a running server may be busy with it.
const LOOKS_MAX: usize = 5;
/// How long to wait between two looks.
const LOOK_AGAIN_AFTER: std::time::Duration = std::time::Duration::from_millis(400);

/// How thorough a check is, and what it may change.
#[derive(Debug, Clone, Default)]
pub struct FsckOptions {
    /// Mend what can be mended.
    pub repair: bool,
    /// Compare sizes alone, without reading archives.
    pub quick: bool,
    /// A folder or bucket with the same registry's archives, to mend from.
    pub from: Option<String>,
    /// For how long an archive may lie there without a version that uses it.
    pub grace: SignedDuration,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingCode {
    /// The database's own check found something.
    DatabaseDamaged,
    /// The audit log is not what was written.
    AuditBroken,
    /// A package without a version, or a version without an archive.
    RowsIncomplete,
    /// An archive that the database knows is not in the storage.
    ArchiveMissing,
    /// An archive's bytes are not the ones that were published.
    ArchiveDamaged,
    /// Nothing has used an archive for longer than the grace period.
    ArchiveUnreferenced,
    /// The signed metadata cannot be read.
    MetadataDamaged,
    /// A role's signature has ended.
    MetadataExpired,
    /// A signed file is missing.
    TargetMissing,
    /// A signed file has other bytes than were signed.
    TargetDamaged,
    /// Search does not show what the database says.
    SearchStale,
    /// What is signed is not what the database says.
    ProjectionStale,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// What it is about.
    pub code: FindingCode,
    /// The file, row or role.
    pub subject: String,
    /// What is wrong, and what helps where it was not mended.
    pub detail: String,
    /// Whether it was mended.
    pub repaired: bool,
}

impl FindingCode {
    /// The stable word for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DatabaseDamaged => "database-damaged",
            Self::AuditBroken => "audit-broken",
            Self::RowsIncomplete => "rows-incomplete",
            Self::ArchiveMissing => "archive-missing",
            Self::ArchiveDamaged => "archive-damaged",
            Self::ArchiveUnreferenced => "archive-unreferenced",
            Self::MetadataDamaged => "metadata-damaged",
            Self::MetadataExpired => "metadata-expired",
            Self::TargetMissing => "target-missing",
            Self::TargetDamaged => "target-damaged",
            Self::SearchStale => "search-stale",
            Self::ProjectionStale => "projection-stale",
        }
    }
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Upkeep {
    /// Checks everything; `place` says how to open a copy to mend from.
    pub async fn fsck(
        &self,
        place: &Place,
        options: &FsckOptions,
    ) -> Result<Vec<Finding>, UpkeepError> {
        let copy = match &options.from {
            Some(url) => Some(open_storage(place, Some(url))?),
            None => None,
        };
        let check = Check {
            upkeep: self,
            options,
            copy,
            old: self.before(options.grace),
        };
        let mut findings = check.database().await?;
        findings.extend(check.archives().await?);
        findings.extend(check.read_side().await?);
        findings.sort();
        Ok(findings)
    }
}

struct Check<'a> {
    upkeep: &'a Upkeep,
    options: &'a FsckOptions,
    copy: Option<Storage>,
    /// What lies unused since before this is a finding.
    old: Timestamp,
}

impl Check<'_> {
    async fn database(&self) -> Result<Vec<Finding>, UpkeepError> {
        let damaged = self.upkeep.db.self_check().await?;
        let damaged = damaged.into_iter().map(|detail| Finding {
            code: FindingCode::DatabaseDamaged,
            subject: "database".to_owned(),
            detail: format!("{detail}; restore it from a backup"),
            repaired: false,
        });
        let incomplete = self.upkeep.db.empty_rows().await?;
        let incomplete = incomplete.into_iter().map(|subject| {
            let detail = if subject.contains('@') {
                "has no archive"
            } else {
                "has no version"
            };
            Finding {
                code: FindingCode::RowsIncomplete,
                detail: detail.to_owned(),
                subject,
                repaired: false,
            }
        });
        let broken = self.upkeep.db.check_audit().await?;
        let broken = broken.into_iter().map(|detail| Finding {
            code: FindingCode::AuditBroken,
            subject: "audit log".to_owned(),
            detail: format!("{detail}; compare it with a backup and with the server's log"),
            repaired: false,
        });
        let lagging = self.search().await?;
        Ok(damaged
            .chain(incomplete)
            .chain(broken)
            .chain(lagging)
            .collect())
    }

    /// What search does not show as it is; made again from the rows where that is wanted.
    async fn search(&self) -> Result<Vec<Finding>, UpkeepError> {
        let differences = self.upkeep.db.search_differences().await?;
        let repaired = self.options.repair && !differences.is_empty();
        if repaired {
            self.upkeep.db.rebuild_search().await?;
        }
        let findings = differences.into_iter().map(|subject| Finding {
            code: FindingCode::SearchStale,
            subject,
            detail: "search does not show it as it is; `fsck --repair` makes it again".to_owned(),
            repaired,
        });
        Ok(findings.collect())
    }

    async fn archives(&self) -> Result<Vec<Finding>, UpkeepError> {
        // Listed before the rows are read: an archive that arrives in between has a row.
        let folder = format!("{}sha256", paths::ARCHIVES);
        let stored = self.upkeep.listed(&folder).await?;
        let rows = self.upkeep.db.kept_archives().await?;
        let mut findings = Vec::new();
        for row in &rows {
            findings.extend(self.kept_archive(row).await?);
        }
        let known: BTreeSet<String> = rows.iter().map(|row| paths::archive(&row.digest)).collect();
        for object in stored {
            if known.contains(&object.path) || object.written_at >= self.old {
                continue;
            }
            let repaired =
                self.options.repair && self.upkeep.collect_unknown(&object.path, self.old).await?;
            findings.push(Finding {
                code: FindingCode::ArchiveUnreferenced,
                subject: object.path,
                detail: "lies in the storage, and the database does not know it".to_owned(),
                repaired,
            });
        }
        Ok(findings)
    }

    /// What is wrong with one archive that the database knows.
    async fn kept_archive(&self, row: &KeptArchive) -> Result<Option<Finding>, UpkeepError> {
        let state = archive_state(&self.upkeep.storage, row, self.options.quick).await?;
        let (code, detail) = match (&state, &row.needed_by) {
            (ArchiveState::Whole, None) if row.stored_at < self.old => (
                FindingCode::ArchiveUnreferenced,
                "no version uses it".to_owned(),
            ),
            (ArchiveState::Whole, _) => return Ok(None),
            (ArchiveState::Missing, _) => (FindingCode::ArchiveMissing, "is missing".to_owned()),
            (ArchiveState::Damaged(how), _) => (FindingCode::ArchiveDamaged, how.clone()),
        };
        let repaired = self.options.repair && self.mend_archive(row, &state).await?;
        let detail = match &row.needed_by {
            Some(owner) if !repaired => format!(
                "{detail}; {owner} needs it: mend it with `fsck --repair --from COPY`, where COPY \
                 is an export or backup of this registry's files"
            ),
            Some(owner) => format!("{detail}; {owner} needs it"),
            None => detail,
        };
        Ok(Some(Finding {
            code,
            subject: paths::archive(&row.digest),
            detail,
            repaired,
        }))
    }

    async fn mend_archive(
        &self,
        row: &KeptArchive,
        state: &ArchiveState,
    ) -> Result<bool, UpkeepError> {
        match (&row.needed_by, state, &self.copy) {
            (None, ArchiveState::Whole, _) => {
                self.upkeep.collect_known(&row.digest, self.old).await
            }
            (None, ArchiveState::Missing | ArchiveState::Damaged(_), _) => {
                // Whoever publishes these bytes sends them again.
                self.upkeep.db.forget_lost_archive(&row.digest).await?;
                Ok(true)
            }
            (Some(_), _, None) => Ok(false),
            (Some(_), _, Some(copy)) => {
                if archive_state(copy, row, false).await? != ArchiveState::Whole {
                    return Ok(false);
                }
                copy_object(copy, &self.upkeep.storage, &paths::archive(&row.digest)).await?;
                let now = archive_state(&self.upkeep.storage, row, false).await?;
                Ok(now == ArchiveState::Whole)
            }
        }
    }

    async fn read_side(&self) -> Result<Vec<Finding>, UpkeepError> {
        let state = match signed_state(&self.upkeep.storage).await {
            Ok(state) => state,
            Err(UpkeepError::Metadata(error)) => {
                let chain = crate::problem::chain(&error);
                return Ok(vec![Finding {
                    code: FindingCode::MetadataDamaged,
                    subject: paths::METADATA.to_owned(),
                    detail: format!("{chain}; restore the metadata from a backup"),
                    repaired: false,
                }]);
            }
            Err(error) => return Err(error),
        };
        let mut findings = self.expired(&state);
        findings.extend(self.stale().await?);
        findings.extend(self.targets(&state.repository).await?);
        Ok(findings)
    }

    fn expired(&self, state: &SignedState) -> Vec<Finding> {
        let now = self.upkeep.now();
        let roles = state.repository.roles().into_iter();
        let ended = roles.filter(|role| role.expires <= now);
        ended
            .map(|role| Finding {
                code: FindingCode::MetadataExpired,
                detail: format!(
                    "ended at {}; a running server signs it again where it has the keys",
                    role.expires
                ),
                subject: role.name,
                repaired: false,
            })
            .collect()
    }

    /// What is signed beside what the database says.
    async fn stale(&self) -> Result<Vec<Finding>, UpkeepError> {
        let mut stale = self.lagging(self.upkeep.all_subjects().await?).await?;
        for _ in 1..LOOKS_MAX {
            if stale.is_empty() {
                return Ok(Vec::new());
            }
            tokio::time::sleep(LOOK_AGAIN_AFTER).await;
            stale = self.lagging(stale).await?;
        }
        if self.options.repair && !stale.is_empty() {
            let mut tx = self.upkeep.db.write().await?;
            for subject in &stale {
                tx.add_job(&subject.text()).await?;
            }
            tx.commit().await?;
        }
        let detail = if self.options.repair {
            "will be signed: a running server does it within seconds, another at its start"
        } else {
            "is not signed as the database has it"
        };
        let finding = |subject: Subject| Finding {
            code: FindingCode::ProjectionStale,
            subject: subject.text(),
            detail: detail.to_owned(),
            repaired: self.options.repair,
        };
        Ok(stale.into_iter().map(finding).collect())
    }

    /// Those of `subjects` whose signed form is not the database's.
    async fn lagging(&self, subjects: BTreeSet<Subject>) -> Result<BTreeSet<Subject>, UpkeepError> {
        let state = signed_state(&self.upkeep.storage).await?;
        let mut lagging = BTreeSet::new();
        for subject in subjects {
            let one = BTreeSet::from([subject.clone()]);
            let rendered = render(&self.upkeep.db, None, &state.repository, &one).await?;
            let mut differs = false;
            for target in rendered {
                let signed = state.repository.target(&target.path);
                // What people sign waits for them: that is no finding.
                differs |= signed.map(|facts| facts.digest) != Some(Digest::of(&target.bytes))
                    && self.is_for_the_server(&state.repository, &target.path)?;
            }
            if differs {
                lagging.insert(subject);
            }
        }
        Ok(lagging)
    }

    /// Whether a server of this registry would sign the target; where no keys are at hand to
    /// tell, it would.
    fn is_for_the_server(&self, repository: &Repository, path: &str) -> Result<bool, UpkeepError> {
        let keys = &self.upkeep.keys;
        let is_empty = keys.labels().next().is_none();
        Ok(is_empty || repository.can_sign(keys, path)?)
    }

    /// Every signed file beside its digest.
    async fn targets(&self, repository: &Repository) -> Result<Vec<Finding>, UpkeepError> {
        let mut findings = Vec::new();
        let mut broken = BTreeMap::new();
        for (target, digest) in super::signed_targets(repository) {
            let path = super::target_path(&target, &digest);
            let (code, detail) = match self.upkeep.read(&path).await? {
                Some(bytes) if Digest::of(&bytes) == digest => continue,
                Some(_) => (
                    FindingCode::TargetDamaged,
                    "has other bytes than were signed",
                ),
                None => (FindingCode::TargetMissing, "is signed and missing"),
            };
            broken.insert(path.clone(), digest);
            findings.push(Finding {
                code,
                subject: path,
                detail: detail.to_owned(),
                repaired: false,
            });
        }
        if self.options.repair && !broken.is_empty() {
            let mended = self.upkeep.write_again(repository, &broken).await?;
            for finding in &mut findings {
                finding.repaired = mended.contains(&finding.subject);
            }
        }
        Ok(findings)
    }
}
