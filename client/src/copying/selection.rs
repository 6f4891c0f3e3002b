//! What some bundles and packages need of a registry.
//!
//! Bundles are solved one by one, packages together, as an install into an empty prefix
//! would; so what a copy was made for installs from it without asking for more.

use std::collections::{BTreeMap, BTreeSet};

use provisioning_installers::Requests;
use provisioning_package::{Digest, PackageName, Spec, Target, Version};
use provisioning_registry_api::index::{IndexArchive, IndexEntry};
use provisioning_registry_api::paths;

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::planning::{Asked, Moves, Registry, SolveOptions, ask, solve};
use crate::registry::WantedArchive;

/// Which machines a copy is for.
#[derive(Debug, Clone)]
pub(crate) enum Machines {
    /// These.
    Only(Vec<Target>),
    /// All that the chosen versions have archives for.
    All,
}

/// A part of a registry.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    /// Paths of TUF targets.
    pub(crate) targets: BTreeSet<String>,
    /// Archives.
    pub(crate) archives: BTreeMap<Digest, WantedArchive>,
    /// Provenance statements and SBOMs.
    pub(crate) statements: BTreeSet<Digest>,
}

impl Selection {
    /// Adds an archive of a version, and what was said about it.
    pub(crate) fn add_archive(&mut self, name: &PackageName, version: &Version, it: &IndexArchive) {
        let wanted = WantedArchive {
            label: format!("{name} {version}"),
            digest: it.digest,
            size: it.size,
        };
        self.archives.insert(it.digest, wanted);
        self.statements
            .extend(it.provenance.into_iter().chain(it.sbom));
    }
}

/// Finds what `specs` need.
pub(super) async fn select(
    specs: &BTreeSet<String>,
    machines: &Machines,
    context: &Context,
    registry: &mut Registry,
) -> Outcome<Selection> {
    let mut chosen: BTreeSet<(PackageName, Version)> = BTreeSet::new();
    let mut selection = Selection::default();
    selection.targets.insert(paths::MATRIX_TARGET.to_owned());
    selection.targets.insert(paths::CHANNELS_TARGET.to_owned());
    let mut rounds: Vec<BTreeMap<PackageName, Spec>> = Vec::new();
    for text in specs {
        let spec: Spec = text.parse()?;
        let asked = ask_one(&spec, context, registry).await?;
        if let Some(bundle) = &asked.requests.bundle {
            selection.targets.insert(paths::bundle_target(&bundle.name));
            chosen.extend(bundle.optional.clone());
            chosen.extend(solved(asked, machines, context, registry).await?);
            continue;
        }
        let Some(name) = asked.now.first().cloned() else {
            continue;
        };
        match rounds.iter_mut().find(|it| !it.contains_key(&name)) {
            Some(round) => {
                round.insert(name, spec);
            }
            None => rounds.push(BTreeMap::from([(name, spec)])),
        }
    }
    for round in rounds {
        let specs: Vec<Spec> = round.into_values().collect();
        let asked = ask(context, registry, &specs, Requests::default()).await?;
        chosen.extend(solved(asked, machines, context, registry).await?);
    }
    let names: BTreeSet<PackageName> = chosen.iter().map(|it| it.0.clone()).collect();
    let names: Vec<PackageName> = names.into_iter().collect();
    selection
        .targets
        .extend(names.iter().map(paths::index_target));
    let entries = registry.reader(context).await?.entries(&names).await?;
    for (name, version) in &chosen {
        let entry = entries.iter().find(|it| it.name == *name);
        add(&mut selection, entry, version, machines)
            .ok_or_else(|| without_archive(name, version))?;
    }
    Ok(selection)
}

async fn ask_one(spec: &Spec, context: &Context, registry: &mut Registry) -> Outcome<Asked> {
    let specs = std::slice::from_ref(spec);
    ask(context, registry, specs, Requests::default()).await
}

/// The versions that an install into an empty prefix would choose, on each machine.
async fn solved(
    asked: Asked,
    machines: &Machines,
    context: &Context,
    registry: &mut Registry,
) -> Outcome<Vec<(PackageName, Version)>> {
    let here = SolveOptions::of_this_machine();
    let targets = match machines {
        Machines::Only(targets) => targets.clone(),
        Machines::All => vec![here.target],
    };
    let mut chosen = Vec::new();
    for target in targets {
        let options = SolveOptions {
            target,
            ..here.clone()
        };
        let asked = asked.clone();
        let solved = solve(context, registry, None, asked, &options, &Moves::Asked).await?;
        for warning in solved.warnings() {
            context.output.warning(&warning);
        }
        let packages = solved.solution.packages.into_iter();
        chosen.extend(packages.map(|(name, it)| (name, it.version)));
    }
    Ok(chosen)
}

/// Adds the archives of a version; `None` where it has none that is wanted.
fn add(
    selection: &mut Selection,
    entry: Option<&IndexEntry>,
    version: &Version,
    machines: &Machines,
) -> Option<()> {
    let entry = entry?;
    let known = entry.version(version)?;
    let mut archives: Vec<&IndexArchive> = match machines {
        Machines::Only(targets) => targets
            .iter()
            .filter_map(|it| known.archive_for(*it))
            .collect(),
        Machines::All => known.archives.iter().collect(),
    };
    archives.dedup_by_key(|it| it.digest);
    for it in &archives {
        selection.add_archive(&entry.name, version, it);
    }
    (!archives.is_empty()).then_some(())
}

fn without_archive(name: &PackageName, version: &Version) -> Failure {
    Failure::new(
        "archive-missing",
        format!("the registry has no archive of {name} {version} for the machines that were named"),
    )
    .with_hint(format!("`provisioning info {name}` shows which there are"))
}
