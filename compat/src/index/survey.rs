//! What holds of all versions of an index entry.
//!
//! It is found once, when an entry was read and is still in the processor's caches. A solver that knows
//! that no version of a package is yanked, and that all have an archive for its machine,
//! need not look at each of them. What versions need is kept as numbers of packages and
//! bounds of releases, once for neighbouring versions that need the same.

use std::sync::Arc;

use jiff::Timestamp;
use provisioning_package::{PackageName, Target, VersionReq};
use provisioning_registry_api::index::{IndexEntry, IndexVersion, PackageState};

use super::Names;
use crate::requirement::{Bounds, Interval, interval, packed, release};

/// An index entry and what holds of all of its versions.
#[derive(Debug, Clone, Copy)]
pub struct Surveyed<'i> {
    /// What the registry says.
    pub entry: &'i IndexEntry,
    /// What holds of all of its versions.
    pub survey: &'i Survey,
}

/// What holds of all versions of an index entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// The package's number among the [`Names`] of its index.
    pub(crate) number: u32,
    /// Whether each version comes after the one before it.
    pub(crate) is_ascending: bool,
    /// Major, minor and patch of each, packed, side by side for searching; `None` where one
    /// is too large for that.
    pub(crate) releases: Option<Box<[u64]>>,
    /// The places of those that are pre-releases.
    pub(crate) pre_releases: Box<[u32]>,
    /// Whether all may be chosen as far as moderators and owners are concerned: none is
    /// yanked or quarantined.
    is_offered: bool,
    /// For each of [`Target::ALL`], whether all have an archive for such a machine.
    runs_on: [bool; Target::ALL.len()],
    /// When the youngest became visible.
    youngest: Timestamp,
    /// What versions need; neighbours that need the same share it.
    needs: Box<[Need]>,
    /// Where in `needs` that of each version begins and ends.
    spans: Box<[Span]>,
}

/// Where something begins and ends in a list.
type Span = (u32, u32);

/// What a version needs of another package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Need {
    /// The package's number among the [`Names`] of the index.
    pub(crate) number: u32,
    /// Whether it bounds the package without bringing it.
    pub(crate) optional: bool,
    /// The releases that will do, where the requirement is so simple.
    pub(crate) bounds: Option<Bounds>,
    /// The requirement.
    pub(crate) req: VersionReq,
    /// The package's name.
    pub(crate) name: Arc<PackageName>,
}

impl Survey {
    /// Looks at every version of `entry`, in an index that numbers its `names` so.
    pub fn of(entry: &IndexEntry, names: &mut Names) -> Self {
        let versions = &entry.versions;
        let everywhere = |machine| versions.iter().all(|it| it.archive_for(machine).is_some());
        let (needs, spans) = needs(versions, names);
        Self {
            number: names.number(&entry.name),
            needs,
            spans,
            is_ascending: versions.is_sorted_by(|left, right| left.version < right.version),
            releases: versions
                .iter()
                .map(|it| packed(release(&it.version)))
                .collect(),
            pre_releases: (0..)
                .zip(versions)
                .filter(|(_, it)| !it.version.pre.is_empty())
                .map(|(place, _)| place)
                .collect(),
            is_offered: entry.status.state != PackageState::Quarantined
                && versions.iter().all(|it| it.yanked.is_none()),
            runs_on: Target::ALL.map(everywhere),
            youngest: versions
                .iter()
                .map(|it| it.published_at)
                .max()
                .unwrap_or(Timestamp::MIN),
        }
    }

    /// Whether every version may be chosen on `machine`, if it became visible by `by`.
    pub(crate) fn offers_all(&self, machine: Target, by: Option<Timestamp>) -> bool {
        let place = Target::ALL.iter().position(|it| *it == machine);
        self.is_offered
            && place.is_some_and(|it| self.runs_on[it])
            && by.is_none_or(|by| self.youngest <= by)
    }

    /// What the version at `place` needs, by name.
    pub(crate) fn needs(&self, place: usize) -> &[Need] {
        let (start, end) = self.spans[place];
        &self.needs[start as usize..end as usize]
    }

    /// Whether two versions need the same.
    pub(crate) fn need_the_same(&self, left: usize, right: usize) -> bool {
        self.spans[left] == self.spans[right] || self.needs(left) == self.needs(right)
    }
}

fn needs(versions: &[IndexVersion], names: &mut Names) -> (Box<[Need]>, Box<[Span]>) {
    let length = |needs: &Vec<Need>| {
        u32::try_from(needs.len()).expect("an index entry has far fewer requirements than 2^32")
    };
    let mut needs = Vec::new();
    let mut spans: Vec<Span> = Vec::with_capacity(versions.len());
    for (place, version) in versions.iter().enumerate() {
        let before = place.checked_sub(1);
        let same = before.filter(|it| versions[*it].dependencies == version.dependencies);
        if let Some(same) = same {
            spans.push(spans[same]);
            continue;
        }
        let start = length(&needs);
        needs.extend(version.dependencies.iter().map(|(name, dependency)| {
            let (name, number) = names.shared(name);
            Need {
                number,
                optional: dependency.optional,
                bounds: interval(&dependency.req).map(Interval::bounds),
                req: dependency.req.clone(),
                name,
            }
        }));
        spans.push((start, length(&needs)));
    }
    (needs.into(), spans.into())
}
