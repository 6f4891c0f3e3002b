//! Requirements as sentences.

use std::collections::{BTreeMap, BTreeSet};

use provisioning_package::{PackageName, Selector, Version};

use super::{Cause, CauseKind};
use crate::matrix::BoundOn;
use crate::request::{Owner, Request, Wanted};
use crate::solver::numbers::Numbers;
use crate::solver::proof::Fact;
use crate::solver::universe::{PackageId, Reason, Universe, View};

/// How many ranges of versions are named before the rest is cut short.
const RUNS_NAMED_MAX: usize = 8;

/// What the part of the request that takes part allows of each package.
type AskedOf = BTreeMap<PackageId, Numbers>;

/// Requirements, in their order.
pub(super) fn of_facts(universe: &Universe<'_>, asked: &AskedOf, facts: &[Fact<'_>]) -> Vec<Cause> {
    let mut causes: Vec<Cause> = Vec::with_capacity(facts.len());
    for cause in facts.iter().flat_map(|it| of_fact(universe, asked, it)) {
        // `core = "^3.2", min-core = "3.2.0"` is one bound, written as two.
        match causes.last_mut() {
            Some(last) if is_one_row(last, &cause) => join_bounds(last, &cause),
            _ => causes.push(cause),
        }
    }
    causes
}

/// Who asks, in the middle of a sentence.
pub(crate) fn owner_phrase(owner: &Owner) -> String {
    match owner {
        Owner::You { .. } => "you".to_owned(),
        Owner::Earlier { .. } => "you, earlier".to_owned(),
        Owner::Bundle { name, .. } => format!("bundle {name}"),
        Owner::Pin => "a pin".to_owned(),
        Owner::Lock => "the lockfile".to_owned(),
    }
}

/// Who asks, as one word for programs (two for a bundle).
fn owner_name(owner: &Owner) -> String {
    match owner {
        Owner::You { .. } => "you".to_owned(),
        Owner::Earlier { .. } => "you-earlier".to_owned(),
        Owner::Bundle { name, .. } => format!("bundle {name}"),
        Owner::Pin => "pin".to_owned(),
        Owner::Lock => "lock".to_owned(),
    }
}

/// Something that was asked for, as a sentence.
pub(crate) fn wanted_sentence(wanted: &Wanted) -> String {
    let name = &wanted.name;
    let selector = selector_text(&wanted.selector);
    match &wanted.owner {
        Owner::You { spec } => format!("you asked for `{spec}`"),
        Owner::Earlier { spec } => format!("you asked for `{spec}` earlier"),
        Owner::Bundle {
            name: bundle,
            sequence,
        } => format!("bundle `{bundle}` (sequence {sequence}) has {name} {selector}"),
        Owner::Pin => format!("you pinned {name} to `{selector}`"),
        Owner::Lock => format!("the lockfile has {name} {selector}"),
    }
}

/// What the user typed in this command, in a fixed order.
pub(super) fn specs_of_user(request: &Request) -> Vec<String> {
    let mut specs: Vec<String> = request
        .wanted
        .iter()
        .filter_map(|it| match &it.owner {
            Owner::You { spec } => Some(spec.clone()),
            Owner::Bundle { name, .. } => Some(name.to_string()),
            Owner::Earlier { .. } | Owner::Pin | Owner::Lock => None,
        })
        .collect();
    specs.sort();
    specs.dedup();
    specs
}

/// A selector as it is written behind `@`.
pub(crate) fn selector_text(selector: &Selector) -> String {
    match selector {
        Selector::Any => "*".to_owned(),
        Selector::Latest => "latest".to_owned(),
        Selector::Exact(version) => version.to_string(),
        Selector::Requirement(req) => req.to_string(),
    }
}

/// Versions of a package, neighbours collapsed into ranges: `1.0.0 to 1.4.0, 2.0.0`.
pub(super) fn versions_phrase(view: &View<'_>, places: &BTreeSet<usize>) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for place in places {
        match runs.last_mut() {
            Some((_, end)) if *end + 1 == *place => *end = *place,
            _ => runs.push((*place, *place)),
        }
    }
    let text = |place: usize| view.usable[place].version.to_string();
    let hidden = runs.len().saturating_sub(RUNS_NAMED_MAX);
    let last = runs.last().filter(|_| hidden > 1).copied();
    if last.is_some() {
        runs.truncate(RUNS_NAMED_MAX);
    }
    let shown: Vec<String> = runs
        .into_iter()
        .map(|(start, end)| match end - start {
            0 => text(start),
            1 => format!("{} and {}", text(start), text(end)),
            _ => format!("{} to {}", text(start), text(end)),
        })
        .collect();
    let shown = shown.join(", ");
    match last {
        Some((_, end)) => format!("{shown} and more up to {}", text(end)),
        None => shown,
    }
}

fn of_fact(universe: &Universe<'_>, asked: &AskedOf, fact: &Fact<'_>) -> Vec<Cause> {
    let target = universe.view(fact.demand.target).name.clone();
    let Some(owner) = fact.owner else {
        return vec![of_request(universe, fact, target)];
    };
    let view = universe.view(owner);
    let versions = versions_phrase(&view, &fact.versions);
    let subject = format!("{} {versions}", view.name);
    let is_one = fact.versions.len() == 1;
    let (kind, requirement, text) = match &fact.demand.reason {
        Reason::Dependency(req) if fact.demand.brings => {
            let verb = if is_one { "needs" } else { "need" };
            let text = format!("{subject} {verb} {target} `{req}`");
            (CauseKind::Requirement, req, text)
        }
        Reason::Dependency(req) => {
            let verb = if is_one { "works" } else { "work" };
            let text = format!("{subject} {verb} only with {target} `{req}`");
            (CauseKind::OptionalRequirement, req, text)
        }
        Reason::Row(req) => {
            let lines = row_lines(universe, &view, &fact.versions);
            let text = format!("the matrix lets {subject} go only with {target} `{req}` ({lines})");
            (CauseKind::Row, req, text)
        }
        Reason::Api => return of_api(universe, asked, fact, owner),
        Reason::Wanted(_) | Reason::Pin => return Vec::new(),
    };
    let owner = if kind == CauseKind::Row {
        row_lines(universe, &view, &fact.versions)
    } else {
        subject
    };
    vec![Cause {
        kind,
        owner,
        package: Some(view.name.clone()),
        versions: Some(versions),
        on: Some(target),
        requirement: Some(requirement.to_string()),
        text,
    }]
}

fn of_request(universe: &Universe<'_>, fact: &Fact<'_>, target: PackageName) -> Cause {
    let request = universe.request;
    let (kind, owner, selector, text) = match &fact.demand.reason {
        Reason::Wanted(place) => {
            let wanted = &request.wanted[*place];
            let kind = match &wanted.owner {
                Owner::You { .. } => CauseKind::Asked,
                Owner::Earlier { .. } => CauseKind::AskedEarlier,
                Owner::Bundle { .. } => CauseKind::Bundle,
                Owner::Pin => CauseKind::Pin,
                Owner::Lock => CauseKind::Lock,
            };
            (
                kind,
                owner_name(&wanted.owner),
                selector_text(&wanted.selector),
                wanted_sentence(wanted),
            )
        }
        Reason::Pin | Reason::Dependency(_) | Reason::Row(_) | Reason::Api => {
            let selector = request
                .pins
                .get(&target)
                .map_or_else(String::new, selector_text);
            let text = format!("you pinned {target} to `{selector}`");
            (CauseKind::Pin, "pin".to_owned(), selector, text)
        }
    };
    Cause {
        kind,
        owner,
        package: None,
        versions: None,
        on: Some(target),
        requirement: Some(selector),
        text,
    }
}

fn is_one_row(left: &Cause, right: &Cause) -> bool {
    left.kind == CauseKind::Row
        && right.kind == CauseKind::Row
        && (&left.package, &left.versions, &left.on) == (&right.package, &right.versions, &right.on)
}

fn join_bounds(row: &mut Cause, other: &Cause) {
    if let (Some(has), Some(more)) = (&mut row.requirement, &other.requirement) {
        let joined = format!("{has}, {more}");
        row.text = row
            .text
            .replace(&format!("`{has}`"), &format!("`{joined}`"));
        *has = joined;
    }
}

/// One cause for each API that the owner's versions are written for.
fn of_api(
    universe: &Universe<'_>,
    asked: &AskedOf,
    fact: &Fact<'_>,
    owner: PackageId,
) -> Vec<Cause> {
    let extension = universe.view(owner);
    let rows = universe.view(fact.demand.target);
    let mut by_api: BTreeMap<&Version, BTreeSet<usize>> = BTreeMap::new();
    for place in &fact.versions {
        if let Some(api) = &extension.usable[*place].api {
            by_api.entry(api).or_default().insert(*place);
        }
    }
    let mut causes = Vec::new();
    for (api, places) in by_api {
        for (req, refusing) in refusing_rows(universe, asked, fact, api) {
            let versions = versions_phrase(&extension, &places);
            let verb = if places.len() == 1 { "is" } else { "are" };
            let text = format!(
                "the matrix lets {} {} go only with extensions of API `{req}` ({}), and {} \
                 {versions} {verb} written for API {api}",
                rows.name,
                versions_phrase(&rows, &refusing),
                row_lines(universe, &rows, &refusing),
                extension.name,
            );
            causes.push(Cause {
                kind: CauseKind::ExtensionApi,
                owner: row_lines(universe, &rows, &refusing),
                package: Some(rows.name.clone()),
                versions: Some(versions_phrase(&rows, &refusing)),
                on: Some(extension.name.clone()),
                requirement: Some(req),
                text,
            });
        }
    }
    causes
}

/// The versions whose rows keep extensions of `api` out, by what the row wants, without
/// those that the request rules out anyway.
fn refusing_rows(
    universe: &Universe<'_>,
    asked: &AskedOf,
    fact: &Fact<'_>,
    api: &Version,
) -> BTreeMap<String, BTreeSet<usize>> {
    let view = universe.view(fact.demand.target);
    let count = view.usable.len();
    let all: BTreeSet<usize> = (0..count).collect();
    let asked = asked.get(&fact.demand.target);
    let asked: BTreeSet<usize> =
        asked.map_or_else(|| all.clone(), |it| it.indices(count).collect());
    let mut refusing: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for place in if asked.is_empty() { all } else { asked } {
        let row = universe.matrix.row(&view.name, &view.usable[place].version);
        for bound in row.map_or(&[][..], |it| &it.bounds) {
            if bound.on == BoundOn::ExtensionApi && !universe.meets(&bound.req, api) {
                let req = bound.req.to_string();
                refusing.entry(req).or_default().insert(place);
            }
        }
    }
    refusing
}

/// Where the rows are: `versions.toml line 3`.
fn row_lines(universe: &Universe<'_>, view: &View<'_>, places: &BTreeSet<usize>) -> String {
    let mut by_file: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for place in places {
        if let Some(row) = universe
            .matrix
            .row(&view.name, &view.usable[*place].version)
        {
            by_file.entry(row.file).or_default().insert(row.line);
        }
    }
    let files: Vec<String> = by_file
        .into_iter()
        .map(|(file, lines)| {
            let word = if lines.len() == 1 { "line" } else { "lines" };
            let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
            format!("{file} {word} {}", lines.join(", "))
        })
        .collect();
    files.join(", ")
}
