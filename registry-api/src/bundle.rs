//! Published bundles and the channels that point at them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use provisioning_package::{BundleName, Digest, Kind, PackageName, Target};
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::null::null_as_default;

/// The newest form of `bundles/<name>.json` and `channels.json` that this code writes.
pub const BUNDLE_SCHEMA: u32 = 1;

/// `bundles/<name>.json`: every sequence of one bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleDocument {
    /// [`BUNDLE_SCHEMA`] when it was written.
    pub schema: u32,
    /// The bundle's name.
    pub name: BundleName,
    /// Its sequences, oldest first.
    pub sequences: Vec<BundleSequence>,
}

/// One numbered issue of a bundle; its members never change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BundleSequence {
    /// 1 for the first, then rising by one.
    pub sequence: u64,
    /// What people call it.
    pub title: String,
    /// The day that its authors give it.
    #[serde(default)]
    pub release_date: Option<Date>,
    /// The day until which it is supported.
    #[serde(default)]
    pub lts_until: Option<Date>,
    /// The targets that it promises to install on; every target where empty.
    #[serde(default, deserialize_with = "null_as_default")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<crate::openapi::TargetText>))]
    pub targets: Vec<Target>,
    /// What belongs to it.
    pub members: Vec<BundleMember>,
    /// Bundles that an upgrade from was tested.
    #[serde(default, deserialize_with = "null_as_default")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<crate::openapi::BundleNameText>))]
    pub upgrades_from: Vec<BundleName>,
    /// How far it has come.
    pub state: BundleState,
    /// What judged it, and how.
    #[serde(default, deserialize_with = "null_as_default")]
    pub gates: Vec<Gate>,
    /// Why it was taken back; `None` when it was not.
    #[serde(default)]
    pub withdrawn: Option<Withdrawn>,
}

/// One package of a bundle, pinned to a version and its digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BundleMember {
    /// The member's kind.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::KindText))]
    pub kind: Kind,
    /// The member's name.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::NameText))]
    pub name: PackageName,
    /// Its one version.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::VersionText))]
    pub version: Version,
    /// Whether an install of the bundle always brings it.
    #[serde(default = "yes")]
    pub required: bool,
    /// The archive for each target.
    #[serde(default, deserialize_with = "null_as_default")]
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, crate::openapi::DigestText>))]
    pub digests: BTreeMap<Target, Digest>,
}

const fn yes() -> bool {
    true
}

/// How far a sequence has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum BundleState {
    /// Being written.
    Draft,
    /// Published for testers.
    Testing,
    /// Passed its first gate.
    Candidate,
    /// Passed its second gate.
    Stable,
    /// Stable, and supported until a day.
    Lts,
    /// Past its support.
    Eol,
    /// Taken back, with a reason.
    Withdrawn,
}

/// One judgement over a sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Gate {
    /// Which gate.
    pub name: String,
    /// What it said: `passed`, `failed`, `waived`.
    pub verdict: String,
    /// The digest of what it judged by.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::openapi::DigestText>))]
    pub evidence: Option<Digest>,
    /// When it judged.
    #[serde(default)]
    pub when: Option<Timestamp>,
    /// The promised target that it judged for.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::openapi::TargetText>))]
    pub target: Option<Target>,
    /// Who gave the evidence, or the waiver.
    #[serde(default)]
    pub by: Option<String>,
    /// Why it failed or was waived.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Why a sequence was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Withdrawn {
    /// Why, for people.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
    /// The bundle to use instead.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::openapi::BundleNameText>))]
    pub replacement: Option<BundleName>,
}

/// `channels.json`: what each channel points at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelsDocument {
    /// [`BUNDLE_SCHEMA`] when it was written.
    pub schema: u32,
    /// The head of each channel.
    pub channels: BTreeMap<BundleName, ChannelHead>,
}

/// What a channel points at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChannelHead {
    /// The bundle.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::BundleNameText))]
    pub bundle: BundleName,
    /// Its sequence.
    pub sequence: u64,
}

impl BundleState {
    /// The word for it, as JSON writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Testing => "testing",
            Self::Candidate => "candidate",
            Self::Stable => "stable",
            Self::Lts => "lts",
            Self::Eol => "eol",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl BundleSequence {
    /// Whether it was taken back.
    pub fn is_withdrawn(&self) -> bool {
        self.withdrawn.is_some() || self.state == BundleState::Withdrawn
    }
}

impl BundleDocument {
    /// The sequence that an install of this bundle takes: the newest that was not withdrawn.
    pub fn current(&self) -> Option<&BundleSequence> {
        self.sequences
            .iter()
            .filter(|it| !it.is_withdrawn())
            .max_by_key(|it| it.sequence)
    }
}

impl Default for ChannelsDocument {
    fn default() -> Self {
        Self {
            schema: BUNDLE_SCHEMA,
            channels: BTreeMap::new(),
        }
    }
}
