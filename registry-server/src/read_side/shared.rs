//! The signing keys of servers that share a PostgreSQL database.
//!
//! Each server may have keys in its own folder; what the metadata names is also in the database,
//! so that a server with a fresh folder can sign. A key that the metadata no longer names, since
//! its role moved to other hands, is taken out of the database.

use std::collections::BTreeMap;

use provisioning_trust::{KeySet, Repository, SignError, SigningKey};

use crate::db::Db;
use crate::problem::ServerError;
use crate::server::StartError;

/// The keys that are in the database.
pub(super) async fn read(db: &Db) -> Result<KeySet, StartError> {
    let mut keys = KeySet::default();
    if db.is_sqlite() {
        return Ok(keys);
    }
    for (label, pem) in db.shared_keys().await? {
        let key = SigningKey::from_pem(&pem).map_err(failed)?;
        keys.insert(&label, key);
    }
    Ok(keys)
}

/// The keys to sign with, and the same in the database where that is shared.
pub(super) async fn settle(
    db: &Db,
    repository: &Repository,
    own: KeySet,
    shared: &KeySet,
) -> Result<KeySet, StartError> {
    if db.is_sqlite() {
        return Ok(own);
    }
    let keys = choose(repository, own, shared);
    let wanted = pems(repository, &keys).map_err(failed)?;
    let there = pems(repository, shared).map_err(failed)?;
    if wanted != there || shared.labels().count() != there.len() {
        db.share_keys(&wanted).await?;
    }
    Ok(keys)
}

/// Of two keys with one label, the one that the metadata names.
fn choose(repository: &Repository, mut own: KeySet, shared: &KeySet) -> KeySet {
    for label in shared.labels() {
        let is_named =
            |key: Option<&SigningKey>| key.is_some_and(|key| repository.names_key(key.key_id()));
        if let Some(key) = shared.key(label)
            && is_named(Some(key))
            && !is_named(own.key(label))
        {
            own.insert(label, key.clone());
        }
    }
    own
}

/// The keys that the metadata names.
fn pems(repository: &Repository, keys: &KeySet) -> Result<BTreeMap<String, String>, SignError> {
    let mut pems = BTreeMap::new();
    for label in keys.labels() {
        if let Some(key) = keys.key(label)
            && repository.names_key(key.key_id())
        {
            pems.insert(label.to_owned(), key.to_pem()?);
        }
    }
    Ok(pems)
}

fn failed(error: SignError) -> StartError {
    StartError::ReadSide(ServerError::from(error))
}
