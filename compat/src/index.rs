//! What the registry says about packages, as far as it was fetched.

mod names;
mod survey;

use std::collections::{BTreeMap, BTreeSet};

use provisioning_package::PackageName;
use provisioning_registry_api::index::IndexEntry;

pub use names::Names;
pub(crate) use survey::Need;
pub use survey::{Survey, Surveyed};

/// How unlike a name may be to be offered as the one that was meant.
const NEAREST_SIMILARITY_MIN: f64 = 0.75;
/// How many names are offered at most.
const NEAREST_NAMES_MAX: usize = 3;

/// Where the solver finds index entries.
pub trait Index {
    /// What the registry says about `name`, and what holds of all of its versions; `None`
    /// when it has no such package.
    fn surveyed(&self, name: &PackageName) -> Option<Surveyed<'_>>;

    /// The number that surveys of this index refer to `name` by ([`Names`]); `None` where
    /// none does. As long as a search lasts, it stays the same.
    fn number(&self, name: &PackageName) -> Option<u32>;

    /// [`Index::surveyed`] for a name whose number is known already.
    fn surveyed_by_number(&self, number: u32, name: &PackageName) -> Option<Surveyed<'_>> {
        let _ = number;
        self.surveyed(name)
    }

    /// What the registry says about `name`; `None` when it has no such package.
    fn entry(&self, name: &PackageName) -> Option<&IndexEntry> {
        self.surveyed(name).map(|it| it.entry)
    }

    /// Every name that is known, to guess what a misspelt one meant.
    fn names(&self) -> Vec<PackageName>;

    /// What was answered where the registry does not let this user read about `name`.
    fn refusal(&self, name: &PackageName) -> Option<String> {
        let _ = name;
        None
    }
}

/// An index in memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryIndex {
    names: Names,
    /// Where in `entries` the package of each number is, for those that have an entry.
    places: Vec<Option<u32>>,
    entries: Vec<(IndexEntry, Survey)>,
    refusals: BTreeMap<PackageName, String>,
}

impl MemoryIndex {
    /// An index without packages.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a package, in place of what was known about it.
    pub fn insert(&mut self, entry: IndexEntry) {
        let survey = Survey::of(&entry, &mut self.names);
        let number = survey.number as usize;
        if number >= self.places.len() {
            self.places.resize(number + 1, None);
        }
        if let Some(place) = self.places[number] {
            self.entries[place as usize] = (entry, survey);
        } else {
            self.places[number] = u32::try_from(self.entries.len()).ok();
            self.entries.push((entry, survey));
        }
    }

    /// Notes what was answered where the registry does not let this user read about `name`.
    pub fn refuse(&mut self, name: PackageName, answer: String) {
        self.refusals.insert(name, answer);
    }

    /// Every entry, by name.
    pub fn entries(&self) -> impl Iterator<Item = &IndexEntry> {
        let mut entries: Vec<&IndexEntry> = self.entries.iter().map(|it| &it.0).collect();
        entries.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        entries.into_iter()
    }
}

impl FromIterator<IndexEntry> for MemoryIndex {
    fn from_iter<T: IntoIterator<Item = IndexEntry>>(entries: T) -> Self {
        let mut index = Self::new();
        for entry in entries {
            index.insert(entry);
        }
        index
    }
}

impl Index for MemoryIndex {
    fn surveyed(&self, name: &PackageName) -> Option<Surveyed<'_>> {
        self.surveyed_by_number(self.names.known(name)?, name)
    }

    fn number(&self, name: &PackageName) -> Option<u32> {
        self.names.known(name)
    }

    fn surveyed_by_number(&self, number: u32, _: &PackageName) -> Option<Surveyed<'_>> {
        let place = *self.places.get(number as usize)?;
        let (entry, survey) = &self.entries[place? as usize];
        Some(Surveyed { entry, survey })
    }

    fn names(&self) -> Vec<PackageName> {
        self.entries().map(|it| it.name.clone()).collect()
    }

    fn refusal(&self, name: &PackageName) -> Option<String> {
        self.refusals.get(name).cloned()
    }
}

/// The names that `roots` and what they need refer to and `index` has no entry for: fetch
/// these and ask again. Those that the registry does not have come back every time, so
/// leave out what was asked for before.
///
/// Optional dependencies bring nothing, so they are not followed.
pub fn needed(index: &dyn Index, roots: &[PackageName]) -> Vec<PackageName> {
    let mut seen: BTreeSet<PackageName> = roots.iter().cloned().collect();
    let mut open: Vec<PackageName> = seen.iter().cloned().collect();
    let mut absent = BTreeSet::new();
    while let Some(name) = open.pop() {
        let Some(entry) = index.entry(&name) else {
            absent.insert(name);
            continue;
        };
        for (needed, dependency) in entry.versions.iter().flat_map(|it| &it.dependencies) {
            if !dependency.optional && seen.insert(needed.clone()) {
                open.push(needed.clone());
            }
        }
    }
    absent.into_iter().collect()
}

/// The names most like `name`, best first.
pub fn nearest_names(name: &str, known: &[PackageName]) -> Vec<PackageName> {
    let mut scored: Vec<(f64, &PackageName)> = known
        .iter()
        .map(|it| (strsim::jaro_winkler(name, it.as_str()), it))
        .filter(|(score, _)| *score >= NEAREST_SIMILARITY_MIN)
        .collect();
    scored.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(right.1)));
    scored
        .into_iter()
        .take(NEAREST_NAMES_MAX)
        .map(|(_, it)| it.clone())
        .collect()
}
