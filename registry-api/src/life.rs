//! What happens to packages and versions after they were published.

use provisioning_package::{BundleName, PackageName};
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::index::{PackageState, PackageStatus};

/// Body of `PUT packages/{kind}/{name}/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetStatus {
    /// `active`, `deprecated` or `archived`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub state: PackageState,
    /// Why, for people; everything but `active` says it.
    #[serde(default)]
    pub reason: Option<String>,
    /// The package to use instead.
    #[serde(default)]
    pub replacement: Option<String>,
}

/// Body of `PUT packages/{kind}/{name}/quarantine`, and of the two deletions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Because {
    /// Why, for people.
    pub reason: String,
}

/// Answer of the routes that change a package's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StatusChanged {
    /// The package.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::NameText))]
    pub name: PackageName,
    /// What the index says now.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub status: PackageStatus,
    /// The registry's serial after it.
    pub serial: u64,
}

/// Answer of the two deletions of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionDeleted {
    /// The package.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::NameText))]
    pub name: PackageName,
    /// The version, which nobody can publish again.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::VersionText))]
    pub version: Version,
    /// Bundles that pin it and are marked.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<crate::openapi::BundleNameText>))]
    pub degraded: Vec<BundleName>,
    /// The registry's serial after it.
    pub serial: u64,
}

/// What one package may have; body and answer of `packages/{kind}/{name}/quota`. What is
/// absent follows the registry's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Quota {
    /// Bytes of one archive.
    #[serde(default)]
    pub archive_bytes: Option<u64>,
    /// Bytes of all archives of the package together.
    #[serde(default)]
    pub total_bytes: Option<u64>,
}
