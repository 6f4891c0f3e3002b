//! What to try instead: found by solving again with one part of the request relaxed.

use std::collections::BTreeMap;

use provisioning_package::{BundleName, PackageName, Selector};
use provisioning_registry_api::bundle::{BundleDocument, BundleSequence};

use super::sentences::specs_of_user;
use super::{Cause, CauseKind};
use crate::index::nearest_names;
use crate::request::{Owner, Request, Wanted};
use crate::solver::proof::Proof;
use crate::solver::search;
use crate::solver::universe::{Holding, Reason, Universe};

/// How many parts of the request are relaxed in turn.
const RELAXATIONS_MAX: usize = 8;
/// How many decisions each of these searches may take: they must not outlast patience.
const RELAXED_DECISIONS_MAX: u32 = 50_000;
/// How many bundles are offered.
const BUNDLES_MAX: usize = 3;

/// Commands that would get further.
pub(super) fn for_proof(
    universe: &Universe<'_>,
    proof: &Proof<'_>,
    causes: &[Cause],
    cancelled: &dyn Fn() -> bool,
) -> Vec<String> {
    let mut hints = Vec::new();
    for cause in causes {
        hints.extend(for_cause(universe, cause));
    }
    let blamed = proof.facts.iter().filter(|it| it.owner.is_none());
    for fact in blamed.take(RELAXATIONS_MAX) {
        if cancelled() {
            break;
        }
        let hint = match fact.demand.reason {
            Reason::Wanted(place) => without_wanted(universe, place, cancelled),
            Reason::Pin => {
                let name = universe.view(fact.demand.target).name.clone();
                without_pin(universe, &name, cancelled)
            }
            Reason::Dependency(_) | Reason::Row(_) | Reason::Api => None,
        };
        hints.extend(hint);
    }
    if hints.is_empty() {
        hints.push(
            "`provisioning info NAME` shows a package's versions and what each needs".to_owned(),
        );
    }
    let mut unique: Vec<String> = Vec::new();
    for hint in hints {
        if !unique.contains(&hint) {
            unique.push(hint);
        }
    }
    unique
}

/// The bundles that have everything that was asked for, newest names first, each with the
/// members in question.
pub(super) fn nearest_bundles(
    request: &Request,
    documents: &[BundleDocument],
) -> Vec<(BundleName, String)> {
    let asked: Vec<&Wanted> = request
        .wanted
        .iter()
        .filter(|it| matches!(it.owner, Owner::You { .. }))
        .collect();
    let mut fitting: Vec<(BundleName, String)> = documents
        .iter()
        .filter_map(|document| {
            let members = members_asked(document.current()?, &asked)?;
            Some((document.name.clone(), members))
        })
        .collect();
    fitting.sort_by(|left, right| right.0.cmp(&left.0));
    fitting.truncate(BUNDLES_MAX);
    fitting
}

fn members_asked(sequence: &BundleSequence, asked: &[&Wanted]) -> Option<String> {
    let mut found = Vec::new();
    for wanted in asked {
        let req = wanted.selector.requirement();
        let member = sequence.members.iter().find(|it| it.name == wanted.name)?;
        if !req.matches(&member.version) {
            return None;
        }
        found.push(format!("{} {}", member.name, member.version));
    }
    (!found.is_empty()).then(|| found.join(" and "))
}

fn for_cause(universe: &Universe<'_>, cause: &Cause) -> Option<String> {
    let name = cause.package.as_ref()?;
    match cause.kind {
        CauseKind::MissingPackage => {
            let near = nearest_names(name.as_str(), &universe.index.names());
            let was_asked = universe.request.wanted.iter().any(|it| it.name == *name);
            Some(match near.first() {
                Some(near) if was_asked => {
                    format!("did you mean `{near}`? Try `provisioning install {near}`")
                }
                _ => format!("`provisioning search {name}` looks for packages by word"),
            })
        }
        CauseKind::Yanked => {
            let version = cause.versions.as_ref()?.rsplit(' ').next()?.to_owned();
            Some(format!(
                "a yanked version installs only where it is named exactly: `provisioning install \
                 {name}@{version}`"
            ))
        }
        CauseKind::TooYoung => Some("`--min-age 0s` takes versions of any age".to_owned()),
        CauseKind::Unlisted => {
            Some("without `--strict` an unlisted version is taken with a warning".to_owned())
        }
        CauseKind::PreRelease => Some("`--pre` takes pre-releases".to_owned()),
        CauseKind::OtherTarget => Some(format!(
            "`provisioning info {name}` shows which version has archives for which target"
        )),
        CauseKind::Asked
        | CauseKind::AskedEarlier
        | CauseKind::Bundle
        | CauseKind::Pin
        | CauseKind::Lock
        | CauseKind::Requirement
        | CauseKind::OptionalRequirement
        | CauseKind::Row
        | CauseKind::ExtensionApi
        | CauseKind::NoVersion
        | CauseKind::Quarantined => None,
    }
}

/// Solves again with one wanted thing at any version.
fn without_wanted(
    universe: &Universe<'_>,
    place: usize,
    cancelled: &dyn Fn() -> bool,
) -> Option<String> {
    let wanted = &universe.request.wanted[place];
    let mut request = universe.request.clone();
    match &wanted.owner {
        // Relaxing one member would no longer be that bundle.
        Owner::Bundle { name, .. } => return without_bundle(universe, name, cancelled),
        Owner::You { .. } | Owner::Earlier { .. } | Owner::Pin | Owner::Lock => {
            if wanted.selector == Selector::Any {
                return None;
            }
            request.wanted[place].selector = Selector::Any;
        }
    }
    let solved = versions_of(universe, &request, cancelled)?;
    let version = solved.get(&wanted.name)?;
    let instead = format!("{}@{version}", wanted.name);
    let mut specs = specs_of_user(universe.request);
    if let Owner::You { spec } = &wanted.owner {
        specs.retain(|it| it != spec);
    }
    specs.push(instead.clone());
    let fits = match &wanted.owner {
        Owner::You { .. } => format!("{} {version} would fit", wanted.name),
        Owner::Earlier { .. } => format!("it would fit with {} {version}", wanted.name),
        Owner::Bundle { .. } | Owner::Pin | Owner::Lock => {
            format!("it would fit if {} were {version}", wanted.name)
        }
    };
    Some(format!(
        "{fits}: `provisioning install {}`",
        specs.join(" ")
    ))
}

/// Solves again with nothing but what was typed and what other packages ask.
fn without_bundle(
    universe: &Universe<'_>,
    bundle: &BundleName,
    cancelled: &dyn Fn() -> bool,
) -> Option<String> {
    let mut request = universe.request.clone();
    request
        .wanted
        .retain(|it| !matches!(it.owner, Owner::Bundle { .. }));
    let mut specs: Vec<String> = request
        .wanted
        .iter()
        .filter_map(|it| match &it.owner {
            Owner::You { spec } => Some(spec.clone()),
            Owner::Earlier { .. } | Owner::Bundle { .. } | Owner::Pin | Owner::Lock => None,
        })
        .collect();
    specs.sort();
    specs.dedup();
    if specs.is_empty() {
        return None;
    }
    versions_of(universe, &request, cancelled)?;
    Some(format!(
        "it would fit without bundle `{bundle}`: `provisioning install --leave-bundle {}`",
        specs.join(" ")
    ))
}

fn without_pin(
    universe: &Universe<'_>,
    name: &PackageName,
    cancelled: &dyn Fn() -> bool,
) -> Option<String> {
    let mut request = universe.request.clone();
    request.pins.remove(name);
    versions_of(universe, &request, cancelled)?;
    Some(format!(
        "it would fit without the pin: `provisioning unpin {name}`"
    ))
}

fn versions_of(
    universe: &Universe<'_>,
    request: &Request,
    cancelled: &dyn Fn() -> bool,
) -> Option<BTreeMap<PackageName, String>> {
    let relaxed = universe.asked_otherwise(request, Holding::Preferred);
    let picks = search(&relaxed, RELAXED_DECISIONS_MAX, cancelled).ok()?;
    if universe.note_unread(&picks, &relaxed) {
        return None;
    }
    let versions = picks.iter().map(|(id, index)| {
        let view = relaxed.view(*id);
        (view.name.clone(), view.usable[*index].version.to_string())
    });
    Some(versions.collect())
}
