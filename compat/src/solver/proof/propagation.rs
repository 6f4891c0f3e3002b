//! Whether requirements exclude each other without any case distinction: then a list of them
//! is a proof that a reader can follow from the top.

use std::collections::BTreeMap;

use pubgrub::VersionSet as _;

use super::Fact;
use crate::solver::numbers::Numbers;
use crate::solver::universe::{PackageId, Universe};

/// How often all requirements are gone through. A chain in reading order takes one or two
/// rounds; what takes more is not easy to follow.
const ROUNDS_MAX: usize = 24;

/// What is known of a package.
struct Known {
    is_there: bool,
    /// Which versions it may have, if it is there.
    allowed: Numbers,
}

/// Whether narrowing what each package may be, one requirement at a time, leaves nothing.
pub(super) fn refutes(universe: &Universe<'_>, facts: &[Fact<'_>]) -> bool {
    let mut known: BTreeMap<PackageId, Known> = BTreeMap::new();
    let owned: Vec<Numbers> = facts
        .iter()
        .map(|fact| {
            let count = fact.owner.map_or(0, |it| universe.count(it));
            Numbers::matching(count, |it| fact.versions.contains(&it))
        })
        .collect();
    for id in facts
        .iter()
        .flat_map(|it| it.owner.into_iter().chain([it.demand.target]))
    {
        let all = Numbers::matching(universe.count(id), |_| true);
        known.entry(id).or_insert(Known {
            is_there: false,
            allowed: all,
        });
    }
    for _ in 0..ROUNDS_MAX {
        let mut has_narrowed = false;
        for (fact, versions) in facts.iter().zip(&owned) {
            has_narrowed |= narrow(&mut known, fact, versions);
            let names = fact.owner.into_iter().chain([fact.demand.target]);
            let is_empty = |it: &PackageId| {
                let known = &known[it];
                known.is_there && known.allowed.is_empty()
            };
            if names.into_iter().any(|it| is_empty(&it)) {
                return true;
            }
        }
        if !has_narrowed {
            return false;
        }
    }
    false
}

/// Draws what follows from one requirement; whether that is anything new.
fn narrow(known: &mut BTreeMap<PackageId, Known>, fact: &Fact<'_>, versions: &Numbers) -> bool {
    let target = fact.demand.target;
    let of_target = &known[&target];
    let left = of_target.allowed.intersection(&fact.demand.set);
    let applies = fact.owner.is_none_or(|owner| {
        let owner = &known[&owner];
        owner.is_there && owner.allowed.subset_of(versions)
    });
    if applies {
        let is_there = of_target.is_there || fact.demand.brings;
        let has_narrowed = is_there != of_target.is_there || left != of_target.allowed;
        let narrowed = Known {
            is_there,
            allowed: left,
        };
        known.insert(target, narrowed);
        return has_narrowed;
    }
    let is_impossible = left.is_empty() && (fact.demand.brings || of_target.is_there);
    let Some(owner) = fact.owner.filter(|_| is_impossible) else {
        return false;
    };
    let of_owner = known.get_mut(&owner).expect("every package has an entry");
    let rest = of_owner.allowed.intersection(&versions.complement());
    let has_narrowed = rest != of_owner.allowed;
    of_owner.allowed = rest;
    has_narrowed
}
