//! The search for a solution.
//!
//! First everything installed is held; if that fails, it is only preferred. Each search is
//! `pubgrub`'s, over the numbers of usable versions (`numbers`), on what there is to choose
//! from (`universe`), said in `pubgrub`'s terms (`provider`). A failed search leaves a
//! derivation tree, which `proof` flattens into the requirements that took part.

pub(crate) mod numbers;
pub(crate) mod proof;
mod provider;
mod settle;
pub(crate) mod universe;

use std::collections::BTreeMap;

use pubgrub::PubGrubError;

use crate::index::Index;
use crate::matrix::Matrix;
use crate::no_solution::{self, NoSolution};
use crate::request::{Hold, Request};
use crate::solution::Solution;
use numbers::Number;
use proof::Proof;
use provider::{Node, Provider, Stop};
use universe::{Holding, PackageId, Universe};

/// What a search chose, as numbers.
pub(crate) type Picks = BTreeMap<PackageId, usize>;

/// Why a search found nothing.
pub(crate) enum Failure<'a> {
    /// There is nothing to find.
    Impossible(Proof<'a>),
    /// It was cancelled.
    Cancelled,
}

/// One version for each package that `request` needs, or why there is none.
pub fn solve(
    request: &Request,
    matrix: &Matrix,
    index: &dyn Index,
) -> Result<Solution, NoSolution> {
    solve_until(request, matrix, index, &|| false)
}

/// [`solve`], given up once `cancelled` says so; it is asked often, so it should be cheap.
pub fn solve_until(
    request: &Request,
    matrix: &Matrix,
    index: &dyn Index,
    cancelled: &dyn Fn() -> bool,
) -> Result<Solution, NoSolution> {
    let holding = match request.hold {
        Hold::Free => Holding::Free,
        Hold::Held | Hold::Preferred => Holding::Preferred,
    };
    if request.hold == Hold::Held && !request.installed.is_empty() {
        let held = Universe::new(request, matrix, index, Holding::Held);
        if let Ok(picks) = search(&held, cancelled) {
            return Ok(settle::settle(&held, &picks));
        }
    }
    let universe = Universe::new(request, matrix, index, holding);
    match search(&universe, cancelled) {
        Ok(picks) => Ok(settle::settle(&universe, &picks)),
        Err(failure) => Err(no_solution::explain(&universe, failure, cancelled)),
    }
}

/// Runs `pubgrub`, again if a package turned out to need a guard late or the search to be
/// hard.
pub(crate) fn search<'a>(
    universe: &Universe<'a>,
    cancelled: &dyn Fn() -> bool,
) -> Result<Picks, Failure<'a>> {
    loop {
        universe.restart();
        let provider = Provider::new(universe, cancelled);
        let found = pubgrub::resolve(&provider, Node::Root, Number::of(0, 1));
        // What was found without a guard that something needs is not to be trusted.
        let is_final = !universe.is_guarded_late();
        match found {
            Ok(selected) if is_final => {
                return Ok(selected
                    .into_iter()
                    .filter_map(|(node, number)| match node {
                        Node::Package(id) => Some((id, number.index as usize)),
                        Node::Root | Node::Run(_) | Node::Guard(_) => None,
                    })
                    .collect());
            }
            Ok(_) => {}
            Err(PubGrubError::NoSolution(tree)) => {
                let proof = proof::flatten(universe, tree);
                if is_final {
                    return Err(Failure::Impossible(proof));
                }
            }
            Err(
                PubGrubError::ErrorInShouldCancel(stop)
                | PubGrubError::ErrorChoosingVersion { source: stop, .. }
                | PubGrubError::ErrorRetrievingDependencies { source: stop, .. },
            ) => match stop {
                Stop::Hard => universe.join_runs(),
                Stop::Cancelled => return Err(Failure::Cancelled),
            },
        }
    }
}

#[cfg(test)]
mod tests;
