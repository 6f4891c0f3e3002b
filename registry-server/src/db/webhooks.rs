//! Webhooks, and what became of their messages.

use jiff::Timestamp;
use provisioning_registry_api::webhook::{Delivery, WebhookState};
use sqlx::AnyConnection;

use super::{Db, DbError, QuietTx, from_json, parsed, signed, to_json, unsigned};
use crate::webhooks::Secret;

/// Tries of a webhook that are kept.
const ATTEMPTS_MAX: i64 = 50;

/// A webhook as the database has it.
#[derive(Debug, Clone)]
pub(crate) struct WebhookRow {
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) secret: Secret,
    pub(crate) events: Vec<String>,
    pub(crate) state: WebhookState,
    pub(crate) created_by: String,
    pub(crate) created_at: Timestamp,
    /// The last line of the audit log that it knows.
    pub(crate) number: u64,
    /// The serial of that line.
    pub(crate) serial: u64,
    pub(crate) failures: u64,
    pub(crate) next_try: Option<Timestamp>,
}

/// One try to send a message.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) message: String,
    pub(crate) at: Timestamp,
    pub(crate) is_delivered: bool,
    pub(crate) outcome: String,
}

type Columns = (
    String,
    String,
    String,
    String,
    String,
    String,
    String,
    i64,
    i64,
    i64,
    Option<String>,
);

const COLUMNS: &str = "id, url, secret, events, state, created_by, created_at, number, serial, \
                       failures, next_try";

/// Adds a webhook.
pub(crate) async fn insert(tx: &mut QuietTx, hook: &WebhookRow) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO webhooks (id, url, secret, events, state, created_by, created_at, number, \
         serial, failures) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)",
    )
    .bind(hook.id.clone())
    .bind(hook.url.clone())
    .bind(hook.secret.reveal())
    .bind(to_json(&hook.events))
    .bind(word(hook.state).to_owned())
    .bind(hook.created_by.clone())
    .bind(hook.created_at.to_string())
    .bind(signed(hook.number))
    .bind(signed(hook.serial))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Takes a webhook away; says whether it was there.
pub(crate) async fn delete(tx: &mut QuietTx, id: &str) -> Result<bool, DbError> {
    for table in ["webhook_attempts WHERE webhook", "webhooks WHERE id"] {
        let sql = format!("DELETE FROM {table} = $1");
        let result = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id.to_owned())
            .execute(tx.connection())
            .await?;
        if table.starts_with("webhooks") {
            return Ok(result.rows_affected() == 1);
        }
    }
    Ok(false)
}

/// Lets a webhook begin again at once.
pub(crate) async fn resume(tx: &mut QuietTx, id: &str) -> Result<bool, DbError> {
    let result = sqlx::query(
        "UPDATE webhooks SET state = 'active', failures = 0, next_try = NULL WHERE id = $1",
    )
    .bind(id.to_owned())
    .execute(tx.connection())
    .await?;
    Ok(result.rows_affected() == 1)
}

impl Db {
    /// Every webhook, oldest first.
    pub(crate) async fn webhooks(&self) -> Result<Vec<WebhookRow>, DbError> {
        let sql = format!("SELECT {COLUMNS} FROM webhooks ORDER BY created_at, id");
        let rows: Vec<Columns> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .fetch_all(self.pool())
            .await?;
        rows.into_iter().map(read).collect()
    }

    /// The webhook called `id`.
    pub(crate) async fn webhook(&self, id: &str) -> Result<Option<WebhookRow>, DbError> {
        let sql = format!("SELECT {COLUMNS} FROM webhooks WHERE id = $1");
        let row: Option<Columns> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(id.to_owned())
            .fetch_optional(self.pool())
            .await?;
        row.map(read).transpose()
    }

    /// Webhooks that may be told something now and do not know serial `newest`.
    pub(crate) async fn due_webhooks(
        &self,
        newest: u64,
        now: Timestamp,
    ) -> Result<Vec<WebhookRow>, DbError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM webhooks WHERE state = 'active' AND serial < $1 \
             AND (next_try IS NULL OR next_try <= $2) \
             AND (leased_until IS NULL OR leased_until <= $2) ORDER BY id"
        );
        let rows: Vec<Columns> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(signed(newest))
            .bind(now.to_string())
            .fetch_all(self.pool())
            .await?;
        rows.into_iter().map(read).collect()
    }

    /// Takes or renews the right to tell a webhook something; `false` where another has it,
    /// or it was told meanwhile, or is gone.
    pub(crate) async fn lease_webhook(
        &self,
        hook: &WebhookRow,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, DbError> {
        let result = sqlx::query(
            "UPDATE webhooks SET leased_by = $1, leased_until = $2 WHERE id = $3 \
             AND number = $4 AND state = 'active' \
             AND (leased_by = $1 OR leased_until IS NULL OR leased_until <= $5)",
        )
        .bind(holder.to_owned())
        .bind(until.to_string())
        .bind(hook.id.clone())
        .bind(signed(hook.number))
        .bind(now.to_string())
        .execute(self.pool())
        .await?;
        Ok(result.rows_affected() == 1)
    }

    /// Gives the right back: the webhook knows everything up to a serial.
    pub(crate) async fn release_webhook(
        &self,
        id: &str,
        holder: &str,
        serial: u64,
    ) -> Result<(), DbError> {
        sqlx::query(
            "UPDATE webhooks SET leased_by = NULL, leased_until = NULL, serial = $1 \
             WHERE id = $2 AND leased_by = $3",
        )
        .bind(signed(serial))
        .bind(id.to_owned())
        .bind(holder.to_owned())
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Remembers that a webhook knows a line; whether the right to tell it more still holds.
    pub(crate) async fn webhook_told(
        &self,
        id: &str,
        holder: &str,
        (number, serial): (u64, u64),
        attempt: Option<&Attempt>,
    ) -> Result<bool, DbError> {
        let mut tx = self.write_quietly().await?;
        let result = sqlx::query(
            "UPDATE webhooks SET number = $1, serial = $2, failures = 0, next_try = NULL \
             WHERE id = $3 AND leased_by = $4",
        )
        .bind(signed(number))
        .bind(signed(serial))
        .bind(id.to_owned())
        .bind(holder.to_owned())
        .execute(tx.connection())
        .await?;
        if let Some(attempt) = attempt {
            remember(tx.connection(), id, attempt).await?;
        }
        tx.commit().await?;
        Ok(result.rows_affected() == 1)
    }

    /// Remembers that a message was not taken, and gives the right to tell more back.
    pub(crate) async fn webhook_failed(
        &self,
        id: &str,
        holder: &str,
        (failures, next_try, state): (u64, Option<Timestamp>, WebhookState),
        attempt: &Attempt,
    ) -> Result<(), DbError> {
        let mut tx = self.write_quietly().await?;
        sqlx::query(
            "UPDATE webhooks SET failures = $1, next_try = $2, state = $3, leased_by = NULL, \
             leased_until = NULL WHERE id = $4 AND leased_by = $5",
        )
        .bind(signed(failures))
        .bind(next_try.map(|it| it.to_string()))
        .bind(word(state).to_owned())
        .bind(id.to_owned())
        .bind(holder.to_owned())
        .execute(tx.connection())
        .await?;
        remember(tx.connection(), id, attempt).await?;
        tx.commit().await
    }

    /// The newest tries of a webhook, newest first.
    pub(crate) async fn webhook_attempts(&self, id: &str) -> Result<Vec<Delivery>, DbError> {
        let rows: Vec<(String, String, i64, String)> = sqlx::query_as(
            "SELECT message, at, is_delivered, outcome FROM webhook_attempts WHERE webhook = $1 \
             ORDER BY attempt DESC",
        )
        .bind(id.to_owned())
        .fetch_all(self.pool())
        .await?;
        rows.into_iter()
            .map(|(message, at, is_delivered, outcome)| {
                Ok(Delivery {
                    message,
                    at: parsed(&at, "a point in time")?,
                    delivered: is_delivered != 0,
                    outcome,
                })
            })
            .collect()
    }
}

async fn remember(
    connection: &mut AnyConnection,
    id: &str,
    attempt: &Attempt,
) -> Result<(), DbError> {
    let (last,): (i64,) =
        sqlx::query_as("SELECT COALESCE(MAX(attempt), 0) FROM webhook_attempts WHERE webhook = $1")
            .bind(id.to_owned())
            .fetch_one(&mut *connection)
            .await?;
    sqlx::query(
        "INSERT INTO webhook_attempts (webhook, attempt, message, at, is_delivered, outcome) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id.to_owned())
    .bind(last + 1)
    .bind(attempt.message.clone())
    .bind(attempt.at.to_string())
    .bind(i64::from(attempt.is_delivered))
    .bind(attempt.outcome.clone())
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM webhook_attempts WHERE webhook = $1 AND attempt <= $2")
        .bind(id.to_owned())
        .bind(last + 1 - ATTEMPTS_MAX)
        .execute(connection)
        .await?;
    Ok(())
}

const fn word(state: WebhookState) -> &'static str {
    match state {
        WebhookState::Active => "active",
        WebhookState::Stopped => "stopped",
    }
}

fn read(row: Columns) -> Result<WebhookRow, DbError> {
    let (id, url, secret, events, state, created_by, created_at, number, serial, failures, next) =
        row;
    Ok(WebhookRow {
        secret: Secret::parse(&secret).ok_or_else(|| DbError::Value {
            // Whatever stands there may be a secret.
            value: format!("something in webhook {id}"),
            expected: "a secret",
        })?,
        id,
        url,
        events: from_json(&events, "a list of events")?,
        state: from_json(&format!("\"{state}\""), "a webhook's state")?,
        created_by,
        created_at: parsed(&created_at, "a point in time")?,
        number: unsigned(number)?,
        serial: unsigned(serial)?,
        failures: unsigned(failures)?,
        next_try: next.map(|it| parsed(&it, "a point in time")).transpose()?,
    })
}
