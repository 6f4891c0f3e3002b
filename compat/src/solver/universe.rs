//! What there is to choose from, and what each choice demands.
//!
//! Packages are looked up when the search first meets them, so only what a solution needs
//! is read. Each becomes a [`View`]: its usable versions, numbered, and the unusable ones
//! with the reason. [`Universe::demands`] is the one place that knows which requirements a
//! version has: its own, the matrix rows that apply, and the API bounds of extensions.

mod view;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeSet, HashSet};
use std::rc::Rc;

use provisioning_package::{Kind, PackageName, Selector, Version, VersionReq};
use provisioning_registry_api::index::{IndexEntry, IndexVersion, PackageState};

use pubgrub::Map;

use super::numbers::Numbers;
use crate::index::Index;
use crate::matrix::{BoundOn, Matrix};
use crate::request::{Request, Wanted};
use crate::requirement::{PreReleases, exact_version, meets};
pub(crate) use view::{Unusable, View};

/// A package that the search has met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PackageId(u32);

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

/// Something that a choice demands of a package.
#[derive(Debug, Clone)]
pub(crate) struct Demand<'a> {
    pub(crate) target: PackageId,
    /// Whether it brings the package, or bounds it where something else does.
    pub(crate) brings: bool,
    /// The versions that will do.
    pub(crate) set: Rc<Numbers>,
    pub(crate) reason: Reason<'a>,
}

/// Why a choice demands something.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Reason<'a> {
    /// `request.wanted[_]`.
    Wanted(usize),
    /// `request.pins`.
    Pin,
    /// The package's own requirement on another package.
    Dependency(&'a VersionReq),
    /// A bound of the package's row.
    Row(&'a VersionReq),
    /// A bound on extension APIs in a row of the demanded package.
    Api,
}

impl Reason<'_> {
    /// What orders reasons: the request's first, then those of packages.
    pub(crate) fn key(&self) -> (u8, usize, String) {
        match self {
            Self::Wanted(place) => (0, *place, String::new()),
            Self::Pin => (1, 0, String::new()),
            Self::Dependency(req) => (2, 0, req.to_string()),
            Self::Row(req) => (3, 0, req.to_string()),
            Self::Api => (4, 0, String::new()),
        }
    }
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
    /// Which packages without an entry the registry was not asked about yet.
    is_unread: &'a dyn Fn(&PackageName) -> bool,
    /// Those of them that an answer depends on.
    to_read: RefCell<BTreeSet<PackageName>>,
    /// The only requirements that count, where not all do: who requires what, by key.
    only: RefCell<Option<Only>>,
    /// Whether neighbouring versions with the same needs are decided on as one.
    joins_runs: Cell<bool>,
    met: RefCell<Met<'a>>,
}

#[derive(Default)]
struct Met<'a> {
    ids: Map<PackageName, PackageId>,
    views: Vec<Rc<View<'a>>>,
    /// Packages that something may bound without bringing them.
    guarded: HashSet<PackageName>,
    /// The same of those that were met, by their number.
    guards: Vec<Guarding>,
    /// Whether one turned out to need a guard after it was expanded without in this run.
    guarded_late: bool,
    /// Each distinct requirement on a package is evaluated once.
    sets: Map<(PackageId, &'a VersionReq), Rc<Numbers>>,
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
        wanted.sort_by_cached_key(|it| wanted_key(&request.wanted[*it]));
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
            is_unread: &|_| false,
            to_read: RefCell::default(),
            only: RefCell::default(),
            joins_runs: Cell::new(false),
            met: RefCell::default(),
        };
        universe.guard_what_is_known();
        universe
    }

    /// The same, where packages that `is_unread` says yes to may yet have an entry.
    pub(crate) fn reading(mut self, is_unread: &'a dyn Fn(&PackageName) -> bool) -> Self {
        self.is_unread = is_unread;
        self
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
        Universe::new(request, self.matrix, self.index, holding).reading(self.is_unread)
    }

    /// Remembers what of `picks` was not read; whether there is any.
    pub(crate) fn note_unread(&self, picks: &super::Picks, of: &Universe<'_>) -> bool {
        let views = picks.keys().map(|id| of.view(*id));
        let unread: Vec<PackageName> = views
            .filter(|it| it.is_unread)
            .map(|it| it.name.clone())
            .collect();
        let is_any = !unread.is_empty();
        self.to_read.borrow_mut().extend(unread);
        is_any
    }

    /// What an answer depends on and nobody has read.
    pub(crate) fn take_unread(&self) -> Vec<PackageName> {
        std::mem::take(&mut *self.to_read.borrow_mut())
            .into_iter()
            .collect()
    }

    /// The view of a package.
    pub(crate) fn view(&self, id: PackageId) -> Rc<View<'a>> {
        Rc::clone(&self.met.borrow().views[id.0 as usize])
    }

    /// The number of a package, which is looked up if this is the first time.
    pub(crate) fn id(&self, name: &PackageName) -> PackageId {
        if let Some(id) = self.met.borrow().ids.get(name) {
            return *id;
        }
        let view = Rc::new(self.look_up(name));
        let mut met = self.met.borrow_mut();
        let count = u32::try_from(met.views.len()).expect("fewer than 2^32 packages exist");
        let id = PackageId(count);
        let guarding = if met.guarded.contains(name) {
            Guarding::Guarded
        } else {
            Guarding::Unguarded
        };
        met.ids.insert(name.clone(), id);
        met.views.push(view);
        met.guards.push(guarding);
        id
    }

    /// Whether something may bound the package without bringing it. A no is remembered:
    /// if it turns into a yes, the run has to start again ([`Self::is_guarded_late`]).
    pub(crate) fn is_guarded(&self, id: PackageId) -> bool {
        let guarding = &mut self.met.borrow_mut().guards[id.0 as usize];
        if *guarding == Guarding::Unguarded {
            *guarding = Guarding::ExpandedUnguarded;
        }
        *guarding == Guarding::Guarded
    }

    /// Whether a package was found to need a guard after it was expanded without one.
    pub(crate) fn is_guarded_late(&self) -> bool {
        self.met.borrow().guarded_late
    }

    /// Forgets what was expanded, for another run.
    pub(crate) fn restart(&self) {
        let mut met = self.met.borrow_mut();
        for guarding in &mut met.guards {
            if *guarding == Guarding::ExpandedUnguarded {
                *guarding = Guarding::Unguarded;
            }
        }
        met.guarded_late = false;
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
        self.met.borrow().views[id.0 as usize].usable.len()
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

    /// What the request itself demands.
    pub(crate) fn demands_of_request(&self) -> Vec<Demand<'a>> {
        let mut demands: Vec<Demand<'a>> = self
            .wanted
            .iter()
            .map(|place| {
                let wanted = &self.request.wanted[*place];
                self.demand_of_selector(wanted, Reason::Wanted(*place))
            })
            .collect();
        for (name, selector) in &self.request.pins {
            let pin = Wanted {
                optional: true,
                ..Wanted::new(name.clone(), selector.clone(), crate::Owner::Pin)
            };
            demands.push(self.demand_of_selector(&pin, Reason::Pin));
        }
        self.keep_what_counts(None, &mut demands);
        demands
    }

    /// From now on only these requirements count; all of them again for `None`.
    pub(crate) fn count_only(&self, only: Option<Only>) {
        *self.only.borrow_mut() = only;
    }

    fn keep_what_counts(&self, owner: Option<(PackageId, usize)>, demands: &mut Vec<Demand<'a>>) {
        if let Some(only) = &*self.only.borrow() {
            demands.retain(|it| only.contains(&(owner, it.target, it.reason.key())));
        }
    }

    /// What number `index` of a package demands.
    pub(crate) fn demands(&self, id: PackageId, index: usize) -> Vec<Demand<'a>> {
        let view = self.view(id);
        if view.is_unread {
            return Vec::new();
        }
        let version = view.usable[index];
        let mut demands = Vec::with_capacity(version.dependencies.len() + 2);
        for (name, dependency) in &version.dependencies {
            let target = self.id(name);
            let set = self.set(target, &dependency.req);
            if dependency.optional && set.len(self.count(target)) < self.count(target) {
                self.guard(name);
            }
            demands.push(Demand {
                target,
                brings: !dependency.optional,
                set,
                reason: Reason::Dependency(&dependency.req),
            });
        }
        let row = self.matrix.row(&view.name, &version.version);
        for bound in row.map_or(&[][..], |it| &it.bounds) {
            if let BoundOn::Package(name) = &bound.on {
                let target = self.id(name);
                demands.push(Demand {
                    target,
                    brings: false,
                    set: self.set(target, &bound.req),
                    reason: Reason::Row(&bound.req),
                });
            }
        }
        if let (Kind::Extension, Some(api)) = (view.name.kind(), &version.api) {
            demands.extend(self.api_owners.iter().map(|it| self.api_demand(it, api)));
        }
        self.keep_what_counts(Some((id, index)), &mut demands);
        demands
    }

    /// Whether the row of `version` lets extensions of API `api` in.
    pub(crate) fn admits_api(&self, name: &PackageName, version: &Version, api: &Version) -> bool {
        let row = self.matrix.row(name, version);
        row.is_none_or(|row| {
            row.bounds
                .iter()
                .filter(|it| it.on == BoundOn::ExtensionApi)
                .all(|it| self.meets(&it.req, api))
        })
    }

    pub(crate) fn meets(&self, req: &VersionReq, version: &Version) -> bool {
        meets(req, version, self.pre())
    }

    pub(crate) fn pre(&self) -> PreReleases {
        if self.request.pre {
            PreReleases::Everywhere
        } else {
            PreReleases::WhereNamed
        }
    }

    /// Whether `selector` lets `version` in, were it usable.
    pub(crate) fn selects(&self, selector: &Selector, version: &Version) -> bool {
        match selector {
            Selector::Exact(exact) => is_exactly(exact, version),
            Selector::Any | Selector::Latest => self.meets(&VersionReq::STAR, version),
            Selector::Requirement(req) => self.meets(req, version),
        }
    }

    fn find_runs(&self, view: &View<'a>) -> Rc<[u32]> {
        let mut starts = Vec::new();
        for (place, version) in view.usable.iter().enumerate() {
            let before = place.checked_sub(1).map(|it| view.usable[it]);
            let is_same = before.is_some_and(|before| {
                let row = |it: &IndexVersion| self.matrix.row(&view.name, &it.version);
                before.dependencies == version.dependencies
                    && before.api == version.api
                    && row(before).is_none()
                    && row(version).is_none()
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
        let mut met = self.met.borrow_mut();
        let is_new = met.guarded.insert(name.clone());
        if let Some(id) = met.ids.get(name).copied().filter(|_| is_new) {
            let before = &mut met.guards[id.0 as usize];
            let is_late = *before == Guarding::ExpandedUnguarded;
            *before = Guarding::Guarded;
            met.guarded_late |= is_late;
        }
    }

    fn demand_of_selector(&self, wanted: &Wanted, reason: Reason<'a>) -> Demand<'a> {
        let target = self.id(&wanted.name);
        let view = self.view(target);
        let count = view.usable.len();
        let set = Numbers::matching(count, |it| {
            if view.is_unread {
                return true;
            }
            let version = &view.usable[it].version;
            match wanted.selector {
                Selector::Latest => view.latest == Some(version),
                Selector::Any | Selector::Exact(_) | Selector::Requirement(_) => {
                    self.selects(&wanted.selector, version)
                }
            }
        });
        Demand {
            target,
            brings: !wanted.optional,
            set: Rc::new(set),
            reason,
        }
    }

    fn api_demand(&self, owner: &PackageName, api: &Version) -> Demand<'a> {
        let target = self.id(owner);
        let view = self.view(target);
        let set = Numbers::matching(view.usable.len(), |it| {
            view.is_unread || self.admits_api(owner, &view.usable[it].version, api)
        });
        Demand {
            target,
            brings: false,
            set: Rc::new(set),
            reason: Reason::Api,
        }
    }

    fn set(&self, target: PackageId, req: &'a VersionReq) -> Rc<Numbers> {
        let key = (target, req);
        if let Some(set) = self.met.borrow().sets.get(&key) {
            return Rc::clone(set);
        }
        let view = self.view(target);
        let set = Rc::new(Numbers::matching(view.usable.len(), |it| {
            view.is_unread || self.meets(req, &view.usable[it].version)
        }));
        self.met.borrow_mut().sets.insert(key, Rc::clone(&set));
        set
    }

    fn look_up(&self, name: &PackageName) -> View<'a> {
        let entry = self.index.entry(name);
        if entry.is_none() && (self.is_unread)(name) {
            return View::unread(name);
        }
        let mut versions: Vec<&IndexVersion> =
            entry.map_or_else(Vec::new, |it| it.versions.iter().collect());
        versions.sort_by(|left, right| left.version.cmp(&right.version));
        versions.dedup_by(|left, right| left.version == right.version);
        let installed = match self.holding {
            Holding::Free => None,
            Holding::Held | Holding::Preferred => self.request.installed.get(name),
        };
        let mut usable = Vec::with_capacity(versions.len());
        let mut unusable = Vec::new();
        for version in versions {
            match entry.and_then(|entry| self.why_unusable(entry, version, installed)) {
                Some(why) => unusable.push((version, why)),
                None => usable.push(version),
            }
        }
        let mut newest_first = usable.iter().rev().map(|it| &it.version);
        let latest = newest_first.find(|it| self.meets(&VersionReq::STAR, it));
        let mut preferred = usable.iter().position(|it| Some(&it.version) == installed);
        let stays = |place: usize| self.request_admits(name, &usable[place].version);
        if let (Holding::Held, Some(place)) = (self.holding, preferred.filter(|it| stays(*it))) {
            let only = usable[place];
            let others = usable.iter().filter(|it| it.version != only.version);
            unusable.extend(others.map(|it| (*it, Unusable::NotInstalled)));
            usable = vec![only];
            preferred = Some(0);
        }
        View {
            name: name.clone(),
            entry,
            usable,
            unusable,
            latest,
            preferred,
            is_unread: false,
            runs: OnceCell::new(),
        }
    }

    fn why_unusable(
        &self,
        entry: &IndexEntry,
        version: &IndexVersion,
        installed: Option<&Version>,
    ) -> Option<Unusable> {
        let is_installed = installed == Some(&version.version);
        if entry.status.state == PackageState::Quarantined {
            Some(Unusable::Quarantined)
        } else if version.archive_for(self.request.target).is_none() {
            Some(Unusable::OtherTarget)
        } else if version.yanked.is_some() && !is_installed && !self.pins_exactly(entry, version) {
            Some(Unusable::Yanked)
        } else if !is_installed && self.is_too_young(version) {
            Some(Unusable::TooYoung)
        } else if self.request.strict && self.matrix.is_unlisted(&entry.name, &version.version) {
            Some(Unusable::Unlisted)
        } else {
            None
        }
    }

    /// Whether nothing that was asked for directly keeps a version out.
    fn request_admits(&self, name: &PackageName, version: &Version) -> bool {
        let wanted = self.request.wanted.iter().filter(|it| it.name == *name);
        wanted
            .map(|it| &it.selector)
            .chain(self.request.pins.get(name))
            .all(|it| matches!(it, Selector::Latest) || self.selects(it, version))
    }

    fn pins_exactly(&self, entry: &IndexEntry, version: &IndexVersion) -> bool {
        let wanted = self.request.wanted.iter();
        let wanted = wanted.filter(|it| it.name == entry.name);
        wanted
            .map(|it| &it.selector)
            .chain(self.request.pins.get(&entry.name))
            .any(|selector| match selector {
                Selector::Exact(exact) => is_exactly(exact, &version.version),
                Selector::Requirement(req) => {
                    exact_version(req).is_some_and(|exact| is_exactly(&exact, &version.version))
                }
                Selector::Any | Selector::Latest => false,
            })
    }

    fn is_too_young(&self, version: &IndexVersion) -> bool {
        self.request
            .min_age
            .is_some_and(|least| self.request.now.duration_since(version.published_at) < least)
    }
}

/// Whether `version` is the one that was named; build metadata counts only where named.
fn is_exactly(named: &Version, version: &Version) -> bool {
    named.cmp_precedence(version).is_eq()
        && (named.build.is_empty() || named.build == version.build)
}

/// What orders wishes, whatever order they came in.
pub(crate) fn wanted_key(wanted: &Wanted) -> (PackageName, bool, crate::Owner, String) {
    (
        wanted.name.clone(),
        wanted.optional,
        wanted.owner.clone(),
        format!("{:?}", wanted.selector),
    )
}
