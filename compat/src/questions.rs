//! Questions that operators ask about chosen versions: why is this here, what needs what,
//! what is newer, what would move.
//!
//! Each answer is data that serialises, with a `Display` for people. Nothing here decides
//! what to install; a set of chosen versions is an argument.

pub(crate) mod compare;
pub(crate) mod fitting;
pub(crate) mod grid;
pub(crate) mod outdated;
pub(crate) mod tree;
pub(crate) mod verdict;
pub(crate) mod why;

use std::collections::BTreeMap;

use provisioning_package::{PackageName, Version};
use provisioning_registry_api::index::{Dependency, IndexVersion};

use crate::index::Index;
use crate::solution::Solution;

/// One chosen version for each package: a solution, a generation or a lockfile.
pub type Versions = BTreeMap<PackageName, Version>;

impl Solution {
    /// What was chosen, as versions alone.
    pub fn versions(&self) -> Versions {
        let chosen = self.packages.iter();
        chosen
            .map(|(name, it)| (name.clone(), it.version.clone()))
            .collect()
    }
}

/// What the registry says about one version of the set.
pub(crate) fn known<'i>(
    set: &Versions,
    index: &'i dyn Index,
    name: &PackageName,
) -> Option<&'i IndexVersion> {
    index.entry(name)?.version(set.get(name)?)
}

/// What one version of the set needs of others in the set, by name.
pub(crate) fn needs<'i>(
    set: &Versions,
    index: &'i dyn Index,
    name: &PackageName,
) -> Vec<(&'i PackageName, &'i Dependency)> {
    let dependencies = known(set, index, name).map(|it| &it.dependencies);
    dependencies
        .into_iter()
        .flatten()
        .filter(|(needed, it)| !it.optional && set.contains_key(*needed))
        .collect()
}

#[cfg(test)]
mod tests;
