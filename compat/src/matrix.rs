//! The compatibility matrix as data: which versions go together.
//!
//! A row belongs to one version of one package and bounds others. It means "if both are
//! chosen", so it binds both ways and never brings a package in.

use std::collections::BTreeMap;

use provisioning_package::{PackageName, Version, VersionReq};
use semver::BuildMetadata;

/// Every row of `versions.toml` and its companion.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matrix {
    rows: BTreeMap<PackageName, BTreeMap<Version, Row>>,
}

/// What one version goes together with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The bounds, in the order of their keys.
    pub bounds: Vec<Bound>,
    /// The file that it was read from.
    pub file: &'static str,
    /// The line of its version, 1 for the first.
    pub line: usize,
    /// The column of its version, 1 for the first.
    pub column: usize,
}

/// One bound of a row: `platform = "^2.5"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// What it bounds.
    pub on: BoundOn,
    /// What that must meet.
    pub req: VersionReq,
    /// The key as written: `platform`, `min-core`, `extensions`.
    pub key: String,
    /// The line of its value.
    pub line: usize,
    /// The column of its value.
    pub column: usize,
}

/// What a bound speaks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BoundOn {
    /// The version of this package.
    Package(PackageName),
    /// The API of every chosen extension that names one.
    ExtensionApi,
}

impl Matrix {
    /// The row of exactly this version; build metadata does not count.
    pub fn row(&self, name: &PackageName, version: &Version) -> Option<&Row> {
        if self.rows.is_empty() {
            return None;
        }
        let rows = self.rows.get(name)?;
        if version.build.is_empty() {
            rows.get(version)
        } else {
            rows.get(&without_build(version))
        }
    }

    /// Every row, by package and version.
    pub fn rows(&self) -> impl Iterator<Item = (&PackageName, &Version, &Row)> {
        self.rows
            .iter()
            .flat_map(|(name, rows)| rows.iter().map(move |(version, row)| (name, version, row)))
    }

    /// Whether it has no row at all.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether `version` has no row although other versions of the package have: nobody
    /// said what it goes together with.
    pub fn is_unlisted(&self, name: &PackageName, version: &Version) -> bool {
        !self.rows.is_empty() && self.rows.contains_key(name) && self.row(name, version).is_none()
    }

    /// Adds a row; the row that was there already, if one was, stays and is returned.
    pub fn insert(&mut self, name: PackageName, version: &Version, row: Row) -> Option<&Row> {
        use std::collections::btree_map::Entry;
        let rows = self.rows.entry(name).or_default();
        match rows.entry(without_build(version)) {
            Entry::Vacant(place) => {
                place.insert(row);
                None
            }
            Entry::Occupied(place) => Some(place.into_mut()),
        }
    }
}

fn without_build(version: &Version) -> Version {
    Version {
        build: BuildMetadata::EMPTY,
        ..version.clone()
    }
}
