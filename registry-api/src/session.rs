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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OpenSession {
    /// The versions to publish together.
    pub versions: Vec<DeclaredVersion>,
}

/// One version of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeclaredVersion {
    /// Its kind.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::KindText))]
    pub kind: Kind,
    /// Its package.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::NameText))]
    pub name: PackageName,
    /// The version.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::VersionText))]
    pub version: Version,
    /// Every archive that it will ever have. An archive that an earlier session already
    /// made visible may be named again with the same digest.
    pub archives: Vec<DeclaredArchive>,
}

/// One archive of a declared version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeclaredArchive {
    /// What it runs on.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::TargetText))]
    pub target: Target,
    /// The sha256 of its bytes. `None` declares a target whose archive comes later, from
    /// another machine (`publish --targets`).
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::openapi::DigestText>))]
    pub digest: Option<Digest>,
    /// Its size in bytes.
    #[serde(default)]
    pub size: Option<u64>,
}

/// Where a session stands; the answer of every session route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
    /// Whom or what it waits for; `None` once it has ended.
    #[serde(default)]
    pub waits_for: Option<WaitsFor>,
    /// Since when it is in that state.
    pub since: Timestamp,
    /// When it ends by itself if nothing happens; `None` where it does not.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MissingArchive {
    /// The package.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::NameText))]
    pub name: PackageName,
    /// The version.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::VersionText))]
    pub version: Version,
    /// The target.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::TargetText))]
    pub target: Target,
    /// The digest that was declared, if one was.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::openapi::DigestText>))]
    pub digest: Option<Digest>,
}

/// How far a session has come.
///
/// ```text
/// uploading → uploaded → awaiting-review → awaiting-signature → publishing → visible
///     └───────────┴────────────┴──────────────────┴──→ refused | expired
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SessionState {
    /// Archives are missing.
    Uploading,
    /// Everything has arrived; its owner must finish it.
    Uploaded,
    /// Everything is checked and kept, and is being signed.
    Publishing,
    /// A release engineer must sign before it becomes visible.
    AwaitingSignature,
    /// A moderator must look before it becomes visible.
    AwaitingReview,
    /// Everyone can install it.
    Visible,
    /// It will never become visible; the reasons say why.
    Refused,
    /// Nobody finished it in time.
    Expired,
}

/// Whom or what a session waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum WaitsFor {
    /// Archives that are missing.
    Archives,
    /// Its owner, to finish it.
    Owner,
    /// A moderator's review.
    Moderator,
    /// A release engineer's signature.
    ReleaseEngineer,
    /// The registry, which signs it.
    Registry,
}

impl SessionState {
    /// Every state, in the order in which a session passes them.
    pub const ALL: [Self; 8] = [
        Self::Uploading,
        Self::Uploaded,
        Self::AwaitingReview,
        Self::AwaitingSignature,
        Self::Publishing,
        Self::Visible,
        Self::Refused,
        Self::Expired,
    ];

    /// The word used in JSON and text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uploading => "uploading",
            Self::Uploaded => "uploaded",
            Self::Publishing => "publishing",
            Self::AwaitingSignature => "awaiting-signature",
            Self::AwaitingReview => "awaiting-review",
            Self::Visible => "visible",
            Self::Refused => "refused",
            Self::Expired => "expired",
        }
    }

    /// Whether nothing can happen to it any more.
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Visible | Self::Refused | Self::Expired)
    }
}

/// Body of `POST sessions/{id}/review`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Review {
    /// What the moderator says.
    pub verdict: Verdict,
    /// Why, for the owner; a refusal must say it.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What a moderator says to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It may go on.
    Approve,
    /// It ends here.
    Refuse,
}

/// Answer of `GET reviews`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionList {
    /// The sessions, the longest waiting first.
    pub sessions: Vec<SessionStatus>,
}

/// Answer of `GET sessions/{id}/archives/{hex}`: where an upload goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UploadOffset {
    /// Bytes that are kept.
    pub offset: u64,
    /// Whether all of it has arrived and is checked.
    pub complete: bool,
}
