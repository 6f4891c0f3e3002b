//! Publish sessions: what was declared, and how far it has come.

use jiff::{SignedDuration, Timestamp};
use provisioning_registry_api::session::{DeclaredVersion, SessionState};
use sqlx::AnyConnection;

use super::{Db, DbError, from_json, parsed, signed, to_json, unsigned};
use crate::rules::session::{EXPIRING, Event, Standing};

/// A session as the database knows it. `Publishing` with a serial means committed: whether
/// everyone sees it already is the read side's to say.
#[derive(Debug, Clone)]
pub(crate) struct SessionRow {
    pub(crate) id: String,
    pub(crate) token: String,
    /// The declared versions and targets without their digests: what makes two sessions
    /// the same publish.
    pub(crate) shape: String,
    pub(crate) standing: Standing,
    pub(crate) declared: Vec<DeclaredVersion>,
    /// Who opened it, as the audit log calls them.
    pub(crate) opened_by: String,
    /// The user who opened it, where a user did.
    pub(crate) owner: Option<String>,
    /// The moderator who approved it.
    pub(crate) approved_by: Option<String>,
}

/// The columns of a session, in the order of [`Columns`].
const COLUMNS: &str = "id, token, shape, state, reasons, declared, since, serial, opened_by, \
                       owner, approved_by";

type Columns = (
    String,
    String,
    String,
    String,
    String,
    String,
    String,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<String>,
);

/// Keeps a new session.
pub(crate) async fn insert_session(
    connection: &mut AnyConnection,
    session: &SessionRow,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO sessions (id, token, shape, state, reasons, declared, since, opened_by, \
         owner) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(session.id.clone())
    .bind(session.token.clone())
    .bind(session.shape.clone())
    .bind(session.standing.state.as_str().to_owned())
    .bind(to_json(&session.standing.reasons))
    .bind(to_json(&session.declared))
    .bind(session.standing.since.to_string())
    .bind(session.opened_by.clone())
    .bind(session.owner.clone())
    .execute(connection)
    .await?;
    Ok(())
}

/// The session called `id`.
pub(crate) async fn session(
    connection: &mut AnyConnection,
    id: &str,
) -> Result<Option<SessionRow>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM sessions WHERE id = $1");
    let row: Option<Columns> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(id.to_owned())
        .fetch_optional(connection)
        .await?;
    row.map(read).transpose()
}

impl Db {
    /// The session called `id`.
    pub(crate) async fn session(&self, id: &str) -> Result<Option<SessionRow>, DbError> {
        let mut connection = self.pool().acquire().await?;
        session(&mut connection, id).await
    }

    /// Sessions of one shape that still wait for archives, newest first.
    pub(crate) async fn uploading_sessions(&self, shape: &str) -> Result<Vec<SessionRow>, DbError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM sessions WHERE shape = $1 AND state = $2 \
             ORDER BY since DESC, id LIMIT 16"
        );
        let rows: Vec<Columns> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(shape.to_owned())
            .bind(SessionState::Uploading.as_str().to_owned())
            .fetch_all(self.pool())
            .await?;
        rows.into_iter().map(read).collect()
    }

    /// Sessions in one state, those that have been in it longest first.
    pub(crate) async fn sessions_in(
        &self,
        state: SessionState,
        limit: u64,
    ) -> Result<Vec<SessionRow>, DbError> {
        let sql =
            format!("SELECT {COLUMNS} FROM sessions WHERE state = $1 ORDER BY since, id LIMIT $2");
        let rows: Vec<Columns> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(state.as_str().to_owned())
            .bind(signed(limit))
            .fetch_all(self.pool())
            .await?;
        rows.into_iter().map(read).collect()
    }

    /// Fills in digests of a session that another machine joined; `false` where somebody
    /// else changed it since `before` was read.
    pub(crate) async fn fill_session(
        &self,
        before: &SessionRow,
        declared: &[DeclaredVersion],
    ) -> Result<bool, DbError> {
        let result = sqlx::query(
            "UPDATE sessions SET declared = $1 WHERE id = $2 AND declared = $3 AND state = $4",
        )
        .bind(to_json(&declared))
        .bind(before.id.clone())
        .bind(to_json(&before.declared))
        .bind(SessionState::Uploading.as_str().to_owned())
        .execute(self.pool())
        .await?;
        Ok(result.rows_affected() == 1)
    }

    /// Moves a session to where `event` leads; `false` where it cannot take that step (any
    /// more): somebody else was faster. What it reserved is free once it has ended.
    pub(crate) async fn move_session(
        &self,
        row: &SessionRow,
        event: Event,
        now: Timestamp,
    ) -> Result<bool, DbError> {
        let Ok(next) = row.standing.after(event, now) else {
            return Ok(false);
        };
        let mut tx = self.write_quietly().await?;
        let result = sqlx::query(
            "UPDATE sessions SET state = $1, reasons = $2, since = $3 \
             WHERE id = $4 AND state = $5",
        )
        .bind(next.state.as_str().to_owned())
        .bind(to_json(&next.reasons))
        .bind(next.since.to_string())
        .bind(row.id.clone())
        .bind(row.standing.state.as_str().to_owned())
        .execute(tx.connection())
        .await?;
        let is_moved = result.rows_affected() == 1;
        if is_moved && next.state.is_ended() {
            super::reservations::release(tx.connection(), &row.id).await?;
        }
        tx.commit().await?;
        Ok(is_moved)
    }

    /// Ends every session whose time is over; how many there were.
    pub(crate) async fn expire_sessions(&self, now: Timestamp) -> Result<u64, DbError> {
        let mut ended = 0;
        for (state, hours) in EXPIRING {
            let then = now - SignedDuration::from_hours(hours);
            let sql = format!(
                "SELECT {COLUMNS} FROM sessions WHERE state = $1 AND since < $2 LIMIT 1000"
            );
            let rows: Vec<Columns> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
                .bind(state.as_str().to_owned())
                .bind(then.to_string())
                .fetch_all(self.pool())
                .await?;
            for row in rows {
                let is_moved = self.move_session(&read(row)?, Event::Expired, now).await?;
                ended += u64::from(is_moved);
            }
        }
        Ok(ended)
    }
}

/// Writes down a moderator's yes; `false` where the session waits for none.
pub(crate) async fn approve_session(
    connection: &mut AnyConnection,
    id: &str,
    moderator: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let result = sqlx::query(
        "UPDATE sessions SET approved_by = $1, approved_at = $2 WHERE id = $3 AND state = $4",
    )
    .bind(moderator.to_owned())
    .bind(now.to_string())
    .bind(id.to_owned())
    .bind(SessionState::AwaitingReview.as_str().to_owned())
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Writes down where a session stands once its versions are there.
pub(crate) async fn commit_session(
    connection: &mut AnyConnection,
    id: &str,
    next: &Standing,
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE sessions SET state = $1, serial = $2, since = $3, reasons = $4 WHERE id = $5",
    )
    .bind(next.state.as_str().to_owned())
    .bind(next.serial.map(signed))
    .bind(next.since.to_string())
    .bind(to_json(&next.reasons))
    .bind(id.to_owned())
    .execute(&mut *connection)
    .await?;
    super::reservations::release(connection, id).await
}

fn read(row: Columns) -> Result<SessionRow, DbError> {
    let (id, token, shape, state, reasons, declared, since, serial, opened_by, owner, approved) =
        row;
    Ok(SessionRow {
        id,
        token,
        shape,
        standing: Standing {
            state: from_json(&format!("\"{state}\""), "a session state")?,
            reasons: from_json(&reasons, "a list of reasons")?,
            since: parsed(&since, "a point in time")?,
            serial: serial.map(unsigned).transpose()?,
        },
        declared: from_json(&declared, "declared versions")?,
        opened_by: opened_by.unwrap_or_default(),
        owner,
        approved_by: approved,
    })
}
