//! Why a search failed: the requirements that took part, and what follows from which.
//!
//! `pubgrub` leaves a derivation tree. It can be as deep as the longest chain of
//! requirements, so it is walked and taken apart with a list of open ends, never by
//! recursion: dropping a deep tree the ordinary way would overflow the stack.

mod propagation;
mod steps;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use pubgrub::{DerivationTree, VersionSet as _};

use super::numbers::Numbers;
use super::provider::{Node, Unsaid};
use super::universe::{Demand, PackageId, Reason, Universe};
pub(crate) use steps::{Because, Bound, Step};

/// A proof of more requirements than this is not shortened: that takes many searches.
const SHORTENED_FACTS_MAX: usize = 2_000;
/// From so many requirements on, whole stretches are left out before single ones.
const SINGLY_SHORTENED_FACTS_MAX: usize = 48;
/// How many requirements all the searches for a shorter proof may look at together. (Time
/// would be no measure: the same question must have the same answer.)
const SHORTENING_EFFORT_MAX: usize = 60_000;

/// The requirements that cannot hold together, in the order in which a reader follows
/// them: from the request to what it brings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proof<'a> {
    pub(crate) facts: Vec<Fact<'a>>,
    /// The versions of each package that the request allows, as far as it takes part.
    pub(crate) asked: BTreeMap<PackageId, Numbers>,
    /// What follows from which requirements; the last step is the refusal.
    pub(crate) steps: Vec<Step<'a>>,
    /// Whether a reader needs no case distinction: each requirement narrows what is left
    /// until nothing is.
    pub(crate) is_plain: bool,
}

/// One requirement of the proof, with every version that has it.
#[derive(Debug, Clone)]
pub(crate) struct Fact<'a> {
    /// Who requires; `None` for the request.
    pub(crate) owner: Option<PackageId>,
    /// Which of the owner's versions, as places among the usable ones.
    pub(crate) versions: BTreeSet<usize>,
    /// What is required.
    pub(crate) demand: Demand<'a>,
}

type Tree = DerivationTree<Node, Numbers, Unsaid>;
/// Who requires at which numbers, and which numbers of what.
type Leaf = (Node, Numbers, Node, Numbers);
type Key = (Option<PackageId>, PackageId, (u8, usize, String), bool);
type Facts<'a> = BTreeMap<Key, Fact<'a>>;

/// Takes the tree apart.
pub(crate) fn flatten<'a>(universe: &Universe<'a>, tree: Tree) -> Proof<'a> {
    let parts = steps::parts_of(tree);
    let mut facts: Facts<'a> = BTreeMap::new();
    // Many incompatibilities rest on one requirement: each is looked up once.
    let mut seen = HashSet::new();
    let leaves: Vec<&Leaf> = parts
        .iter()
        .filter_map(|it| match it {
            steps::Part::Needs(leaf) => Some(leaf),
            steps::Part::Nothing | steps::Part::Follows { .. } => None,
        })
        .filter(|it| seen.insert(*it))
        .collect();
    let (of_request, of_packages): (Vec<_>, Vec<_>) =
        leaves.into_iter().partition(|it| it.0 == Node::Root);
    for leaf in of_request {
        collect(universe, &BTreeMap::new(), leaf, &mut facts);
    }
    let asked = asked(facts.values());
    for leaf in of_packages {
        collect(universe, &asked, leaf, &mut facts);
    }
    let steps = steps::steps_of(universe, &parts, |leaf| {
        let mut facts = BTreeMap::new();
        collect(universe, &asked, leaf, &mut facts);
        facts.into_values().collect()
    });
    let facts = in_reading_order(facts);
    Proof {
        is_plain: propagation::refutes(universe, &facts),
        facts,
        asked,
        steps,
    }
}

impl<'a> Proof<'a> {
    /// Takes out what the rest excludes everything without; whether it could. `pubgrub`
    /// blames all that it met on its way to the contradiction, now and then more than was
    /// needed. The steps are not shortened with it: they are those of the longer proof.
    ///
    /// `is_excluded` says whether there is still no solution when only the given
    /// requirements count.
    pub(crate) fn shorten(&mut self, is_excluded: &dyn Fn(&[Fact<'_>]) -> bool) -> bool {
        if self.facts.len() > SHORTENED_FACTS_MAX || !is_excluded(&self.facts) {
            return false;
        }
        let mut effort = 0;
        let mut is_shorter = |rest: &[Fact<'_>]| {
            effort += rest.len();
            effort <= SHORTENING_EFFORT_MAX && is_excluded(rest)
        };
        if self.facts.len() > SINGLY_SHORTENED_FACTS_MAX {
            let mut stretch = self.facts.len() / 2;
            while stretch > 1 {
                let mut end = self.facts.len();
                while end > 0 {
                    let start = end.saturating_sub(stretch);
                    let mut rest = self.facts.clone();
                    rest.drain(start..end);
                    if is_shorter(&rest) {
                        self.facts = rest;
                    }
                    end = start;
                }
                stretch /= 2;
            }
        }
        let mut place = self.facts.len();
        while place > 0 {
            place = (place - 1).min(self.facts.len().saturating_sub(1));
            let rest = self.without(place);
            if is_shorter(&rest) {
                self.facts = rest;
            }
        }
        true
    }

    /// The other requirements. The bounds of one row on one package are one requirement.
    pub(crate) fn without(&self, place: usize) -> Vec<Fact<'a>> {
        let gone = &self.facts[place];
        let is_row = |it: &Fact<'_>| matches!(it.demand.reason, Reason::Row(_));
        let is_gone = |at: usize, it: &Fact<'_>| {
            let is_same_row = is_row(it)
                && is_row(gone)
                && (it.owner, it.demand.target) == (gone.owner, gone.demand.target)
                && it.versions == gone.versions;
            at == place || is_same_row
        };
        let facts = self.facts.iter().enumerate();
        facts
            .filter(|(at, it)| !is_gone(*at, it))
            .map(|(_, it)| it.clone())
            .collect()
    }
}

/// `facts`, where one requirement of several versions stands once, as a reader follows them.
pub(crate) fn ordered<'a>(facts: impl IntoIterator<Item = Fact<'a>>) -> Vec<Fact<'a>> {
    let mut by_key: Facts<'a> = BTreeMap::new();
    for fact in facts {
        let demand = &fact.demand;
        let key = (
            fact.owner,
            demand.target,
            demand.reason.key(),
            demand.brings,
        );
        match by_key.get_mut(&key) {
            Some(known) => known.versions.extend(fact.versions),
            None => drop(by_key.insert(key, fact)),
        }
    }
    in_reading_order(by_key)
}

/// What the part of the request that is in the proof allows of each package.
fn asked<'f, 'a: 'f>(
    of_request: impl Iterator<Item = &'f Fact<'a>>,
) -> BTreeMap<PackageId, Numbers> {
    let mut asked: BTreeMap<PackageId, Numbers> = BTreeMap::new();
    for fact in of_request {
        let demand = &fact.demand;
        let entry = asked.entry(demand.target).or_insert_with(Numbers::full);
        *entry = entry.intersection(&demand.set);
    }
    asked
}

fn collect<'a>(
    universe: &Universe<'a>,
    asked: &BTreeMap<PackageId, Numbers>,
    (node, numbers, target, set): &Leaf,
    facts: &mut Facts<'a>,
) {
    let (owner, places): (_, Vec<usize>) = match *node {
        Node::Guard(_) => return,
        Node::Root => (None, vec![0]),
        Node::Package(id) | Node::Run(id) => {
            let count = universe.count(id);
            let starts = universe.run_starts(id);
            let numbers = match (*node, &starts) {
                (Node::Run(_), Some(starts)) => &numbers.spread(starts, count),
                _ => numbers,
            };
            // Versions that the request rules out anyway would only be noise.
            let asked = asked.get(&id).map(|it| it.intersection(numbers));
            let relevant = asked.filter(|it| !it.is_empty());
            let relevant = relevant.as_ref().unwrap_or(numbers);
            (Some(id), relevant.indices(count).collect())
        }
    };
    for place in places {
        let demands = match owner {
            None => universe.demands_of_request(),
            Some(id) => universe.demands(id, place),
        };
        for demand in demands {
            if !is_same(universe, owner, &demand, (*target, set)) {
                continue;
            }
            let key = (owner, demand.target, demand.reason.key(), demand.brings);
            let fact = facts.entry(key).or_insert_with(|| Fact {
                owner,
                versions: BTreeSet::new(),
                demand,
            });
            fact.versions.insert(place);
        }
    }
}

/// Whether `demand` is what the tree calls `target` in `set`.
fn is_same(
    universe: &Universe<'_>,
    owner: Option<PackageId>,
    demand: &Demand<'_>,
    (target, set): (Node, &Numbers),
) -> bool {
    match target {
        Node::Root => false,
        // A run's demand of its own versions is no requirement.
        Node::Package(id) if Some(id) == owner => {
            demand.target == id && (set.is_empty() || demand.set == *set)
        }
        Node::Package(id) => demand.target == id && demand.brings && demand.set == *set,
        Node::Run(id) => {
            demand.target == id && demand.brings && {
                let starts = universe.run_starts(id).unwrap_or_default();
                demand.set.touched(&starts, universe.count(id)) == *set
            }
        }
        Node::Guard(id) => {
            demand.target == id && !demand.brings && {
                let count = universe.count(id);
                demand.set.or_absent(count) == *set
            }
        }
    }
}

/// What the request asks first, and behind each requirement those of what it brings.
fn in_reading_order(facts: Facts<'_>) -> Vec<Fact<'_>> {
    let mut ordered = Vec::with_capacity(facts.len());
    let mut by_owner: BTreeMap<Option<PackageId>, Vec<Fact<'_>>> = BTreeMap::new();
    for fact in facts.into_values() {
        by_owner.entry(fact.owner).or_default().push(fact);
    }
    while let Some((_, mut open)) = by_owner.pop_first() {
        open.reverse();
        while let Some(fact) = open.pop() {
            let next = by_owner.remove(&Some(fact.demand.target));
            open.extend(next.into_iter().flatten().rev());
            ordered.push(fact);
        }
    }
    ordered
}
