//! Updates: bundles that wait in testing, moved to stable together or not at all.

use jiff::Timestamp;
use provisioning_package::{BundleName, PackageName};
use semver::Version;
use serde::{Deserialize, Serialize};

/// What an update is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum UpdateType {
    /// It mends a weakness that others could use.
    Security,
    /// It mends what was wrong.
    Bugfix,
    /// It brings something new.
    Enhancement,
}

/// How far an update has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum UpdateState {
    /// Its bundles wait for feedback.
    Testing,
    /// All of its bundles are stable.
    Stable,
    /// Testers said no.
    Rejected,
}

/// An update, as the registry keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Update {
    /// Its number.
    pub id: u64,
    /// What it is for.
    #[serde(rename = "type")]
    pub update_type: UpdateType,
    /// What it brings, for people.
    pub notes: String,
    /// The sequences that move together.
    pub bundles: Vec<UpdateBundle>,
    /// The versions of them that no stable bundle has.
    pub versions: Vec<UpdateVersion>,
    /// How far it has come.
    pub state: UpdateState,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// What was said of it, oldest first.
    pub comments: Vec<UpdateComment>,
    /// Who moved or rejected it; `automatic` where its conditions did.
    #[serde(default)]
    pub ended_by: Option<String>,
    /// When.
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
}

/// A sequence of an update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateBundle {
    /// The bundle.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::BundleNameText))]
    pub name: BundleName,
    /// Its sequence.
    pub sequence: u64,
}

/// A version that an update brings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateVersion {
    /// The package.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::NameText))]
    pub name: PackageName,
    /// Its version.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::VersionText))]
    pub version: Version,
}

/// Something that a tester said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateComment {
    /// Who.
    pub by: String,
    /// 1 where it works for them, -1 where it does not, 0 where they only say something.
    pub karma: i8,
    /// What they said.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// Body of `POST updates`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateUpdate {
    /// Only bundles that bring a new version of one of these; every one where empty.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<crate::openapi::NameText>))]
    pub packages: Vec<PackageName>,
    /// What it is for.
    #[serde(rename = "type")]
    pub update_type: UpdateType,
    /// What it brings, for people.
    pub notes: String,
}

/// Body of `POST updates/{id}/comments`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CommentUpdate {
    /// 1, 0 or -1.
    #[serde(default)]
    pub karma: i8,
    /// What is to be said.
    pub text: String,
}

/// Answer of the routes of one update: it, and what it still needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateStatus {
    /// The update.
    pub update: Update,
    /// The sum of everybody's last karma, its maker's left out.
    pub karma: i64,
    /// Whole days since it was made.
    pub days: i64,
    /// What a push needs.
    pub conditions: Vec<UpdateCondition>,
    /// Whether a push would be done.
    pub can_push: bool,
}

/// One thing that a push needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateCondition {
    /// What: `gates`, `feedback`.
    pub name: String,
    /// Whether it holds.
    pub met: bool,
    /// How it stands, for people.
    pub text: String,
}

/// Answer of `GET updates`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateList {
    /// Newest first.
    pub updates: Vec<UpdateStatus>,
}
