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
    pub targets: Vec<Target>,
    /// What belongs to it.
    pub members: Vec<BundleMember>,
    /// Bundles that an upgrade from was tested.
    #[serde(default, deserialize_with = "null_as_default")]
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
pub struct BundleMember {
    /// The member's kind.
    pub kind: Kind,
    /// The member's name.
    pub name: PackageName,
    /// Its one version.
    pub version: Version,
    /// Whether an install of the bundle always brings it.
    #[serde(default = "yes")]
    pub required: bool,
    /// The archive for each target.
    #[serde(default, deserialize_with = "null_as_default")]
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
pub struct Gate {
    /// Which gate.
    pub name: String,
    /// What it said: `passed`, `failed`, `waived`.
    pub verdict: String,
    /// The digest of what it judged by.
    #[serde(default)]
    pub evidence: Option<Digest>,
    /// When it judged.
    #[serde(default)]
    pub when: Option<Timestamp>,
}

/// Why a sequence was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawn {
    /// Why, for people.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
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
pub struct ChannelHead {
    /// The bundle.
    pub bundle: BundleName,
    /// Its sequence.
    pub sequence: u64,
}

impl BundleDocument {
    /// The sequence that an install of this bundle takes: the newest that was not withdrawn.
    pub fn current(&self) -> Option<&BundleSequence> {
        self.sequences
            .iter()
            .filter(|it| it.withdrawn.is_none() && it.state != BundleState::Withdrawn)
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
