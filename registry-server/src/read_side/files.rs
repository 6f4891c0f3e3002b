//! Writing what was rendered and signed, and reading it back.

use bytes::Bytes;
use provisioning_package::Digest;
use provisioning_registry_api::paths;
use provisioning_trust::{MetadataFile, Repository, SignError, TargetChange, TargetFacts};

use super::{Rendered, TIMESTAMP};
use crate::problem::ServerError;
use crate::storage::Storage;

/// Writes every target that the metadata does not list with these bytes; says which changed.
/// Where files may be lost (`is_suspect`), those that are listed are looked at too.
pub(super) async fn write_targets(
    storage: &Storage,
    repository: &Repository,
    rendered: Vec<Rendered>,
    is_suspect: bool,
) -> Result<Vec<TargetChange>, ServerError> {
    let mut files = Vec::new();
    let mut changes = Vec::new();
    for target in rendered {
        let digest = Digest::of(&target.bytes);
        let listed = repository.target(&target.path).map(|facts| facts.digest);
        let file = paths::consistent(&target.path, &digest);
        let file = format!("{}{file}", paths::TARGETS);
        if listed == Some(digest) {
            if is_suspect && storage.read(&file).await?.as_ref() != Some(&target.bytes) {
                files.push((file, target.bytes));
            }
            continue;
        }
        let length = target.bytes.len() as u64;
        files.push((file, target.bytes));
        changes.push(TargetChange {
            path: target.path,
            facts: Some(TargetFacts { length, digest }),
        });
    }
    if !files.is_empty() {
        storage.put_all_hastily(files).await?;
    }
    Ok(changes)
}

/// Splits the timestamp, which is the switch, from the files that are written before it.
pub(super) fn switch_of(files: Vec<MetadataFile>) -> Option<(Vec<MetadataFile>, Bytes)> {
    let mut files = files;
    let last = files.pop()?;
    Some((files, last.bytes.into()))
}

/// Writes metadata that nothing refers to yet.
pub(super) async fn write_metadata(
    storage: &Storage,
    files: Vec<MetadataFile>,
) -> Result<(), ServerError> {
    let files = files
        .into_iter()
        .map(|file| {
            let path = format!("{}{}", paths::METADATA, file.name);
            (path, file.bytes.into())
        })
        .collect();
    Ok(storage.put_all_hastily(files).await?)
}

/// The state that `timestamp` refers to; what did not change since `before` is not read again.
pub(super) async fn load(
    storage: &Storage,
    timestamp: Bytes,
    before: Option<Repository>,
) -> Result<Repository, ServerError> {
    let storage = storage.clone();
    let handle = tokio::runtime::Handle::current();
    let loaded = tokio::task::spawn_blocking(move || {
        let read = |name: &str| {
            let path = format!("{}{name}", paths::METADATA);
            if path == TIMESTAMP {
                return Ok(Some(timestamp.to_vec()));
            }
            let found = handle.block_on(storage.read(&path));
            Ok(found.map_err(std::io::Error::other)?.map(Into::into))
        };
        match &before {
            Some(before) => Repository::reload(before, &read),
            None => Repository::load(&read),
        }
    });
    let loaded: Result<Repository, SignError> = loaded
        .await
        .map_err(|failure| ServerError::Failed(format!("loading failed: {failure}")))?;
    Ok(loaded?)
}
