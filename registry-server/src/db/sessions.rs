//! Publish sessions: what was declared, and how far it has come.

use jiff::Timestamp;
use provisioning_registry_api::session::{DeclaredVersion, SessionState};
use sqlx::AnyConnection;

use super::{Db, DbError, from_json, parsed, signed, to_json, unsigned};

/// A session as the database knows it. `Publishing` with a serial means committed: whether
/// everyone sees it already is the read side's to say.
#[derive(Debug, Clone)]
pub(crate) struct SessionRow {
    pub(crate) id: String,
    pub(crate) token: String,
    /// The declared versions and targets without their digests: what makes two sessions
    /// the same publish.
    pub(crate) shape: String,
    pub(crate) state: SessionState,
    pub(crate) reasons: Vec<String>,
    pub(crate) declared: Vec<DeclaredVersion>,
    pub(crate) since: Timestamp,
    pub(crate) serial: Option<u64>,
}

type Columns = (
    String,
    String,
    String,
    String,
    String,
    String,
    String,
    Option<i64>,
);

impl Db {
    /// Keeps a new session.
    pub(crate) async fn insert_session(&self, session: &SessionRow) -> Result<(), DbError> {
        sqlx::query(
            "INSERT INTO sessions (id, token, shape, state, reasons, declared, since) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(session.id.clone())
        .bind(session.token.clone())
        .bind(session.shape.clone())
        .bind(session.state.as_str().to_owned())
        .bind(to_json(&session.reasons))
        .bind(to_json(&session.declared))
        .bind(session.since.to_string())
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// The session called `id`.
    pub(crate) async fn session(&self, id: &str) -> Result<Option<SessionRow>, DbError> {
        let row: Option<Columns> = sqlx::query_as(
            "SELECT id, token, shape, state, reasons, declared, since, serial FROM sessions \
             WHERE id = $1",
        )
        .bind(id.to_owned())
        .fetch_optional(self.pool())
        .await?;
        row.map(read).transpose()
    }

    /// Sessions of one shape that still wait for archives, newest first.
    pub(crate) async fn uploading_sessions(&self, shape: &str) -> Result<Vec<SessionRow>, DbError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT id, token, shape, state, reasons, declared, since, serial FROM sessions \
             WHERE shape = $1 AND state = $2 ORDER BY since DESC, id LIMIT 16",
        )
        .bind(shape.to_owned())
        .bind(SessionState::Uploading.as_str().to_owned())
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

    /// Ends a session that can never become visible.
    pub(crate) async fn refuse_session(
        &self,
        id: &str,
        reasons: &[String],
        now: Timestamp,
    ) -> Result<(), DbError> {
        sqlx::query(
            "UPDATE sessions SET state = $1, reasons = $2, since = $3 \
             WHERE id = $4 AND state = $5",
        )
        .bind(SessionState::Refused.as_str().to_owned())
        .bind(to_json(&reasons))
        .bind(now.to_string())
        .bind(id.to_owned())
        .bind(SessionState::Uploading.as_str().to_owned())
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Ends every session that has waited for archives since before `then`.
    pub(crate) async fn refuse_sessions_before(
        &self,
        then: Timestamp,
        reasons: &[String],
        now: Timestamp,
    ) -> Result<u64, DbError> {
        let result = sqlx::query(
            "UPDATE sessions SET state = $1, reasons = $2, since = $3 \
             WHERE since < $4 AND state = $5",
        )
        .bind(SessionState::Refused.as_str().to_owned())
        .bind(to_json(&reasons))
        .bind(now.to_string())
        .bind(then.to_string())
        .bind(SessionState::Uploading.as_str().to_owned())
        .execute(self.pool())
        .await?;
        Ok(result.rows_affected())
    }
}

/// Marks a session as committed with `serial`.
pub(crate) async fn commit_session(
    connection: &mut AnyConnection,
    id: &str,
    serial: u64,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query("UPDATE sessions SET state = $1, serial = $2, since = $3 WHERE id = $4")
        .bind(SessionState::Publishing.as_str().to_owned())
        .bind(signed(serial))
        .bind(now.to_string())
        .bind(id.to_owned())
        .execute(connection)
        .await?;
    Ok(())
}

fn read(
    (id, token, shape, state, reasons, declared, since, serial): Columns,
) -> Result<SessionRow, DbError> {
    Ok(SessionRow {
        id,
        token,
        shape,
        state: from_json(&format!("\"{state}\""), "a session state")?,
        reasons: from_json(&reasons, "a list of reasons")?,
        declared: from_json(&declared, "declared versions")?,
        since: parsed(&since, "a point in time")?,
        serial: serial.map(unsigned).transpose()?,
    })
}
