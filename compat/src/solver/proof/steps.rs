//! The derivation: what follows from which requirements, and from what followed before.
//!
//! `pubgrub`'s tree speaks of guards and runs, which nobody asked about. Here its ends become
//! requirements, its terms become packages, and what only joined a guard to its package
//! disappears. The tree is walked with a list of open ends and dropped from its root, never
//! by recursion.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use pubgrub::{DerivationTree, External, Term, VersionSet as _};

use super::{Fact, Leaf, Tree};
use crate::solver::numbers::Numbers;
use crate::solver::provider::Node;
use crate::solver::universe::{PackageId, Universe};

/// One step: what follows, and from what.
#[derive(Debug, Clone)]
pub(crate) struct Step<'a> {
    /// What cannot be together, by package; empty where nothing is left to be asked.
    pub(crate) excludes: BTreeMap<PackageId, Bound>,
    pub(crate) because: Vec<Because<'a>>,
    /// How often other steps rest on it.
    pub(crate) uses: usize,
    /// How many steps it rests on, one on top of the other.
    pub(crate) height: usize,
}

/// What a step rests on.
#[derive(Debug, Clone)]
pub(crate) enum Because<'a> {
    /// A requirement.
    Fact(Fact<'a>),
    /// The step at this place, which comes before.
    Step(usize),
}

/// A package's part in what cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bound {
    /// One of these versions is there.
    There(Numbers),
    /// None of these versions is there.
    Lacking(Numbers),
}

/// A node of the tree, in the order in which children come first.
#[derive(Debug)]
pub(super) enum Part {
    /// A requirement as `pubgrub` has it.
    Needs(Leaf),
    /// What says nothing that its name does not say.
    Nothing,
    /// What follows from two others.
    Follows {
        terms: Vec<(Node, Term<Numbers>)>,
        causes: [usize; 2],
    },
}

/// Takes the tree apart, children before parents, each shared part once.
pub(super) fn parts_of(tree: Tree) -> Vec<Part> {
    let mut places: HashMap<*const Tree, usize> = HashMap::new();
    // Everything is held here, so that letting go of a parent never lets go of a child.
    let mut held: Vec<Arc<Tree>> = Vec::new();
    let mut parts = Vec::new();
    let mut open = vec![(Arc::new(tree), false)];
    while let Some((tree, has_causes)) = open.pop() {
        let key = Arc::as_ptr(&tree);
        if places.contains_key(&key) {
            continue;
        }
        let part = match &*tree {
            DerivationTree::Derived(derived) if has_causes => Part::Follows {
                terms: derived
                    .terms
                    .iter()
                    .map(|(node, term)| (*node, term.clone()))
                    .collect(),
                causes: [&derived.cause1, &derived.cause2].map(|it| places[&Arc::as_ptr(it)]),
            },
            DerivationTree::Derived(derived) => {
                open.push((Arc::clone(&tree), true));
                open.push((Arc::clone(&derived.cause2), false));
                open.push((Arc::clone(&derived.cause1), false));
                continue;
            }
            DerivationTree::External(External::FromDependencyOf(node, numbers, target, set)) => {
                Part::Needs((*node, numbers.clone(), *target, set.clone()))
            }
            DerivationTree::External(
                External::NotRoot(..) | External::NoVersions(..) | External::Custom(..),
            ) => Part::Nothing,
        };
        places.insert(key, parts.len());
        parts.push(part);
        held.push(tree);
    }
    while held.pop().is_some() {}
    parts
}

/// The steps, those that others rest on first; the last is the refusal.
///
/// `facts_of` gives the requirements that an end of the tree stands for.
pub(super) fn steps_of<'a>(
    universe: &Universe<'a>,
    parts: &[Part],
    facts_of: impl Fn(&Leaf) -> Vec<Fact<'a>>,
) -> Vec<Step<'a>> {
    let mut steps: Vec<Step<'a>> = Vec::new();
    // What each part came to: requirements, a step, or nothing.
    let mut meanings: Vec<Vec<Because<'a>>> = Vec::with_capacity(parts.len());
    for part in parts {
        let meaning = match part {
            Part::Nothing => Vec::new(),
            Part::Needs(leaf) => facts_of(leaf).into_iter().map(Because::Fact).collect(),
            Part::Follows { terms, causes } => {
                let [left, right] = causes.map(|it| &meanings[it]);
                if left.is_empty() || right.is_empty() {
                    // Only the name of something changed.
                    if left.is_empty() { right } else { left }.clone()
                } else {
                    let because: Vec<Because<'a>> = left.iter().chain(right).cloned().collect();
                    steps.push(Step {
                        excludes: excluded(universe, terms),
                        height: height(&steps, &because),
                        because,
                        uses: 0,
                    });
                    vec![Because::Step(steps.len() - 1)]
                }
            }
        };
        meanings.push(meaning);
    }
    let last = match meanings.pop().as_deref() {
        Some([Because::Step(last)]) => *last,
        other => {
            // One requirement alone that nothing meets.
            let because = other.unwrap_or_default().to_vec();
            steps.push(Step {
                excludes: BTreeMap::new(),
                height: height(&steps, &because),
                because,
                uses: 0,
            });
            steps.len() - 1
        }
    };
    reachable(steps, last)
}

fn height(steps: &[Step<'_>], because: &[Because<'_>]) -> usize {
    let below = because.iter().filter_map(|it| match it {
        Because::Fact(_) => None,
        Because::Step(place) => Some(steps[*place].height + 1),
    });
    below.max().unwrap_or_default()
}

/// The steps that `last` rests on, and it, with how often each is used.
fn reachable(steps: Vec<Step<'_>>, last: usize) -> Vec<Step<'_>> {
    let mut uses = vec![0_usize; steps.len()];
    uses[last] = 1;
    for place in (0..=last).rev().filter(|it| *it < steps.len()) {
        if uses[place] == 0 {
            continue;
        }
        for because in &steps[place].because {
            if let Because::Step(other) = because {
                uses[*other] += 1;
            }
        }
    }
    let mut places: Vec<usize> = Vec::with_capacity(steps.len());
    let mut kept: Vec<Step<'_>> = Vec::new();
    for (place, mut step) in steps.into_iter().enumerate() {
        places.push(kept.len());
        if uses[place] == 0 || place > last {
            continue;
        }
        step.uses = uses[place];
        for because in &mut step.because {
            if let Because::Step(other) = because {
                *other = places[*other];
            }
        }
        kept.push(step);
    }
    kept
}

/// The terms as packages and their versions: a guard and a run speak of their package.
fn excluded(
    universe: &Universe<'_>,
    terms: &[(Node, Term<Numbers>)],
) -> BTreeMap<PackageId, Bound> {
    let mut excluded: BTreeMap<PackageId, Bound> = BTreeMap::new();
    for (node, term) in terms {
        let (id, bound) = match *node {
            Node::Root => continue,
            Node::Package(id) => (id, plain_bound(term, Numbers::clone)),
            Node::Run(id) => {
                let starts = universe.run_starts(id).unwrap_or_default();
                let count = universe.count(id);
                (id, plain_bound(term, |it| it.spread(&starts, count)))
            }
            Node::Guard(id) => (id, guard_bound(term, universe.count(id))),
        };
        let joined = match excluded.remove(&id) {
            None => bound,
            Some(other) => both(other, bound),
        };
        excluded.insert(id, joined);
    }
    excluded
}

fn plain_bound(term: &Term<Numbers>, versions: impl Fn(&Numbers) -> Numbers) -> Bound {
    match term {
        Term::Positive(set) => Bound::There(versions(set)),
        Term::Negative(set) => Bound::Lacking(versions(set)),
    }
}

/// A guard's number 0 is absence, and `i + 1` its package's version `i`.
fn guard_bound(term: &Term<Numbers>, count: usize) -> Bound {
    let set = match term {
        Term::Positive(set) => set.clone(),
        Term::Negative(set) => set.complement(),
    };
    let has = |set: &Numbers, number: usize| set.indices(count + 1).any(|it| it == number);
    if has(&set, 0) {
        let rest = set.complement();
        Bound::Lacking(Numbers::matching(count, |it| has(&rest, it + 1)))
    } else {
        Bound::There(Numbers::matching(count, |it| has(&set, it + 1)))
    }
}

fn both(left: Bound, right: Bound) -> Bound {
    match (left, right) {
        (Bound::There(a), Bound::There(b)) => Bound::There(a.intersection(&b)),
        (Bound::Lacking(a), Bound::Lacking(b)) => Bound::Lacking(a.union(&b)),
        (Bound::There(a), Bound::Lacking(b)) | (Bound::Lacking(b), Bound::There(a)) => {
            Bound::There(a.intersection(&b.complement()))
        }
    }
}
