//! The universe in `pubgrub`'s terms.
//!
//! `pubgrub` knows "if this, then that must be there". A matrix row, an optional dependency
//! or a pin says "if both are there, then …", so each package that such a thing bounds has
//! a guard beside it: a package whose version 0 means "absent" and `i + 1` means "version
//! `i` is there". The package demands its own guard at its own number; whatever bounds it
//! demands the guard at "absent or one of these". Guards are decided last, at "absent"
//! where nothing demands otherwise, so they never bring a package in.
//!
//! Where a search turns out to be hard, neighbouring versions with the same needs are decided
//! on as one, a run: a hundred versions that fail for one reason then fail once. The run
//! has the needs and demands one of its versions; the version has none of its own.

use std::cell::Cell;
use std::cmp::Reverse;
use std::fmt;

use pubgrub::{Dependencies, DependencyProvider, PackageResolutionStatistics, VersionSet as _};

use super::numbers::{Number, Numbers};
use super::universe::{Demand, PackageId, Universe};
use crate::request::Request;

/// How many conflicts over one package make a search hard: its versions fail one by one.
const EASY_CONFLICTS_MAX: u32 = 12;
/// How many requirements a version has at most as a rule.
const NEEDS_USUAL: usize = 8;
/// How many decisions pass between two looks at the deadline.
const DECISIONS_PER_LOOK: u32 = 32;

/// What `pubgrub` calls a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Node {
    /// The request.
    Root,
    /// A package.
    Package(PackageId),
    /// Which run of a package's versions with the same needs.
    Run(PackageId),
    /// Whether a package is there, and at which version.
    Guard(PackageId),
}

/// A reason of ours in `pubgrub`'s tree, where there is none: every requirement is said as
/// one, and every version that cannot be chosen has no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsaid {}

/// Why a search ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    /// The caller's deadline passed.
    #[error("the deadline passed")]
    Cancelled,
    /// The search is hard enough to decide on runs of versions.
    #[error("the search is hard")]
    Hard,
}

/// What decides between packages: guards last and versions after their runs, then the
/// fewest versions that are left, then the most conflicts.
pub(crate) type Priority = (u8, Reverse<usize>, u32);

pub(crate) struct Provider<'u, 'a> {
    pub(crate) universe: &'u Universe<'a>,
    decisions_max: u32,
    cancelled: &'u dyn Fn() -> bool,
    decisions: Cell<u32>,
    is_hard: Cell<bool>,
}

impl<'u, 'a> Provider<'u, 'a> {
    pub(crate) fn new(
        universe: &'u Universe<'a>,
        decisions_max: u32,
        cancelled: &'u dyn Fn() -> bool,
    ) -> Self {
        Self {
            universe,
            decisions_max,
            cancelled,
            decisions: Cell::new(0),
            is_hard: Cell::new(false),
        }
    }

    fn request(&self) -> &Request {
        self.universe.request
    }

    /// How many numbers a node has.
    fn count(&self, node: Node) -> usize {
        match node {
            Node::Root => 1,
            Node::Package(id) => self.universe.count(id),
            Node::Run(id) => self.universe.run_starts(id).map_or(0, |it| it.len()),
            Node::Guard(id) => self.universe.count(id) + 1,
        }
    }

    fn expand(&self, node: Node, number: Number) -> Vec<(Node, Numbers)> {
        let index = number.index as usize;
        match node {
            Node::Guard(_) => Vec::new(),
            Node::Root => {
                let mut needs = Vec::new();
                for demand in self.universe.demands_of_request() {
                    self.add_demand(demand, None, &mut needs);
                }
                needs
            }
            Node::Package(id) if self.universe.run_starts(id).is_some() => {
                self.own_guard(id, number).into_iter().collect()
            }
            Node::Package(id) => {
                let mut needs = Vec::with_capacity(NEEDS_USUAL);
                needs.extend(self.own_guard(id, number));
                self.universe.each_demand(id, index, |it| {
                    self.add_demand(it, Some((node, number)), &mut needs);
                });
                needs
            }
            Node::Run(id) => {
                let starts = self.universe.run_starts(id).unwrap_or_default();
                let versions = Numbers::singleton(number).spread(&starts, self.universe.count(id));
                let mut needs = vec![(Node::Package(id), versions)];
                self.universe.each_demand(id, starts[index] as usize, |it| {
                    self.add_demand(it, Some((node, number)), &mut needs);
                });
                needs
            }
        }
    }

    fn add_demand(
        &self,
        demand: Demand<'_>,
        owner: Option<(Node, Number)>,
        needs: &mut Vec<(Node, Numbers)>,
    ) {
        let target = demand.target;
        match owner {
            // A version that demands another version of its own package can never be
            // chosen; one that demands itself demands nothing.
            Some((Node::Package(id), number)) if target == id => {
                if !demand.set.contains(&number) {
                    needs.push((Node::Package(id), Numbers::empty()));
                }
            }
            _ if demand.brings => {
                if let Some(starts) = self.universe.run_starts(target) {
                    let runs = demand.set.touched(&starts, self.universe.count(target));
                    let is_own = matches!(owner, Some((Node::Run(id), _)) if id == target);
                    if !is_own {
                        needs.push((Node::Run(target), runs));
                    }
                }
                needs.push((Node::Package(target), demand.set));
            }
            _ => {
                let set = demand.set.or_absent(self.universe.count(target));
                if !set.is_full() {
                    needs.push((Node::Guard(target), set));
                }
            }
        }
    }

    fn own_guard(&self, id: PackageId, number: Number) -> Option<(Node, Numbers)> {
        if !self.universe.is_guarded(id) {
            return None;
        }
        let guard = Number {
            index: number.index + 1,
            ..number
        };
        let set = Numbers::singleton(guard);
        Some((Node::Guard(id), set))
    }
}

impl DependencyProvider for Provider<'_, '_> {
    type P = Node;
    type V = Number;
    type VS = Numbers;
    type Priority = Priority;
    type M = Unsaid;
    type Err = Stop;

    fn prioritize(
        &self,
        node: &Node,
        range: &Numbers,
        statistics: &PackageResolutionStatistics,
    ) -> Priority {
        let rank = match node {
            Node::Guard(_) => 0,
            Node::Package(id) if self.universe.run_starts(*id).is_some() => 1,
            Node::Root | Node::Run(_) | Node::Package(_) => 2,
        };
        let left = range.len(self.count(*node));
        let conflicts = statistics.conflict_count();
        if conflicts > EASY_CONFLICTS_MAX {
            self.is_hard.set(true);
        }
        (rank, Reverse(left), conflicts)
    }

    fn choose_version(&self, node: &Node, range: &Numbers) -> Result<Option<Number>, Stop> {
        let count = self.count(*node);
        let mut allowed = range.indices(count);
        let preferred = match node {
            Node::Root | Node::Guard(_) => {
                return Ok(allowed.next().map(|it| Number::of(it, count)));
            }
            Node::Package(id) => self.universe.preferred(*id),
            Node::Run(id) => self.universe.preferred_run(*id),
        };
        let preferred = preferred
            .map(|it| Number::of(it, count))
            .filter(|it| range.contains(it));
        if preferred.is_some() {
            return Ok(preferred);
        }
        let chosen = if self.request().minimal {
            allowed.next()
        } else {
            allowed.next_back()
        };
        Ok(chosen.map(|it| Number::of(it, count)))
    }

    fn get_dependencies(
        &self,
        node: &Node,
        number: &Number,
    ) -> Result<Dependencies<Node, Numbers, Unsaid>, Stop> {
        let needs = self.expand(*node, *number);
        Ok(Dependencies::Available(needs.into_iter().collect()))
    }

    fn should_cancel(&self) -> Result<(), Stop> {
        let decisions = self.decisions.get() + 1;
        self.decisions.set(decisions);
        if self.is_hard.get() && !self.universe.is_joining_runs() {
            return Err(Stop::Hard);
        }
        let is_time_to_look = decisions.is_multiple_of(DECISIONS_PER_LOOK);
        if decisions > self.decisions_max || (is_time_to_look && (self.cancelled)()) {
            return Err(Stop::Cancelled);
        }
        Ok(())
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Display for Unsaid {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}
