//! What people sign: the next `release`, changes of keys, and how the roles stand.
//!
//! Metadata itself is `provisioning-trust`'s: proposals travel here as the JSON that it makes
//! and reads. Only signatures ever go from an engineer's machine to the registry.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provisioning_package::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Answer of `GET trust`: how every role stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrustStatus {
    /// The roles; the 256 bins are one, `bins`, with the lowest version and the first expiry.
    pub roles: Vec<RoleStatus>,
    /// How many things wait for a `release` signature.
    pub awaiting_signature: u64,
}

/// How one role stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoleStatus {
    /// Its name.
    pub role: String,
    /// Its version.
    pub version: u64,
    /// When its signature ends.
    pub expires: Timestamp,
    /// How many of its keys must sign.
    pub threshold: u64,
    /// Its keys.
    pub keys: Vec<KeyPlace>,
    /// Whether the keys that the registry holds suffice to sign it.
    pub online: bool,
    /// Whether its keys ought to be with people instead.
    pub should_move: bool,
}

/// A key, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyPlace {
    /// Its TUF key id.
    pub id: String,
    /// Whether the registry holds its private half.
    pub online: bool,
}

/// Answer of `GET trust/release`: what waits for a signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReleaseTask {
    /// The next `release` with the signatures that it has; `None` where nothing waits.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub proposal: Option<Value>,
    /// The text of every target that becomes another, by path.
    #[serde(default)]
    pub contents: BTreeMap<String, String>,
    /// The publish sessions that become visible with it.
    #[serde(default)]
    pub sessions: Vec<String>,
    /// Why sessions that wait are not part of it, for people.
    #[serde(default)]
    pub left_out: Vec<String>,
}

/// Body of `POST trust/release/signatures`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AddSignature {
    /// sha256 of the canonical bytes that were signed.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::DigestText))]
    pub digest: Digest,
    /// The id of the key.
    pub keyid: String,
    /// The signature, in hexadecimal digits.
    pub sig: String,
}

/// Answer of `POST trust/release/signatures`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignatureAdded {
    /// Whether enough have signed, and everyone can read it.
    pub visible: bool,
    /// The version of the `release` that was signed.
    pub version: u64,
    /// Who has signed, as key ids.
    pub signed: Vec<String>,
    /// Who could sign and has not.
    pub missing: Vec<String>,
    /// How many must sign.
    pub threshold: u64,
    /// The publish sessions that it covers.
    #[serde(default)]
    pub sessions: Vec<String>,
}

/// Body of `POST trust/roles`: signed changes of keys, taken in together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PutRoles {
    /// Proposals of `root`, `targets`, `extensions` and `release`.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub proposals: Vec<Value>,
    /// Whether the registry signs a root with the root keys that it holds: how it gives them
    /// up.
    #[serde(default)]
    pub countersign: bool,
}

/// Answer of `POST trust/roles`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RolesPut {
    /// The version of the root that is in force.
    pub root_version: u64,
    /// sha256 of its file.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::DigestText))]
    pub root_fingerprint: Digest,
    /// Labels of private keys that the registry held and has deleted.
    pub deleted_keys: Vec<String>,
}

/// Body of `POST trust/online-keys`: a new private key, made and kept by the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MakeOnlineKey {
    /// For which role: `bins`, `snapshot` or `timestamp`.
    pub role: String,
}

/// Answer of `POST trust/online-keys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OnlineKeyMade {
    /// The role.
    pub role: String,
    /// The public half, `ed25519:…`. It counts once a signed change names it.
    pub public_key: String,
}
