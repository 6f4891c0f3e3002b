//! How often the archives of each version were asked for, by day.

use provisioning_package::{Digest, PackageName};

use super::{Db, DbError, QuietTx, signed, unsigned};

/// The downloads of one version on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DayCount {
    pub(crate) version: String,
    pub(crate) day: String,
    pub(crate) count: u64,
}

/// Adds to the count of the version that an archive belongs to; one of none is forgotten.
pub(crate) async fn add_downloads(
    tx: &mut QuietTx,
    archive: &Digest,
    day: &str,
    count: u64,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO downloads (package, version, day, count) \
         SELECT DISTINCT v.package, v.version, CAST($2 AS TEXT), CAST($3 AS BIGINT) \
         FROM version_archives v WHERE v.digest = $1 \
         ON CONFLICT (package, version, day) DO UPDATE SET count = downloads.count + excluded.count",
    )
    .bind(archive.hex())
    .bind(day.to_owned())
    .bind(signed(count))
    .execute(tx.connection())
    .await?;
    Ok(())
}

impl Db {
    /// The downloads of a package's versions since a day, oldest day first.
    pub(crate) async fn downloads(
        &self,
        package: &PackageName,
        since: &str,
    ) -> Result<Vec<DayCount>, DbError> {
        let rows: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT version, day, count FROM downloads WHERE package = $1 AND day >= $2 \
             ORDER BY day, version",
        )
        .bind(package.as_str().to_owned())
        .bind(since.to_owned())
        .fetch_all(self.pool())
        .await?;
        rows.into_iter()
            .map(|(version, day, count)| {
                let count = unsigned(count)?;
                Ok(DayCount {
                    version,
                    day,
                    count,
                })
            })
            .collect()
    }
}
