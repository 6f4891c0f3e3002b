//! Small archives whose files a power failure could still take back: their bytes are kept in the
//! database's log, which has to reach the disk anyway, until the files are known to be there.

use provisioning_package::Digest;

use super::{Db, DbError, digest, signed};

/// An archive whose file may be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FreshArchive {
    pub(crate) digest: Digest,
    pub(crate) bytes: Vec<u8>,
}

impl Db {
    /// Keeps the bytes of an archive of `server`, as its `number`th.
    pub(crate) async fn insert_fresh(
        &self,
        (server, number): (&str, u64),
        archive: &Digest,
        bytes: &[u8],
    ) -> Result<(), DbError> {
        let mut hasty = self.hasty().await?;
        sqlx::query(
            "INSERT INTO fresh_archives (server, digest, number, bytes) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (server, digest) DO UPDATE SET number = excluded.number",
        )
        .bind(server.to_owned())
        .bind(archive.hex())
        .bind(signed(number))
        .bind(hex::encode(bytes))
        .execute(hasty.connection())
        .await?;
        Ok(())
    }

    /// What an earlier process of `server` left, of the archives that are still known.
    pub(crate) async fn fresh(&self, server: &str) -> Result<Vec<FreshArchive>, DbError> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT f.digest, f.bytes FROM fresh_archives f \
             JOIN archives a ON a.digest = f.digest WHERE f.server = $1",
        )
        .bind(server.to_owned())
        .fetch_all(self.pool())
        .await?;
        rows.into_iter()
            .map(|(hex, bytes)| {
                Ok(FreshArchive {
                    digest: digest(&hex)?,
                    bytes: hex::decode(&bytes).map_err(|_| DbError::Value {
                        value: hex,
                        expected: "the bytes of an archive",
                    })?,
                })
            })
            .collect()
    }

    /// Forgets the bytes of everything up to the `number`th: the files are durable.
    pub(crate) async fn forget_fresh(&self, server: &str, number: u64) -> Result<(), DbError> {
        let mut hasty = self.hasty().await?;
        sqlx::query("DELETE FROM fresh_archives WHERE server = $1 AND number <= $2")
            .bind(server.to_owned())
            .bind(signed(number))
            .execute(hasty.connection())
            .await?;
        Ok(())
    }
}
