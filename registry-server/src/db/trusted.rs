//! Issuers, the CI that may publish a package, and which of their tokens were taken.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provisioning_package::PackageName;
use provisioning_registry_api::trusted::{Issuer, IssuerKind, PutIssuer, TrustedPublisher};
use sqlx::AnyConnection;

use super::packages::read_name;
use super::{Db, DbError, from_json, parsed, to_json};

type IssuerColumns = (String, String, String, Option<String>);
type PublisherColumns = (
    String,
    String,
    String,
    String,
    i64,
    String,
    String,
    Option<String>,
);

const PUBLISHER_COLUMNS: &str =
    "id, package, issuer, claims, pending, created_by, created_at, last_used_at";

/// Keeps an issuer in the place of an earlier one of that name; `false` where another name
/// has its URL.
pub(crate) async fn put_issuer(
    connection: &mut AnyConnection,
    name: &str,
    issuer: &PutIssuer,
) -> Result<bool, DbError> {
    let taken: Option<(String,)> =
        sqlx::query_as("SELECT name FROM oidc_issuers WHERE url = $1 AND name <> $2")
            .bind(issuer.url.clone())
            .bind(name.to_owned())
            .fetch_optional(&mut *connection)
            .await?;
    if taken.is_some() {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO oidc_issuers (name, url, kind, audience) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (name) DO UPDATE SET url = excluded.url, kind = excluded.kind, \
         audience = excluded.audience",
    )
    .bind(name.to_owned())
    .bind(issuer.url.clone())
    .bind(issuer.kind.as_str().to_owned())
    .bind(issuer.audience.clone())
    .execute(connection)
    .await?;
    Ok(true)
}

/// Forgets an issuer; the publishers that name it can do nothing from then on.
pub(crate) async fn remove_issuer(
    connection: &mut AnyConnection,
    name: &str,
) -> Result<bool, DbError> {
    let result = sqlx::query("DELETE FROM oidc_issuers WHERE name = $1")
        .bind(name.to_owned())
        .execute(connection)
        .await?;
    Ok(result.rows_affected() == 1)
}

/// Keeps a publisher.
pub(crate) async fn insert_publisher(
    connection: &mut AnyConnection,
    publisher: &TrustedPublisher,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO trusted_publishers (id, package, issuer, claims, pending, created_by, \
         created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(publisher.id.clone())
    .bind(publisher.name.as_str().to_owned())
    .bind(publisher.issuer.clone())
    .bind(to_json(&publisher.claims))
    .bind(i64::from(publisher.pending))
    .bind(publisher.created_by.clone())
    .bind(publisher.created_at.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets a publisher of a package.
pub(crate) async fn remove_publisher(
    connection: &mut AnyConnection,
    package: &PackageName,
    id: &str,
) -> Result<bool, DbError> {
    let result = sqlx::query("DELETE FROM trusted_publishers WHERE package = $1 AND id = $2")
        .bind(package.as_str().to_owned())
        .bind(id.to_owned())
        .execute(connection)
        .await?;
    Ok(result.rows_affected() == 1)
}

/// Writes down a use, and what the publisher asks for from now on; `false` where somebody
/// changed it meanwhile.
pub(crate) async fn use_publisher(
    connection: &mut AnyConnection,
    before: &TrustedPublisher,
    claims: &BTreeMap<String, String>,
    now: Timestamp,
) -> Result<bool, DbError> {
    let result = sqlx::query(
        "UPDATE trusted_publishers SET claims = $1, last_used_at = $2 \
         WHERE id = $3 AND claims = $4",
    )
    .bind(to_json(claims))
    .bind(now.to_string())
    .bind(before.id.clone())
    .bind(to_json(&before.claims))
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Takes a token of an issuer; `false` where it was taken before.
pub(crate) async fn take_proof(
    connection: &mut AnyConnection,
    (issuer, token): (&str, &str),
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<bool, DbError> {
    // What has ended is refused for that: it need not be remembered.
    sqlx::query("DELETE FROM oidc_seen WHERE expires_at < $1")
        .bind(now.to_string())
        .execute(&mut *connection)
        .await?;
    let result = sqlx::query(
        "INSERT INTO oidc_seen (issuer, token, expires_at) VALUES ($1, $2, $3) \
         ON CONFLICT (issuer, token) DO NOTHING",
    )
    .bind(issuer.to_owned())
    .bind(token.to_owned())
    .bind(expires_at.to_string())
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Ends the waiting of publishers for a package that exists now: those of its owner go on,
/// those that others asked for lost the race for the name.
pub(crate) async fn settle_pending(
    connection: &mut AnyConnection,
    package: &PackageName,
    owner: Option<&str>,
) -> Result<(), DbError> {
    sqlx::query(
        "DELETE FROM trusted_publishers WHERE package = $1 AND pending = 1 AND created_by <> $2",
    )
    .bind(package.as_str().to_owned())
    .bind(owner.unwrap_or_default().to_owned())
    .execute(&mut *connection)
    .await?;
    sqlx::query("UPDATE trusted_publishers SET pending = 0 WHERE package = $1 AND pending = 1")
        .bind(package.as_str().to_owned())
        .execute(connection)
        .await?;
    Ok(())
}

impl Db {
    /// Every issuer, by name; `audience` is that of those that have none of their own.
    pub(crate) async fn issuers(&self, audience: &str) -> Result<Vec<Issuer>, DbError> {
        let rows: Vec<IssuerColumns> =
            sqlx::query_as("SELECT name, url, kind, audience FROM oidc_issuers ORDER BY name")
                .fetch_all(self.pool())
                .await?;
        rows.into_iter()
            .map(|(name, url, kind, own)| {
                Ok(Issuer {
                    name,
                    url,
                    kind: parsed::<IssuerKind>(&kind, "a kind of issuer")?,
                    audience: own.unwrap_or_else(|| audience.to_owned()),
                })
            })
            .collect()
    }

    /// The CI that may publish a package, oldest first.
    pub(crate) async fn publishers_of(
        &self,
        package: &PackageName,
    ) -> Result<Vec<TrustedPublisher>, DbError> {
        self.publishers("package", package.as_str()).await
    }

    /// The publishers that name an issuer, oldest first.
    pub(crate) async fn publishers_with(
        &self,
        issuer: &str,
    ) -> Result<Vec<TrustedPublisher>, DbError> {
        self.publishers("issuer", issuer).await
    }

    async fn publishers(
        &self,
        column: &'static str,
        value: &str,
    ) -> Result<Vec<TrustedPublisher>, DbError> {
        let sql = format!(
            "SELECT {PUBLISHER_COLUMNS} FROM trusted_publishers WHERE {column} = $1 \
             ORDER BY created_at, id"
        );
        let rows: Vec<PublisherColumns> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(value.to_owned())
            .fetch_all(self.pool())
            .await?;
        rows.into_iter().map(read_publisher).collect()
    }
}

fn read_publisher(row: PublisherColumns) -> Result<TrustedPublisher, DbError> {
    let (id, package, issuer, claims, pending, created_by, created, last) = row;
    let name = read_name(&package)?;
    Ok(TrustedPublisher {
        id,
        kind: name.kind(),
        name,
        issuer,
        claims: from_json(&claims, "claims")?,
        pending: pending != 0,
        created_by,
        created_at: parsed(&created, "a point in time")?,
        last_used_at: last.map(|it| parsed(&it, "a point in time")).transpose()?,
    })
}
