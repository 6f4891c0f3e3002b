//! What each choice demands of other packages.
//!
//! [`Universe::demands`] is the one place that knows which requirements a version has: its
//! own, the matrix rows that apply, and the API bounds of extensions.

use provisioning_package::{Kind, PackageName, Selector, Version, VersionReq};

use super::{Only, PackageId, Universe, View, is_exactly};
use crate::index::Need;
use crate::matrix::BoundOn;
use crate::requirement::{Bounds, Interval, PreReleases, interval, meets};
use crate::solver::numbers::Numbers;

/// Something that a choice demands of a package.
#[derive(Debug, Clone)]
pub(crate) struct Demand<'a> {
    pub(crate) target: PackageId,
    /// Whether it brings the package, or bounds it where something else does.
    pub(crate) brings: bool,
    /// The versions that will do.
    pub(crate) set: Numbers,
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

impl<'a> Universe<'a> {
    /// What the request itself demands.
    pub(crate) fn demands_of_request(&self) -> Vec<Demand<'a>> {
        // What is surely there is met first, so that a bound on it need not wait.
        for wanted in self.request.wanted.iter().filter(|it| !it.optional) {
            self.id(&wanted.name);
        }
        let wanted = self.wanted.iter().filter_map(|place| {
            let wanted = &self.request.wanted[*place];
            let brings = !wanted.optional;
            let reason = Reason::Wanted(*place);
            self.demand_of_selector((&wanted.name, &wanted.selector), brings, reason)
        });
        let pins = self.request.pins.iter();
        let pins = pins.filter_map(|pin| self.demand_of_selector(pin, false, Reason::Pin));
        let mut demands: Vec<Demand<'a>> = wanted.chain(pins).collect();
        self.keep_what_counts(None, &mut demands);
        demands
    }

    /// What number `index` of a package demands.
    pub(crate) fn demands(&self, id: PackageId, index: usize) -> Vec<Demand<'a>> {
        let mut demands = Vec::new();
        self.each_demand(id, index, |it| demands.push(it));
        demands
    }

    /// [`Self::demands`], one by one.
    pub(crate) fn each_demand(
        &self,
        id: PackageId,
        index: usize,
        mut take: impl FnMut(Demand<'a>),
    ) {
        let only = self.only.borrow();
        let owner = Some((id, index));
        let mut take = |demand: Demand<'a>| {
            let counts = |only: &Only| only.contains(&(owner, demand.target, demand.reason.key()));
            if only.as_ref().is_none_or(counts) {
                take(demand);
            }
        };
        let view = self.view(id);
        for need in view.usable.needs(index) {
            self.demand_of_need(need).map(&mut take);
        }
        if self.matrix.is_empty() {
            return;
        }
        let version = view.usable.at(index);
        let row = self.matrix.row(&view.name, &version.version);
        for bound in row.map_or(&[][..], |it| &it.bounds) {
            let BoundOn::Package(name) = &bound.on else {
                continue;
            };
            if let Some(target) = self.id_if_brought(name) {
                take(Demand {
                    target,
                    brings: false,
                    set: self.set(target, &bound.req, bounds(&bound.req)),
                    reason: Reason::Row(&bound.req),
                });
            }
        }
        if let (Some(api), Kind::Extension) = (&version.api, view.name.kind()) {
            let owners = self.api_owners.iter();
            let demands = owners.filter_map(|it| self.api_demand(it, api));
            demands.for_each(take);
        }
    }

    /// What number `index` of a package brings.
    pub(crate) fn each_brought(
        &self,
        id: PackageId,
        index: usize,
        mut take: impl FnMut(PackageId),
    ) {
        let view = self.view(id);
        let needs = view.usable.needs(index).iter();
        for need in needs.filter(|it| !it.optional) {
            take(self.id_needed(need));
        }
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

    fn keep_what_counts(&self, owner: Option<(PackageId, usize)>, demands: &mut Vec<Demand<'a>>) {
        if let Some(only) = &*self.only.borrow() {
            demands.retain(|it| only.contains(&(owner, it.target, it.reason.key())));
        }
    }

    fn demand_of_need(&self, need: &'a Need) -> Option<Demand<'a>> {
        let target = if need.optional {
            self.id_if_brought(&need.name)?
        } else {
            self.id_needed(need)
        };
        let set = self.set(target, &need.req, need.bounds);
        if need.optional && set.len(self.count(target)) < self.count(target) {
            self.guard(&need.name);
        }
        Some(Demand {
            target,
            brings: !need.optional,
            set,
            reason: Reason::Dependency(&need.req),
        })
    }

    fn demand_of_selector(
        &self,
        (name, selector): (&PackageName, &Selector),
        brings: bool,
        reason: Reason<'a>,
    ) -> Option<Demand<'a>> {
        let target = if brings {
            self.id(name)
        } else {
            self.id_if_brought(name)?
        };
        let view = self.view(target);
        let by_looking = |includes: &dyn Fn(&Version) -> bool| {
            Numbers::matching(view.usable.len(), |it| includes(&view.usable[it].version))
        };
        let set = match selector {
            Selector::Latest => by_looking(&|it| view.latest() == Some(it)),
            Selector::Exact(_) => by_looking(&|it| self.selects(selector, it)),
            Selector::Any => self.meeting(&view, &VersionReq::STAR),
            Selector::Requirement(req) => self.meeting(&view, req),
        };
        Some(Demand {
            target,
            brings,
            set,
            reason,
        })
    }

    fn api_demand(&self, owner: &PackageName, api: &Version) -> Option<Demand<'a>> {
        let target = self.id_if_brought(owner)?;
        let view = self.view(target);
        let set = Numbers::matching(view.usable.len(), |it| {
            self.admits_api(owner, &view.usable[it].version, api)
        });
        Some(Demand {
            target,
            brings: false,
            set,
            reason: Reason::Api,
        })
    }

    /// The versions of a package that meet `req`, which has these bounds.
    fn set(&self, target: PackageId, req: &'a VersionReq, bounds: Option<Bounds>) -> Numbers {
        let met = self.met.borrow();
        let view = &met.views[target.place()];
        if let Some(set) = bounds.and_then(|it| self.by_search(view, it)) {
            return set;
        }
        // Each distinct requirement that has to be tried on every version is tried once.
        let key = (target, req);
        if let Some(set) = met.sets.get(&key) {
            return set.clone();
        }
        let set = self.by_trying(view, req);
        drop(met);
        self.met.borrow_mut().sets.insert(key, set.clone());
        set
    }

    fn meeting(&self, view: &View<'_>, req: &VersionReq) -> Numbers {
        let found = bounds(req).and_then(|it| self.by_search(view, it));
        found.unwrap_or_else(|| self.by_trying(view, req))
    }

    fn by_trying(&self, view: &View<'_>, req: &VersionReq) -> Numbers {
        Numbers::matching(view.usable.len(), |it| {
            self.meets(req, &view.usable[it].version)
        })
    }

    /// What lies within bounds, where two binary searches say it; they agree with trying
    /// every version.
    fn by_search(&self, view: &View<'_>, bounds: Bounds) -> Option<Numbers> {
        if view.has_pre_releases && self.pre() == PreReleases::Everywhere {
            return None;
        }
        let count = view.usable.len();
        let (start, end) = view.usable.within(bounds)?;
        Some(match view.whole {
            _ if !view.has_pre_releases => Numbers::run(start, end, count),
            Some(whole) => Numbers::run_without(start, end, count, &whole.pre_releases),
            None => Numbers::matching(count, |it| {
                (start..end).contains(&it) && view.usable[it].version.pre.is_empty()
            }),
        })
    }
}

fn bounds(req: &VersionReq) -> Option<Bounds> {
    interval(req).map(Interval::bounds)
}
