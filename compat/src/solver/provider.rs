//! The universe in `pubgrub`'s terms.
//!
//! `pubgrub` knows "if this, then that must be there". A matrix row, an optional dependency
//! or a pin says "if both are there, then …", so each package that such a thing bounds has
//! a guard beside it: a package whose version 0 means "absent" and `i + 1` means "version
//! `i` is there". The package demands its own guard at its own number; whatever bounds it
//! demands the guard at "absent or one of these". Guards are decided last, at "absent"
//! where nothing demands otherwise, so they never bring a package in.

use std::cell::Cell;
use std::cmp::Reverse;
use std::fmt;

use pubgrub::{Dependencies, DependencyProvider, PackageResolutionStatistics};

use super::numbers::{Number, Numbers};
use super::universe::{PackageId, Universe};
use crate::request::Request;

/// How many decisions a search may take at most; the hardest real indexes take thousands.
const DECISIONS_MAX: u32 = 5_000_000;
/// How many decisions pass between two looks at the deadline.
const DECISIONS_PER_LOOK: u32 = 32;

/// What `pubgrub` calls a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Node {
    /// The request.
    Root,
    /// A package.
    Package(PackageId),
    /// Whether a package is there, and at which version.
    Guard(PackageId),
}

/// Why a search ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    /// The caller's deadline passed.
    #[error("the deadline passed")]
    Cancelled,
    /// A package turned out to need a guard after it was already expanded without one.
    #[error("a guard was found too late")]
    Restart,
}

/// What decides between packages: guards last, then the fewest versions that are left,
/// then the most conflicts.
pub(crate) type Priority = (bool, Reverse<usize>, u32);

pub(crate) struct Provider<'u, 'a> {
    pub(crate) universe: &'u Universe<'a>,
    cancelled: &'u dyn Fn() -> bool,
    decisions: Cell<u32>,
}

impl<'u, 'a> Provider<'u, 'a> {
    pub(crate) fn new(universe: &'u Universe<'a>, cancelled: &'u dyn Fn() -> bool) -> Self {
        Self {
            universe,
            cancelled,
            decisions: Cell::new(0),
        }
    }

    fn request(&self) -> &Request {
        self.universe.request
    }

    /// How many numbers a node has.
    fn count(&self, node: Node) -> usize {
        match node {
            Node::Root => 1,
            Node::Package(id) => self.universe.view(id).usable.len(),
            Node::Guard(id) => self.universe.view(id).usable.len() + 1,
        }
    }

    fn expand(&self, node: Node, number: Number) -> Vec<(Node, Numbers)> {
        let (demands, itself) = match node {
            Node::Guard(_) => return Vec::new(),
            Node::Root => (self.universe.demands_of_request(), None),
            Node::Package(id) => (
                self.universe.demands(id, number.index as usize),
                Some((id, number)),
            ),
        };
        let mut needs = Vec::with_capacity(demands.len() + 1);
        if let Some((id, number)) = itself {
            needs.extend(self.own_guard(id, number));
        }
        for demand in demands {
            match itself {
                // A version that demands another version of its own package can never be
                // chosen; one that demands itself demands nothing.
                Some((id, number)) if demand.target == id => {
                    if !pubgrub::VersionSet::contains(&*demand.set, &number) {
                        needs.push((node, <Numbers as pubgrub::VersionSet>::empty()));
                    }
                }
                _ if demand.brings => {
                    needs.push((Node::Package(demand.target), (*demand.set).clone()));
                }
                _ => {
                    let count = self.universe.view(demand.target).usable.len();
                    let set = demand.set.or_absent(count);
                    if !set.is_full() {
                        needs.push((Node::Guard(demand.target), set));
                    }
                }
            }
        }
        needs
    }

    fn own_guard(&self, id: PackageId, number: Number) -> Option<(Node, Numbers)> {
        if !self.universe.is_guarded(id) {
            return None;
        }
        let guard = Number {
            index: number.index + 1,
            ..number
        };
        let set = <Numbers as pubgrub::VersionSet>::singleton(guard);
        Some((Node::Guard(id), set))
    }
}

impl DependencyProvider for Provider<'_, '_> {
    type P = Node;
    type V = Number;
    type VS = Numbers;
    type Priority = Priority;
    type M = String;
    type Err = Stop;

    fn prioritize(
        &self,
        node: &Node,
        range: &Numbers,
        statistics: &PackageResolutionStatistics,
    ) -> Priority {
        let is_guard = matches!(node, Node::Guard(_));
        let left = range.len(self.count(*node));
        (!is_guard, Reverse(left), statistics.conflict_count())
    }

    fn choose_version(&self, node: &Node, range: &Numbers) -> Result<Option<Number>, Stop> {
        let count = self.count(*node);
        let mut allowed = range.indices(count);
        let chosen = match node {
            Node::Root | Node::Guard(_) => allowed.next(),
            Node::Package(id) => {
                let preferred = self.universe.view(*id).preferred;
                let preferred = preferred
                    .map(|it| Number::of(it, count))
                    .filter(|it| pubgrub::VersionSet::contains(range, it));
                match preferred {
                    Some(number) => return Ok(Some(number)),
                    None if self.request().minimal => allowed.next(),
                    None => allowed.next_back(),
                }
            }
        };
        Ok(chosen.map(|it| Number::of(it, count)))
    }

    fn get_dependencies(
        &self,
        node: &Node,
        number: &Number,
    ) -> Result<Dependencies<Node, Numbers, String>, Stop> {
        let needs = self.expand(*node, *number);
        Ok(Dependencies::Available(needs.into_iter().collect()))
    }

    fn should_cancel(&self) -> Result<(), Stop> {
        if self.universe.is_guarded_late() {
            return Err(Stop::Restart);
        }
        let decisions = self.decisions.get() + 1;
        self.decisions.set(decisions);
        let is_time_to_look = decisions.is_multiple_of(DECISIONS_PER_LOOK);
        if decisions > DECISIONS_MAX || (is_time_to_look && (self.cancelled)()) {
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
