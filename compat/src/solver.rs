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

use std::borrow::Cow;
use std::cell::Cell;
use std::time::Duration;

use pubgrub::PubGrubError;

use crate::index::Index;
use crate::matrix::Matrix;
use crate::no_solution::{self, NoSolution};
use crate::request::{Hold, Request, Wanted};
use crate::solution::Solution;
use numbers::Number;
use proof::{Fact, Proof};
use provider::{Node, Provider, Stop};
use universe::{Holding, PackageId, Universe};

/// How many decisions a search may take at most; the hardest real indexes take thousands.
pub(crate) const DECISIONS_MAX: u32 = 5_000_000;

/// How many runs of a search may leave packages alone that are bounded and not brought, in
/// the hope that nothing will bring them. Nearly always one or two will do.
const WAITING_RUNS_MAX: u32 = 4;

/// How many decisions each step of shortening a proof may take.
const SHORTENING_DECISIONS_MAX: u32 = 2_000;

/// What a search chose, as numbers, in no order.
pub(crate) type Picks = Vec<(PackageId, usize)>;

/// Why a search found nothing.
pub(crate) enum Failure<'a> {
    /// There is nothing to find.
    Impossible(Proof<'a>),
    /// It was cancelled.
    Cancelled,
}

/// How long a question may take, by a clock of the caller's.
#[derive(Clone, Copy)]
pub struct Budget<'c> {
    /// How much time has passed since the question was asked.
    pub elapsed: &'c dyn Fn() -> Duration,
    /// When the search is given up.
    pub search: Duration,
    /// How much longer, after a refusal, to look for what would fit instead.
    pub hints: Duration,
}

/// One version for each package that `request` needs, or why there is none.
///
/// `index` is asked about a package when a candidate for the solution first needs it;
/// packages that are only bounded, by a matrix row or an optional requirement, are asked
/// for once something brings them.
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
    let deadlines = Deadlines {
        search: cancelled,
        hints: cancelled,
    };
    answer(request, matrix, index, &deadlines)
}

/// [`solve`], within `budget`.
pub fn solve_within(
    request: &Request,
    matrix: &Matrix,
    index: &dyn Index,
    budget: &Budget<'_>,
) -> Result<Solution, NoSolution> {
    let refused_at = Cell::new(None);
    let deadlines = Deadlines {
        search: &|| (budget.elapsed)() > budget.search,
        hints: &|| {
            let now = (budget.elapsed)();
            let from = refused_at.get().unwrap_or(now);
            refused_at.set(Some(from));
            now.saturating_sub(from) > budget.hints
        },
    };
    answer(request, matrix, index, &deadlines)
}

/// Who is asked whether time is up.
struct Deadlines<'c> {
    search: &'c dyn Fn() -> bool,
    hints: &'c dyn Fn() -> bool,
}

fn answer(
    request: &Request,
    matrix: &Matrix,
    index: &dyn Index,
    deadlines: &Deadlines<'_>,
) -> Result<Solution, NoSolution> {
    // Whatever order the wishes came in, everything that follows sees one.
    let is_sorted =
        |it: &[Wanted]| it.is_sorted_by(|left, right| universe::order(left, right).is_le());
    let mut sorted = Cow::Borrowed(request);
    if !is_sorted(&sorted.wanted) {
        sorted.to_mut().wanted.sort_by(universe::order);
    }
    let request = &*sorted;
    let holding = match request.hold {
        Hold::Free => Holding::Free,
        Hold::Held | Hold::Preferred => Holding::Preferred,
    };
    if request.hold == Hold::Held && !request.installed.is_empty() {
        let held = Universe::new(request, matrix, index, Holding::Held);
        if let Ok(picks) = search(&held, DECISIONS_MAX, deadlines.search) {
            return Ok(settle::settle(&held, &picks));
        }
    }
    let universe = Universe::new(request, matrix, index, holding);
    match search(&universe, DECISIONS_MAX, deadlines.search) {
        Ok(picks) => Ok(settle::settle(&universe, &picks)),
        Err(Failure::Cancelled) => Err(no_solution::gave_up()),
        Err(Failure::Impossible(proof)) => {
            // Shortened in a universe of its own: there, every version is decided on by itself.
            let lean = Universe::new(request, matrix, index, holding);
            let (universe, proof) = match shortened(&universe, &proof, &lean, deadlines.hints) {
                Some(shorter) => (&lean, shorter),
                None => (&universe, proof),
            };
            Err(no_solution::explain(universe, &proof, deadlines.hints))
        }
    }
}

/// The proof without requirements that it holds without, found in `lean`; `None` where it is
/// too long or too hard for that.
fn shortened<'a>(
    universe: &Universe<'a>,
    proof: &Proof<'a>,
    lean: &Universe<'a>,
    cancelled: &dyn Fn() -> bool,
) -> Option<Proof<'a>> {
    let translated = |id: PackageId| lean.id(&universe.view(id).name);
    let mut shorter = Proof {
        facts: proof.facts.clone(),
        ..Proof::default()
    };
    for fact in &mut shorter.facts {
        fact.owner = fact.owner.map(translated);
        fact.demand.target = translated(fact.demand.target);
    }
    let only = |facts: &[Fact<'_>]| {
        let keys = facts.iter().flat_map(|fact| {
            let key = (fact.demand.target, fact.demand.reason.key());
            let owners: Vec<_> = match fact.owner {
                None => vec![None],
                Some(id) => fact.versions.iter().map(|it| Some((id, *it))).collect(),
            };
            owners.into_iter().map(move |it| (it, key.0, key.1.clone()))
        });
        lean.count_only(Some(keys.collect()));
        search(lean, SHORTENING_DECISIONS_MAX, cancelled)
    };
    let could = shorter.shorten(&|facts| {
        // Runs stand for versions that differ in what the proof says of them.
        matches!(only(facts), Err(Failure::Impossible(_))) && !lean.is_joining_runs()
    });
    let last = could.then(|| only(&shorter.facts));
    lean.count_only(None);
    match last {
        Some(Err(Failure::Impossible(proof))) if !lean.is_joining_runs() => Some(proof),
        Some(_) | None => None,
    }
}

/// Runs `pubgrub`, again if something was expanded before it was known what that takes, or
/// the search turned out to be hard.
pub(crate) fn search<'a>(
    universe: &Universe<'a>,
    decisions_max: u32,
    cancelled: &dyn Fn() -> bool,
) -> Result<Picks, Failure<'a>> {
    for run in 0.. {
        universe.restart(run < WAITING_RUNS_MAX);
        let provider = Provider::new(universe, decisions_max, cancelled);
        let found = pubgrub::resolve(&provider, Node::Root, Number::of(0, 1));
        // What was found while a bound did not count yet is not to be trusted.
        let is_final = !universe.is_expanded_early();
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
    unreachable!("only an answer or the deadline ends the search")
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
