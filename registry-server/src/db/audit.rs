//! The audit log: who changed what, append-only, each row chained to the one before it.
//!
//! Rows are appended as the last thing of a transaction, by the row of `audit_head`, so that
//! writers wait for each other for a moment only and in one order.

use jiff::Timestamp;
use sqlx::AnyConnection;

use super::{Db, DbError, parsed, signed, unsigned};
use crate::rules::audit_chain::{ChainedRow, link};

/// Rows that are read at a time.
const PAGE_ROWS: u64 = 1_000;

/// A line of the log that is about to be written.
#[derive(Debug, Clone)]
pub(crate) struct AuditEntry {
    pub(crate) at: Timestamp,
    pub(crate) actor: String,
    pub(crate) action: String,
    pub(crate) subject: String,
    pub(crate) detail: String,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuditRow {
    pub(crate) chained: ChainedRow,
    pub(crate) hash: String,
}

/// The newest line of the chain; number 0 before the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuditHead {
    pub(crate) number: u64,
    pub(crate) hash: String,
}

/// What a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A change with a serial of its own.
    Change {
        /// The serial.
        serial: u64,
        /// Whether those who install can see it.
        is_seen: bool,
    },
    /// A change without one: nobody who installs can see it.
    Quiet,
}

type Columns = (
    i64,
    i64,
    i64,
    String,
    String,
    String,
    String,
    String,
    i64,
    String,
);

const COLUMNS: &str =
    "number, serial, position, at, actor, action, subject, detail, is_event, hash";

/// Appends lines to the chain; the transaction must commit right after it.
pub(crate) async fn append(
    connection: &mut AnyConnection,
    place: Place,
    entries: &[AuditEntry],
) -> Result<(), DbError> {
    if entries.is_empty() {
        return Ok(());
    }
    let head = take_head(connection).await?;
    let (serial, mut position) = match place {
        Place::Change { serial, .. } => (serial, 0),
        Place::Quiet => quiet_place(connection).await?,
    };
    let mut number = head.number;
    let mut hash = head.hash;
    for entry in entries {
        number += 1;
        position += 1;
        let row = ChainedRow {
            number,
            serial,
            position,
            at: entry.at.to_string(),
            actor: entry.actor.clone(),
            action: entry.action.clone(),
            subject: entry.subject.clone(),
            detail: entry.detail.clone(),
            is_event: matches!(place, Place::Change { is_seen: true, .. }),
        };
        hash = link(&hash, &row);
        insert(connection, &row, &hash).await?;
        tracing::info!(
            audit.number = number,
            audit.hash = hash,
            actor = row.actor,
            action = row.action,
            subject = row.subject,
            "{} {} {}",
            row.actor,
            row.action,
            row.subject
        );
    }
    move_head(connection, number, &hash).await
}

/// Takes the chain's end; other writers wait from here to the end of the transaction.
async fn take_head(connection: &mut AnyConnection) -> Result<AuditHead, DbError> {
    let lock = "UPDATE audit_head SET number = number WHERE only_row = 1 RETURNING number, hash";
    let row: Option<(i64, String)> = sqlx::query_as(lock)
        .fetch_optional(&mut *connection)
        .await?;
    if let Some((number, hash)) = row {
        let number = unsigned(number)?;
        return Ok(AuditHead { number, hash });
    }
    // The first line ever, or the first one since an earlier version wrote without a chain.
    sqlx::query(
        "INSERT INTO audit_head (only_row, number, hash) VALUES (1, 0, '') \
         ON CONFLICT (only_row) DO NOTHING",
    )
    .execute(&mut *connection)
    .await?;
    let (number, hash): (i64, String) = sqlx::query_as(lock).fetch_one(&mut *connection).await?;
    let head = AuditHead {
        number: unsigned(number)?,
        hash,
    };
    chain_unnumbered(connection, head).await
}

async fn move_head(connection: &mut AnyConnection, number: u64, hash: &str) -> Result<(), DbError> {
    sqlx::query("UPDATE audit_head SET number = $1, hash = $2 WHERE only_row = 1")
        .bind(signed(number))
        .bind(hash.to_owned())
        .execute(connection)
        .await?;
    Ok(())
}

/// The serial of now, and the last position that is taken below it.
async fn quiet_place(connection: &mut AnyConnection) -> Result<(u64, u64), DbError> {
    let (serial, position): (i64, i64) = sqlx::query_as(
        "SELECT r.serial, (SELECT COALESCE(MAX(a.position), 0) FROM audit a \
         WHERE a.serial = r.serial) FROM registry r WHERE r.only_row = 1",
    )
    .fetch_one(connection)
    .await?;
    Ok((unsigned(serial)?, unsigned(position)?))
}

/// Chains rows that an earlier version wrote.
async fn chain_unnumbered(
    connection: &mut AnyConnection,
    head: AuditHead,
) -> Result<AuditHead, DbError> {
    type Bare = (i64, i64, String, String, String, String, String, i64);
    let mut head = head;
    loop {
        let rows: Vec<Bare> = sqlx::query_as(
            "SELECT serial, position, at, actor, action, subject, detail, is_event FROM audit \
             WHERE number IS NULL ORDER BY serial, position LIMIT $1",
        )
        .bind(signed(PAGE_ROWS))
        .fetch_all(&mut *connection)
        .await?;
        if rows.is_empty() {
            move_head(connection, head.number, &head.hash).await?;
            return Ok(head);
        }
        for (serial, position, at, actor, action, subject, detail, is_event) in rows {
            let row = ChainedRow {
                number: head.number + 1,
                serial: unsigned(serial)?,
                position: unsigned(position)?,
                at,
                actor,
                action,
                subject,
                detail,
                is_event: is_event != 0,
            };
            head = AuditHead {
                number: row.number,
                hash: link(&head.hash, &row),
            };
            sqlx::query(
                "UPDATE audit SET number = $1, hash = $2 WHERE serial = $3 AND position = $4",
            )
            .bind(signed(row.number))
            .bind(head.hash.clone())
            .bind(serial)
            .bind(position)
            .execute(&mut *connection)
            .await?;
        }
    }
}

async fn insert(
    connection: &mut AnyConnection,
    row: &ChainedRow,
    hash: &str,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO audit (number, serial, position, at, actor, action, subject, detail, \
         is_event, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(signed(row.number))
    .bind(signed(row.serial))
    .bind(signed(row.position))
    .bind(row.at.clone())
    .bind(row.actor.clone())
    .bind(row.action.clone())
    .bind(row.subject.clone())
    .bind(row.detail.clone())
    .bind(i64::from(row.is_event))
    .bind(hash.to_owned())
    .execute(connection)
    .await?;
    Ok(())
}

impl Db {
    /// Chains what an earlier version wrote before this one, or beside it.
    pub(crate) async fn chain_audit(&self) -> Result<(), DbError> {
        if !self.has_unchained_audit().await? {
            return Ok(());
        }
        let mut tx = self.write_quietly().await?;
        let head = take_head(tx.connection()).await?;
        chain_unnumbered(tx.connection(), head).await?;
        tx.commit().await
    }

    /// Whether rows wait to be chained.
    pub(crate) async fn has_unchained_audit(&self) -> Result<bool, DbError> {
        let row: Option<(i64,)> =
            sqlx::query_as("SELECT serial FROM audit WHERE number IS NULL LIMIT 1")
                .fetch_optional(self.pool())
                .await?;
        Ok(row.is_some())
    }

    /// The end of the chain; `None` before anything was chained.
    pub(crate) async fn audit_head(&self) -> Result<Option<AuditHead>, DbError> {
        let row: Option<(i64, String)> =
            sqlx::query_as("SELECT number, hash FROM audit_head WHERE only_row = 1")
                .fetch_optional(self.pool())
                .await?;
        row.map(|(number, hash)| {
            let number = unsigned(number)?;
            Ok(AuditHead { number, hash })
        })
        .transpose()
    }

    /// Lines of the log after number `after`, oldest first.
    pub(crate) async fn audit_rows(
        &self,
        after: u64,
        limit: u64,
    ) -> Result<Vec<AuditRow>, DbError> {
        let sql = format!("SELECT {COLUMNS} FROM audit WHERE number > $1 ORDER BY number LIMIT $2");
        let rows: Vec<Columns> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(signed(after))
            .bind(signed(limit))
            .fetch_all(self.pool())
            .await?;
        rows.into_iter().map(read).collect()
    }

    /// Changes of the visible registry after the serial `after` and up to `newest`, oldest
    /// first. A serial's lines are never torn apart, so there may be more than `limit`.
    pub(crate) async fn events(
        &self,
        (after, newest): (u64, u64),
        limit: u64,
    ) -> Result<Vec<AuditRow>, DbError> {
        let last: Option<(i64,)> = sqlx::query_as(
            "SELECT serial FROM audit WHERE is_event = 1 AND number IS NOT NULL AND serial > $1 \
             AND serial <= $2 ORDER BY serial, position LIMIT 1 OFFSET $3",
        )
        .bind(signed(after))
        .bind(signed(newest))
        .bind(signed(limit.saturating_sub(1)))
        .fetch_optional(self.pool())
        .await?;
        let last = last.map_or(signed(newest), |(serial,)| serial);
        let sql = format!(
            "SELECT {COLUMNS} FROM audit WHERE is_event = 1 AND number IS NOT NULL \
             AND serial > $1 AND serial <= $2 ORDER BY serial, position"
        );
        let rows: Vec<Columns> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(signed(after))
            .bind(last)
            .fetch_all(self.pool())
            .await?;
        rows.into_iter().map(read).collect()
    }

    /// Changes after line `number` up to the serial `newest`, oldest first.
    pub(crate) async fn events_after(
        &self,
        number: u64,
        newest: u64,
        limit: u64,
    ) -> Result<Vec<AuditRow>, DbError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM audit WHERE is_event = 1 AND number > $1 AND serial <= $2 \
             ORDER BY number LIMIT $3"
        );
        let rows: Vec<Columns> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(signed(number))
            .bind(signed(newest))
            .bind(signed(limit))
            .fetch_all(self.pool())
            .await?;
        rows.into_iter().map(read).collect()
    }

    /// What is wrong with the chain, as sentences; one is enough to distrust what follows it.
    pub(crate) async fn check_audit(&self) -> Result<Option<String>, DbError> {
        let Some(head) = self.audit_head().await? else {
            return Ok(None);
        };
        if self.has_unchained_audit().await? {
            return Ok(Some(
                "rows stand outside the chain: an earlier version wrote them, or nobody did"
                    .to_owned(),
            ));
        }
        let mut hash = String::new();
        let mut number = 0;
        loop {
            let page = self.audit_rows(number, PAGE_ROWS).await?;
            for row in &page {
                if row.chained.number != number + 1 {
                    return Ok(Some(format!(
                        "after row {number} comes row {}",
                        row.chained.number
                    )));
                }
                let wanted = link(&hash, &row.chained);
                if wanted != row.hash {
                    return Ok(Some(format!(
                        "row {} is not what was written: its hash is {}, its content gives {wanted}",
                        row.chained.number, row.hash
                    )));
                }
                hash = wanted;
                number = row.chained.number;
            }
            if page.len() < usize::try_from(PAGE_ROWS).unwrap_or(usize::MAX) {
                break;
            }
        }
        // A change that was committed meanwhile lies behind the head that was read first.
        if number < head.number {
            return Ok(Some(format!(
                "it ends with row {number}, but {} were written",
                head.number
            )));
        }
        Ok(None)
    }
}

fn read(row: Columns) -> Result<AuditRow, DbError> {
    let (number, serial, position, at, actor, action, subject, detail, is_event, hash) = row;
    // Read once, so that a row with nonsense in it is named and not shown.
    parsed::<Timestamp>(&at, "a point in time")?;
    Ok(AuditRow {
        chained: ChainedRow {
            number: unsigned(number)?,
            serial: unsigned(serial)?,
            position: unsigned(position)?,
            at,
            actor,
            action,
            subject,
            detail,
            is_event: is_event != 0,
        },
        hash,
    })
}
