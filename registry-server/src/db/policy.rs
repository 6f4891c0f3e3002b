//! The settings that administrators change while the registry runs.

use sqlx::AnyConnection;

use super::{Db, DbError};
use crate::rules::policy::Policy;

impl Db {
    /// Every setting; defaults for those that nobody set. A setting of a newer program is
    /// passed over.
    pub(crate) async fn policy(&self) -> Result<Policy, DbError> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT name, value FROM settings ORDER BY name")
                .fetch_all(self.pool())
                .await?;
        rows.into_iter()
            .filter(|(name, _)| Policy::NAMES.contains(&name.as_str()))
            .try_fold(Policy::default(), |policy, (name, value)| {
                policy.with(&name, &value).map_err(|_| DbError::Value {
                    value,
                    expected: "the value of a setting",
                })
            })
    }
}

/// Keeps a setting.
pub(crate) async fn set(
    connection: &mut AnyConnection,
    name: &str,
    value: &str,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO settings (name, value) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(name.to_owned())
    .bind(value.to_owned())
    .execute(connection)
    .await?;
    Ok(())
}
