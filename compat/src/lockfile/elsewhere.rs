//! Where else a lockfile holds: it is resolved for one machine and read on many.
//!
//! Versions are chosen for the machine that resolves, and each is locked with its archive for
//! every target. A target that some of the packages are made for and others are not is one
//! on which the lockfile will not install; that is better said when it is written.

use std::collections::BTreeSet;
use std::fmt;

use provisioning_package::{PackageName, Target, Version};
use provisioning_registry_api::index::IndexVersion;

use super::Lockfile;
use crate::index::Index;

/// A locked package that has no archive for a target that others are made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingElsewhere {
    /// The target on which the lockfile will not install.
    pub target: Target,
    /// The package.
    pub name: PackageName,
    /// The version that is locked.
    pub locked: Version,
    /// The newest version that has an archive for the target, if any has.
    pub has_it: Option<Version>,
}

impl fmt::Display for MissingElsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            target,
            name,
            locked,
            has_it,
        } = self;
        write!(
            f,
            "on {target} this lockfile does not install: {name} {locked} has no archive for it"
        )?;
        match has_it {
            Some(version) => write!(f, " ({name} {version} has one)"),
            None => Ok(()),
        }
    }
}

impl Lockfile {
    /// Locked packages without an archive for a target that other locked packages have one
    /// for, by target and name.
    pub fn missing_elsewhere(&self, index: &dyn Index) -> Vec<MissingElsewhere> {
        let targets = self.packages.values().flat_map(|it| it.digests.keys());
        let mut targets: BTreeSet<Target> = targets.copied().collect();
        targets.remove(&Target::Any);
        let mut missing = Vec::new();
        for target in targets {
            for (name, package) in &self.packages {
                if package.digests.keys().any(|it| it.runs_on(target)) {
                    continue;
                }
                let versions = index.entry(name).map(|it| it.versions.as_slice());
                let could = |it: &&IndexVersion| {
                    it.yanked.is_none()
                        && it.version.pre.is_empty()
                        && it.archive_for(target).is_some()
                };
                let has_it = versions.into_iter().flatten().filter(could);
                missing.push(MissingElsewhere {
                    target,
                    name: name.clone(),
                    locked: package.version.clone(),
                    has_it: has_it.map(|it| it.version.clone()).max(),
                });
            }
        }
        missing
    }
}
