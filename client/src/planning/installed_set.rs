//! What is installed, as questions about it take it.
//!
//! A generation knows what its packages need, so who needs whom is answered without asking
//! the registry.

use provisioning_compat::{MemoryIndex, Versions};
use provisioning_installers::Generation;
use provisioning_registry_api::index::{Dependency, IndexEntry, IndexVersion};

/// The installed versions by name.
pub(crate) fn versions(current: &Generation) -> Versions {
    let packages = current.packages.iter();
    packages
        .map(|it| (it.name.clone(), it.version.clone()))
        .collect()
}

/// Index entries with the installed versions alone, made from what the generation recorded.
pub(crate) fn recorded(current: &Generation) -> MemoryIndex {
    current
        .packages
        .iter()
        .map(|it| {
            let needs = it.dependencies.iter().map(|(name, req)| {
                let dependency = Dependency {
                    req: req.clone(),
                    optional: false,
                };
                (name.clone(), dependency)
            });
            let mut entry = IndexEntry::new(it.name.clone());
            entry.versions.push(IndexVersion {
                version: it.version.clone(),
                published_at: current.created_at,
                api: None,
                dependencies: needs.collect(),
                yanked: None,
                archives: Vec::new(),
            });
            entry
        })
        .collect()
}
