//! The registry's index as the solver reads it: an entry is fetched when the search first
//! meets its package, so only what a solution needs is read and parsed.
//!
//! One round trip for each package would be slow over a network, so what a search probably
//! meets is fetched ahead, many at a time: from each package asked for, the version that will
//! probably be taken (`guess`), what that needs, and so on. A wrong guess costs an entry that
//! nobody needs, never a wrong answer.
//!
//! A failure to fetch is kept, ends the search, and is told in place of its outcome.

mod guess;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};

use provisioning_compat::{Index, Matrix, Names, Request, Survey, Surveyed};
use provisioning_package::PackageName;
use provisioning_registry_api::index::IndexEntry;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::RegistryReader;
use crate::failure::{Exit, Failure, Outcome};
use guess::Guess;

/// Packages that one search may look at.
const PACKAGES_MAX: usize = 65_536;
/// Packages that are fetched ahead; beyond these, the search asks for what it meets.
const AHEAD_MAX: usize = 32_768;

/// The registry's index, fetched as it is read.
pub(crate) struct LazyIndex<'r> {
    reader: RefCell<&'r mut RegistryReader>,
    names: RefCell<Names>,
    /// Where each entry is in `entries`; `None` for what the registry does not have.
    places: RefCell<HashMap<PackageName, Option<usize>>>,
    /// Entries in the order in which they came. What is handed out stays where it is.
    entries: Vec<OnceCell<Box<(IndexEntry, Survey)>>>,
    count: Cell<usize>,
    /// What the registry does not let this user read about, and what it answered.
    refusals: RefCell<HashMap<PackageName, String>>,
    failure: RefCell<Option<Failure>>,
}

/// What is known here of a package.
enum Known<'i> {
    /// The registry was not asked yet.
    NotAsked,
    /// The registry does not have it.
    Nothing,
    /// What the registry says.
    Entry(Surveyed<'i>),
}

impl<'r> LazyIndex<'r> {
    /// An index of which nothing was fetched yet.
    pub(super) fn new(reader: &'r mut RegistryReader) -> Self {
        Self {
            reader: RefCell::new(reader),
            names: RefCell::default(),
            places: RefCell::default(),
            entries: std::iter::repeat_with(OnceCell::new)
                .take(PACKAGES_MAX)
                .collect(),
            count: Cell::new(0),
            refusals: RefCell::default(),
            failure: RefCell::default(),
        }
    }

    /// Fetches ahead what a search for `request` under `matrix` probably meets: one round
    /// trip for each level of requirements, not one for each package.
    pub(crate) fn fetch_ahead(&self, request: &Request, matrix: &Matrix) -> Outcome<()> {
        let mut guess = Guess::of(request);
        let mut level: BTreeSet<PackageName> = request
            .wanted
            .iter()
            .filter(|it| !it.optional)
            .map(|it| it.name.clone())
            .collect();
        while !level.is_empty() && self.count.get() < AHEAD_MAX {
            self.fetch(&level.iter().cloned().collect::<Vec<_>>())?;
            let mut next = BTreeSet::new();
            for name in level {
                let Known::Entry(known) = self.known(&name) else {
                    continue;
                };
                let Some(version) = guess.version(known.entry) else {
                    continue;
                };
                next.extend(guess.follow(&name, version, matrix));
            }
            level = next;
        }
        Ok(())
    }

    /// Whether something could not be fetched: the search is to end.
    pub(crate) fn has_failed(&self) -> bool {
        self.failure.borrow().is_some()
    }

    /// What could not be fetched, if anything.
    pub(crate) fn finish(&self) -> Outcome<()> {
        self.failure.borrow_mut().take().map_or(Ok(()), Err)
    }

    fn known(&self, name: &PackageName) -> Known<'_> {
        let place = match self.places.borrow().get(name) {
            None => return Known::NotAsked,
            Some(place) => *place,
        };
        let entry = place.and_then(|it| self.entries[it].get());
        entry.map_or(Known::Nothing, |it| {
            let (entry, survey) = &**it;
            Known::Entry(Surveyed { entry, survey })
        })
    }

    /// Fetches those of `names` that were not asked for yet.
    fn fetch(&self, names: &[PackageName]) -> Outcome<()> {
        let absent: Vec<PackageName> = names
            .iter()
            .filter(|it| matches!(self.known(it), Known::NotAsked))
            .cloned()
            .collect();
        if absent.is_empty() {
            return Ok(());
        }
        let mut reader = self.reader.borrow_mut();
        let found = reader.readable_entries(&absent);
        let found = block_in_place(|| Handle::current().block_on(found))?;
        self.refusals.borrow_mut().extend(found.refused);
        let mut places = self.places.borrow_mut();
        for entry in found.entries {
            let place = self.count.get();
            let name = entry.name.clone();
            let Some(cell) = self.entries.get(place) else {
                return Err(too_many());
            };
            let survey = Survey::of(&entry, &mut self.names.borrow_mut());
            let _ = cell.set(Box::new((entry, survey)));
            self.count.set(place + 1);
            places.insert(name, Some(place));
        }
        for name in absent {
            places.entry(name).or_insert(None);
        }
        Ok(())
    }
}

impl Index for LazyIndex<'_> {
    fn surveyed(&self, name: &PackageName) -> Option<Surveyed<'_>> {
        match self.known(name) {
            Known::Entry(known) => return Some(known),
            Known::Nothing => return None,
            Known::NotAsked if self.has_failed() => return None,
            Known::NotAsked => {}
        }
        if let Err(failure) = self.fetch(std::slice::from_ref(name)) {
            *self.failure.borrow_mut() = Some(failure);
            return None;
        }
        match self.known(name) {
            Known::Entry(known) => Some(known),
            Known::Nothing | Known::NotAsked => None,
        }
    }

    fn number(&self, name: &PackageName) -> Option<u32> {
        Some(self.names.borrow_mut().number(name))
    }

    fn names(&self) -> Vec<PackageName> {
        let places = self.places.borrow();
        let mut names: Vec<PackageName> = places
            .iter()
            .filter(|(_, place)| place.is_some())
            .map(|(name, _)| name.clone())
            .collect();
        names.sort();
        names
    }

    fn refusal(&self, name: &PackageName) -> Option<String> {
        self.refusals.borrow().get(name).cloned()
    }
}

fn too_many() -> Failure {
    Failure::new(
        "index-too-large",
        format!("the search met more than {PACKAGES_MAX} packages and was given up"),
    )
    .with_exit(Exit::NoSolution)
    .with_hint("name exact versions of what matters: that leaves less to search")
}
