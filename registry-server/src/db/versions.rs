//! Versions and their archives.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provisioning_package::{Digest, PackageName, Target, Version};
use provisioning_registry_api::index::{Dependency, IndexArchive, IndexVersion, Yanked};
use sqlx::AnyConnection;

use super::{DbError, digest, from_json, parsed, signed, to_json, unsigned};

/// A version that is about to become visible.
#[derive(Debug, Clone)]
pub(crate) struct NewVersion {
    pub(crate) package: PackageName,
    pub(crate) version: Version,
    pub(crate) api: Option<Version>,
    pub(crate) dependencies: BTreeMap<PackageName, Dependency>,
    pub(crate) archives: BTreeMap<Target, Digest>,
}

/// A version that was published before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExistingVersion {
    pub(crate) version: Version,
    pub(crate) serial: u64,
    pub(crate) archives: BTreeMap<Target, Digest>,
}

/// A version without its build metadata, which is what may exist once only.
pub(crate) fn precedence(version: &Version) -> String {
    let mut plain = version.clone();
    plain.build = semver::BuildMetadata::EMPTY;
    plain.to_string()
}

/// The version of `package` that has the precedence of `version`, whatever its build
/// metadata.
pub(crate) async fn existing_version(
    connection: &mut AnyConnection,
    package: &PackageName,
    version: &Version,
) -> Result<Option<ExistingVersion>, DbError> {
    let row: Option<(String, i64)> = sqlx::query_as(
        "SELECT version, serial FROM versions WHERE package = $1 AND precedence = $2",
    )
    .bind(package.as_str().to_owned())
    .bind(precedence(version))
    .fetch_optional(&mut *connection)
    .await?;
    let Some((version, serial)) = row else {
        return Ok(None);
    };
    let archives: Vec<(String, String)> = sqlx::query_as(
        "SELECT target, digest FROM version_archives WHERE package = $1 AND version = $2",
    )
    .bind(package.as_str().to_owned())
    .bind(version.clone())
    .fetch_all(connection)
    .await?;
    Ok(Some(ExistingVersion {
        version: parsed(&version, "a version")?,
        serial: unsigned(serial)?,
        archives: archives
            .into_iter()
            .map(|(target, hex)| Ok((parsed(&target, "a target")?, digest(&hex)?)))
            .collect::<Result<_, DbError>>()?,
    }))
}

/// Every version of `package`, for deciding which one is the newest.
pub(crate) async fn version_numbers(
    connection: &mut AnyConnection,
    package: &PackageName,
) -> Result<Vec<Version>, DbError> {
    let rows: Vec<(String,)> = sqlx::query_as("SELECT version FROM versions WHERE package = $1")
        .bind(package.as_str().to_owned())
        .fetch_all(connection)
        .await?;
    rows.into_iter()
        .map(|(version,)| parsed(&version, "a version"))
        .collect()
}

/// Adds a version with all the archives that it will ever have.
pub(crate) async fn insert_version(
    connection: &mut AnyConnection,
    new: &NewVersion,
    session: &str,
    serial: u64,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO versions (package, version, precedence, published_at, api, dependencies, \
         session, serial) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(new.package.as_str().to_owned())
    .bind(new.version.to_string())
    .bind(precedence(&new.version))
    .bind(now.to_string())
    .bind(new.api.as_ref().map(Version::to_string))
    .bind(to_json(&new.dependencies))
    .bind(session.to_owned())
    .bind(signed(serial))
    .execute(&mut *connection)
    .await?;
    for (target, archive) in &new.archives {
        sqlx::query(
            "INSERT INTO version_archives (package, version, target, digest) \
             VALUES ($1, $2, $3, $4)",
        )
        .bind(new.package.as_str().to_owned())
        .bind(new.version.to_string())
        .bind(target.as_str().to_owned())
        .bind(archive.hex())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// What happens to a version's place in new solutions; `None` where there is no such
/// version, otherwise whether anything changed.
pub(crate) async fn set_yanked(
    connection: &mut AnyConnection,
    package: &PackageName,
    version: &Version,
    yanked: Option<&Yanked>,
) -> Result<Option<bool>, DbError> {
    type Found = (Option<String>, Option<String>, Option<String>);
    let row: Option<Found> = sqlx::query_as(
        "SELECT yanked_at, yanked_reason, yanked_replacement FROM versions \
         WHERE package = $1 AND version = $2",
    )
    .bind(package.as_str().to_owned())
    .bind(version.to_string())
    .fetch_optional(&mut *connection)
    .await?;
    let Some((at, reason, replacement)) = row else {
        return Ok(None);
    };
    let is_same = match yanked {
        None => at.is_none(),
        Some(new) => at.is_some() && reason == new.reason && replacement == new.replacement,
    };
    if is_same {
        return Ok(Some(false));
    }
    sqlx::query(
        "UPDATE versions SET yanked_at = $1, yanked_reason = $2, yanked_replacement = $3 \
         WHERE package = $4 AND version = $5",
    )
    .bind(yanked.map(|it| it.at.to_string()))
    .bind(yanked.and_then(|it| it.reason.clone()))
    .bind(yanked.and_then(|it| it.replacement.clone()))
    .bind(package.as_str().to_owned())
    .bind(version.to_string())
    .execute(connection)
    .await?;
    Ok(Some(true))
}

/// Whether a version is hidden from new solutions; one that is gone is.
pub(crate) async fn is_yanked(
    connection: &mut AnyConnection,
    package: &PackageName,
    version: &Version,
) -> Result<bool, DbError> {
    let row: Option<(Option<String>,)> =
        sqlx::query_as("SELECT yanked_at FROM versions WHERE package = $1 AND version = $2")
            .bind(package.as_str().to_owned())
            .bind(version.to_string())
            .fetch_optional(connection)
            .await?;
    Ok(row.is_none_or(|(at,)| at.is_some()))
}

type VersionColumns = (
    String,
    String,
    Option<String>,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
);
type ArchiveColumns = (String, String, String, i64, i64, i64, String);

/// Every version of a package, as this connection sees them: oldest first.
pub(crate) async fn index_versions(
    connection: &mut AnyConnection,
    package: &PackageName,
) -> Result<Vec<IndexVersion>, DbError> {
    let rows: Vec<VersionColumns> = sqlx::query_as(
        "SELECT version, published_at, api, dependencies, yanked_at, yanked_reason, \
         yanked_replacement FROM versions WHERE package = $1",
    )
    .bind(package.as_str().to_owned())
    .fetch_all(&mut *connection)
    .await?;
    let mut archives = index_archives(connection, package).await?;
    let mut versions = rows
        .into_iter()
        .map(|row| {
            let own = archives.remove(&row.0).unwrap_or_default();
            read_version(row, own)
        })
        .collect::<Result<Vec<_>, _>>()?;
    versions.sort_by(|left, right| left.version.cmp(&right.version));
    Ok(versions)
}

async fn index_archives(
    connection: &mut AnyConnection,
    package: &PackageName,
) -> Result<BTreeMap<String, Vec<IndexArchive>>, DbError> {
    let rows: Vec<ArchiveColumns> = sqlx::query_as(
        "SELECT v.version, v.target, v.digest, a.size, a.unpacked, a.entries, a.format \
         FROM version_archives v JOIN archives a ON a.digest = v.digest \
         WHERE v.package = $1 ORDER BY v.target",
    )
    .bind(package.as_str().to_owned())
    .fetch_all(connection)
    .await?;
    let mut archives = BTreeMap::<String, Vec<IndexArchive>>::new();
    for (version, target, hex, size, unpacked, entries, format) in rows {
        archives.entry(version).or_default().push(IndexArchive {
            target: parsed(&target, "a target")?,
            digest: digest(&hex)?,
            size: unsigned(size)?,
            unpacked: unsigned(unpacked)?,
            entries: unsigned(entries)?,
            format: from_json(&format!("\"{format}\""), "an archive format")?,
            provenance: None,
            sbom: None,
        });
    }
    Ok(archives)
}

fn read_version(row: VersionColumns, archives: Vec<IndexArchive>) -> Result<IndexVersion, DbError> {
    let (version, published_at, api, dependencies, yanked_at, reason, replacement) = row;
    let yanked = match yanked_at {
        None => None,
        Some(at) => Some(Yanked {
            reason,
            replacement,
            at: parsed(&at, "a point in time")?,
        }),
    };
    Ok(IndexVersion {
        version: parsed(&version, "a version")?,
        published_at: parsed(&published_at, "a point in time")?,
        api: api.map(|it| parsed(&it, "a version")).transpose()?,
        dependencies: from_json(&dependencies, "dependencies")?,
        yanked,
        archives,
    })
}
