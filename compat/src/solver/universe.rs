//! What there is to choose from, and what each choice demands.
//!
//! Packages are looked up when the search first meets them, so only what a solution needs
//! is read. Each becomes a [`View`]: its usable versions, numbered, and the unusable ones
//! with the reason (`view`). What a choice demands of others is in `demand`.

mod demand;
mod view;

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::collections::HashSet;
use std::rc::Rc;

use provisioning_package::{PackageName, Version, VersionReq};
use provisioning_registry_api::index::IndexVersion;

use pubgrub::Map;

use super::numbers::Numbers;
use crate::index::{Index, Need};
use crate::matrix::{BoundOn, Matrix};
use crate::request::{Request, Wanted};
pub(crate) use demand::{Demand, Reason};
pub(crate) use view::{Unusable, View};

/// A package that the search has met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PackageId(u32);

impl PackageId {
    /// Its place among all that were met.
    pub(crate) fn place(self) -> usize {
        self.0 as usize
    }
}

/// What the installed versions count for in one run of the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holding {
    /// No other version of an installed package is usable.
    Held,
    /// They are tried first.
    Preferred,
    /// They do not count.
    Free,
}

/// Everything that one run of the search sees.
pub(crate) struct Universe<'a> {
    pub(crate) request: &'a Request,
    pub(crate) matrix: &'a Matrix,
    pub(crate) index: &'a dyn Index,
    /// `request.wanted` in the order in which it is used, whatever order it came in.
    wanted: Vec<usize>,
    /// Packages with a row that bounds extension APIs.
    api_owners: Vec<PackageName>,
    holding: Holding,
    /// The only requirements that count, where not all do: who requires what, by key.
    only: RefCell<Option<Only>>,
    /// Whether neighbouring versions with the same needs are decided on as one.
    joins_runs: Cell<bool>,
    /// Whether what only bounds a package waits until something brings it.
    waits: Cell<bool>,
    met: RefCell<Met<'a>>,
}

#[derive(Default)]
struct Met<'a> {
    /// By the index's numbers; what has none is in `unnumbered`.
    by_number: Vec<Option<PackageId>>,
    unnumbered: Map<PackageName, PackageId>,
    views: Vec<Rc<View<'a>>>,
    /// How many usable versions each has: the search asks for that all the time.
    counts: Vec<usize>,
    /// Packages that something may bound without bringing them.
    guarded: HashSet<PackageName>,
    /// The same of those that were met, by their number.
    guards: Vec<Guarding>,
    /// Whether in this run something was expanded before it was known what that takes.
    expanded_early: bool,
    /// Packages that were bounded in this run while nothing brought them.
    waiting: HashSet<PackageName>,
    sets: Map<(PackageId, &'a VersionReq), Numbers>,
}

/// Requirements: the owner with its version, and the demand's key.
pub(crate) type Only = HashSet<(Option<(PackageId, usize)>, PackageId, (u8, usize, String))>;

/// Whether a package has a guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guarding {
    Guarded,
    Unguarded,
    /// It has none, and it was expanded without in this run.
    ExpandedUnguarded,
}

impl<'a> Universe<'a> {
    pub(crate) fn new(
        request: &'a Request,
        matrix: &'a Matrix,
        index: &'a dyn Index,
        holding: Holding,
    ) -> Self {
        let mut wanted: Vec<usize> = (0..request.wanted.len()).collect();
        wanted.sort_by(|left, right| order(&request.wanted[*left], &request.wanted[*right]));
        let mut api_owners: Vec<PackageName> = matrix
            .rows()
            .filter(|(_, _, row)| row.bounds.iter().any(|it| it.on == BoundOn::ExtensionApi))
            .map(|(name, _, _)| name.clone())
            .collect();
        api_owners.dedup();
        let universe = Self {
            request,
            matrix,
            index,
            wanted,
            api_owners,
            holding,
            only: RefCell::default(),
            joins_runs: Cell::new(false),
            waits: Cell::new(false),
            met: RefCell::default(),
        };
        universe.guard_what_is_known();
        universe
    }

    /// A universe for another request, over the same registry.
    pub(crate) fn asked_otherwise<'b>(
        &'b self,
        request: &'b Request,
        holding: Holding,
    ) -> Universe<'b>
    where
        'a: 'b,
    {
        Universe::new(request, self.matrix, self.index, holding)
    }

    /// The view of a package.
    pub(crate) fn view(&self, id: PackageId) -> Rc<View<'a>> {
        Rc::clone(&self.met.borrow().views[id.0 as usize])
    }

    /// The number of a package, which is looked up if this is the first time.
    pub(crate) fn id(&self, name: &PackageName) -> PackageId {
        let number = self.index.number(name);
        let known = self.met.borrow().id(name, number);
        known.unwrap_or_else(|| self.meet(name, number))
    }

    /// The same for a package that a version needs.
    fn id_needed(&self, need: &Need) -> PackageId {
        let number = Some(need.number);
        let known = self.met.borrow().id(&need.name, number);
        known.unwrap_or_else(|| self.meet(&need.name, number))
    }

    /// Looks a package up.
    fn meet(&self, name: &PackageName, number: Option<u32>) -> PackageId {
        let view = Rc::new(self.look_up(name, number));
        let mut met = self.met.borrow_mut();
        let count = u32::try_from(met.views.len()).expect("fewer than 2^32 packages exist");
        let id = PackageId(count);
        let guarding = if met.guarded.contains(name) {
            Guarding::Guarded
        } else {
            Guarding::Unguarded
        };
        met.remember(name, number, id);
        met.counts.push(view.usable.len());
        met.views.push(view);
        met.guards.push(guarding);
        met.expanded_early |= met.waiting.contains(name);
        id
    }

    /// The number of a package that is bounded and not brought. As long as nothing brings
    /// it, the bound says nothing and the package is not even looked up; if something does
    /// later, the run has to start again ([`Self::is_expanded_early`]).
    fn id_if_brought(&self, name: &PackageName) -> Option<PackageId> {
        if !self.waits.get() {
            return Some(self.id(name));
        }
        let id = self.known_id(name);
        let mut met = self.met.borrow_mut();
        if id.is_none() && !met.waiting.contains(name) {
            met.waiting.insert(name.clone());
        }
        id
    }

    /// The number of a package that was met.
    pub(crate) fn known_id(&self, name: &PackageName) -> Option<PackageId> {
        let number = self.index.number(name);
        self.met.borrow().id(name, number)
    }

    /// Whether something may bound the package without bringing it. A no is remembered:
    /// if it turns into a yes, the run has to start again ([`Self::is_expanded_early`]).
    pub(crate) fn is_guarded(&self, id: PackageId) -> bool {
        let guarding = &mut self.met.borrow_mut().guards[id.0 as usize];
        if *guarding == Guarding::Unguarded {
            *guarding = Guarding::ExpandedUnguarded;
        }
        *guarding == Guarding::Guarded
    }

    /// Whether something was expanded before it was known what that takes: without a guard
    /// that it needs, or without a bound on a package that was brought later.
    pub(crate) fn is_expanded_early(&self) -> bool {
        self.met.borrow().expanded_early
    }

    /// Forgets what was expanded, for another run. With `waits`, bounds on packages that
    /// nothing brings do not count and their packages are not looked up.
    pub(crate) fn restart(&self, waits: bool) {
        self.waits.set(waits);
        let mut met = self.met.borrow_mut();
        met.waiting.clear();
        for guarding in &mut met.guards {
            if *guarding == Guarding::ExpandedUnguarded {
                *guarding = Guarding::Unguarded;
            }
        }
        met.expanded_early = false;
    }

    /// From the next run on, decides on neighbouring versions with the same needs as one.
    pub(crate) fn join_runs(&self) {
        self.joins_runs.set(true);
    }

    /// Whether that is so already.
    pub(crate) fn is_joining_runs(&self) -> bool {
        self.joins_runs.get()
    }

    /// Where each run of a package's versions with the same needs begins, where runs are
    /// decided on and there are far fewer of them than of versions.
    pub(crate) fn run_starts(&self, id: PackageId) -> Option<Rc<[u32]>> {
        if !self.joins_runs.get() {
            return None;
        }
        let view = self.view(id);
        let runs = view.runs.get_or_init(|| self.find_runs(&view));
        (runs.len() * 2 <= view.usable.len()).then(|| Rc::clone(runs))
    }

    /// How many versions of a package there are to choose from.
    pub(crate) fn count(&self, id: PackageId) -> usize {
        self.met.borrow().counts[id.0 as usize]
    }

    /// The installed version's place, where it is to be preferred.
    pub(crate) fn preferred(&self, id: PackageId) -> Option<usize> {
        self.met.borrow().views[id.0 as usize].preferred
    }

    /// The run that has it.
    pub(crate) fn preferred_run(&self, id: PackageId) -> Option<usize> {
        let place = u32::try_from(self.preferred(id)?).ok()?;
        let starts = self.run_starts(id)?;
        starts.partition_point(|it| *it <= place).checked_sub(1)
    }

    /// From now on only these requirements count; all of them again for `None`.
    pub(crate) fn count_only(&self, only: Option<Only>) {
        *self.only.borrow_mut() = only;
    }

    fn find_runs(&self, view: &View<'a>) -> Rc<[u32]> {
        let mut starts = Vec::new();
        for place in 0..view.usable.len() {
            let is_same = place.checked_sub(1).is_some_and(|before| {
                let (left, right) = (&view.usable[before], &view.usable[place]);
                let row = |it: &IndexVersion| self.matrix.row(&view.name, &it.version);
                view.usable.need_the_same(before, place)
                    && left.api == right.api
                    && row(left).is_none()
                    && row(right).is_none()
            });
            if !is_same {
                starts.push(u32::try_from(place).expect("versions are far fewer than 2^32"));
            }
        }
        starts.into()
    }

    fn guard_what_is_known(&self) {
        for (_, _, row) in self.matrix.rows() {
            for bound in &row.bounds {
                if let BoundOn::Package(name) = &bound.on {
                    self.guard(name);
                }
            }
        }
        let optional = self.request.wanted.iter().filter(|it| it.optional);
        let owners = self.api_owners.iter();
        let pinned = self.request.pins.keys();
        for name in optional.map(|it| &it.name).chain(owners).chain(pinned) {
            self.guard(name);
        }
    }

    fn guard(&self, name: &PackageName) {
        let known = self.known_id(name);
        let mut met = self.met.borrow_mut();
        let is_new = met.guarded.insert(name.clone());
        if let Some(id) = known.filter(|_| is_new) {
            let before = &mut met.guards[id.0 as usize];
            let is_late = *before == Guarding::ExpandedUnguarded;
            *before = Guarding::Guarded;
            met.expanded_early |= is_late;
        }
    }
}

impl Met<'_> {
    fn id(&self, name: &PackageName, number: Option<u32>) -> Option<PackageId> {
        match number {
            Some(number) => self.by_number.get(number as usize).copied().flatten(),
            None => self.unnumbered.get(name).copied(),
        }
    }

    fn remember(&mut self, name: &PackageName, number: Option<u32>, id: PackageId) {
        let Some(number) = number else {
            self.unnumbered.insert(name.clone(), id);
            return;
        };
        let number = number as usize;
        if number >= self.by_number.len() {
            self.by_number.resize(number + 1, None);
        }
        self.by_number[number] = Some(id);
    }
}

/// Whether `version` is the one that was named; build metadata counts only where named.
fn is_exactly(named: &Version, version: &Version) -> bool {
    named.cmp_precedence(version).is_eq()
        && (named.build.is_empty() || named.build == version.build)
}

/// What orders wishes, whatever order they came in.
pub(crate) fn order(left: &Wanted, right: &Wanted) -> Ordering {
    left.name
        .cmp(&right.name)
        .then(left.optional.cmp(&right.optional))
        .then_with(|| left.owner.cmp(&right.owner))
        .then_with(|| format!("{:?}", left.selector).cmp(&format!("{:?}", right.selector)))
}
