//! Updates, a row each.

use provisioning_registry_api::update::{Update, UpdateState};
use sqlx::AnyConnection;

use super::{Db, DbError, from_json, signed, to_json};

/// Updates that are listed.
const UPDATES_LISTED_MAX: i64 = 200;

impl Db {
    /// The newest updates, newest first.
    pub(crate) async fn updates(&self) -> Result<Vec<Update>, DbError> {
        let rows: Vec<(String,)> =
            sqlx::query_as("SELECT document FROM updates ORDER BY id DESC LIMIT $1")
                .bind(UPDATES_LISTED_MAX)
                .fetch_all(self.pool())
                .await?;
        rows.iter()
            .map(|(it,)| from_json(it, "an update"))
            .collect()
    }
}

const fn word(state: UpdateState) -> &'static str {
    match state {
        UpdateState::Testing => "testing",
        UpdateState::Stable => "stable",
        UpdateState::Rejected => "rejected",
    }
}

/// Every update that still waits, oldest first.
pub(crate) async fn open_updates(connection: &mut AnyConnection) -> Result<Vec<Update>, DbError> {
    let rows: Vec<(String,)> =
        sqlx::query_as("SELECT document FROM updates WHERE state = $1 ORDER BY id")
            .bind(word(UpdateState::Testing).to_owned())
            .fetch_all(connection)
            .await?;
    rows.iter()
        .map(|(it,)| from_json(it, "an update"))
        .collect()
}

/// One update.
pub(crate) async fn update(
    connection: &mut AnyConnection,
    id: u64,
) -> Result<Option<Update>, DbError> {
    let row: Option<(String,)> = sqlx::query_as("SELECT document FROM updates WHERE id = $1")
        .bind(signed(id))
        .fetch_optional(connection)
        .await?;
    row.map(|(it,)| from_json(&it, "an update")).transpose()
}

/// The number of the next update.
pub(crate) async fn next_update(connection: &mut AnyConnection) -> Result<u64, DbError> {
    let (last,): (Option<i64>,) = sqlx::query_as("SELECT MAX(id) FROM updates")
        .fetch_one(connection)
        .await?;
    super::unsigned(last.unwrap_or(0) + 1)
}

/// Writes an update.
pub(crate) async fn put_update(
    connection: &mut AnyConnection,
    update: &Update,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO updates (id, state, document) VALUES ($1, $2, $3) \
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, document = excluded.document",
    )
    .bind(signed(update.id))
    .bind(word(update.state).to_owned())
    .bind(to_json(update))
    .execute(connection)
    .await?;
    Ok(())
}
