//! Packages, and the names that they share with bundles.

use jiff::Timestamp;
use provisioning_package::{ExtensionType, PackageName};
use provisioning_registry_api::index::{INDEX_SCHEMA, IndexEntry, PackageStatus};
use sqlx::AnyConnection;

use super::versions::index_versions;
use super::{Db, DbError, from_json, to_json};

/// What holds a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    Package,
    Bundle,
}

impl Holder {
    /// The word that the database and messages use.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Package => "package",
            Self::Bundle => "bundle",
        }
    }
}

/// What a package's newest version says about the package itself.
#[derive(Debug, Clone)]
pub(crate) struct PackageFacts {
    pub(crate) name: PackageName,
    pub(crate) extension_type: Option<ExtensionType>,
    pub(crate) description: Option<String>,
    pub(crate) keywords: Vec<String>,
    pub(crate) license: Option<String>,
    pub(crate) repository: Option<String>,
}

type Columns = (
    String,
    Option<String>,
    Option<String>,
    String,
    Option<String>,
    Option<String>,
    String,
    Option<String>,
    Option<String>,
);

/// Takes `name` for `holder` where it is free, and says who holds it now.
pub(crate) async fn claim_name(
    connection: &mut AnyConnection,
    name: &str,
    holder: Holder,
) -> Result<Holder, DbError> {
    sqlx::query("INSERT INTO names (name, holder) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
        .bind(name.to_owned())
        .bind(holder.as_str().to_owned())
        .execute(&mut *connection)
        .await?;
    let (found,): (String,) = sqlx::query_as("SELECT holder FROM names WHERE name = $1")
        .bind(name.to_owned())
        .fetch_one(connection)
        .await?;
    match found.as_str() {
        "package" => Ok(Holder::Package),
        "bundle" => Ok(Holder::Bundle),
        _ => Err(DbError::Value {
            value: found,
            expected: "`package` or `bundle`",
        }),
    }
}

/// Writes what a package's newest version says about it.
pub(crate) async fn upsert_package(
    connection: &mut AnyConnection,
    facts: &PackageFacts,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO packages (name, kind, extension_type, description, keywords, license, \
         repository, state, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'active', $8) \
         ON CONFLICT (name) DO UPDATE SET extension_type = excluded.extension_type, \
         description = excluded.description, keywords = excluded.keywords, \
         license = excluded.license, repository = excluded.repository",
    )
    .bind(facts.name.as_str().to_owned())
    .bind(facts.name.kind().as_str().to_owned())
    .bind(facts.extension_type.map(|it| it.as_str().to_owned()))
    .bind(facts.description.clone())
    .bind(to_json(&facts.keywords))
    .bind(facts.license.clone())
    .bind(facts.repository.clone())
    .bind(now.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

/// The index entry of one package, as this connection sees it.
pub(crate) async fn index_entry(
    connection: &mut AnyConnection,
    name: &PackageName,
) -> Result<Option<IndexEntry>, DbError> {
    let row: Option<Columns> = sqlx::query_as(
        "SELECT name, extension_type, description, keywords, license, repository, state, \
         state_reason, state_replacement FROM packages WHERE name = $1",
    )
    .bind(name.as_str().to_owned())
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let mut entry = read(row)?;
    entry.versions = index_versions(connection, name).await?;
    Ok(Some(entry))
}

impl Db {
    /// Every package, by name.
    pub(crate) async fn package_names(&self) -> Result<Vec<PackageName>, DbError> {
        let rows: Vec<(String,)> = sqlx::query_as("SELECT name FROM packages ORDER BY name")
            .fetch_all(self.pool())
            .await?;
        rows.into_iter().map(|(name,)| read_name(&name)).collect()
    }

    /// Whether a package of this name was ever published.
    pub(crate) async fn has_package(&self, name: &PackageName) -> Result<bool, DbError> {
        let row: Option<(String,)> = sqlx::query_as("SELECT name FROM packages WHERE name = $1")
            .bind(name.as_str().to_owned())
            .fetch_optional(self.pool())
            .await?;
        Ok(row.is_some())
    }

    /// The index entry of one package.
    pub(crate) async fn index_entry(
        &self,
        name: &PackageName,
    ) -> Result<Option<IndexEntry>, DbError> {
        let mut connection = self.pool().acquire().await?;
        index_entry(&mut connection, name).await
    }
}

fn read(row: Columns) -> Result<IndexEntry, DbError> {
    let (name, extension_type, description, keywords, license, repository, state, why, instead) =
        row;
    let name = read_name(&name)?;
    Ok(IndexEntry {
        schema: INDEX_SCHEMA,
        kind: name.kind(),
        name,
        extension_type: extension_type
            .map(|it| from_json(&format!("\"{it}\""), "an extension type"))
            .transpose()?,
        description,
        keywords: from_json(&keywords, "a list of keywords")?,
        license,
        repository,
        status: PackageStatus {
            state: from_json(&format!("\"{state}\""), "a package state")?,
            reason: why,
            replacement: instead,
        },
        versions: Vec::new(),
        unread: Vec::new(),
    })
}

pub(crate) fn read_name(text: &str) -> Result<PackageName, DbError> {
    PackageName::parse(text).map_err(|_| DbError::Value {
        value: text.to_owned(),
        expected: "a package name",
    })
}
