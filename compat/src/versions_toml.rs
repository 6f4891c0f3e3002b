//! The text of `versions.toml`: rows of the compatibility matrix and drafts of bundles.
//!
//! Reading it never stops at the first problem: every one is reported with its line and
//! column, so that a release engineer corrects the file once. Keys that mean nothing warn.

mod contradictions;
mod drafts;
mod reader;
mod rows;

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;
use provisioning_package::{BundleName, PackageName, Target, Version};

use crate::matrix::Matrix;
use reader::Reader;

/// What the file is called, in the registry and in a repository.
const VERSIONS_TOML: &str = "versions.toml";
/// The companion that holds rows alone.
const COMPATIBILITY_TOML: &str = "compatibility.toml";

/// `versions.toml`, read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VersionsToml {
    /// The rows.
    pub matrix: Matrix,
    /// The bundles that are being written; only a published bundle installs.
    pub bundles: BTreeMap<BundleName, BundleDraft>,
    /// What was ignored.
    pub warnings: Vec<Note>,
}

/// A bundle as its authors write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleDraft {
    /// What people call it; the bundle's name where the file says nothing.
    pub title: String,
    /// The day that its authors give it.
    pub release_date: Option<Date>,
    /// The day until which it is supported.
    pub lts_until: Option<Date>,
    /// What an install of the bundle brings.
    pub members: Vec<(PackageName, Version)>,
    /// What it pins but does not bring.
    pub optional: Vec<(PackageName, Version)>,
    /// The targets that it promises.
    pub targets: Vec<Target>,
    /// Bundles that an upgrade from is promised.
    pub upgrades_from: Vec<BundleName>,
    /// Cross-component checks: a name and the commands to run.
    pub tests: BTreeMap<String, Vec<String>>,
    /// The line of its table in `versions.toml`.
    pub line: usize,
    /// Where each member is named: the line and column of its version.
    pub places: BTreeMap<PackageName, (usize, usize)>,
}

/// Something to say about one place of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// The file: `versions.toml` or `compatibility.toml`.
    pub file: &'static str,
    /// The line, 1 for the first.
    pub line: usize,
    /// The column in characters, 1 for the first.
    pub column: usize,
    /// What is to be said.
    pub message: String,
}

/// Everything that is wrong with a `versions.toml`, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct MatrixErrors(pub Vec<Note>);

impl VersionsToml {
    /// Reads `versions.toml` and, where there is one, the `compatibility.toml` beside it.
    pub fn parse(text: &str, companion: Option<&str>) -> Result<Self, MatrixErrors> {
        let mut errors = Vec::new();
        let mut read = Self::default();
        let mut reader = Reader::new(VERSIONS_TOML, text);
        let table = reader.document();
        for (key, value) in reader::entries(table.get_ref()) {
            match key.get_ref().as_ref() {
                "compatibility" => rows::read(&mut reader, value, &mut read.matrix),
                "bundles" => drafts::read(&mut reader, value, &mut read.bundles),
                other => reader.warn(key, format!("unknown key `{other}` is ignored")),
            }
        }
        reader.finish(&mut errors, &mut read.warnings);
        if let Some(text) = companion {
            read_companion(text, &mut read, &mut errors);
        }
        contradictions::find(&read.matrix, &mut errors, &mut read.warnings);
        if errors.is_empty() {
            read.warnings.sort();
            Ok(read)
        } else {
            // `versions.toml` first, then its companion, each by line.
            errors.sort_by_key(|it| (it.file != VERSIONS_TOML, it.line, it.column));
            Err(MatrixErrors(errors))
        }
    }
}

fn read_companion(text: &str, read: &mut VersionsToml, errors: &mut Vec<Note>) {
    let mut reader = Reader::new(COMPATIBILITY_TOML, text);
    let table = reader.document();
    for (key, value) in reader::entries(table.get_ref()) {
        match key.get_ref().as_ref() {
            "compatibility" => rows::read(&mut reader, value, &mut read.matrix),
            "bundles" => reader.warn(
                key,
                "`bundles` is ignored here: write bundles into `versions.toml`".to_owned(),
            ),
            other => reader.warn(key, format!("unknown key `{other}` is ignored")),
        }
    }
    reader.finish(errors, &mut read.warnings);
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}",
            self.file, self.line, self.column, self.message
        )
    }
}

impl fmt::Display for MatrixErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, note) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{note}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
