//! The author's `manifest.toml`: what a package calls itself and what it needs.
//!
//! Reading one reports every problem at once, each with its line and column, because an
//! author who fixes one mistake per attempt gives up. Keys that nobody knows are warnings,
//! so that an older tool still reads a newer manifest. Nothing in a manifest can make code
//! run at install time: there are no scripts, and [`TestSection`] belongs to `bundle test`.

mod complete;
mod files;
mod notes;
mod read;
mod section;

use std::collections::BTreeMap;
use std::fmt;

use semver::{Version, VersionReq};

use crate::extension_type::ExtensionType;
use crate::kind::Kind;
use crate::name::PackageName;

pub use complete::complete_manifest;
pub use files::check_install;

/// Longest manifest that is read, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 1024 * 1024;

/// A manifest in which everything is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Which kind of package.
    pub kind: Kind,
    /// Its short name.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// What sort of extension; `None` for other kinds.
    pub extension_type: Option<ExtensionType>,
    /// The extension API that it is written for.
    pub api: Option<Version>,
    /// One line for people.
    pub description: Option<String>,
    /// SPDX expression.
    pub license: Option<String>,
    /// Where its source lives.
    pub repository: Option<String>,
    /// Search words.
    pub keywords: Vec<String>,
    /// The packaged software's own version, if another.
    pub upstream_version: Option<String>,
    /// What it needs; `core-version` is merged into `core`, so that both hold.
    pub dependencies: BTreeMap<PackageName, ManifestDependency>,
    /// Commands that it calls at run time.
    pub requires: BTreeMap<String, VersionReq>,
    /// What an install does with its files.
    pub install: InstallSection,
    /// How `bundle test` tries it.
    pub test: TestSection,
}

/// One line of `[dependencies]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestDependency {
    /// Which versions fit.
    pub req: VersionReq,
    /// Whether the package also works without it.
    pub optional: bool,
}

/// `[install]`: which files get links, are the user's, or stay behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstallSection {
    /// Programs that are linked into the prefix's `bin`.
    pub bin: Vec<String>,
    /// The core's program that takes subcommands unknown to the client.
    pub cli: Option<String>,
    /// Globs of files that belong to the user once installed.
    pub config: Vec<String>,
    /// Globs of files that `package build` leaves out.
    pub exclude: Vec<String>,
}

/// `[test]`: never run by an install.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TestSection {
    /// A command and its arguments that must succeed.
    pub smoke: Vec<String>,
}

/// A valid manifest and what is odd about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedManifest {
    /// The manifest.
    pub manifest: Manifest,
    /// Unknown keys and the like, in the order of their lines.
    pub warnings: Vec<ManifestNote>,
}

/// What a source tree states outside its manifest, which may then leave it out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceFacts {
    /// From `version.toml`.
    pub version: Option<Version>,
    /// From the metadata of `Cargo.toml`.
    pub core_version: Option<VersionReq>,
}

/// One problem or oddity, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ManifestNote {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, as a lower-case phrase.
    pub message: String,
}

impl fmt::Display for ManifestNote {
    /// Writes `manifest.toml:3:11: message`, the form that editors jump to.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = Manifest::FILE;
        write!(f, "{file}:{}:{}: {}", self.line, self.column, self.message)
    }
}

/// Everything that is wrong with a manifest; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestErrors(pub Vec<ManifestNote>);

impl fmt::Display for ManifestErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, note) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            note.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ManifestErrors {}

impl Manifest {
    /// What the file is called, at the root of a source tree and of an archive.
    pub const FILE: &str = "manifest.toml";

    /// Reads a manifest that states everything itself, as an archive's must.
    ///
    /// ```
    /// use provisioning_package::Manifest;
    ///
    /// let read = Manifest::parse(
    ///     "[extension]\nname = \"mongodb\"\nversion = \"1.2.0\"\ntype = \"taskserv\"\n",
    /// )
    /// .unwrap();
    /// assert_eq!(read.manifest.name.full(), "provisioning-ext-mongodb");
    ///
    /// let errors = Manifest::parse("[extension]\nname = \"Mongo\"\n").unwrap_err();
    /// assert_eq!(errors.0.len(), 3); // a bad name, no version, no type
    /// ```
    pub fn parse(text: &str) -> Result<ParsedManifest, ManifestErrors> {
        Self::parse_with(text, &SourceFacts::default())
    }

    /// Reads a manifest whose source tree states `facts` elsewhere.
    pub fn parse_with(text: &str, facts: &SourceFacts) -> Result<ParsedManifest, ManifestErrors> {
        read::manifest(text, facts)
    }
}
