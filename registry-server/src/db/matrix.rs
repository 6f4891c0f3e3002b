//! The compatibility matrix, and every one that it replaced.

use jiff::Timestamp;
use provisioning_package::Digest;
use sqlx::AnyConnection;

use super::{Db, DbError, digest, signed};

impl Db {
    /// The text of the matrix that is in force.
    pub(crate) async fn matrix_text(&self) -> Result<Option<String>, DbError> {
        let row: Option<(String,)> =
            sqlx::query_as("SELECT text FROM matrices ORDER BY serial DESC LIMIT 1")
                .fetch_optional(self.pool())
                .await?;
        Ok(row.map(|(text,)| text))
    }
}

/// The digest of the matrix that is in force, and its serial.
pub(crate) async fn matrix_head(
    connection: &mut AnyConnection,
) -> Result<Option<(Digest, u64)>, DbError> {
    let row: Option<(String, i64)> =
        sqlx::query_as("SELECT digest, serial FROM matrices ORDER BY serial DESC LIMIT 1")
            .fetch_optional(connection)
            .await?;
    row.map(|(hex, serial)| Ok((digest(&hex)?, super::unsigned(serial)?)))
        .transpose()
}

/// Puts a new matrix in force.
pub(crate) async fn insert_matrix(
    connection: &mut AnyConnection,
    serial: u64,
    text: &str,
    now: Timestamp,
) -> Result<Digest, DbError> {
    let digest = Digest::of(text.as_bytes());
    sqlx::query("INSERT INTO matrices (serial, digest, text, pushed_at) VALUES ($1, $2, $3, $4)")
        .bind(signed(serial))
        .bind(digest.hex())
        .bind(text.to_owned())
        .bind(now.to_string())
        .execute(connection)
        .await?;
    Ok(digest)
}
