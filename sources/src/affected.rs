//! Which packages and jobs a change touches, and why.
//!
//! A changed file touches a package where the package's `handle.paths` (or its `paths`) let
//! it in and its `handle.ignore_paths` do not; a job is touched by what touches a package of
//! it, with the job's own values. Pure: the changed files are an argument.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::config::{Effective, SourceConfig};
use crate::paths::{InvalidGlob, Patterns, clean, is_in};

/// Why something is touched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The changed file; `None` where another package is the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The pattern or path that let it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The touched package that this one depends on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depends_on: Option<String>,
}

/// A touched package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AffectedPackage {
    /// Its key.
    pub package: String,
    /// Why.
    pub reasons: Vec<Reason>,
}

/// A touched job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AffectedJob {
    /// Which one it is, from 0, in the order of `jobs`.
    pub index: usize,
    /// What it does.
    pub job: String,
    /// What sets it off.
    pub trigger: String,
    /// The packages of it that are touched, each with its reasons.
    pub packages: Vec<AffectedPackage>,
}

/// A changed file outside of a package's paths that still alters what the package is
/// downstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alteration {
    /// The package.
    pub package: String,
    /// The changed file.
    pub file: String,
    /// The key that reaches it: `files_to_sync` or `specfile_path`.
    pub through: &'static str,
}

/// What a change touches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Affected {
    /// Touched packages, in the order of the file.
    pub packages: Vec<AffectedPackage>,
    /// Touched jobs, in the order of the file.
    pub jobs: Vec<AffectedJob>,
    /// Files outside of all paths that alter a package downstream.
    pub alterations: Vec<Alteration>,
    /// Changed files that touch no package.
    pub unmatched: Vec<String>,
}

/// What these changed files touch. Paths are relative to the repository's root.
pub fn affected(config: &SourceConfig, changed: &[String]) -> Result<Affected, InvalidGlob> {
    let changed: BTreeSet<String> = changed.iter().map(|it| clean(it)).collect();
    let mut matched: BTreeSet<&str> = BTreeSet::new();
    let mut found = Affected::default();
    for (key, package) in &config.packages {
        let reasons = reasons(&package.effective, &changed)?;
        matched.extend(reasons.iter().filter_map(|it| {
            let file = it.file.as_ref()?;
            changed.get(file).map(String::as_str)
        }));
        found
            .alterations
            .extend(alterations(key, &package.effective, &changed));
        if !reasons.is_empty() {
            found.packages.push(AffectedPackage {
                package: key.clone(),
                reasons,
            });
        }
    }
    for (index, job) in config.jobs.iter().enumerate() {
        let mut packages = Vec::new();
        for (key, effective) in &job.packages {
            let reasons = reasons(effective, &changed)?;
            if !reasons.is_empty() {
                packages.push(AffectedPackage {
                    package: key.clone(),
                    reasons,
                });
            }
        }
        if !packages.is_empty() {
            found.jobs.push(AffectedJob {
                index,
                job: job.kind.to_owned(),
                trigger: job.trigger.to_owned(),
                packages,
            });
        }
    }
    let rest = changed.iter().filter(|it| !matched.contains(it.as_str()));
    found.unmatched = rest.cloned().collect();
    Ok(found)
}

/// Adds the packages that depend on touched ones, and those on them, and the jobs of all.
/// `dependencies` has, for each package, those of the repository that it needs.
pub fn add_dependents(
    found: &mut Affected,
    config: &SourceConfig,
    dependencies: &BTreeMap<String, BTreeSet<String>>,
) {
    let mut touched: BTreeSet<String> =
        found.packages.iter().map(|it| it.package.clone()).collect();
    let mut next: Vec<String> = touched.iter().cloned().collect();
    let mut added: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while let Some(cause) = next.pop() {
        let dependents = dependencies
            .iter()
            .filter(|(_, needs)| needs.contains(&cause));
        for (dependent, _) in dependents {
            if touched.insert(dependent.clone()) {
                next.push(dependent.clone());
            }
            added
                .entry(dependent.clone())
                .or_default()
                .push(cause.clone());
        }
    }
    for (package, mut causes) in added {
        causes.sort();
        causes.dedup();
        let reasons = causes.into_iter().map(|it| Reason {
            file: None,
            pattern: None,
            depends_on: Some(it),
        });
        add(&mut found.packages, &package, reasons.clone());
        for (index, job) in config.jobs.iter().enumerate() {
            if !job.packages.iter().any(|(key, _)| *key == package) {
                continue;
            }
            let at = found.jobs.partition_point(|it| it.index < index);
            if found.jobs.get(at).is_none_or(|it| it.index != index) {
                let job = AffectedJob {
                    index,
                    job: job.kind.to_owned(),
                    trigger: job.trigger.to_owned(),
                    packages: Vec::new(),
                };
                found.jobs.insert(at, job);
            }
            add(&mut found.jobs[at].packages, &package, reasons.clone());
        }
    }
    let order = |key: &str| config.packages.iter().position(|(it, _)| it == key);
    found.packages.sort_by_key(|it| order(&it.package));
}

fn add(packages: &mut Vec<AffectedPackage>, key: &str, reasons: impl Iterator<Item = Reason>) {
    match packages.iter_mut().find(|it| it.package == key) {
        Some(package) => package.reasons.extend(reasons),
        None => packages.push(AffectedPackage {
            package: key.to_owned(),
            reasons: reasons.collect(),
        }),
    }
}

fn reasons(effective: &Effective, changed: &BTreeSet<String>) -> Result<Vec<Reason>, InvalidGlob> {
    let handled = effective.handled_patterns()?;
    let ignored = effective.ignored_patterns()?;
    let ignored = (!effective.ignored().is_empty()).then_some(ignored);
    let reason = |file: &String| reason(file, &handled, ignored.as_ref());
    Ok(changed.iter().filter_map(reason).collect())
}

fn reason(file: &str, handled: &Patterns, ignored: Option<&Patterns>) -> Option<Reason> {
    let pattern = handled.find(file)?;
    if ignored.is_some_and(|it| it.find(file).is_some()) {
        return None;
    }
    Some(Reason {
        file: Some(file.to_owned()),
        pattern: Some(pattern.to_owned()),
        depends_on: None,
    })
}

fn alterations(key: &str, effective: &Effective, changed: &BTreeSet<String>) -> Vec<Alteration> {
    let paths = effective.clean_paths();
    let specfile = effective.specfile().map(clean);
    let sources: Vec<String> = effective
        .files_to_sync()
        .into_iter()
        .flat_map(|it| it.sources)
        .collect();
    // What is no glob is a file or folder by that very name.
    let patterns = Patterns::parse(sources.iter().map(String::as_str)).ok();
    let outside = changed
        .iter()
        .filter(|file| !paths.iter().any(|it| is_in(file, it)));
    let alteration = |file: &String| {
        let through = if specfile.as_deref() == Some(file) {
            "specfile_path"
        } else if patterns.as_ref().is_some_and(|it| it.find(file).is_some()) {
            "files_to_sync"
        } else {
            return None;
        };
        Some(Alteration {
            package: key.to_owned(),
            file: file.clone(),
            through,
        })
    };
    outside.filter_map(alteration).collect()
}
