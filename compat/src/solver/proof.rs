//! Flattening `pubgrub`'s derivation tree into the requirements that took part.
//!
//! A tree can be as deep as the longest chain of requirements, so it is walked and taken
//! apart with a list of open ends, never by recursion: dropping a deep tree the ordinary
//! way would overflow the stack.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use pubgrub::{DerivationTree, External, VersionSet as _};

use super::numbers::Numbers;
use super::provider::Node;
use super::universe::{Demand, PackageId, Reason, Universe};

/// A proof of more requirements than this is not shortened: that takes a search for each.
const SHORTENED_FACTS_MAX: usize = 48;

/// The requirements that cannot hold together, in the order in which a reader follows
/// them: from the request to what it brings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proof<'a> {
    pub(crate) facts: Vec<Fact<'a>>,
    /// The versions of each package that the request allows, as far as it takes part.
    pub(crate) asked: BTreeMap<PackageId, Numbers>,
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

type Tree = DerivationTree<Node, Numbers, String>;
/// Who requires at which numbers, and which numbers of what.
type Leaf = (Node, Numbers, Node, Numbers);
type Key = (Option<PackageId>, PackageId, (u8, usize, String), bool);
type Facts<'a> = BTreeMap<Key, Fact<'a>>;

/// Takes the tree apart.
pub(crate) fn flatten<'a>(universe: &Universe<'a>, tree: Tree) -> Proof<'a> {
    let mut facts: Facts<'a> = BTreeMap::new();
    // Many incompatibilities rest on one requirement: each is looked up once.
    let mut seen = HashSet::new();
    let mut leaves = leaves(tree);
    leaves.retain(|it| seen.insert(it.clone()));
    let (of_request, of_packages): (Vec<_>, Vec<_>) =
        leaves.into_iter().partition(|it| it.0 == Node::Root);
    for leaf in of_request {
        collect(universe, &BTreeMap::new(), &leaf, &mut facts);
    }
    let asked = asked(facts.values());
    for leaf in of_packages {
        collect(universe, &asked, &leaf, &mut facts);
    }
    Proof {
        facts: in_reading_order(facts),
        asked,
    }
}

impl Proof<'_> {
    /// Takes out what the rest excludes everything without. `pubgrub` blames all that it met
    /// on its way to the contradiction, now and then more than was needed.
    ///
    /// `is_excluded` says whether there is still no solution when only the given
    /// requirements count.
    pub(crate) fn shorten(&mut self, is_excluded: &dyn Fn(&[Fact<'_>]) -> bool) {
        if self.facts.len() > SHORTENED_FACTS_MAX || !is_excluded(&self.facts) {
            return;
        }
        let mut place = self.facts.len();
        while place > 0 {
            place = (place - 1).min(self.facts.len().saturating_sub(1));
            let rest = self.without(place);
            if is_excluded(&rest) {
                self.facts = rest;
            }
        }
        let of_request = self.facts.iter().filter(|it| it.owner.is_none());
        self.asked = asked(of_request);
    }
}

impl<'a> Proof<'a> {
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

/// The dependencies at the tree's ends. Every other end says what its name says already.
fn leaves(tree: Tree) -> Vec<Leaf> {
    let mut found = Vec::new();
    let mut open = vec![Arc::new(tree)];
    while let Some(tree) = open.pop() {
        // Only the last owner of a shared part goes into it; the others just let go.
        let Some(tree) = Arc::into_inner(tree) else {
            continue;
        };
        match tree {
            DerivationTree::Derived(derived) => {
                open.push(derived.cause2);
                open.push(derived.cause1);
            }
            DerivationTree::External(External::FromDependencyOf(node, numbers, target, set)) => {
                found.push((node, numbers, target, set));
            }
            DerivationTree::External(
                External::NotRoot(..) | External::NoVersions(..) | External::Custom(..),
            ) => {}
        }
    }
    found
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
            demand.target == id && (set.is_empty() || *demand.set == *set)
        }
        Node::Package(id) => demand.target == id && demand.brings && *demand.set == *set,
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
