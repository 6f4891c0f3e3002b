//! What clients can read now, as one server knows it.

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use provisioning_package::Digest;
use provisioning_trust::Repository;
use tokio::sync::watch;

/// What clients can read now.
#[derive(Clone)]
pub(crate) struct View {
    /// Every change up to this serial is readable.
    pub(crate) serial: u64,
    /// What the metadata lists.
    pub(crate) repository: Repository,
    /// The timestamp in force, as it is served.
    pub(crate) timestamp: Bytes,
    /// The digest of its bytes, in hexadecimal digits.
    pub(crate) timestamp_tag: String,
}

impl View {
    pub(super) fn new(repository: Repository, timestamp: Bytes, serial: u64) -> Self {
        Self {
            serial,
            repository,
            timestamp_tag: Digest::of(&timestamp).hex(),
            timestamp,
        }
    }
}

/// The newest [`View`]; it never goes back.
pub(super) struct Newest {
    view: RwLock<Arc<View>>,
    /// Its serial, for those who wait for changes.
    serial: watch::Sender<u64>,
}

impl Newest {
    pub(super) fn new(view: View) -> Self {
        Self {
            serial: watch::Sender::new(view.serial),
            view: RwLock::new(Arc::new(view)),
        }
    }

    pub(super) fn get(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells when another view is there.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.serial.subscribe()
    }

    /// Takes a view over, unless a newer one is there.
    pub(super) fn advance(&self, view: View) {
        let mut newest = self.view.write().unwrap_or_else(PoisonError::into_inner);
        let is_newer = |it: &View| (it.repository.timestamp_version(), it.serial);
        if is_newer(&view) >= is_newer(&newest) {
            self.serial.send_replace(view.serial);
            *newest = Arc::new(view);
        }
    }
}
