//! What upkeep asks and changes: the database's own health, and archives that no version
//! uses.

use jiff::Timestamp;
use provisioning_package::Digest;
use sqlx::AnyConnection;

use super::{Db, DbError, QuietTx, digest, parsed, unsigned};

/// An archive as upkeep sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptArchive {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) stored_at: Timestamp,
    /// A version that uses it, or an open publish session that declares it.
    pub(crate) needed_by: Option<String>,
}

impl Db {
    /// What the database itself finds wrong with its file; nothing on PostgreSQL, which
    /// checks its pages and constraints by itself.
    pub(crate) async fn self_check(&self) -> Result<Vec<String>, DbError> {
        if !self.is_sqlite() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        let rows: Vec<(String,)> = sqlx::query_as("PRAGMA integrity_check")
            .fetch_all(self.pool())
            .await?;
        found.extend(rows.into_iter().map(|(row,)| row).filter(|it| it != "ok"));
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT \"table\", \"parent\" FROM pragma_foreign_key_check")
                .fetch_all(self.pool())
                .await?;
        found.extend(
            rows.into_iter()
                .map(|(table, parent)| format!("a row of `{table}` has no row in `{parent}`")),
        );
        Ok(found)
    }

    /// Every archive that the database knows, by digest.
    pub(crate) async fn kept_archives(&self) -> Result<Vec<KeptArchive>, DbError> {
        type Row = (String, i64, String, Option<String>, Option<String>);
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT a.digest, a.size, a.stored_at, \
             (SELECT MIN(v.package || '@' || v.version) FROM version_archives v \
              WHERE v.digest = a.digest), \
             (SELECT MIN(s.id) FROM sessions s \
              WHERE s.state IN ('uploading', 'awaiting-review', 'awaiting-signature') \
              AND s.declared LIKE '%' || a.digest || '%') \
             FROM archives a ORDER BY a.digest",
        )
        .fetch_all(self.pool())
        .await?;
        rows.into_iter()
            .map(|(hex, size, stored_at, version, session)| {
                Ok(KeptArchive {
                    digest: digest(&hex)?,
                    size: unsigned(size)?,
                    stored_at: parsed(&stored_at, "a point in time")?,
                    needed_by: version.or(session.map(|it| format!("publish session {it}"))),
                })
            })
            .collect()
    }

    /// Versions that have no archive at all, and packages without a version.
    pub(crate) async fn empty_rows(&self) -> Result<Vec<String>, DbError> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT package || '@' || version FROM versions v WHERE NOT EXISTS \
             (SELECT 1 FROM version_archives a \
              WHERE a.package = v.package AND a.version = v.version) \
             UNION ALL SELECT name FROM packages p WHERE NOT EXISTS \
             (SELECT 1 FROM versions v WHERE v.package = p.name) AND NOT EXISTS \
             (SELECT 1 FROM tombstones t WHERE t.package = p.name)",
        )
        .fetch_all(self.pool())
        .await?;
        Ok(rows.into_iter().map(|(row,)| row).collect())
    }
}

/// Forgets an archive that nothing needs and that was stored before `then`; says whether
/// it did. Until the transaction ends, nobody else can store the same bytes.
pub(crate) async fn forget_archive(
    tx: &mut QuietTx,
    archive: &Digest,
    then: Timestamp,
) -> Result<bool, DbError> {
    let result = sqlx::query(
        "DELETE FROM archives WHERE digest = $1 AND stored_at < $2 \
         AND NOT EXISTS (SELECT 1 FROM version_archives v WHERE v.digest = archives.digest) \
         AND NOT EXISTS (SELECT 1 FROM sessions s \
                         WHERE s.state IN ('uploading', 'awaiting-review', 'awaiting-signature') \
                         AND s.declared LIKE '%' || archives.digest || '%')",
    )
    .bind(archive.hex())
    .bind(then.to_string())
    .execute(tx.connection())
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Keeps others from storing an archive that the database does not know until the
/// transaction ends; `false` where it does know it.
pub(crate) async fn claim_unknown_archive(
    tx: &mut QuietTx,
    archive: &Digest,
) -> Result<bool, DbError> {
    let result = sqlx::query(
        "INSERT INTO archives (digest, size, unpacked, entries, format, manifest, stored_at) \
         VALUES ($1, 0, 0, 0, 'tar.zst', '', '') ON CONFLICT (digest) DO NOTHING",
    )
    .bind(archive.hex())
    .execute(tx.connection())
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Ends what [`claim_unknown_archive`] began.
pub(crate) async fn unclaim_archive(
    connection: &mut AnyConnection,
    archive: &Digest,
) -> Result<(), DbError> {
    sqlx::query("DELETE FROM archives WHERE digest = $1")
        .bind(archive.hex())
        .execute(connection)
        .await?;
    Ok(())
}
