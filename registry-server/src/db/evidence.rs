//! Testers, and the evidence that they signed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provisioning_bundles::KnownEvidence;
use provisioning_package::Digest;
use provisioning_registry_api::evidence::{SignedEvidence, Tester};
use sqlx::AnyConnection;

use super::{Db, DbError, digest, from_json, parsed, signed, to_json};

/// The newest evidence about one subject that is looked at; what is older was superseded.
const EVIDENCE_LOOKED_AT_MAX: i64 = 200;

type TesterColumns = (String, String, String, String, Option<String>);

/// Evidence that is about to be kept.
#[derive(Debug)]
pub(crate) struct NewEvidence<'a> {
    pub(crate) digest: Digest,
    pub(crate) subject: &'a str,
    pub(crate) tester: &'a str,
    pub(crate) key_id: &'a str,
    pub(crate) passed: bool,
    pub(crate) document: &'a SignedEvidence,
    pub(crate) received_at: Timestamp,
    pub(crate) serial: u64,
}

impl Db {
    /// Every tester by name, former ones too.
    pub(crate) async fn testers(&self) -> Result<BTreeMap<String, Tester>, DbError> {
        let rows: Vec<TesterColumns> = sqlx::query_as(
            "SELECT name, key_id, public_key, added_at, removed_at FROM testers ORDER BY name",
        )
        .fetch_all(self.pool())
        .await?;
        rows.into_iter().map(tester).collect()
    }

    /// One piece of evidence, as it was sent.
    pub(crate) async fn evidence(&self, digest: &Digest) -> Result<Option<String>, DbError> {
        let row: Option<(String,)> =
            sqlx::query_as("SELECT document FROM evidence WHERE digest = $1")
                .bind(digest.hex())
                .fetch_optional(self.pool())
                .await?;
        Ok(row.map(|(document,)| document))
    }
}

fn tester(row: TesterColumns) -> Result<(String, Tester), DbError> {
    let (name, key_id, public_key, added_at, removed_at) = row;
    let time = |text: &str| parsed(text, "a point in time");
    Ok((
        name,
        Tester {
            key_id,
            public_key,
            added_at: time(&added_at)?,
            removed_at: removed_at.as_deref().map(time).transpose()?,
        },
    ))
}

/// Whether anybody's evidence counts: then the gates are closed to what has none.
pub(crate) async fn has_testers(connection: &mut AnyConnection) -> Result<bool, DbError> {
    let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM testers WHERE removed_at IS NULL")
        .fetch_one(connection)
        .await?;
    Ok(count > 0)
}

/// The tester whose key this is; a former one is none.
pub(crate) async fn tester_of_key(
    connection: &mut AnyConnection,
    key_id: &str,
) -> Result<Option<(String, Tester)>, DbError> {
    let row: Option<TesterColumns> = sqlx::query_as(
        "SELECT name, key_id, public_key, added_at, removed_at FROM testers \
         WHERE key_id = $1 AND removed_at IS NULL",
    )
    .bind(key_id.to_owned())
    .fetch_optional(connection)
    .await?;
    row.map(tester).transpose()
}

/// Writes a tester down, or gives a known one another key.
pub(crate) async fn put_tester(
    connection: &mut AnyConnection,
    name: &str,
    tester: &Tester,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO testers (name, key_id, public_key, added_at, removed_at) \
         VALUES ($1, $2, $3, $4, NULL) \
         ON CONFLICT (name) DO UPDATE SET key_id = excluded.key_id, \
         public_key = excluded.public_key, added_at = excluded.added_at, removed_at = NULL",
    )
    .bind(name.to_owned())
    .bind(tester.key_id.clone())
    .bind(tester.public_key.clone())
    .bind(tester.added_at.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes somebody's evidence count no more; `false` where nobody is called so.
pub(crate) async fn remove_tester(
    connection: &mut AnyConnection,
    name: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let done =
        sqlx::query("UPDATE testers SET removed_at = $1 WHERE name = $2 AND removed_at IS NULL")
            .bind(now.to_string())
            .bind(name.to_owned())
            .execute(connection)
            .await?;
    Ok(done.rows_affected() > 0)
}

/// Keeps evidence; `false` where it was kept before.
pub(crate) async fn insert_evidence(
    connection: &mut AnyConnection,
    new: &NewEvidence<'_>,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "INSERT INTO evidence \
         (digest, subject, tester, key_id, passed, document, received_at, serial) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (digest) DO NOTHING",
    )
    .bind(new.digest.hex())
    .bind(new.subject.to_owned())
    .bind(new.tester.to_owned())
    .bind(new.key_id.to_owned())
    .bind(i64::from(new.passed))
    .bind(to_json(new.document))
    .bind(new.received_at.to_string())
    .bind(signed(new.serial))
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// The evidence about a subject that counts, newest first.
pub(crate) async fn known_evidence(
    connection: &mut AnyConnection,
    subject: &str,
) -> Result<Vec<KnownEvidence>, DbError> {
    let rows: Vec<(String, String, String, String)> = sqlx::query_as(
        "SELECT e.digest, e.tester, e.received_at, e.document FROM evidence e \
         JOIN testers t ON t.name = e.tester AND t.key_id = e.key_id \
         WHERE e.subject = $1 AND t.removed_at IS NULL ORDER BY e.serial DESC LIMIT $2",
    )
    .bind(subject.to_owned())
    .bind(EVIDENCE_LOOKED_AT_MAX)
    .fetch_all(connection)
    .await?;
    let mut known = Vec::new();
    for (hex, tester, received_at, document) in rows {
        let document: SignedEvidence = from_json(&document, "signed evidence")?;
        // It was read before it was kept; a newer server's form is passed over.
        let Ok(evidence) = document.read() else {
            continue;
        };
        known.push(KnownEvidence {
            digest: digest(&hex)?,
            tester,
            received_at: parsed(&received_at, "a point in time")?,
            evidence,
        });
    }
    Ok(known)
}
