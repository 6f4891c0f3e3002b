//! The right to sign, which one server has at a time, and what was signed last.
//!
//! Nothing here asks a clock: a holder that died is known by a row that no longer changes while
//! somebody watches it.

use super::{Db, DbError, signed, unsigned};

/// The row as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SigningRow {
    /// How often the right was taken: also the number of what the newest holder signs.
    pub(crate) fence: u64,
    /// Who has it; empty where nobody does.
    pub(crate) holder: String,
    /// Rises while the holder works.
    pub(crate) beat: u64,
    /// The version of the timestamp in force; 0 before the first one.
    pub(crate) shown: u64,
    /// Every change up to this serial is readable.
    pub(crate) serial: u64,
    /// The timestamp in force, as it is served.
    pub(crate) timestamp: String,
    /// The newest version whose files are known to survive a power failure.
    pub(crate) kept: u64,
    /// Its timestamp.
    pub(crate) kept_timestamp: String,
}

/// The right to sign, as taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SigningRight {
    holder: String,
    fence: u64,
}

/// What becomes readable with one signature.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    /// The timestamp's version.
    pub(crate) version: u64,
    /// Every change up to this serial.
    pub(crate) serial: u64,
    /// The timestamp's text.
    pub(crate) timestamp: String,
}

impl SigningRight {
    /// The number of everything that is signed with it.
    pub(crate) const fn number(&self) -> u64 {
        self.fence
    }
}

type Columns = (i64, String, i64, i64, i64, String, i64, String);

const COLUMNS: &str = "fence, holder, beat, shown, serial, timestamp, kept, kept_timestamp";

impl Db {
    /// Who signs now, and what is in force.
    pub(crate) async fn signing(&self) -> Result<SigningRow, DbError> {
        let sql = format!("SELECT {COLUMNS} FROM signing WHERE only_row = 1");
        let row: Columns = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .fetch_one(self.pool())
            .await?;
        read(row)
    }

    /// The version of the timestamp in force, and the serial that it shows.
    pub(crate) async fn shown(&self) -> Result<(u64, u64), DbError> {
        let (shown, serial): (i64, i64) =
            sqlx::query_as("SELECT shown, serial FROM signing WHERE only_row = 1")
                .fetch_one(self.pool())
                .await?;
        Ok((unsigned(shown)?, unsigned(serial)?))
    }

    /// Takes the right to sign for `holder` where nobody has it, or where `dead` still has it
    /// exactly as it was seen. Whoever had it can show nothing from then on.
    pub(crate) async fn take_signing(
        &self,
        holder: &str,
        dead: Option<&SigningRow>,
    ) -> Result<Option<(SigningRight, SigningRow)>, DbError> {
        let mut hasty = self.hasty().await?;
        let sql = format!(
            "UPDATE signing SET fence = fence + 1, holder = $1, beat = 0 WHERE only_row = 1 \
             AND (holder = '' OR (holder = $2 AND fence = $3 AND beat = $4)) RETURNING {COLUMNS}"
        );
        let row: Option<Columns> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(holder.to_owned())
            .bind(dead.map_or_else(String::new, |it| it.holder.clone()))
            .bind(dead.map_or(0, |it| signed(it.fence)))
            .bind(dead.map_or(0, |it| signed(it.beat)))
            .fetch_optional(hasty.connection())
            .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let row = read(row)?;
        let right = SigningRight {
            holder: holder.to_owned(),
            fence: row.fence,
        };
        Ok(Some((right, row)))
    }

    /// Says that the holder still works; `false` where the right is gone.
    pub(crate) async fn beat_signing(&self, right: &SigningRight) -> Result<bool, DbError> {
        let mut hasty = self.hasty().await?;
        let done = sqlx::query(
            "UPDATE signing SET beat = beat + 1 WHERE only_row = 1 AND fence = $1 AND holder = $2",
        )
        .bind(signed(right.fence))
        .bind(right.holder.clone())
        .execute(hasty.connection())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Puts what was signed into force and gives the right back, at once, and closes the jobs
    /// that it did; `false`, and nothing happened, where the right was taken by another.
    pub(crate) async fn show_signed(
        &self,
        right: &SigningRight,
        shown: &Shown,
    ) -> Result<bool, DbError> {
        let mut hasty = self.hasty().await?;
        let done = sqlx::query(
            "UPDATE signing SET holder = '', shown = $1, serial = $2, timestamp = $3 \
             WHERE only_row = 1 AND fence = $4 AND holder = $5",
        )
        .bind(signed(shown.version))
        .bind(signed(shown.serial))
        .bind(shown.timestamp.clone())
        .bind(signed(right.fence))
        .bind(right.holder.clone())
        .execute(hasty.connection())
        .await?;
        if done.rows_affected() != 1 {
            return Ok(false);
        }
        // Jobs that stay behind when the server ends here are done again, to no effect.
        sqlx::query("DELETE FROM jobs WHERE serial <= $1")
            .bind(signed(shown.serial))
            .execute(hasty.connection())
            .await?;
        Ok(true)
    }

    /// Gives the right back with nothing signed.
    pub(crate) async fn release_signing(&self, right: &SigningRight) -> Result<(), DbError> {
        let mut hasty = self.hasty().await?;
        sqlx::query(
            "UPDATE signing SET holder = '' WHERE only_row = 1 AND fence = $1 AND holder = $2",
        )
        .bind(signed(right.fence))
        .bind(right.holder.clone())
        .execute(hasty.connection())
        .await?;
        Ok(())
    }

    /// Takes the right away from an earlier process of this very server, which is known to
    /// have ended.
    pub(crate) async fn release_signing_of(&self, holder: &str) -> Result<(), DbError> {
        let mut hasty = self.hasty().await?;
        sqlx::query("UPDATE signing SET holder = '' WHERE only_row = 1 AND holder = $1")
            .bind(holder.to_owned())
            .execute(hasty.connection())
            .await?;
        Ok(())
    }

    /// Lets numbers go on after `version`, which something that is signed already carries.
    pub(crate) async fn number_signing_after(
        &self,
        right: &mut SigningRight,
        version: u64,
    ) -> Result<bool, DbError> {
        if right.fence > version {
            return Ok(true);
        }
        let next = version + 1;
        let mut hasty = self.hasty().await?;
        let done = sqlx::query(
            "UPDATE signing SET fence = $1 WHERE only_row = 1 AND fence = $2 AND holder = $3",
        )
        .bind(signed(next))
        .bind(signed(right.fence))
        .bind(right.holder.clone())
        .execute(hasty.connection())
        .await?;
        right.fence = next;
        Ok(done.rows_affected() == 1)
    }

    /// Remembers a timestamp whose files are all durable.
    pub(crate) async fn keep_signed(&self, version: u64, timestamp: &str) -> Result<(), DbError> {
        let mut hasty = self.hasty().await?;
        sqlx::query(
            "UPDATE signing SET kept = $1, kept_timestamp = $2 WHERE only_row = 1 AND kept < $1",
        )
        .bind(signed(version))
        .bind(timestamp.to_owned())
        .execute(hasty.connection())
        .await?;
        Ok(())
    }
}

fn read(
    (fence, holder, beat, shown, serial, timestamp, kept, kept_timestamp): Columns,
) -> Result<SigningRow, DbError> {
    Ok(SigningRow {
        fence: unsigned(fence)?,
        holder,
        beat: unsigned(beat)?,
        shown: unsigned(shown)?,
        serial: unsigned(serial)?,
        timestamp,
        kept: unsigned(kept)?,
        kept_timestamp,
    })
}
