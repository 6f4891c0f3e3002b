//! The index entry: what the solver reads about one package.
//!
//! Fields that are absent read as null and unknown fields are ignored, so that an old
//! client reads a newer registry.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provisioning_package::{Digest, ExtensionType, Kind, PackageName, Target};
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

use crate::null::null_as_default;

mod reading;

pub use reading::UnreadVersion;

/// The newest form of index entry that this code writes.
pub const INDEX_SCHEMA: u32 = 1;

/// Everything that the registry says about one package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexEntry {
    /// [`INDEX_SCHEMA`] when it was written.
    pub schema: u32,
    /// Which kind of package.
    pub kind: Kind,
    /// Its short name.
    pub name: PackageName,
    /// What sort of extension; `None` for other kinds.
    #[serde(default, rename = "type")]
    pub extension_type: Option<ExtensionType>,
    /// One line for people.
    #[serde(default)]
    pub description: Option<String>,
    /// Search words.
    #[serde(default, deserialize_with = "null_as_default")]
    pub keywords: Vec<String>,
    /// SPDX expression.
    #[serde(default)]
    pub license: Option<String>,
    /// Where its source lives.
    #[serde(default)]
    pub repository: Option<String>,
    /// Whether it is alive.
    #[serde(default, deserialize_with = "null_as_default")]
    pub status: PackageStatus,
    /// Every visible version, oldest first by precedence.
    #[serde(default, deserialize_with = "null_as_default")]
    pub versions: Vec<IndexVersion>,
    /// Versions that stand in it and cannot be used; only [`IndexEntry::read`] finds any.
    #[serde(skip)]
    pub unread: Vec<UnreadVersion>,
}

/// Whether a package is alive, and what to use instead.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageStatus {
    /// The state itself.
    #[serde(default, deserialize_with = "null_as_default")]
    pub state: PackageState,
    /// Why, for people.
    #[serde(default)]
    pub reason: Option<String>,
    /// The package to use instead.
    #[serde(default)]
    pub replacement: Option<String>,
}

/// Whether a package is alive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageState {
    /// In use.
    #[default]
    Active,
    /// Still installs, with a warning.
    Deprecated,
    /// Takes no new versions.
    Archived,
    /// Held by a moderator: never chosen.
    Quarantined,
}

/// One version of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexVersion {
    /// The version.
    pub version: Version,
    /// When it became visible; where that is absent, long ago.
    #[serde(default)]
    pub published_at: Timestamp,
    /// The extension API that it is written for.
    #[serde(default)]
    pub api: Option<Version>,
    /// What it needs, by short name.
    #[serde(default, deserialize_with = "null_as_default")]
    pub dependencies: BTreeMap<PackageName, Dependency>,
    /// Hidden from new solutions since when and why; `None` when it is not.
    #[serde(default)]
    pub yanked: Option<Yanked>,
    /// Its archives: one for `any`, or one for each target.
    #[serde(default, deserialize_with = "null_as_default")]
    pub archives: Vec<IndexArchive>,
}

/// What a version needs of another package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// The versions that it works with.
    pub req: VersionReq,
    /// Bounds the package where something else brings it, but does not bring it.
    #[serde(default, deserialize_with = "null_as_default")]
    pub optional: bool,
}

/// Why a version is hidden from new solutions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Yanked {
    /// Why, for people.
    #[serde(default)]
    pub reason: Option<String>,
    /// The version or package to use instead.
    #[serde(default)]
    pub replacement: Option<String>,
    /// Since when.
    pub at: Timestamp,
}

/// One archive of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexArchive {
    /// What it runs on.
    pub target: Target,
    /// The sha256 of its bytes.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// The sum of its files' sizes in bytes.
    pub unpacked: u64,
    /// How many entries it has.
    pub entries: u64,
    /// How it is packed.
    pub format: ArchiveFormat,
    /// The digest of its provenance statement.
    #[serde(default)]
    pub provenance: Option<Digest>,
    /// The digest of its SBOM.
    #[serde(default)]
    pub sbom: Option<Digest>,
}

pub use provisioning_package::ArchiveFormat;

impl IndexEntry {
    /// The entry of a package that has no versions yet.
    pub fn new(name: PackageName) -> Self {
        Self {
            schema: INDEX_SCHEMA,
            kind: name.kind(),
            name,
            extension_type: None,
            description: None,
            keywords: Vec::new(),
            license: None,
            repository: None,
            status: PackageStatus::default(),
            versions: Vec::new(),
            unread: Vec::new(),
        }
    }

    /// The version that is exactly `version`, build metadata included.
    pub fn version(&self, version: &Version) -> Option<&IndexVersion> {
        self.versions.iter().find(|it| it.version == *version)
    }
}

impl IndexVersion {
    /// The archive to install on a machine of target `machine`.
    pub fn archive_for(&self, machine: Target) -> Option<&IndexArchive> {
        self.archives.iter().find(|it| it.target.runs_on(machine))
    }
}
