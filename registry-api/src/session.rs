//! The publish session: one publish of one or more versions, from first byte to visible
//! or refused.
//!
//! `POST sessions` declares every version, its targets and its archives' digests;
//! `PUT sessions/{id}/archives/{hex}` sends the bytes of each archive that the answer
//! lists as missing; `POST sessions/{id}/finalize` makes all of it visible, or none.

use jiff::Timestamp;
use provisioning_package::{Digest, Kind, PackageName, Target};
use semver::Version;
use serde::{Deserialize, Serialize};

/// Body of `POST sessions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenSession {
    /// The versions to publish together.
    pub versions: Vec<DeclaredVersion>,
}

/// One version of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredVersion {
    /// Its kind.
    pub kind: Kind,
    /// Its package.
    pub name: PackageName,
    /// The version.
    pub version: Version,
    /// Every archive that it will ever have. An archive that an earlier session already
    /// made visible may be named again with the same digest.
    pub archives: Vec<DeclaredArchive>,
}

/// One archive of a declared version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredArchive {
    /// What it runs on.
    pub target: Target,
    /// The sha256 of its bytes. `None` declares a target whose archive comes later, from
    /// another machine (`publish --targets`).
    #[serde(default)]
    pub digest: Option<Digest>,
    /// Its size in bytes.
    #[serde(default)]
    pub size: Option<u64>,
}

/// Where a session stands; the answer of every session route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStatus {
    /// Its identifier.
    pub session: String,
    /// How far it has come.
    pub state: SessionState,
    /// Why it is in that state, for people; empty when there is nothing to say.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// What its owner can do next, for people.
    #[serde(default)]
    pub next: Vec<String>,
    /// Since when it is in that state.
    pub since: Timestamp,
    /// Archives that the registry has not got yet.
    #[serde(default)]
    pub missing: Vec<MissingArchive>,
    /// The versions that were declared.
    #[serde(default)]
    pub versions: Vec<DeclaredVersion>,
    /// The registry's serial at which it became visible.
    #[serde(default)]
    pub serial: Option<u64>,
}

/// An archive that a session waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingArchive {
    /// The package.
    pub name: PackageName,
    /// The version.
    pub version: Version,
    /// The target.
    pub target: Target,
    /// The digest that was declared, if one was.
    #[serde(default)]
    pub digest: Option<Digest>,
}

/// How far a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionState {
    /// Archives are missing.
    Uploading,
    /// Everything has arrived and is being checked and signed.
    Publishing,
    /// A person must sign before it becomes visible.
    AwaitingSignature,
    /// A moderator must look before it becomes visible.
    AwaitingReview,
    /// Everyone can install it.
    Visible,
    /// It will never become visible; the reasons say why.
    Refused,
}

impl SessionState {
    /// The word used in JSON and text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uploading => "uploading",
            Self::Publishing => "publishing",
            Self::AwaitingSignature => "awaiting-signature",
            Self::AwaitingReview => "awaiting-review",
            Self::Visible => "visible",
            Self::Refused => "refused",
        }
    }
}
