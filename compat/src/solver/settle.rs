//! Turning what a search chose into an answer: archives, who brought what, warnings, and
//! which installed packages moved and why.

use std::collections::BTreeMap;
use std::rc::Rc;

use provisioning_package::{PackageName, Version, VersionReq};
use provisioning_registry_api::index::{IndexVersion, PackageState};

use super::Picks;
use super::universe::{PackageId, Universe, Unusable, View};
use crate::fit::misfits_with;
use crate::request::{Hold, Owner, Wanted};
use crate::solution::{Bringers, Chosen, Move, Solution, Warning};

/// What was picked, by name.
type Picked<'a> = Vec<Pick<'a>>;
/// A package, the number of its version, and both as the registry tells of them.
type Pick<'a> = (PackageId, usize, Rc<View<'a>>, &'a IndexVersion);

/// The answer for what was picked.
pub(crate) fn settle(universe: &Universe<'_>, picks: &Picks) -> Solution {
    let mut picked: Picked<'_> = Vec::with_capacity(picks.len());
    for (id, index) in picks {
        let view = universe.view(*id);
        let version = view.usable.at(*index);
        picked.push((*id, *index, view, version));
    }
    picked.sort_unstable_by(|left, right| left.2.name.cmp(&right.2.name));
    let bringers = bringers(universe, &picked);
    let packages = picked
        .iter()
        .map(|(_, _, view, version)| {
            let archive = version
                .archive_for(universe.request.target)
                .expect("a version without an archive for the target is not usable");
            let chosen = Chosen {
                kind: view.name.kind(),
                version: version.version.clone(),
                archive: archive.clone(),
            };
            (view.name.clone(), chosen)
        })
        .collect();
    Solution {
        packages,
        warnings: warnings(universe, &picked),
        moved: moved(universe, &picked),
        bringers,
    }
}

/// Who brought each package, by its place in the answer.
fn bringers(universe: &Universe<'_>, picked: &Picked<'_>) -> Bringers {
    const ABSENT: u32 = u32::MAX;
    let met = picked.iter().map(|it| it.0.place() + 1).max();
    let mut places = vec![ABSENT; met.unwrap_or(0)];
    for (place, (id, ..)) in (0..).zip(picked) {
        places[id.place()] = place;
    }
    let place_of = |id: PackageId| places.get(id.place()).copied().filter(|it| *it != ABSENT);
    let mut bringers = Bringers::default();
    let wanted = universe.request.wanted.iter().filter(|it| !it.optional);
    for wanted in wanted {
        if let Some(place) = place_of(universe.id(&wanted.name)) {
            bringers.request.push((place, wanted.owner.clone()));
        }
    }
    for (place, (id, index, ..)) in (0..).zip(picked) {
        universe.each_brought(*id, *index, |it| {
            bringers.packages.extend(place_of(it).map(|it| (it, place)));
        });
    }
    bringers
}

fn warnings(universe: &Universe<'_>, picked: &Picked<'_>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let unlisted: Vec<(PackageName, Version)> = picked
        .iter()
        .filter(|(_, _, view, it)| universe.matrix.is_unlisted(&view.name, &it.version))
        .map(|(_, _, view, it)| (view.name.clone(), it.version.clone()))
        .collect();
    if !unlisted.is_empty() {
        warnings.push(Warning::Unlisted { packages: unlisted });
    }
    for (_, _, view, version) in picked {
        let name = &view.name;
        if let Some(yanked) = &version.yanked {
            warnings.push(Warning::Yanked {
                name: name.clone(),
                version: version.version.clone(),
                reason: yanked.reason.clone(),
                replacement: yanked.replacement.clone(),
            });
        }
        warnings.extend(retired(name, view));
        let newer = |left_out: Unusable| {
            view.unusable.iter().rev().filter(move |(it, why)| {
                *why == left_out
                    && it.version > version.version
                    && universe.meets(&VersionReq::STAR, &it.version)
            })
        };
        if let Some((newer, _)) = newer(Unusable::TooYoung).next() {
            warnings.push(Warning::PassedOver {
                name: name.clone(),
                version: newer.version.clone(),
                chosen: version.version.clone(),
            });
        }
        let left_out: Vec<Version> = newer(Unusable::OutOfReach)
            .filter(|(it, _)| universe.request_admits(name, &it.version))
            .map(|(it, _)| it.version.clone())
            .collect();
        if !left_out.is_empty() {
            warnings.push(Warning::LeftOut {
                name: name.clone(),
                versions: left_out,
                because: universe.request.out_of_reach_text(),
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
            let id = universe.known_id(name)?;
            let (_, _, view, to) = picked.iter().find(|it| it.0 == id)?;
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
        .map(|(_, _, view, version)| (view.name.clone(), *version))
        .collect();
    set.insert(view.name.clone(), known);
    let misfits = misfits_with(universe.matrix, &set, universe.pre());
    let first = misfits.into_iter().find(|it| it.concerns(&view.name));
    first.map_or_else(
        || "no solution keeps it where it is".to_owned(),
        |it| it.text,
    )
}
