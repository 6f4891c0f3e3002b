//! `/.well-known/provisioning-registry.json`: where a registry keeps its parts.

use std::collections::BTreeSet;

use provisioning_package::Digest;
use serde::{Deserialize, Serialize};

/// The protocol that this code speaks.
pub const PROTOCOL: u32 = 1;

/// Where a registry keeps its parts; URLs are relative to the registry's base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discovery {
    /// [`PROTOCOL`] of the registry.
    pub protocol: u32,
    /// What people call the registry; a folder may have no name.
    #[serde(default)]
    pub name: String,
    /// TUF metadata.
    pub metadata: String,
    /// TUF targets.
    pub targets: String,
    /// Archives by digest, without `sha256/<hex>`.
    pub archives: String,
    /// The write side; `None` for a folder or bucket.
    #[serde(default)]
    pub api: Option<String>,
    /// Whether reading needs a token.
    #[serde(default)]
    pub auth_required: bool,
    /// The root version that `root_fingerprint` is of.
    #[serde(default = "first_root")]
    pub root_version: u64,
    /// sha256 of `metadata/<root_version>.root.json`.
    pub root_fingerprint: Digest,
    /// In a copy: the address of the registry that it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// In a copy that holds a part of its registry: where its [`CopyContents`] are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<String>,
}

/// Where the [`CopyContents`] of a copy are.
pub const CONTENTS: &str = ".well-known/provisioning-copy.json";

/// What a copy holds of its registry. It is not signed: it may hide something, which readers
/// say, and can make nobody believe anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyContents {
    /// 1 when it was written.
    pub schema: u32,
    /// What the copy was made for, as it was typed.
    #[serde(default)]
    pub specs: BTreeSet<String>,
    /// The archives that it holds.
    #[serde(default)]
    pub archives: BTreeSet<Digest>,
}

const fn first_root() -> u64 {
    1
}
