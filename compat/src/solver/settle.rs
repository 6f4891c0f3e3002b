//! Turning what a search chose into an answer: archives, who brought what, warnings, and
//! which installed packages moved and why.

use std::collections::BTreeMap;
use std::rc::Rc;

use provisioning_package::{PackageName, Version, VersionReq};
use provisioning_registry_api::index::{IndexVersion, PackageState};

use super::Picks;
use super::universe::{Universe, Unusable, View};
use crate::fit::misfits_with;
use crate::no_solution::owner_phrase;
use crate::request::{Hold, Owner, Wanted};
use crate::solution::{Chosen, Move, Solution, Warning};

type Picked<'a> = BTreeMap<PackageName, (Rc<View<'a>>, &'a IndexVersion)>;

/// The answer for what was picked.
pub(crate) fn settle(universe: &Universe<'_>, picks: &Picks) -> Solution {
    let mut picked: Picked<'_> = BTreeMap::new();
    for (id, index) in picks {
        let view = universe.view(*id);
        let version = view.usable[*index];
        picked.insert(view.name.clone(), (view, version));
    }
    let mut owners = owners(universe, &picked);
    let packages = picked
        .iter()
        .map(|(name, (_, version))| {
            let archive = version
                .archive_for(universe.request.target)
                .expect("a version without an archive for the target is not usable");
            let chosen = Chosen {
                kind: name.kind(),
                version: version.version.clone(),
                archive: archive.clone(),
                brought_by: owners.remove(name).unwrap_or_default(),
            };
            (name.clone(), chosen)
        })
        .collect();
    Solution {
        packages,
        warnings: warnings(universe, &picked),
        moved: moved(universe, &picked),
    }
}

/// Who brought each package: the request first, then other packages.
fn owners(universe: &Universe<'_>, picked: &Picked<'_>) -> BTreeMap<PackageName, Vec<String>> {
    let mut owners: BTreeMap<PackageName, Vec<String>> = BTreeMap::new();
    for wanted in universe.request.wanted.iter().filter(|it| !it.optional) {
        let of_package = owners.entry(wanted.name.clone()).or_default();
        of_package.push(owner_phrase(&wanted.owner));
    }
    for of_package in owners.values_mut() {
        of_package.sort();
        of_package.dedup();
    }
    for (owner, (_, version)) in picked {
        let text = format!("{owner} {}", version.version);
        for (name, _) in version.dependencies.iter().filter(|(_, it)| !it.optional) {
            owners.entry(name.clone()).or_default().push(text.clone());
        }
    }
    owners
}

fn warnings(universe: &Universe<'_>, picked: &Picked<'_>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let unlisted: Vec<(PackageName, Version)> = picked
        .iter()
        .filter(|(name, (_, it))| universe.matrix.is_unlisted(name, &it.version))
        .map(|(name, (_, it))| (name.clone(), it.version.clone()))
        .collect();
    if !unlisted.is_empty() {
        warnings.push(Warning::Unlisted { packages: unlisted });
    }
    for (name, (view, version)) in picked {
        if let Some(yanked) = &version.yanked {
            warnings.push(Warning::Yanked {
                name: name.clone(),
                version: version.version.clone(),
                reason: yanked.reason.clone(),
                replacement: yanked.replacement.clone(),
            });
        }
        warnings.extend(retired(name, view));
        let newer = view.unusable.iter().rev().find(|(it, why)| {
            *why == Unusable::TooYoung
                && it.version > version.version
                && universe.meets(&VersionReq::STAR, &it.version)
        });
        if let Some((newer, _)) = newer {
            warnings.push(Warning::PassedOver {
                name: name.clone(),
                version: newer.version.clone(),
                chosen: version.version.clone(),
            });
        }
    }
    warnings
}

fn retired(name: &PackageName, view: &View<'_>) -> Option<Warning> {
    let status = &view.entry?.status;
    let state = match status.state {
        PackageState::Active | PackageState::Quarantined => return None,
        PackageState::Deprecated => "deprecated",
        PackageState::Archived => "archived",
    };
    Some(Warning::Retired {
        name: name.clone(),
        state,
        reason: status.reason.clone(),
        replacement: status.replacement.clone(),
    })
}

fn moved(universe: &Universe<'_>, picked: &Picked<'_>) -> Vec<Move> {
    let request = universe.request;
    if request.hold == Hold::Free {
        return Vec::new();
    }
    request
        .installed
        .iter()
        .filter_map(|(name, from)| {
            let (view, to) = picked.get(name)?;
            let is_asked = |it: &&Wanted| {
                let named = matches!(it.owner, Owner::You { .. } | Owner::Bundle { .. });
                named && it.name == *name && !universe.selects(&it.selector, from)
            };
            if request.wanted.iter().find(is_asked).is_some() {
                return None;
            }
            (to.version != *from).then(|| Move {
                name: name.clone(),
                from: from.clone(),
                to: to.version.clone(),
                why: why_moved(universe, picked, view, from),
            })
        })
        .collect()
}

/// What keeps the installed version out of the solution.
fn why_moved(
    universe: &Universe<'_>,
    picked: &Picked<'_>,
    view: &View<'_>,
    from: &Version,
) -> String {
    let wanted = universe.request.wanted.iter();
    let mut refusing =
        wanted.filter(|it| it.name == view.name && !universe.selects(&it.selector, from));
    if let Some(wanted) = refusing.next() {
        return crate::no_solution::wanted_sentence(wanted);
    }
    let known = view.entry.and_then(|it| it.version(from));
    let Some(known) = known else {
        return format!("this registry has no {} {from}", view.name);
    };
    let mut set: BTreeMap<PackageName, &IndexVersion> = picked
        .iter()
        .map(|(name, (_, version))| (name.clone(), *version))
        .collect();
    set.insert(view.name.clone(), known);
    let misfits = misfits_with(universe.matrix, &set, universe.pre());
    let first = misfits.into_iter().find(|it| it.concerns(&view.name));
    first.map_or_else(
        || "no solution keeps it where it is".to_owned(),
        |it| it.text,
    )
}
