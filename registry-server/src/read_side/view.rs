//! What clients can read now, as one server knows it.

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use provisioning_package::Digest;
use provisioning_trust::Repository;

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
pub(super) struct Newest(RwLock<Arc<View>>);

impl Newest {
    pub(super) fn new(view: View) -> Self {
        Self(RwLock::new(Arc::new(view)))
    }

    pub(super) fn get(&self) -> Arc<View> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a view over, unless a newer one is there.
    pub(super) fn advance(&self, view: View) {
        let mut newest = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_newer = |it: &View| (it.repository.timestamp_version(), it.serial);
        if is_newer(&view) >= is_newer(&newest) {
            *newest = Arc::new(view);
        }
    }
}
