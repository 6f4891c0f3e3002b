//! Archives that arrived whole and were accepted.

use jiff::Timestamp;
use provisioning_package::{ArchiveFormat, Digest};

use super::{Db, DbError, from_json, signed, unsigned};

/// What the registry knows of one archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ArchiveRow {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) unpacked: u64,
    pub(crate) entries: u64,
    pub(crate) format: ArchiveFormat,
    pub(crate) manifest: String,
}

type Columns = (String, i64, i64, i64, String, String);

impl Db {
    /// Remembers an archive, which the next [`Db::flush`] makes durable; of one that is known already, that it came again, so that
    /// a collection of unneeded archives leaves it alone.
    pub(crate) async fn insert_archive(
        &self,
        archive: &ArchiveRow,
        now: Timestamp,
    ) -> Result<(), DbError> {
        let mut hasty = self.hasty().await?;
        sqlx::query(
            "INSERT INTO archives (digest, size, unpacked, entries, format, manifest, stored_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (digest) \
             DO UPDATE SET stored_at = excluded.stored_at",
        )
        .bind(archive.digest.hex())
        .bind(signed(archive.size))
        .bind(signed(archive.unpacked))
        .bind(signed(archive.entries))
        .bind(archive.format.as_str().to_owned())
        .bind(archive.manifest.clone())
        .bind(now.to_string())
        .execute(hasty.connection())
        .await?;
        Ok(())
    }

    /// Forgets an archive whose bytes turned out to be gone, unless a version uses it.
    pub(crate) async fn forget_lost_archive(&self, archive: &Digest) -> Result<(), DbError> {
        sqlx::query(
            "DELETE FROM archives WHERE digest = $1 AND NOT EXISTS \
             (SELECT 1 FROM version_archives v WHERE v.digest = archives.digest)",
        )
        .bind(archive.hex())
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// The archive with this digest, if it arrived.
    pub(crate) async fn archive(&self, digest: &Digest) -> Result<Option<ArchiveRow>, DbError> {
        let row: Option<Columns> = sqlx::query_as(
            "SELECT digest, size, unpacked, entries, format, manifest FROM archives \
             WHERE digest = $1",
        )
        .bind(digest.hex())
        .fetch_optional(self.pool())
        .await?;
        row.map(read).transpose()
    }
}

fn read(
    (digest, size, unpacked, entries, format, manifest): Columns,
) -> Result<ArchiveRow, DbError> {
    Ok(ArchiveRow {
        digest: super::digest(&digest)?,
        size: unsigned(size)?,
        unpacked: unsigned(unpacked)?,
        entries: unsigned(entries)?,
        format: from_json(&format!("\"{format}\""), "an archive format")?,
        manifest,
    })
}
