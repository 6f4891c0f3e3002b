//! What to try instead: found by solving again with one part of the request relaxed.

use std::collections::BTreeMap;

use provisioning_package::{BundleName, PackageName, Selector};
use provisioning_registry_api::bundle::{BundleDocument, BundleSequence};

use super::sentences::specs_of_user;
use super::{Cause, CauseKind};
use crate::index::nearest_names;
use crate::request::{Owner, Request, Shortage, Wanted};
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
        if cancelled() {
            break;
        }
        hints.extend(for_cause(universe, cause, cancelled));
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
        let name = proof.facts.first().map(|it| it.demand.target);
        hints.extend(name.map(|it| {
            let name = &universe.view(it).name;
            format!("`provisioning info {name}` shows the versions of {name} and what each needs")
        }));
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

/// What helps where the registry does not let the user read.
const NOT_AUTHORISED: &str = "`provisioning login` stores a token, `PROVISIONING_TOKEN` gives one for a run; \
                              who may read is for whoever runs the registry to say";

/// What helps where the registry has what would do. Commands are tried before they are said.
fn for_cause(
    universe: &Universe<'_>,
    cause: &Cause,
    cancelled: &dyn Fn() -> bool,
) -> Option<String> {
    let name = cause.package.as_ref()?;
    let fits = |change: &dyn Fn(&mut Request)| {
        let mut request = universe.request.clone();
        change(&mut request);
        versions_of(universe, &request, cancelled).is_some()
    };
    let specs = || specs_of_user(universe.request).join(" ");
    match cause.kind {
        CauseKind::MissingPackage => Some(for_missing(universe, name)),
        CauseKind::NotAuthorised => Some(NOT_AUTHORISED.to_owned()),
        CauseKind::Yanked => {
            let version = cause.versions.as_ref()?.rsplit(' ').next()?;
            let exact = Selector::parse(version).ok()?;
            let with = with_spec(universe.request, name, exact, version);
            versions_of(universe, &with, cancelled)?;
            Some(format!(
                "a yanked version installs only where it is named exactly: `provisioning install {}`",
                specs_of_user(&with).join(" ")
            ))
        }
        CauseKind::TooYoung => fits(&|it| it.min_age = None).then(|| {
            format!(
                "versions of any age would fit: `provisioning --min-age 0s install {}`",
                specs()
            )
        }),
        CauseKind::OutOfReach => Some(match universe.request.reach.as_ref()?.because {
            Shortage::Offline => "without `--offline` the registry is asked for it".to_owned(),
            Shortage::Imported => "import an export that has it (`provisioning import FILE`), or \
                 use the registry itself: `provisioning registry add URL`"
                .to_owned(),
            Shortage::PartialCopy => {
                format!("name it where the copy is made: `provisioning mirror DIR {name}`")
            }
        }),
        CauseKind::Unlisted => fits(&|it| it.strict = false).then(|| {
            "without `--strict` it would fit: an unlisted version is taken with a warning"
                .to_owned()
        }),
        CauseKind::PreRelease => fits(&|it| it.pre = true).then(|| {
            format!(
                "pre-releases would fit: `provisioning install --pre {}`",
                specs()
            )
        }),
        CauseKind::OtherTarget => Some(format!(
            "`provisioning info {name}` shows which version has archives for which target"
        )),
        CauseKind::Quarantined => Some(format!(
            "nothing of {name} installs while it is held: ask whoever runs the registry"
        )),
        CauseKind::Unreadable => Some(format!(
            "`provisioning info {name}` shows its other versions; a newer client may understand \
             more: `provisioning self update`"
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
        | CauseKind::Step
        | CauseKind::NoVersion => None,
    }
}

fn for_missing(universe: &Universe<'_>, name: &PackageName) -> String {
    let near = nearest_names(name.as_str(), &universe.index.names());
    let was_asked = universe.request.wanted.iter().any(|it| it.name == *name);
    match near.first() {
        Some(near) if was_asked => {
            format!("did you mean `{near}`? Try `provisioning install {near}`")
        }
        _ => format!("`provisioning search {name}` looks for packages by word"),
    }
}

/// The request with `name` at `selector`, in place of what was typed for it.
fn with_spec(request: &Request, name: &PackageName, selector: Selector, text: &str) -> Request {
    let mut request = request.clone();
    request.wanted.retain(|it| {
        it.name != *name || !matches!(it.owner, Owner::You { .. } | Owner::Earlier { .. })
    });
    let spec = format!("{name}@{text}");
    let wanted = Wanted::by_you(name.clone(), selector, spec);
    request.wanted.push(wanted);
    request
}

/// Solves again with one wanted thing at another version, or without it.
fn without_wanted(
    universe: &Universe<'_>,
    place: usize,
    cancelled: &dyn Fn() -> bool,
) -> Option<String> {
    let wanted = &universe.request.wanted[place];
    let name = &wanted.name;
    match &wanted.owner {
        // Relaxing one member would no longer be that bundle.
        Owner::Bundle { name, .. } => return without_bundle(universe, name, cancelled),
        Owner::Lock => {
            let mut request = universe.request.clone();
            request.wanted.retain(|it| it.owner != Owner::Lock);
            request.installed.clear();
            request.wanted.push(Wanted {
                selector: Selector::Any,
                ..wanted.clone()
            });
            versions_of(universe, &request, cancelled)?;
            return Some("`provisioning lock` chooses versions again".to_owned());
        }
        Owner::You { .. } | Owner::Earlier { .. } | Owner::Pin => {}
    }
    let Some(version) = version_that_fits(universe, place, cancelled) else {
        return without_spec(universe, place, cancelled);
    };
    let exact = Selector::parse(&version).ok()?;
    let specs = specs_of_user(&with_spec(universe.request, name, exact, &version)).join(" ");
    let fits = match &wanted.owner {
        Owner::You { .. } => format!("{name} {version} would fit"),
        Owner::Earlier { .. } => format!("it would fit with {name} {version}"),
        Owner::Bundle { .. } | Owner::Pin | Owner::Lock => {
            format!("it would fit if {name} were {version}")
        }
    };
    Some(format!("{fits}: `provisioning install {specs}`"))
}

/// Which version of what was wanted would fit the rest.
fn version_that_fits(
    universe: &Universe<'_>,
    place: usize,
    cancelled: &dyn Fn() -> bool,
) -> Option<String> {
    let wanted = &universe.request.wanted[place];
    let any = with_spec(universe.request, &wanted.name, Selector::Any, "*");
    if wanted.selector != Selector::Any
        && let Some(solved) = versions_of(universe, &any, cancelled)
    {
        return solved.get(&wanted.name).cloned();
    }
    // Where there are pre-releases alone, the newest has to be named.
    let view = universe.view(universe.id(&wanted.name));
    let newest = view.usable.last().filter(|it| !it.version.pre.is_empty())?;
    let exact = Selector::Exact(newest.version.clone());
    let request = with_spec(universe.request, &wanted.name, exact, "");
    versions_of(universe, &request, cancelled)?;
    Some(newest.version.to_string())
}

/// Solves again without one of several things that were typed.
fn without_spec(
    universe: &Universe<'_>,
    place: usize,
    cancelled: &dyn Fn() -> bool,
) -> Option<String> {
    let wanted = &universe.request.wanted[place];
    let Owner::You { spec } = &wanted.owner else {
        return None;
    };
    let mut request = universe.request.clone();
    request.wanted.retain(|it| it.name != wanted.name);
    let specs = specs_of_user(&request);
    if specs.is_empty() {
        return None;
    }
    versions_of(universe, &request, cancelled)?;
    Some(format!(
        "without `{spec}` it would fit: `provisioning install {}`",
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
    if request.new_pins.contains(name) {
        return None;
    }
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
    let versions = picks.iter().map(|(id, index)| {
        let view = relaxed.view(*id);
        (view.name.clone(), view.usable[*index].version.to_string())
    });
    Some(versions.collect())
}
