//! Who signs what, as the signed files and the folder of keys tell it.

use jiff::Timestamp;
use provisioning_trust::{KeySet, Repository};
use serde::Serialize;

use super::{Place, UpkeepError, open_storage, signed_state};

/// The roles that people ought to sign.
const FOR_PEOPLE: [&str; 4] = ["root", "targets", "release", "extensions"];
/// Every role; the 256 bins are one.
const ROLES: [&str; 7] = [
    "root",
    "targets",
    "release",
    "extensions",
    "bins",
    "snapshot",
    "timestamp",
];

/// How one role stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyState {
    /// Its name.
    pub role: String,
    /// Its version; of the bins, the lowest.
    pub version: u64,
    /// When its signature ends; of the bins, the first.
    pub expires: Timestamp,
    /// How many keys must sign.
    pub threshold: usize,
    /// How many keys it has.
    pub keys: usize,
    /// Whether the keys in the data folder suffice to sign it.
    pub online: bool,
    /// Whether people ought to hold them.
    pub should_move: bool,
}

/// How every role of the registry at `place` stands.
pub async fn key_states(place: &Place) -> Result<Vec<KeyState>, UpkeepError> {
    let storage = open_storage(place, place.storage.as_deref())?;
    let state = signed_state(&storage).await?;
    let keys = keys_of(place);
    let mut states = Vec::new();
    for role in ROLES {
        states.push(key_state(role, &state.repository, &keys)?);
    }
    Ok(states)
}

/// The keys in the data folder; none where there is no such folder.
pub(super) fn keys_of(place: &Place) -> KeySet {
    KeySet::load(&place.data.join("keys")).unwrap_or_default()
}

fn key_state(role: &str, repository: &Repository, keys: &KeySet) -> Result<KeyState, UpkeepError> {
    let of = if role == "bins" { "bin-00" } else { role };
    let states = repository.roles();
    let mine = states
        .iter()
        .filter(|it| it.name == role || (role == "bins" && it.name.starts_with("bin-")));
    let (mut version, mut expires) = (u64::MAX, Timestamp::MAX);
    for state in mine {
        version = version.min(state.version);
        expires = expires.min(state.expires);
    }
    let roster = repository.roster(of)?;
    let online = repository.is_online(keys, of)?;
    Ok(KeyState {
        role: role.to_owned(),
        version,
        expires,
        threshold: roster.threshold(),
        keys: roster.ids().count(),
        online,
        should_move: online && FOR_PEOPLE.contains(&role),
    })
}
