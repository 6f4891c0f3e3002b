//! One package as the search sees it: which versions there are to choose from.
//!
//! Most packages have nothing yanked and an archive for every machine; that is known since
//! the entry was read ([`Survey`](crate::Survey)), so their versions are not looked at here.

use std::cell::OnceCell;
use std::rc::Rc;

use jiff::Timestamp;
use provisioning_package::{PackageName, Selector, Target, Version, VersionReq};
use provisioning_registry_api::index::{IndexEntry, IndexVersion, PackageState};

use super::{Holding, Universe, is_exactly};
use crate::index::{Survey, Surveyed};
use crate::requirement::exact_version;

/// One package: what may be chosen, and what may not and why.
pub(crate) struct View<'a> {
    pub(crate) name: PackageName,
    pub(crate) entry: Option<&'a IndexEntry>,
    /// Oldest first; a version's place is its number.
    pub(crate) usable: Vec<&'a IndexVersion>,
    pub(crate) unusable: Vec<(&'a IndexVersion, Unusable)>,
    /// The newest version that could be chosen if nothing were installed.
    pub(crate) latest: Option<&'a Version>,
    /// The installed version's place, where it is to be preferred.
    pub(crate) preferred: Option<usize>,
    /// What holds of all versions, where all are usable in the order in which they are listed.
    pub(super) whole: Option<&'a Survey>,
    /// Whether there may be pre-releases among the versions.
    pub(super) has_pre_releases: bool,
    /// Where each run of neighbouring versions with the same needs begins.
    pub(super) runs: OnceCell<Rc<[u32]>>,
}

/// Why a version cannot be chosen, whatever else is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unusable {
    Quarantined,
    Yanked,
    OtherTarget,
    TooYoung,
    Unlisted,
    /// Not a fault of the version: another one is installed and held.
    NotInstalled,
}

impl<'a> View<'a> {
    /// The newest version that could be chosen if nothing were installed.
    pub(crate) fn latest(&self) -> Option<&'a Version> {
        self.latest
    }

    /// The targets that a version has archives for.
    pub(crate) fn targets_of(version: &IndexVersion) -> Vec<Target> {
        let mut targets: Vec<Target> = version.archives.iter().map(|it| it.target).collect();
        targets.sort_unstable();
        targets
    }
}

impl<'a> Universe<'a> {
    /// What there is to choose from of the package `name`.
    pub(super) fn look_up(&self, name: &PackageName) -> View<'a> {
        let known = self.index.surveyed(name);
        let entry = known.map(|it| it.entry);
        let installed = match self.holding {
            Holding::Free => None,
            Holding::Held | Holding::Preferred => self.request.installed.get(name),
        };
        let has_pre_releases = known.is_some_and(|it| !it.survey.pre_releases.is_empty());
        let mut unusable = Vec::new();
        let mut whole = known.filter(|it| self.offers_all(*it));
        let mut usable = match whole {
            Some(whole) => whole.entry.versions.iter().collect(),
            None => self.usable_one_by_one(known, installed, &mut unusable),
        };
        let latest = if has_pre_releases {
            let mut newest_first = usable.iter().rev().map(|it| &it.version);
            newest_first.find(|it| self.meets(&VersionReq::STAR, it))
        } else {
            usable.last().map(|it| &it.version)
        };
        let is_installed = |it: &&IndexVersion| Some(&it.version) == installed;
        let mut preferred = installed.and_then(|_| usable.iter().position(is_installed));
        let stays = |place: usize| self.request_admits(name, &usable[place].version);
        if let (Holding::Held, Some(place)) = (self.holding, preferred.filter(|it| stays(*it))) {
            let only = usable[place];
            let others = usable.iter().filter(|it| it.version != only.version);
            unusable.extend(others.map(|it| (*it, Unusable::NotInstalled)));
            usable = vec![only];
            preferred = Some(0);
            whole = None;
        }
        View {
            name: name.clone(),
            entry,
            usable,
            unusable,
            latest,
            preferred,
            whole: whole.map(|it| it.survey),
            has_pre_releases,
            runs: OnceCell::new(),
        }
    }

    /// Whether every version is usable, in the order in which it is listed.
    fn offers_all(&self, known: Surveyed<'_>) -> bool {
        let request = self.request;
        let by = request
            .min_age
            .map(|least| request.now.checked_sub(least).unwrap_or(Timestamp::MIN));
        known.survey.is_ascending && known.survey.offers_all(request.target, by) && !request.strict
    }

    fn usable_one_by_one(
        &self,
        known: Option<Surveyed<'a>>,
        installed: Option<&Version>,
        unusable: &mut Vec<(&'a IndexVersion, Unusable)>,
    ) -> Vec<&'a IndexVersion> {
        let Some(Surveyed { entry, survey }) = known else {
            return Vec::new();
        };
        let mut versions: Vec<&IndexVersion> = entry.versions.iter().collect();
        if !survey.is_ascending {
            versions.sort_by(|left, right| left.version.cmp(&right.version));
            versions.dedup_by(|left, right| left.version == right.version);
        }
        versions.retain(|version| {
            let why = self.why_unusable(entry, version, installed);
            unusable.extend(why.map(|why| (*version, why)));
            why.is_none()
        });
        versions
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
