//! What is asked of the solver.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use provisioning_package::{BundleName, Digest, PackageName, Selector, Target, Version};

/// Everything that a solution depends on, but for the matrix and the index.
#[derive(Debug, Clone)]
pub struct Request {
    /// What must be (or, where optional, may be) in the solution, and who says so.
    pub wanted: Vec<Wanted>,
    /// What is installed or locked now.
    pub installed: BTreeMap<PackageName, Version>,
    /// How firmly that stays.
    pub hold: Hold,
    /// Versions that the user tied packages to; they bring nothing.
    pub pins: BTreeMap<PackageName, Selector>,
    /// Those that this request makes or moves: taking one away is no way out of a refusal.
    pub new_pins: BTreeSet<PackageName>,
    /// The machine to install on. `any` lets in only archives that run everywhere.
    pub target: Target,
    /// Refuse versions that the matrix does not list.
    pub strict: bool,
    /// Let pre-releases in everywhere.
    pub pre: bool,
    /// Choose the oldest versions that fit.
    pub minimal: bool,
    /// Ignore versions that became visible less long ago.
    pub min_age: Option<SignedDuration>,
    /// The time that `min_age` counts back from.
    pub now: Timestamp,
    /// The archives that can be had, where not every one can be.
    pub reach: Option<Reach>,
}

/// The archives that can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Their digests.
    pub digests: BTreeSet<Digest>,
    /// Why there are no others.
    pub because: Shortage,
}

/// Why not every archive can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// Nobody is asked, so only what is on this machine can be had.
    Offline,
    /// The registry is known from an import alone, and only what was imported can be had.
    Imported,
    /// The copy of the registry that is read holds a part of it.
    PartialCopy,
}

/// One thing that must be in the solution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The package.
    pub name: PackageName,
    /// Which versions of it will do.
    pub selector: Selector,
    /// Who says so.
    pub owner: Owner,
    /// Whether it only bounds the package where something else brings it.
    pub optional: bool,
}

/// Who asks for something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// The user, in this command.
    You {
        /// What was typed.
        spec: String,
    },
    /// The user, in an earlier command.
    Earlier {
        /// What was typed then.
        spec: String,
    },
    /// A bundle.
    Bundle {
        /// Its name.
        name: BundleName,
        /// Its sequence.
        sequence: u64,
    },
    /// A pin.
    Pin,
    /// A lockfile.
    Lock,
}

/// How firmly the installed versions stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// They stay; where that cannot be, they are only preferred, and
    /// [`Solution::moved`](crate::Solution::moved) tells which moved and why.
    Held,
    /// Each is tried first.
    Preferred,
    /// They do not count.
    Free,
}

impl Request {
    /// A request for `wanted` into an empty prefix on a machine of target `target`.
    pub fn new(wanted: Vec<Wanted>, target: Target, now: Timestamp) -> Self {
        Self {
            wanted,
            installed: BTreeMap::new(),
            hold: Hold::Free,
            pins: BTreeMap::new(),
            new_pins: BTreeSet::new(),
            target,
            strict: false,
            pre: false,
            minimal: false,
            min_age: None,
            now,
            reach: None,
        }
    }
}

impl Request {
    /// What is said of a version that cannot be had.
    pub(crate) fn out_of_reach_text(&self) -> &'static str {
        match self.reach.as_ref().map(|it| it.because) {
            Some(Shortage::PartialCopy) => "not in this copy of the registry",
            Some(Shortage::Imported) => "not in what was imported",
            Some(Shortage::Offline) | None => "not cached, and nobody is asked offline",
        }
    }
}

impl Wanted {
    /// Something that must be in the solution.
    pub fn new(name: PackageName, selector: Selector, owner: Owner) -> Self {
        Self {
            name,
            selector,
            owner,
            optional: false,
        }
    }

    /// What the user typed in this command.
    pub fn by_you(name: PackageName, selector: Selector, spec: impl Into<String>) -> Self {
        let spec = spec.into();
        Self::new(name, selector, Owner::You { spec })
    }
}
