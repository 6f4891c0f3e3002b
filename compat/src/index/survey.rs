//! What holds of all versions of an index entry.
//!
//! It is found once, when an entry was read and is still in the processor's caches. A solver that knows
//! that no version of a package is yanked, and that all have an archive for its machine,
//! need not look at each of them.

use jiff::Timestamp;
use provisioning_package::Target;
use provisioning_registry_api::index::{IndexEntry, PackageState};

use crate::requirement::{Release, release};

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
    /// Whether each version comes after the one before it.
    pub(crate) is_ascending: bool,
    /// Major, minor and patch of each, side by side for searching.
    pub(crate) releases: Box<[Release]>,
    /// The places of those that are pre-releases.
    pub(crate) pre_releases: Box<[u32]>,
    /// Whether all may be chosen as far as moderators and owners are concerned: none is
    /// yanked or quarantined.
    is_offered: bool,
    /// For each of [`Target::ALL`], whether all have an archive for such a machine.
    runs_on: [bool; Target::ALL.len()],
    /// When the youngest became visible.
    youngest: Timestamp,
}

impl Survey {
    /// Looks at every version of `entry`.
    pub fn of(entry: &IndexEntry) -> Self {
        let versions = &entry.versions;
        let everywhere = |machine| versions.iter().all(|it| it.archive_for(machine).is_some());
        Self {
            is_ascending: versions.is_sorted_by(|left, right| left.version < right.version),
            releases: versions.iter().map(|it| release(&it.version)).collect(),
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
}
