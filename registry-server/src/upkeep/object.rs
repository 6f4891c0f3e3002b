//! Objects as bytes: whether an archive is what its digest says, and copies.

use futures_util::StreamExt as _;
use provisioning_package::Hasher;
use provisioning_registry_api::paths;

use super::UpkeepError;
use crate::db::upkeep::KeptArchive;
use crate::storage::{ByteRange, Storage};

/// How an archive in a storage is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ArchiveState {
    Whole,
    Missing,
    /// What is wrong with its bytes.
    Damaged(String),
}

/// Looks at an archive; a `quick` look compares its size alone.
pub(super) async fn archive_state(
    storage: &Storage,
    row: &KeptArchive,
    quick: bool,
) -> Result<ArchiveState, UpkeepError> {
    let path = paths::archive(&row.digest);
    let wrap = |source| UpkeepError::at(&path, source);
    let Some(length) = storage.length(&path).await.map_err(wrap)? else {
        return Ok(ArchiveState::Missing);
    };
    if length != row.size {
        let size = row.size;
        return Ok(ArchiveState::Damaged(format!(
            "has {length} bytes instead of {size}"
        )));
    }
    if quick {
        return Ok(ArchiveState::Whole);
    }
    let range = ByteRange { start: 0, length };
    let mut stream = storage.stream(&path, range).await.map_err(wrap)?;
    let mut hasher = Hasher::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| wrap(crate::storage::generic(error)))?;
        hasher.update(&chunk);
    }
    let (found, _) = hasher.finish();
    if found == row.digest {
        return Ok(ArchiveState::Whole);
    }
    let found = found.prefixed();
    Ok(ArchiveState::Damaged(format!(
        "has the digest {found} instead"
    )))
}

/// Copies an object as it is; gives its length.
pub(super) async fn copy_object(
    from: &Storage,
    to: &Storage,
    path: &str,
) -> Result<u64, UpkeepError> {
    let wrap = |source| UpkeepError::at(path, source);
    let length = from.length(path).await.map_err(wrap)?;
    let length = length.ok_or_else(|| UpkeepError::Damaged {
        path: path.to_owned(),
        problem: "is missing",
    })?;
    let range = ByteRange { start: 0, length };
    let stream = from.stream(path, range).await.map_err(wrap)?;
    to.put_stream(path, stream).await.map_err(wrap)?;
    Ok(length)
}
