//! The source configuration: which paths of a repository make which packages, and what is
//! done with them.
//!
//! `.provisioning.yaml` and Packit's `.packit.yaml` are one language. A value is looked for
//! in five places, the later ones winning: built in, at the top level, in
//! `packages.<p>`, in the job, in the job's `packages.<p>`. Values are replaced whole;
//! only `extend` adds to a list. [`read`] is pure: what it may ask about files comes through
//! [`Tree`], so that a configuration can be shown without a repository.

use serde::ser::{Serialize, SerializeMap as _, SerializeStruct as _, Serializer};

use crate::problem::Problems;
use crate::tree::Tree;
use crate::yaml::{self, Place};

mod checks;
mod effective;
mod find;
mod jobs;
mod keys;
mod layer;
mod values;

pub use checks::check_tree;
pub use effective::{Effective, FileItem, Level};
pub use find::{FindError, FoundConfig, Purpose, SOURCE_GIT_FILE, find_config};

/// What a configuration cannot say itself.
#[derive(Clone, Copy)]
pub struct ReadOptions<'t> {
    /// The file's path from the repository's root.
    pub file: &'t str,
    /// The repository's name, which a package without any name gets.
    pub repository: &'t str,
    /// The files that specfiles are looked for among.
    pub tree: Option<&'t dyn Tree>,
}

/// A source configuration, every value resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceConfig {
    /// The packages by key, in the order of the file.
    pub packages: Vec<(String, Package)>,
    /// The jobs in the order of the file, `a | b` split.
    pub jobs: Vec<Job>,
    /// Whether the file has a `packages` table.
    pub is_monorepo: bool,
}

/// A package of the repository.
#[derive(Debug, Clone, PartialEq)]
pub struct Package {
    /// Its values.
    pub effective: Effective,
    /// Where it is written.
    pub at: Place,
}

/// A job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// What it does: `copr_build` for one.
    pub kind: &'static str,
    /// What sets it off: `pull_request` for one.
    pub trigger: &'static str,
    /// The packages that it handles, each with its values in this job.
    pub packages: Vec<(String, Effective)>,
    /// Where it is written.
    pub at: Place,
}

/// What reading a configuration gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The configuration, if nothing in it must be mended.
    pub config: Option<SourceConfig>,
    /// What is wrong with it.
    pub problems: Problems,
}

/// Reads a configuration, with everything that is wrong with it.
pub fn read(text: &str, options: &ReadOptions<'_>) -> Reading {
    let mut problems = Problems::default();
    let config = match yaml::read(text) {
        Ok(document) => {
            for (key, at) in &document.repeated {
                let message = format!("`{key}` is written a second time: this one counts");
                problems.warning(*at, message);
            }
            jobs::resolve(&document.root, options, &mut problems)
        }
        Err(problem) => {
            problems.error(problem.at, problem.message);
            None
        }
    };
    Reading {
        config: config.filter(|_| !problems.has_errors()),
        problems,
    }
}

/// Why a package is not the one that somebody named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownPackage {
    /// There is none.
    #[error("no package `{name}` in the source configuration")]
    None {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The downstream name fits several.
    #[error("`{name}` is the downstream name of several packages: {}", keys.join(", "))]
    Several {
        /// What was asked for.
        name: String,
        /// The keys that it fits.
        keys: Vec<String>,
    },
}

impl SourceConfig {
    /// The package of this key.
    pub fn package(&self, key: &str) -> Option<&Effective> {
        let found = self.packages.iter().find(|(it, _)| it == key);
        found.map(|(_, package)| &package.effective)
    }

    /// The keys of the packages that were named, by key or by a downstream name that fits
    /// exactly one, in the order of the file; every package if none was named.
    pub fn select(&self, names: &[String]) -> Result<Vec<&str>, UnknownPackage> {
        let mut chosen = Vec::new();
        for name in names {
            chosen.push(self.select_one(name)?);
        }
        let keys = self.packages.iter().map(|(key, _)| key.as_str());
        Ok(keys
            .filter(|it| names.is_empty() || chosen.contains(it))
            .collect())
    }

    /// The key of the one package that was named.
    pub fn select_one(&self, name: &str) -> Result<&str, UnknownPackage> {
        if let Some((key, _)) = self.packages.iter().find(|(key, _)| key == name) {
            return Ok(key);
        }
        let is_called = |package: &Package| package.effective.downstream_name() == name;
        let called: Vec<&str> = self
            .packages
            .iter()
            .filter(|(_, package)| is_called(package))
            .map(|(key, _)| key.as_str())
            .collect();
        match called.as_slice() {
            [key] => Ok(key),
            [] => Err(UnknownPackage::None {
                name: name.to_owned(),
                known: self.packages.iter().map(|(key, _)| key.clone()).collect(),
            }),
            several => Err(UnknownPackage::Several {
                name: name.to_owned(),
                keys: several.iter().map(|it| (*it).to_owned()).collect(),
            }),
        }
    }
}

impl Serialize for SourceConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let packages = self.packages.iter().map(|(key, it)| (key, &it.effective));
        let mut document = serializer.serialize_struct("SourceConfig", 2)?;
        document.serialize_field("packages", &InOrder(packages.collect()))?;
        document.serialize_field("jobs", &self.jobs)?;
        document.end()
    }
}

impl Serialize for Job {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let packages = self.packages.iter().map(|(key, it)| (key, it)).collect();
        let mut document = serializer.serialize_struct("Job", 3)?;
        document.serialize_field("job", self.kind)?;
        document.serialize_field("trigger", self.trigger)?;
        document.serialize_field("packages", &InOrder(packages))?;
        document.end()
    }
}

/// A table that keeps its order.
struct InOrder<'e>(Vec<(&'e String, &'e Effective)>);

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut table = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            table.serialize_entry(key, value)?;
        }
        table.end()
    }
}

/// `: did you mean `x`?` for the nearest of some words, else nothing.
fn near<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> String {
    let close = |it: &&str| strsim::damerau_levenshtein(word, it);
    let nearest = known.into_iter().min_by_key(close);
    match nearest {
        Some(it) if close(&it) <= 1 + word.chars().count() / 4 => {
            format!(": did you mean `{it}`?")
        }
        Some(_) | None => String::new(),
    }
}
