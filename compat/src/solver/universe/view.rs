//! One package as the search sees it: which versions there are to choose from.
//!
//! Most packages have nothing yanked and an archive for every machine; that is known since
//! the entry was read ([`Survey`](crate::Survey)), so their versions are not looked at here.

use std::cell::OnceCell;
use std::ops;
use std::rc::Rc;

use jiff::Timestamp;
use provisioning_package::{PackageName, Selector, Target, Version, VersionReq};
use provisioning_registry_api::index::{IndexEntry, IndexVersion, PackageState};

use super::{Holding, Universe, is_exactly};
use crate::index::{Need, Survey, Surveyed};
use crate::requirement::{Bounds, exact_version};

/// One package: what may be chosen, and what may not and why.
pub(crate) struct View<'a> {
    pub(crate) name: PackageName,
    pub(crate) entry: Option<&'a IndexEntry>,
    /// Oldest first; a version's place is its number.
    pub(crate) usable: Usable<'a>,
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

/// The versions that may be chosen, oldest first.
#[derive(Debug, Clone)]
pub(crate) struct Usable<'a> {
    /// Every version of the entry.
    versions: &'a [IndexVersion],
    /// The places of those that are usable; `None` where all are.
    places: Option<Box<[u32]>>,
    survey: Option<&'a Survey>,
}

/// Why a version cannot be chosen, whatever else is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unusable {
    Quarantined,
    Yanked,
    OtherTarget,
    TooYoung,
    OutOfReach,
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

impl<'a> Usable<'a> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        let places = self.places.as_ref();
        places.map_or(self.versions.len(), |it| it.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number `index` of them.
    pub(crate) fn at(&self, index: usize) -> &'a IndexVersion {
        &self.versions[self.place(index)]
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &'a IndexVersion> {
        (0..self.len()).map(|it| self.at(it))
    }

    /// The newest.
    pub(crate) fn last(&self) -> Option<&'a IndexVersion> {
        self.len().checked_sub(1).map(|it| self.at(it))
    }

    /// The numbers of those within `bounds`, where the survey can tell.
    pub(super) fn within(&self, Bounds { from, below }: Bounds) -> Option<(usize, usize)> {
        let releases = self.survey?.releases.as_deref()?;
        let count = self.len();
        let first_from = |bound: u64| match &self.places {
            // Most bounds leave out nothing at one end.
            None if releases.last().is_some_and(|it| *it < bound) => count,
            None => releases.partition_point(|it| *it < bound),
            Some(places) => places.partition_point(|it| releases[*it as usize] < bound),
        };
        let start = if from == 0 { 0 } else { first_from(from) };
        let end = if below == u64::MAX {
            count
        } else {
            first_from(below)
        };
        Some((start, end))
    }

    /// What number `index` of them needs of other packages.
    pub(super) fn needs(&self, index: usize) -> &'a [Need] {
        let place = self.place(index);
        self.survey.map_or(&[], |it| it.needs(place))
    }

    /// Whether two of them need the same of other packages.
    pub(super) fn need_the_same(&self, left: usize, right: usize) -> bool {
        let (left, right) = (self.place(left), self.place(right));
        self.survey.is_none_or(|it| it.need_the_same(left, right))
    }

    fn place(&self, index: usize) -> usize {
        let places = self.places.as_ref();
        places.map_or(index, |it| it[index] as usize)
    }

    fn position(&self, is_it: impl Fn(&IndexVersion) -> bool) -> Option<usize> {
        (0..self.len()).find(|it| is_it(self.at(*it)))
    }
}

impl ops::Index<usize> for Usable<'_> {
    type Output = IndexVersion;

    fn index(&self, index: usize) -> &IndexVersion {
        self.at(index)
    }
}

impl<'a> Universe<'a> {
    /// What there is to choose from of the package `name`, which has this number.
    pub(super) fn look_up(&self, name: &PackageName, number: Option<u32>) -> View<'a> {
        let known = match number {
            Some(number) => self.index.surveyed_by_number(number, name),
            None => self.index.surveyed(name),
        };
        let entry = known.map(|it| it.entry);
        let installed = match self.holding {
            Holding::Free => None,
            Holding::Held | Holding::Preferred => self.request.installed.get(name),
        };
        let has_pre_releases = known.is_some_and(|it| !it.survey.pre_releases.is_empty());
        let mut unusable = Vec::new();
        let mut whole = known.filter(|it| self.offers_all(*it));
        let mut usable = Usable {
            versions: entry.map_or(&[], |it| &it.versions),
            places: match whole {
                Some(_) => None,
                None => Some(self.usable_one_by_one(known, installed, &mut unusable)),
            },
            survey: known.map(|it| it.survey),
        };
        let latest = if has_pre_releases {
            let mut newest_first = usable.iter().rev().map(|it| &it.version);
            newest_first.find(|it| self.meets(&VersionReq::STAR, it))
        } else {
            usable.last().map(|it| &it.version)
        };
        let is_installed = |it: &IndexVersion| Some(&it.version) == installed;
        let mut preferred = installed.and_then(|_| usable.position(is_installed));
        let stays = |place: usize| self.request_admits(name, &usable[place].version);
        if let (Holding::Held, Some(place)) = (self.holding, preferred.filter(|it| stays(*it))) {
            let only = &usable.at(place).version;
            let others = usable.iter().filter(|it| it.version != *only);
            unusable.extend(others.map(|it| (it, Unusable::NotInstalled)));
            usable.places = Some([number_of(usable.place(place))].into());
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
        known.survey.is_ascending
            && known.survey.offers_all(request.target, by)
            && !request.strict
            && request.reach.is_none()
    }

    fn usable_one_by_one(
        &self,
        known: Option<Surveyed<'a>>,
        installed: Option<&Version>,
        unusable: &mut Vec<(&'a IndexVersion, Unusable)>,
    ) -> Box<[u32]> {
        let Some(Surveyed { entry, survey }) = known else {
            return Box::default();
        };
        let mut places: Vec<u32> = (0..number_of(entry.versions.len())).collect();
        let at = |place: u32| &entry.versions[place as usize];
        if !survey.is_ascending {
            places.sort_by(|left, right| at(*left).version.cmp(&at(*right).version));
            places.dedup_by(|left, right| at(*left).version == at(*right).version);
        }
        places.retain(|place| {
            let why = self.why_unusable(entry, at(*place), installed);
            unusable.extend(why.map(|why| (at(*place), why)));
            why.is_none()
        });
        places.into()
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
        } else if !is_installed && self.is_out_of_reach(version) {
            Some(Unusable::OutOfReach)
        } else if self.request.strict && self.matrix.is_unlisted(&entry.name, &version.version) {
            Some(Unusable::Unlisted)
        } else {
            None
        }
    }

    /// Whether nothing that was asked for directly keeps a version out.
    pub(crate) fn request_admits(&self, name: &PackageName, version: &Version) -> bool {
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

    fn is_out_of_reach(&self, version: &IndexVersion) -> bool {
        let archive = version.archive_for(self.request.target);
        match (&self.request.reach, archive) {
            (Some(reach), Some(archive)) => !reach.digests.contains(&archive.digest),
            _ => false,
        }
    }

    fn is_too_young(&self, version: &IndexVersion) -> bool {
        self.request
            .min_age
            .is_some_and(|least| self.request.now.duration_since(version.published_at) < least)
    }
}

fn number_of(place: usize) -> u32 {
    u32::try_from(place).expect("an index entry has far fewer versions than 2^32")
}
