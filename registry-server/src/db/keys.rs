//! Signing keys that several servers share. Only PostgreSQL has any: whoever can write to the
//! database decides what is published anyway, and a server beside it needs nothing carried over.

use std::collections::BTreeMap;

use super::{Db, DbError};

impl Db {
    /// The shared keys: PKCS#8 PEM texts by label.
    pub(crate) async fn shared_keys(&self) -> Result<BTreeMap<String, String>, DbError> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT label, pem FROM signing_keys ORDER BY label")
                .fetch_all(self.pool())
                .await?;
        Ok(rows.into_iter().collect())
    }

    /// Makes `keys` the ones that are shared.
    pub(crate) async fn share_keys(&self, keys: &BTreeMap<String, String>) -> Result<(), DbError> {
        let mut tx = self.write_quietly().await?;
        sqlx::query("DELETE FROM signing_keys")
            .execute(tx.connection())
            .await?;
        for (label, pem) in keys {
            sqlx::query("INSERT INTO signing_keys (label, pem) VALUES ($1, $2)")
                .bind(label.clone())
                .bind(pem.clone())
                .execute(tx.connection())
                .await?;
        }
        tx.commit().await
    }
}
