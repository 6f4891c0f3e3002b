//! The TUF 1.0 file shapes, and the canonical bytes that signatures cover.
//!
//! Only what our signer writes is spelled here; what a client accepts is `sigstore-tuf`'s
//! business. Files are written in canonical form, so the bytes that are signed are a part
//! of the bytes that are served.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provisioning_package::Digest;
use serde::{Deserialize, Serialize};

use crate::error::SignError;

/// The version of the TUF specification that our metadata follows.
pub(crate) const SPEC_VERSION: &str = "1.0.31";

/// The canonical JSON that TUF signs (OLPC's form, as python-securesystemslib writes it).
///
/// It is `sigstore-tuf`'s own encoder, so that what we sign is what is checked. Fails on
/// numbers that are no integers.
pub fn canonical_json(value: &impl Serialize) -> Result<Vec<u8>, SignError> {
    let value = serde_json::to_value(value).map_err(SignError::json)?;
    sigstore_tuf::canonical_json::to_canonical_bytes(&value).map_err(|_| SignError::NotAnInteger)
}

/// A file: what is signed, and by whom.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Envelope<T> {
    pub(crate) signatures: Vec<Signature>,
    pub(crate) signed: T,
}

/// One signature over the canonical bytes of `signed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The id of the key that made it.
    pub keyid: String,
    /// The signature in hexadecimal digits.
    pub sig: String,
}

/// A public key as metadata spells it; its text is `ed25519:<hexadecimal digits>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    pub(crate) keytype: String,
    pub(crate) keyval: KeyValue,
    pub(crate) scheme: String,
}

/// The key itself: for Ed25519 the 32 bytes in hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeyValue {
    pub(crate) public: String,
}

/// Which keys sign a role, and how many of them must.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoleKeys {
    pub(crate) keyids: Vec<String>,
    pub(crate) threshold: usize,
}

/// The root role: the keys of every top-level role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Root {
    #[serde(rename = "_type")]
    pub(crate) kind: String,
    pub(crate) consistent_snapshot: bool,
    pub(crate) expires: Timestamp,
    pub(crate) keys: BTreeMap<String, PublicKey>,
    pub(crate) roles: BTreeMap<String, RoleKeys>,
    pub(crate) spec_version: String,
    pub(crate) version: u64,
}

/// The targets role and every role that it delegates to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Targets {
    #[serde(rename = "_type")]
    pub(crate) kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delegations: Option<Delegations>,
    pub(crate) expires: Timestamp,
    pub(crate) spec_version: String,
    #[serde(rename = "targets")]
    pub(crate) files: BTreeMap<String, TargetFile>,
    pub(crate) version: u64,
}

/// What one target's bytes must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TargetFile {
    pub(crate) hashes: Hashes,
    pub(crate) length: u64,
}

/// The hashes that we write: sha256 alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hashes {
    pub(crate) sha256: String,
}

impl Hashes {
    /// The hashes of `digest`.
    pub(crate) fn of(digest: &Digest) -> Self {
        Self {
            sha256: digest.hex(),
        }
    }
}

/// To whom a targets role hands paths on, first match first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delegations {
    pub(crate) keys: BTreeMap<String, PublicKey>,
    pub(crate) roles: Vec<DelegatedRole>,
}

/// One delegation: by path patterns, or by prefixes of the path's sha256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DelegatedRole {
    pub(crate) keyids: Vec<String>,
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path_hash_prefixes: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) paths: Option<Vec<String>>,
    pub(crate) terminating: bool,
    pub(crate) threshold: usize,
}

/// The snapshot role (every targets file) and the timestamp role (the snapshot).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Listing {
    #[serde(rename = "_type")]
    pub(crate) kind: String,
    pub(crate) expires: Timestamp,
    pub(crate) meta: BTreeMap<String, MetaFile>,
    pub(crate) spec_version: String,
    pub(crate) version: u64,
}

/// Which version of a metadata file is current, and where pinned, which bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MetaFile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hashes: Option<Hashes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) length: Option<u64>,
    pub(crate) version: u64,
}

impl MetaFile {
    /// Pins version and bytes.
    pub(crate) fn exact(version: u64, bytes: &[u8]) -> Self {
        Self {
            hashes: Some(Hashes::of(&Digest::of(bytes))),
            length: Some(bytes.len() as u64),
            version,
        }
    }

    /// Pins the version alone.
    pub(crate) const fn version_only(version: u64) -> Self {
        Self {
            hashes: None,
            length: None,
            version,
        }
    }

    /// Whether `bytes` are what was pinned (the version is compared by the reader).
    pub(crate) fn allows(&self, bytes: &[u8]) -> bool {
        self.length
            .is_none_or(|length| length == bytes.len() as u64)
            && self
                .hashes
                .as_ref()
                .is_none_or(|hashes| *hashes == Hashes::of(&Digest::of(bytes)))
    }
}

/// TUF's times have whole seconds; python-tuf refuses any other spelling.
pub(crate) fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).expect("the seconds of a timestamp are in its range")
}
