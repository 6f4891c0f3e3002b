//! Published bundles, a row for each sequence.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provisioning_package::BundleName;
use provisioning_registry_api::bundle::{BUNDLE_SCHEMA, BundleDocument, BundleSequence};
use sqlx::AnyConnection;

use super::{Db, DbError, from_json, signed, to_json};

impl Db {
    /// Every bundle with all its sequences, by name.
    pub(crate) async fn bundles(&self) -> Result<Vec<BundleDocument>, DbError> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT bundle, document FROM bundle_sequences ORDER BY bundle, sequence",
        )
        .fetch_all(self.pool())
        .await?;
        let mut documents = BTreeMap::<BundleName, BundleDocument>::new();
        for (name, document) in rows {
            let name = BundleName::parse(&name).map_err(|_| DbError::Value {
                value: name,
                expected: "a bundle name",
            })?;
            documents
                .entry(name.clone())
                .or_insert_with(|| BundleDocument {
                    schema: BUNDLE_SCHEMA,
                    name,
                    sequences: Vec::new(),
                })
                .sequences
                .push(from_json(&document, "a bundle's sequence")?);
        }
        Ok(documents.into_values().collect())
    }
}

/// Every sequence of one bundle, oldest first.
pub(crate) async fn sequences(
    connection: &mut AnyConnection,
    bundle: &BundleName,
) -> Result<Vec<BundleSequence>, DbError> {
    let rows: Vec<(String,)> =
        sqlx::query_as("SELECT document FROM bundle_sequences WHERE bundle = $1 ORDER BY sequence")
            .bind(bundle.as_str().to_owned())
            .fetch_all(connection)
            .await?;
    rows.iter()
        .map(|(document,)| from_json(document, "a bundle's sequence"))
        .collect()
}

/// Writes a sequence; one of the same number (its state moved) is replaced.
pub(crate) async fn put_sequence(
    connection: &mut AnyConnection,
    bundle: &BundleName,
    sequence: &BundleSequence,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO bundle_sequences (bundle, sequence, document, published_at) \
         VALUES ($1, $2, $3, $4) \
         ON CONFLICT (bundle, sequence) DO UPDATE SET document = excluded.document",
    )
    .bind(bundle.as_str().to_owned())
    .bind(signed(sequence.sequence))
    .bind(to_json(sequence))
    .bind(now.to_string())
    .execute(connection)
    .await?;
    Ok(())
}
