//! The private keys at hand: those of the data folder, taken in and given up while it runs.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use provisioning_trust::{KeySet, Repository, SigningKey};

use super::ReadSide;
use crate::app::App;
use crate::problem::ServerError;

impl ReadSide {
    /// The keys at hand.
    pub(crate) fn keys(&self) -> Arc<KeySet> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps a key beside the others, durable when this returns.
    pub(crate) async fn keep_key(
        &self,
        app: &App,
        label: &str,
        key: SigningKey,
    ) -> Result<(), ServerError> {
        let _turn = self.turn.lock().await;
        let mut one = KeySet::default();
        one.insert(label, key.clone());
        one.save(&app.keys_folder)?;
        self.change_keys(|keys| keys.insert(label, key));
        Ok(())
    }

    /// Deletes the keys that were given up with a change of keys, now that it is in force. A
    /// key that is named again stays, and one that is gone is none to delete.
    pub(super) fn give_up_keys(&self, app: &App, labels: &[String]) -> Result<(), ServerError> {
        let view = self.view();
        let keys = self.keys();
        let mut gone = Vec::new();
        for label in labels {
            let Some(key) = keys.key(label) else { continue };
            if !view.repository.names_key(key.key_id()) {
                KeySet::delete(&app.keys_folder, label)?;
                gone.push(label);
            }
        }
        self.change_keys(|keys| {
            for label in gone {
                keys.remove(label);
            }
        });
        Ok(())
    }

    /// Puts the keys that the metadata names where the other servers of this database find
    /// them, and takes those away that it does not name.
    pub(super) async fn share_keys(&self, app: &App) -> Result<(), ServerError> {
        if app.db.is_sqlite() {
            return Ok(());
        }
        let view = self.view();
        let mut pems = BTreeMap::new();
        for (label, key) in self.keys().iter() {
            if view.repository.names_key(key.key_id()) {
                pems.insert(label.to_owned(), key.to_pem()?);
            }
        }
        app.db.share_keys(&pems).await?;
        Ok(())
    }

    /// Takes keys over that another server of this database has shared, where this one could
    /// not sign any more.
    pub(super) async fn take_shared_keys(
        &self,
        app: &App,
        repository: &Repository,
    ) -> Result<(), ServerError> {
        if app.db.is_sqlite() {
            return Ok(());
        }
        let keys = self.keys();
        let mut lacks = false;
        for role in ["bin-00", "snapshot", "timestamp"] {
            lacks |= !repository.is_online(&keys, role)?;
        }
        if lacks {
            for (label, pem) in app.db.shared_keys().await? {
                let key = SigningKey::from_pem(&pem)?;
                if repository.names_key(key.key_id()) {
                    self.change_keys(|keys| keys.insert(&label, key));
                }
            }
        }
        Ok(())
    }

    fn change_keys(&self, change: impl FnOnce(&mut KeySet)) {
        let mut place = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let mut keys = KeySet::clone(&place);
        change(&mut keys);
        *place = Arc::new(keys);
    }
}
