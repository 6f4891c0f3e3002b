//! Making durable what was written without waiting for the disk, and making it again after a
//! power failure.
//!
//! A disk takes milliseconds to make something durable, however small it is. So a publish waits
//! for it once: for the database's log. That has the rows, from which index entries and metadata
//! can be made again, and the bytes of small archives. The files themselves follow within a
//! second or so, many at a time.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use provisioning_package::Digest;
use provisioning_registry_api::paths;

use crate::app::App;
use crate::db::Db;
use crate::problem::ServerError;
use crate::storage::Storage;

/// The largest archive whose bytes go through the database.
pub(crate) const SMALL_BYTES_MAX: usize = 64 * 1024;

/// Counts the small archives of one server.
#[derive(Debug, Default)]
pub(crate) struct Fresh(AtomicU64);

/// Makes everything durable that was written hastily before the call.
pub(crate) async fn settle(app: &App) -> Result<(), ServerError> {
    let number = app.fresh.0.load(Ordering::Acquire);
    if app.read_side.settle(app).await? {
        app.db.forget_fresh(app.read_side.server(), number).await?;
    }
    Ok(())
}

/// Keeps the bytes of a small archive whose file is written but not durable.
pub(crate) async fn keep(app: &App, digest: &Digest, bytes: &Bytes) -> Result<(), ServerError> {
    let number = app.fresh.0.fetch_add(1, Ordering::AcqRel) + 1;
    let server = app.read_side.server();
    Ok(app.db.insert_fresh((server, number), digest, bytes).await?)
}

/// Writes archives again that the last run of this server may have lost.
pub(crate) async fn restore(db: &Db, storage: &Storage, server: &str) -> Result<(), ServerError> {
    for archive in db.fresh(server).await? {
        let path = paths::archive(&archive.digest);
        let found = storage.read(&path).await?;
        if found.as_deref() != Some(&archive.bytes[..]) {
            storage.put(&path, archive.bytes).await?;
        }
    }
    storage.settle().await?;
    Ok(db.forget_fresh(server, u64::MAX).await?)
}
