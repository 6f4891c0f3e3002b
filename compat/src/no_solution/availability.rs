//! What the registry has, where that is the reason: told apart from requirements that
//! exclude each other.

use std::collections::BTreeMap;

use provisioning_package::{Selector, Target, Version};
use provisioning_registry_api::index::IndexVersion;

use super::derivation::joined;
use super::sentences::selector_text;
use super::{Cause, CauseKind};
use crate::index::nearest_names;
use crate::requirement::{PreReleases, meets};
use crate::solver::proof::{Fact, Proof};
use crate::solver::universe::{PackageId, Reason, Universe, Unusable, View};

/// How many versions are listed by name before the rest is counted.
const VERSIONS_LISTED_MAX: usize = 6;

/// What is to be said about one package.
pub(super) struct OfPackage {
    pub(super) id: PackageId,
    /// Whether it explains single requirements rather than all of them together.
    pub(super) is_alone: bool,
    pub(super) causes: Vec<Cause>,
}

/// What is to be said about each package that something in the proof requires.
pub(super) fn of_proof(universe: &Universe<'_>, proof: &Proof<'_>) -> Vec<OfPackage> {
    let mut packages: Vec<PackageId> = Vec::new();
    let mut facts: BTreeMap<PackageId, Vec<&Fact<'_>>> = BTreeMap::new();
    for fact in &proof.facts {
        let of_package = facts.entry(fact.demand.target).or_default();
        if of_package.is_empty() {
            packages.push(fact.demand.target);
        }
        of_package.push(fact);
    }
    packages
        .into_iter()
        .map(|id| OfPackage {
            id,
            is_alone: facts[&id].iter().any(|it| it.demand.set.is_empty()),
            causes: of_package(universe, &universe.view(id), &facts[&id]),
        })
        .collect()
}

fn of_package(universe: &Universe<'_>, view: &View<'_>, facts: &[&Fact<'_>]) -> Vec<Cause> {
    if view.entry.is_none() {
        return vec![missing(universe, view)];
    }
    // A version that meets everything asked of its package would have changed the answer.
    // Where one requirement alone is met by nothing, only that one counts.
    let unmet: Vec<&Fact<'_>> = facts
        .iter()
        .copied()
        .filter(|it| it.demand.set.is_empty())
        .collect();
    if unmet.is_empty() {
        return would_do(universe, view, facts);
    }
    let mut causes: Vec<Cause> = Vec::new();
    for fact in unmet {
        let mut found = would_do(universe, view, &[fact]);
        if found.is_empty() {
            found.push(no_version(universe, view, fact));
        }
        found.retain(|it| !causes.contains(it));
        causes.extend(found);
    }
    causes
}

fn missing(universe: &Universe<'_>, view: &View<'_>) -> Cause {
    if let Some(answer) = universe.index.refusal(&view.name) {
        let name = &view.name;
        let text = format!("this registry does not let you read about `{name}`: {answer}");
        return cause(CauseKind::NotAuthorised, view, None, text);
    }
    let near: Vec<String> = nearest_names(view.name.as_str(), &universe.index.names())
        .into_iter()
        .map(|it| format!("`{it}`"))
        .collect();
    let text = if near.is_empty() {
        format!("this registry has no package `{}`", view.name)
    } else {
        format!(
            "this registry has no package `{}`; the nearest names are {}",
            view.name,
            near.join(", ")
        )
    };
    cause(CauseKind::MissingPackage, view, None, text)
}

fn no_version(universe: &Universe<'_>, view: &View<'_>, fact: &Fact<'_>) -> Cause {
    let requirement = requirement_text(universe, view, fact);
    let name = &view.name;
    let text = if view.usable.is_empty() && view.unusable.is_empty() {
        format!("this registry has no version of {name}")
    } else {
        let mut all: Vec<&IndexVersion> = view.usable.iter().collect();
        all.extend(view.unusable.iter().map(|(it, _)| *it));
        all.sort_by(|left, right| left.version.cmp(&right.version));
        let has = listed(&all);
        format!("no version of {name} meets `{requirement}`: this registry has {has}")
    };
    let text = format!("{text}{}", without_number(view));
    Cause {
        on: Some(view.name.clone()),
        requirement: Some(requirement),
        ..cause(CauseKind::NoVersion, view, None, text)
    }
}

/// What stands among the versions and has no number that could meet anything.
fn without_number(view: &View<'_>) -> String {
    let unread = view.entry.iter().flat_map(|it| &it.unread);
    let written: Vec<String> = unread
        .filter(|it| it.version.is_none())
        .map(|it| format!("`{}`", it.written))
        .collect();
    match written.len() {
        0 => String::new(),
        1 => format!(
            "; {} is there too and is no SemVer version",
            joined(&written)
        ),
        _ => format!(
            "; {} are there too and are no SemVer versions",
            joined(&written)
        ),
    }
}

/// Versions that meet all of `facts` and that this client cannot use, each with its reason.
fn unread(universe: &Universe<'_>, view: &View<'_>, facts: &[&Fact<'_>]) -> Vec<Cause> {
    let pre = universe.pre();
    let unread = view.entry.iter().flat_map(|it| &it.unread);
    let would_do = unread.filter_map(|it| {
        let version = it.version.as_ref()?;
        let all = facts
            .iter()
            .all(|fact| admits(universe, view, fact, version, pre));
        all.then(|| {
            let text = format!(
                "{} {version} would do but cannot be used: {}",
                view.name, it.why
            );
            cause(CauseKind::Unreadable, view, Some(version.to_string()), text)
        })
    });
    would_do.collect()
}

/// Versions that meet all of `facts` but cannot be taken, each sort in one sentence.
fn would_do(universe: &Universe<'_>, view: &View<'_>, facts: &[&Fact<'_>]) -> Vec<Cause> {
    let mut groups: BTreeMap<(CauseKind, String), Vec<&IndexVersion>> = BTreeMap::new();
    for (version, why) in &view.unusable {
        if facts
            .iter()
            .all(|it| admits(universe, view, it, &version.version, universe.pre()))
        {
            let (kind, because) = match why {
                Unusable::NotInstalled => continue,
                Unusable::Quarantined => (CauseKind::Quarantined, quarantine_text(view)),
                Unusable::Yanked => (CauseKind::Yanked, yank_text(version)),
                Unusable::OtherTarget => (CauseKind::OtherTarget, target_text(universe, version)),
                Unusable::TooYoung => (CauseKind::TooYoung, age_text(universe)),
                Unusable::OutOfReach => (
                    CauseKind::OutOfReach,
                    universe.request.out_of_reach_text().to_owned(),
                ),
                Unusable::Unlisted => (
                    CauseKind::Unlisted,
                    "unlisted: the matrix has no row for it, and `--strict` was given".to_owned(),
                ),
            };
            groups.entry((kind, because)).or_default().push(version);
        }
    }
    let pre_releases: Vec<&IndexVersion> = view
        .usable
        .iter()
        .filter(|it| !it.version.pre.is_empty())
        .filter(|version| {
            let everywhere = PreReleases::Everywhere;
            let all = facts
                .iter()
                .all(|it| admits(universe, view, it, &version.version, everywhere));
            all && !facts
                .iter()
                .all(|it| admits(universe, view, it, &version.version, universe.pre()))
        })
        .collect();
    if !pre_releases.is_empty() {
        let because = if pre_releases.len() == 1 {
            "a pre-release, and nothing names it".to_owned()
        } else {
            "pre-releases, and nothing names them".to_owned()
        };
        groups.insert((CauseKind::PreRelease, because), pre_releases);
    }
    groups
        .into_iter()
        .map(|((kind, because), versions)| {
            let verb = if versions.len() == 1 { "is" } else { "are" };
            let listed = listed(&versions);
            let text = format!("{} {listed} would do but {verb} {because}", view.name);
            cause(kind, view, Some(listed), text)
        })
        .chain(unread(universe, view, facts))
        .collect()
}

fn quarantine_text(view: &View<'_>) -> String {
    let reason = view.entry.and_then(|it| it.status.reason.as_deref());
    reason.map_or_else(
        || "held by a moderator".to_owned(),
        |it| format!("held by a moderator: {it}"),
    )
}

fn age_text(universe: &Universe<'_>) -> String {
    universe.request.min_age.map_or_else(
        || "too young".to_owned(),
        |it| format!("younger than the least age that was asked for, {it:#}"),
    )
}

fn yank_text(version: &IndexVersion) -> String {
    let yanked = version.yanked.as_ref();
    let reason = yanked.and_then(|it| it.reason.as_deref());
    let reason = reason.filter(|it| !it.trim().is_empty());
    reason.map_or_else(|| "yanked".to_owned(), |it| format!("yanked: {it}"))
}

fn target_text(universe: &Universe<'_>, version: &IndexVersion) -> String {
    let targets: Vec<&str> = View::targets_of(version)
        .into_iter()
        .map(Target::as_str)
        .collect();
    let target = universe.request.target;
    if targets.is_empty() {
        return "without any archive".to_owned();
    }
    let has = targets.join(", ");
    if target == Target::Any {
        format!("without an archive that runs everywhere (it has {has})")
    } else {
        format!("without an archive for {target} (it has {has})")
    }
}

/// Whether a version meets what `fact` requires, were it usable.
fn admits(
    universe: &Universe<'_>,
    view: &View<'_>,
    fact: &Fact<'_>,
    version: &Version,
    pre: PreReleases,
) -> bool {
    let selects = |selector: &Selector, version: &Version| match pre {
        PreReleases::WhereNamed => universe.selects(selector, version),
        PreReleases::Everywhere => meets(&selector.requirement(), version, pre),
    };
    match &fact.demand.reason {
        Reason::Wanted(place) => {
            let wanted = &universe.request.wanted[*place];
            selects(&wanted.selector, version)
        }
        Reason::Pin => {
            let pin = universe.request.pins.get(&view.name);
            pin.is_none_or(|it| selects(it, version))
        }
        Reason::Dependency(req) | Reason::Row(req) => meets(req, version, pre),
        // Which APIs go with a version is its row's matter, usable or not.
        Reason::Api => true,
    }
}

fn requirement_text(universe: &Universe<'_>, view: &View<'_>, fact: &Fact<'_>) -> String {
    match &fact.demand.reason {
        Reason::Wanted(place) => selector_text(&universe.request.wanted[*place].selector),
        Reason::Pin => {
            let pin = universe.request.pins.get(&view.name);
            pin.map_or_else(String::new, selector_text)
        }
        Reason::Dependency(req) | Reason::Row(req) => req.to_string(),
        Reason::Api => "*".to_owned(),
    }
}

/// Versions by name, newest last; the oldest are counted where there are many.
fn listed(versions: &[&IndexVersion]) -> String {
    let skipped = versions.len().saturating_sub(VERSIONS_LISTED_MAX);
    let mut parts: Vec<String> = versions[skipped..]
        .iter()
        .map(|it| it.version.to_string())
        .collect();
    if skipped > 0 {
        parts.insert(0, format!("{skipped} older ones"));
    }
    joined(&parts)
}

fn cause(kind: CauseKind, view: &View<'_>, versions: Option<String>, text: String) -> Cause {
    Cause {
        kind,
        owner: "registry".to_owned(),
        package: Some(view.name.clone()),
        versions,
        on: None,
        requirement: None,
        text,
    }
}
