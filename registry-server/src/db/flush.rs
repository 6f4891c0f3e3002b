//! Making committed changes durable, many at a time.
//!
//! A durable commit waits for the disk, and writers wait for each other: one at a time, a disk
//! that needs 3 ms for it would allow 300 changes a second. So a transaction commits without
//! that wait, lets the next writer go on, and then waits here: one flush serves everybody who
//! committed before it began.
//!
//! On SQLite the write-ahead log is synced, which is all that `synchronous = FULL` adds to
//! `NORMAL`. On PostgreSQL a record of its own is committed with `synchronous_commit`, which
//! takes everything before it along (also to a synchronous replica).

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sqlx::AnyPool;
use tokio::sync::Mutex;

use super::DbError;

/// Commits that a flush must have seen, and how it is done.
#[derive(Debug)]
pub(crate) struct Flusher {
    how: How,
    asked: AtomicU64,
    /// The last request that a finished flush served.
    done: Mutex<u64>,
    /// After a failed sync nobody knows what the disk has: a later one may succeed and say
    /// nothing about the pages that were lost.
    has_failed: AtomicBool,
}

/// What makes commits durable.
#[derive(Debug)]
pub(crate) enum How {
    /// Each commit does it.
    ByItself,
    /// SQLite's write-ahead log.
    Log(PathBuf),
    /// PostgreSQL: a commit that waits.
    Commit(AnyPool),
}

impl Flusher {
    pub(crate) fn new(how: How) -> Self {
        Self {
            how,
            asked: AtomicU64::new(0),
            done: Mutex::new(0),
            has_failed: AtomicBool::new(false),
        }
    }

    /// Returns once everything that was committed before the call is durable.
    pub(crate) async fn flush(&self) -> Result<(), DbError> {
        if matches!(self.how, How::ByItself) {
            return Ok(());
        }
        let mine = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        let mut done = self.done.lock().await;
        if *done < mine {
            let newest = self.asked.load(Ordering::Acquire);
            self.sync().await?;
            *done = newest;
        }
        Ok(())
    }

    async fn sync(&self) -> Result<(), DbError> {
        match &self.how {
            How::ByItself => Ok(()),
            How::Commit(pool) => {
                sqlx::query(EMIT).execute(pool).await?;
                Ok(())
            }
            How::Log(log) => {
                if self.has_failed.load(Ordering::Acquire) {
                    return Err(DbError::Flush(io::Error::other(
                        "an earlier change could not be made durable: start the server again",
                    )));
                }
                let log = log.clone();
                let synced = tokio::task::spawn_blocking(move || sync_log(&log)).await;
                synced
                    .unwrap_or_else(|failure| Err(io::Error::other(failure)))
                    .map_err(|error| {
                        self.has_failed.store(true, Ordering::Release);
                        DbError::Flush(error)
                    })
            }
        }
    }
}

/// A record in PostgreSQL's log that belongs to nobody; committing it waits for the log.
const EMIT: &str =
    "SELECT CAST(pg_logical_emit_message(true, 'provisioning', '') AS TEXT) AS place";

/// Whether this PostgreSQL lets us write such a record.
pub(crate) async fn can_emit(pool: &AnyPool) -> bool {
    sqlx::query(EMIT).execute(pool).await.is_ok()
}

fn sync_log(log: &std::path::Path) -> io::Result<()> {
    match File::open(log) {
        Ok(file) => file.sync_data(),
        // The last connection that closed folded it into the database file, synced.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
