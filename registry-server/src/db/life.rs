//! States of packages, deleted versions, quotas.

use jiff::Timestamp;
use provisioning_package::{PackageName, Version};
use provisioning_registry_api::index::{PackageState, PackageStatus};
use provisioning_registry_api::life::Quota;
use sqlx::AnyConnection;

use super::versions::precedence;
use super::{Db, DbError, from_json, parsed, signed, to_json, unsigned};

/// The state of a package and the one that a quarantine of it ends in; `None` where there is
/// no such package.
pub(crate) async fn status(
    connection: &mut AnyConnection,
    package: &PackageName,
) -> Result<Option<(PackageStatus, Option<PackageStatus>)>, DbError> {
    type Found = (String, Option<String>, Option<String>, Option<String>);
    let row: Option<Found> = sqlx::query_as(
        "SELECT state, state_reason, state_replacement, before_quarantine FROM packages \
         WHERE name = $1",
    )
    .bind(package.as_str().to_owned())
    .fetch_optional(connection)
    .await?;
    let Some((state, reason, replacement, before)) = row else {
        return Ok(None);
    };
    let now = PackageStatus {
        state: from_json(&format!("\"{state}\""), "a package state")?,
        reason,
        replacement,
    };
    let before = before
        .map(|it| from_json(&it, "a package's state"))
        .transpose()?;
    Ok(Some((now, before)))
}

/// Writes the state of a package.
pub(crate) async fn set_status(
    connection: &mut AnyConnection,
    package: &PackageName,
    status: &PackageStatus,
    before_quarantine: Option<&PackageStatus>,
) -> Result<(), DbError> {
    let state = match status.state {
        PackageState::Active => "active",
        PackageState::Deprecated => "deprecated",
        PackageState::Archived => "archived",
        PackageState::Quarantined => "quarantined",
    };
    sqlx::query(
        "UPDATE packages SET state = $1, state_reason = $2, state_replacement = $3, \
         before_quarantine = $4 WHERE name = $5",
    )
    .bind(state.to_owned())
    .bind(status.reason.clone())
    .bind(status.replacement.clone())
    .bind(before_quarantine.map(to_json))
    .bind(package.as_str().to_owned())
    .execute(connection)
    .await?;
    Ok(())
}

/// When a version was published; `None` where there is none.
pub(crate) async fn published_at(
    connection: &mut AnyConnection,
    package: &PackageName,
    version: &Version,
) -> Result<Option<Timestamp>, DbError> {
    let row: Option<(String,)> =
        sqlx::query_as("SELECT published_at FROM versions WHERE package = $1 AND version = $2")
            .bind(package.as_str().to_owned())
            .bind(version.to_string())
            .fetch_optional(connection)
            .await?;
    row.map(|(at,)| parsed(&at, "a point in time")).transpose()
}

/// Other packages of which a version needs `package`, by name.
pub(crate) async fn dependents(
    connection: &mut AnyConnection,
    package: &PackageName,
) -> Result<Vec<String>, DbError> {
    let rows: Vec<(String,)> = sqlx::query_as(
        "SELECT DISTINCT package FROM versions WHERE dependencies LIKE $1 AND package <> $2 \
         ORDER BY package LIMIT 10",
    )
    .bind(format!("%\"{package}\":{{%"))
    .bind(package.as_str().to_owned())
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(name,)| name).collect())
}

/// Takes a version away and leaves a tombstone in its place.
pub(crate) async fn bury(
    connection: &mut AnyConnection,
    (package, version): (&PackageName, &Version),
    (reason, by): (&str, &str),
    now: Timestamp,
) -> Result<(), DbError> {
    for table in ["version_archives", "versions"] {
        let sql = format!("DELETE FROM {table} WHERE package = $1 AND version = $2");
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(package.as_str().to_owned())
            .bind(version.to_string())
            .execute(&mut *connection)
            .await?;
    }
    sqlx::query(
        "INSERT INTO tombstones (package, precedence, version, reason, deleted_by, deleted_at) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(package.as_str().to_owned())
    .bind(precedence(version))
    .bind(version.to_string())
    .bind(reason.to_owned())
    .bind(by.to_owned())
    .bind(now.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

/// Why a version was deleted, where it was.
pub(crate) async fn tombstone(
    connection: &mut AnyConnection,
    package: &PackageName,
    version: &Version,
) -> Result<Option<String>, DbError> {
    let row: Option<(String,)> =
        sqlx::query_as("SELECT reason FROM tombstones WHERE package = $1 AND precedence = $2")
            .bind(package.as_str().to_owned())
            .bind(precedence(version))
            .fetch_optional(connection)
            .await?;
    Ok(row.map(|(reason,)| reason))
}

/// Bytes of all archives of a package.
pub(crate) async fn kept_bytes(
    connection: &mut AnyConnection,
    package: &PackageName,
) -> Result<u64, DbError> {
    let (bytes,): (i64,) = sqlx::query_as(
        "SELECT CAST(COALESCE(SUM(a.size), 0) AS BIGINT) FROM version_archives v \
         JOIN archives a ON a.digest = v.digest WHERE v.package = $1",
    )
    .bind(package.as_str().to_owned())
    .fetch_one(connection)
    .await?;
    unsigned(bytes)
}

/// What one package may have beyond the registry's settings.
pub(crate) async fn quota(connection: &mut AnyConnection, package: &str) -> Result<Quota, DbError> {
    let row: Option<(Option<i64>, Option<i64>)> =
        sqlx::query_as("SELECT archive_bytes, total_bytes FROM quotas WHERE package = $1")
            .bind(package.to_owned())
            .fetch_optional(connection)
            .await?;
    let (archive, total) = row.unwrap_or_default();
    Ok(Quota {
        archive_bytes: archive.map(unsigned).transpose()?,
        total_bytes: total.map(unsigned).transpose()?,
    })
}

/// Says what one package may have.
pub(crate) async fn set_quota(
    connection: &mut AnyConnection,
    package: &str,
    quota: Quota,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO quotas (package, archive_bytes, total_bytes) VALUES ($1, $2, $3) \
         ON CONFLICT (package) DO UPDATE SET archive_bytes = excluded.archive_bytes, \
         total_bytes = excluded.total_bytes",
    )
    .bind(package.to_owned())
    .bind(quota.archive_bytes.map(signed))
    .bind(quota.total_bytes.map(signed))
    .execute(connection)
    .await?;
    Ok(())
}

impl Db {
    /// Every extension's name.
    pub(crate) async fn extension_names(&self) -> Result<Vec<String>, DbError> {
        let rows: Vec<(String,)> =
            sqlx::query_as("SELECT name FROM packages WHERE kind = 'extension'")
                .fetch_all(self.pool())
                .await?;
        Ok(rows.into_iter().map(|(name,)| name).collect())
    }
}
