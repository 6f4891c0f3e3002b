//! Moves a registry's rows to another database, from SQLite to PostgreSQL say, and compares
//! every row afterwards. All in one transaction: a copy is whole or was never made.

use serde::Serialize;

use super::UpkeepError;
use crate::db::rows::{self, Column, TABLES, Table};
use crate::db::{Db, QuietTx};

/// Rows that are read at a time.
const PAGE_ROWS: u64 = 1000;

/// A table after copying.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CopiedTable {
    /// Its name.
    pub table: String,
    /// Its rows, each compared.
    pub rows: u64,
}

/// Copies every row of `from` into the empty database `to`. Nothing may write to either
/// while it runs: the server is stopped or read-only.
pub async fn copy_database(from: &str, to: &str) -> Result<Vec<CopiedTable>, UpkeepError> {
    let here = std::path::Path::new(".");
    let from = Db::open_existing(from, here).await?;
    let to = Db::open(Some(to), here).await?;
    let copied = copy(&from, &to).await;
    from.close().await;
    to.close().await;
    copied
}

async fn copy(from: &Db, to: &Db) -> Result<Vec<CopiedTable>, UpkeepError> {
    // A writing transaction on both sides: what is read stays what it is, and nobody adds.
    let mut source = from.write_quietly().await?;
    let mut target = to.write_quietly().await?;
    for table in TABLES {
        let rows = rows::count(target.connection(), table).await?;
        if rows > table.seeds {
            return Err(UpkeepError::NotEmpty { table: table.name });
        }
    }
    let mut copied = Vec::new();
    for table in TABLES {
        let columns = from.columns(table).await?;
        rows::clear(&mut target, table).await?;
        copy_table(&mut source, &mut target, table, &columns).await?;
        let rows = compare(&mut source, &mut target, table, &columns).await?;
        copied.push(CopiedTable {
            table: table.name.to_owned(),
            rows,
        });
    }
    target.commit().await?;
    to.refill_words().await?;
    source.rollback().await?;
    Ok(copied)
}

async fn copy_table(
    from: &mut QuietTx,
    to: &mut QuietTx,
    table: &Table,
    columns: &[Column],
) -> Result<(), UpkeepError> {
    let mut offset = 0;
    loop {
        let page = rows::page(from.connection(), table, columns, (offset, PAGE_ROWS)).await?;
        let count = page.len() as u64;
        for row in page {
            rows::insert(to, table, columns, row).await?;
        }
        offset += count;
        if count < PAGE_ROWS {
            return Ok(());
        }
    }
}

/// Reads both tables side by side. Databases sort text differently, so a page's rows are
/// compared as sets of what each side has in all.
async fn compare(
    from: &mut QuietTx,
    to: &mut QuietTx,
    table: &'static Table,
    columns: &[Column],
) -> Result<u64, UpkeepError> {
    let here = fingerprints(from, table, columns).await?;
    let there = fingerprints(to, table, columns).await?;
    if here == there {
        return Ok(here.len() as u64);
    }
    Err(UpkeepError::CopyDiffers {
        table: table.name,
        from: here.len() as u64,
        to: there.len() as u64,
    })
}

/// The digest of every row, sorted.
async fn fingerprints(
    tx: &mut QuietTx,
    table: &Table,
    columns: &[Column],
) -> Result<Vec<provisioning_package::Digest>, UpkeepError> {
    let mut found = Vec::new();
    loop {
        let range = (found.len() as u64, PAGE_ROWS);
        let page = rows::page(tx.connection(), table, columns, range).await?;
        let count = page.len() as u64;
        let digest = |row| provisioning_package::Digest::of(format!("{row:?}").as_bytes());
        found.extend(page.iter().map(digest));
        if count < PAGE_ROWS {
            found.sort();
            return Ok(found);
        }
    }
}
