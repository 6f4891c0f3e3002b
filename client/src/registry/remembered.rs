//! The discovery document that was read last, so that a registry where nothing changed is asked
//! one question: for its timestamp.
//!
//! It is not signed and was never believed, so an old one can do no more than lead to an error;
//! then it is asked for again.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use provisioning_registry_api::discovery::Discovery;
use serde::{Deserialize, Serialize};

/// How long it is good for.
const AGE_MAX: SignedDuration = SignedDuration::from_hours(24);
/// Longest note that is read.
const NOTE_BYTES_MAX: u64 = 64 * 1024;

#[derive(Serialize, Deserialize)]
struct Note {
    read_at: Timestamp,
    address: String,
    discovery: Discovery,
}

/// What was read of the registry at `address`, if that is not too long ago.
pub(super) fn recall(state: &Path, address: &str, now: Timestamp) -> Option<Discovery> {
    let place = place(state);
    let length = place.symlink_metadata().ok()?.len();
    if length > NOTE_BYTES_MAX {
        return None;
    }
    let note: Note = serde_json::from_slice(&std::fs::read(place).ok()?).ok()?;
    let age = now.duration_since(note.read_at);
    let is_good = age >= SignedDuration::ZERO && age <= AGE_MAX && note.address == address;
    is_good.then_some(note.discovery)
}

/// Remembers it. A copy that lacks archives is asked each time: it may have got more.
pub(super) fn remember(state: &Path, address: &str, discovery: &Discovery, now: Timestamp) {
    if discovery.contents.is_some() {
        return;
    }
    let note = Note {
        read_at: now,
        address: address.to_owned(),
        discovery: discovery.clone(),
    };
    if let Ok(bytes) = serde_json::to_vec(&note) {
        // Where it cannot be kept, it is asked for again.
        let _ = crate::durable::replace_unsynced(&place(state), &bytes);
    }
}

/// Forgets it: it led to an error.
pub(super) fn forget(state: &Path) {
    let _ = std::fs::remove_file(place(state));
}

fn place(state: &Path) -> PathBuf {
    state.join("contact/discovery")
}
