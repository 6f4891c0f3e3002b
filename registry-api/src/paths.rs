//! Where each file of the read side is, and what each TUF target is called.
//!
//! Every path here is relative to the registry's base and never begins with a slash.

use provisioning_package::{BundleName, Digest, Kind, PackageName, Target};
use semver::Version;

/// The discovery document.
pub const DISCOVERY: &str = ".well-known/provisioning-registry.json";
/// TUF metadata.
pub const METADATA: &str = "metadata/";
/// TUF targets.
pub const TARGETS: &str = "targets/";
/// Archives, provenance statements and SBOMs.
pub const ARCHIVES: &str = "archives/";
/// The write side.
pub const API: &str = "api/v1/";
/// The TUF target of the compatibility matrix.
pub const MATRIX_TARGET: &str = "versions.toml";
/// The TUF target of the channels.
pub const CHANNELS_TARGET: &str = "channels.json";

/// The TUF target of a package's index entry.
pub fn index_target(name: &PackageName) -> String {
    format!("index/{}/{name}.json", name.kind())
}

/// The TUF target of a bundle.
pub fn bundle_target(name: &BundleName) -> String {
    format!("bundles/{name}.json")
}

/// The TUF target of a bootstrap script: `install.sh`.
pub fn script_target(file: &str) -> String {
    format!("scripts/{file}")
}

/// Where the bytes of TUF target `target` are under [`TARGETS`]: its last component is
/// prefixed by their digest (TUF 1.0, consistent snapshots).
pub fn consistent(target: &str, digest: &Digest) -> String {
    match target.rsplit_once('/') {
        Some((folder, file)) => format!("{folder}/{}.{file}", digest.hex()),
        None => format!("{}.{target}", digest.hex()),
    }
}

/// Where an archive is: `archives/sha256/<hex>`.
pub fn archive(digest: &Digest) -> String {
    format!("{ARCHIVES}sha256/{}", digest.hex())
}

/// Where people and scripts find an archive by name: a redirect.
pub fn download(kind: Kind, name: &PackageName, version: &Version, target: Target) -> String {
    format!("dl/{kind}/{name}/{version}/{target}")
}
