//! The published bundles that have packages of a repository.

use std::collections::BTreeSet;

use provisioning_package::BundleName;
use provisioning_sources::affected::Affected;
use provisioning_sources::config::SourceConfig;
use provisioning_sources::dependencies::{SourceTexts, registry_name};
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::Repository;
use crate::context::Context;
use crate::failure::Outcome;
use crate::registry::RegistryReader;

/// A package in the current sequence of a bundle.
#[derive(Debug, Serialize)]
pub(super) struct Containing {
    /// The package's key.
    pub(super) package: String,
    /// The bundle.
    pub(super) bundle: String,
    /// Its sequence.
    pub(super) sequence: u64,
}

/// The bundles that have touched packages: those that a channel points at or that the
/// registry's matrix has a draft of, as `bundle list` finds them.
pub(super) fn containing(
    found: &Affected,
    config: &SourceConfig,
    repository: &Repository,
    context: &Context,
) -> Outcome<Vec<Containing>> {
    let read = |path: &str| std::fs::read_to_string(repository.root.join(path)).ok();
    let texts = SourceTexts { read: &read };
    let mut names = Vec::new();
    for it in &found.packages {
        if let Some(values) = config.package(&it.package) {
            names.push((it.package.clone(), registry_name(values, &texts)));
        }
    }
    let work = search(&names, context);
    block_in_place(|| Handle::current().block_on(work))
}

async fn search(names: &[(String, String)], context: &Context) -> Outcome<Vec<Containing>> {
    let mut registry = RegistryReader::open(context).await?;
    let channels = registry.channels().await?.channels;
    let drafts = registry.matrix().await?.read.bundles;
    let heads = channels.values().map(|it| &it.bundle);
    let bundles: BTreeSet<BundleName> = heads.chain(drafts.keys()).cloned().collect();
    let mut containing = Vec::new();
    for bundle in bundles {
        let Some(document) = registry.bundle(&bundle).await? else {
            continue;
        };
        let Some(current) = document.current() else {
            continue;
        };
        for (package, name) in names {
            if current.members.iter().any(|it| it.name.as_str() == name) {
                containing.push(Containing {
                    package: package.clone(),
                    bundle: bundle.as_str().to_owned(),
                    sequence: current.sequence,
                });
            }
        }
    }
    Ok(containing)
}
