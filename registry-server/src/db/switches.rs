//! Switches that are thrown.

use provisioning_registry_api::operation::Switch;

use super::{Db, DbError, QuietTx, parsed};

impl Db {
    /// Every switch that is thrown, by name.
    pub(crate) async fn switches(&self) -> Result<Vec<Switch>, DbError> {
        let rows: Vec<(String, String, String, String)> =
            sqlx::query_as("SELECT name, reason, thrown_by, since FROM switches ORDER BY name")
                .fetch_all(self.pool())
                .await?;
        rows.into_iter()
            .map(|(name, reason, by, since)| {
                Ok(Switch {
                    name,
                    reason,
                    by,
                    since: parsed(&since, "a point in time")?,
                })
            })
            .collect()
    }
}

/// Throws a switch; one that is thrown already gets the new reason.
pub(crate) async fn throw(tx: &mut QuietTx, switch: &Switch) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO switches (name, reason, thrown_by, since) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (name) DO UPDATE SET reason = excluded.reason, \
         thrown_by = excluded.thrown_by, since = excluded.since",
    )
    .bind(switch.name.clone())
    .bind(switch.reason.clone())
    .bind(switch.by.clone())
    .bind(switch.since.to_string())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Takes a switch back; says whether it was thrown.
pub(crate) async fn clear(tx: &mut QuietTx, name: &str) -> Result<bool, DbError> {
    let result = sqlx::query("DELETE FROM switches WHERE name = $1")
        .bind(name.to_owned())
        .execute(tx.connection())
        .await?;
    Ok(result.rows_affected() == 1)
}
