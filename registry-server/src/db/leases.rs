//! Jobs that one server at a time does.

use super::{Db, DbError, signed, unsigned};

/// Who does a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeaseRow {
    pub(crate) holder: String,
    /// Rises each time the job changes hands.
    pub(crate) fence: u64,
    /// Rises while the holder lives.
    pub(crate) beat: u64,
}

impl Db {
    /// Who does the job `name`; nobody did yet where there is no row.
    pub(crate) async fn lease(&self, name: &str) -> Result<Option<LeaseRow>, DbError> {
        let row: Option<(String, i64, i64)> =
            sqlx::query_as("SELECT holder, fence, beat FROM leases WHERE name = $1")
                .bind(name.to_owned())
                .fetch_optional(self.pool())
                .await?;
        row.map(|(holder, fence, beat)| {
            Ok(LeaseRow {
                holder,
                fence: unsigned(fence)?,
                beat: unsigned(beat)?,
            })
        })
        .transpose()
    }

    /// Gives the job to `holder`, unless it changed hands, or its holder lived on, since
    /// `before` was read.
    pub(crate) async fn take_lease(
        &self,
        name: &str,
        holder: &str,
        before: Option<&LeaseRow>,
    ) -> Result<bool, DbError> {
        let mut hasty = self.hasty().await?;
        let done = if let Some(before) = before {
            sqlx::query(
                "UPDATE leases SET holder = $1, fence = fence + 1, beat = 0 \
                 WHERE name = $2 AND fence = $3 AND beat = $4",
            )
            .bind(holder.to_owned())
            .bind(name.to_owned())
            .bind(signed(before.fence))
            .bind(signed(before.beat))
            .execute(hasty.connection())
            .await?
        } else {
            sqlx::query(
                "INSERT INTO leases (name, holder, fence, beat) VALUES ($1, $2, 1, 0) \
                 ON CONFLICT (name) DO NOTHING",
            )
            .bind(name.to_owned())
            .bind(holder.to_owned())
            .execute(hasty.connection())
            .await?
        };
        Ok(done.rows_affected() == 1)
    }

    /// Says that the holder lives; `false` where the job has changed hands.
    pub(crate) async fn beat_lease(&self, name: &str, holder: &str) -> Result<bool, DbError> {
        let mut hasty = self.hasty().await?;
        let done = sqlx::query("UPDATE leases SET beat = beat + 1 WHERE name = $1 AND holder = $2")
            .bind(name.to_owned())
            .bind(holder.to_owned())
            .execute(hasty.connection())
            .await?;
        Ok(done.rows_affected() == 1)
    }
}
