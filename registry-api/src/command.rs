//! Bodies of the small write requests: yank, matrix, bundles; and search results.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use provisioning_package::{BundleName, Digest, ExtensionType, Kind, PackageName, Target};
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::bundle::{BundleSequence, BundleState, ChannelHead};
use crate::index::{PackageState, Yanked};

/// Body of `PUT packages/{kind}/{name}/versions/{version}/yank`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Yank {
    /// Why, for people.
    pub reason: String,
    /// The version or package to use instead.
    #[serde(default)]
    pub replacement: Option<String>,
    /// Yank it although a bundle that people follow pins it; the bundle is then marked.
    #[serde(default)]
    pub force: bool,
}

/// Answer of `PUT` and `DELETE packages/{kind}/{name}/versions/{version}/yank`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct YankAnswer {
    /// The package.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::NameText))]
    pub name: PackageName,
    /// The version.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::VersionText))]
    pub version: Version,
    /// What the index says now; `None` when it is not yanked.
    #[serde(default)]
    pub yanked: Option<Yanked>,
    /// The registry's serial after it.
    pub serial: u64,
    /// Whether it is kept and shown only once release engineers have signed.
    #[serde(default)]
    pub awaiting_signature: bool,
}

/// Body of `PUT matrix`: a new `versions.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PushMatrix {
    /// The digest of the matrix that the new one was written over; `None` when there was
    /// none. A registry that moved on refuses.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::openapi::DigestText>))]
    pub base: Option<Digest>,
    /// The whole new text.
    pub text: String,
}

/// Answer of `PUT matrix`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MatrixPushed {
    /// The digest of the matrix that is served now.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::DigestText))]
    pub digest: Digest,
    /// What the registry noticed but accepted.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The registry's serial after it.
    pub serial: u64,
    /// Whether it is kept and shown only once release engineers have signed.
    #[serde(default)]
    pub awaiting_signature: bool,
}

/// Body of `POST bundles/{name}`: publish the next sequence of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublishBundle {
    /// What people call it.
    pub title: String,
    /// The day that its authors give it.
    #[serde(default)]
    pub release_date: Option<Date>,
    /// The day until which it is supported.
    #[serde(default)]
    pub lts_until: Option<Date>,
    /// The targets that it promises; every target that all members share where empty.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<crate::openapi::TargetText>))]
    pub targets: Vec<Target>,
    /// What belongs to it.
    pub members: Vec<DeclaredMember>,
    /// Bundles that an upgrade from was tested.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<crate::openapi::BundleNameText>))]
    pub upgrades_from: Vec<BundleName>,
    /// The state to publish it in; the registry decides where it is absent.
    #[serde(default)]
    pub state: Option<BundleState>,
}

/// Body of `POST bundles/{name}/promote`: move a sequence through its gates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PromoteBundle {
    /// Which sequence; the newest that was not withdrawn where absent.
    #[serde(default)]
    pub sequence: Option<u64>,
    /// How far; the next state where absent.
    #[serde(default)]
    pub to: Option<BundleState>,
    /// Gates that it passes although their evidence does not say so.
    #[serde(default)]
    pub waivers: Vec<Waiver>,
    /// The day until which it is supported, for a promotion to `lts` of a sequence that was
    /// published without one.
    #[serde(default)]
    pub lts_until: Option<Date>,
}

/// A gate that is passed on somebody's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Waiver {
    /// The gate: `tests` or `upgrades`.
    pub gate: String,
    /// Why, for people; it is shown with the bundle and in the audit log.
    pub reason: String,
}

/// Body of `POST bundles/{name}/withdraw`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WithdrawBundle {
    /// Which sequence; every one where absent.
    #[serde(default)]
    pub sequence: Option<u64>,
    /// Why, for everyone who has it installed.
    pub reason: String,
    /// The bundle to use instead.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::openapi::BundleNameText>))]
    pub replacement: Option<BundleName>,
}

/// Answer of `POST bundles/{name}/promote` and `…/withdraw`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BundleMoved {
    /// The bundle.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::BundleNameText))]
    pub name: BundleName,
    /// The sequences that moved, as they are now.
    pub sequences: Vec<BundleSequence>,
    /// What each channel points at now.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, ChannelHead>))]
    pub channels: BTreeMap<BundleName, ChannelHead>,
    /// The registry's serial after it.
    pub serial: u64,
}

/// One member of a bundle that is being published; the registry adds the digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeclaredMember {
    /// The member.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::NameText))]
    pub name: PackageName,
    /// Its one version.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::VersionText))]
    pub version: Version,
    /// Whether an install of the bundle always brings it.
    pub required: bool,
}

/// Answer of `POST bundles/{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BundlePublished {
    /// The bundle.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::BundleNameText))]
    pub name: BundleName,
    /// The sequence that it became; an equal publish again gives the same number.
    pub sequence: u64,
    /// Its state.
    pub state: BundleState,
    /// Channels that point at it now.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<crate::openapi::BundleNameText>))]
    pub channels: Vec<BundleName>,
    /// What the registry noticed but accepted.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The registry's serial after it.
    pub serial: u64,
    /// Whether it is kept and shown only once release engineers have signed.
    #[serde(default)]
    pub awaiting_signature: bool,
}

/// Answer of `GET search?q=…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SearchResults {
    /// What was found, best first.
    pub packages: Vec<SearchResult>,
    /// The `cursor` of the next page; absent where nothing follows.
    #[serde(default)]
    pub next: Option<String>,
}

/// One package that a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SearchResult {
    /// Its kind.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::KindText))]
    pub kind: Kind,
    /// Its name.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::NameText))]
    pub name: PackageName,
    /// What sort of extension.
    #[serde(default, rename = "type")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::openapi::ExtensionTypeText>))]
    pub extension_type: Option<ExtensionType>,
    /// One line for people.
    #[serde(default)]
    pub description: Option<String>,
    /// Its newest version that is not yanked.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::openapi::VersionText>))]
    pub newest: Option<Version>,
    /// `active`, or what its owners or a moderator say of it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub state: PackageState,
    /// When that version became visible.
    #[serde(default)]
    pub published_at: Option<Timestamp>,
    /// Search words.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// How often its archives were asked for in 90 days.
    #[serde(default)]
    pub downloads: u64,
}

/// Answer of `GET packages/{kind}/{name}/downloads`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PackageDownloads {
    /// The package.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::NameText))]
    pub name: PackageName,
    /// How often its archives were asked for in the days that were asked about.
    pub total: u64,
    /// The same by version, newest first.
    pub versions: Vec<VersionDownloads>,
    /// The same by day, oldest first; days without any are absent.
    pub days: Vec<DayDownloads>,
}

/// The downloads of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionDownloads {
    /// The version.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::VersionText))]
    pub version: Version,
    /// How often its archives were asked for.
    pub count: u64,
}

/// The downloads of one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DayDownloads {
    /// The day, in UTC.
    pub day: Date,
    /// How often archives were asked for.
    pub count: u64,
}

/// Answer of `GET packages/{kind}/{name}/versions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PackageVersions {
    /// The package's kind.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::KindText))]
    pub kind: Kind,
    /// Its name.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::NameText))]
    pub name: PackageName,
    /// The newest version that goes with what was asked for.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::openapi::VersionText>))]
    pub newest_that_fits: Option<Version>,
    /// Its versions, newest first.
    pub versions: Vec<PackageVersion>,
}

/// One version, and whether it goes with what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PackageVersion {
    /// The version.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::VersionText))]
    pub version: Version,
    /// When it became visible.
    pub published_at: Timestamp,
    /// Whether it goes with what was asked for.
    pub fits: bool,
    /// Why it does not, as a sentence.
    #[serde(default)]
    pub reason: Option<String>,
    /// Why it is hidden from new solutions, where it is.
    #[serde(default)]
    pub yanked: Option<Yanked>,
    /// What it has archives for.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<crate::openapi::TargetText>))]
    pub targets: Vec<Target>,
}
