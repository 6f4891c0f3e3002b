//! The solver against brute force, on small random registries.
//!
//! Brute force tries every choice and judges it with [`misfits`](crate::misfits), which
//! shares no code with the search. Where there is no solution, the requirements that the
//! explanation names are tried alone: they too must exclude every choice, or one was left
//! out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provisioning_package::{
    ArchiveFormat, Digest, PackageName, Selector, Target, Version, VersionReq,
};
use provisioning_registry_api::index::{
    Dependency, IndexArchive, IndexEntry, IndexVersion, Yanked,
};

use super::proof::Proof;
use super::universe::{Demand, Holding, Universe};
use super::{DECISIONS_MAX, Failure, search};
use crate::fit::misfits;
use crate::index::MemoryIndex;
use crate::matrix::{Bound, BoundOn, Matrix, Row};
use crate::request::{Request, Wanted};
use crate::solver::solve;

/// How many graphs are tried; `PROVISIONING_TEST_GRAPHS`, when the tests are built, tells
/// another number.
const GRAPHS: u64 = 2_000;
const NAMES: [&str; 5] = ["core", "a", "b", "c", "d"];
const REQS: [&str; 9] = [
    "*", "*", ">=1.0.0", "^1", "=1.0.0", ">=1.1", "^2", "~1.1", "^9",
];
const VERSIONS: [&str; 4] = ["1.0.0", "1.1.0", "2.0.0", "2.1.0-rc.1"];

/// A small generator of numbers: the same graphs on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap()
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }

    fn req(&mut self) -> VersionReq {
        VersionReq::parse(REQS[self.roll(REQS.len())]).unwrap()
    }

    fn name(&mut self) -> PackageName {
        PackageName::parse(NAMES[self.roll(NAMES.len())]).unwrap()
    }

    fn version(&mut self, text: &str) -> IndexVersion {
        let mut dependencies = BTreeMap::new();
        for _ in 0..self.roll(3) {
            let (req, optional) = (self.req(), self.one_in(3));
            dependencies.insert(self.name(), Dependency { req, optional });
        }
        let at = Timestamp::UNIX_EPOCH;
        let target = [Target::MacosArm64, Target::LinuxX86_64, Target::Any][self.roll(9).min(2)];
        let mut version = version_without_needs(Version::parse(text).unwrap());
        version.archives[0].target = target;
        IndexVersion {
            api: (!self.one_in(3)).then(|| Version::new(1 + self.roll(2) as u64, 0, 0)),
            dependencies,
            yanked: self.one_in(8).then_some(Yanked {
                reason: None,
                replacement: None,
                at,
            }),
            ..version
        }
    }

    fn index(&mut self) -> MemoryIndex {
        let mut index = MemoryIndex::new();
        for name in NAMES {
            if name != "core" && self.one_in(6) {
                continue;
            }
            let mut entry = IndexEntry::new(PackageName::parse(name).unwrap());
            for text in VERSIONS {
                if !self.one_in(4) {
                    entry.versions.push(self.version(text));
                }
            }
            index.insert(entry);
        }
        index
    }

    fn matrix(&mut self) -> Matrix {
        let mut matrix = Matrix::default();
        for _ in 0..self.roll(4) {
            let owner = self.name();
            let version = Version::parse(VERSIONS[self.roll(VERSIONS.len())]).unwrap();
            let on = if self.one_in(2) {
                BoundOn::ExtensionApi
            } else {
                BoundOn::Package(self.name())
            };
            if on == BoundOn::Package(owner.clone()) {
                continue;
            }
            let bound = Bound {
                on,
                req: self.req(),
                key: String::new(),
                line: 1,
                column: 1,
            };
            let row = Row {
                bounds: vec![bound],
                file: "versions.toml",
                line: 1,
                column: 1,
            };
            matrix.insert(owner, &version, row);
        }
        matrix
    }

    fn request(&mut self) -> Request {
        let mut wanted = Vec::new();
        for _ in 0..=self.roll(2) {
            let selector = if self.one_in(4) {
                Selector::Exact(Version::parse(VERSIONS[self.roll(4)]).unwrap())
            } else {
                Selector::Requirement(self.req())
            };
            let mut one = Wanted::by_you(self.name(), selector, "spec");
            one.optional = self.one_in(6);
            wanted.push(one);
        }
        let mut request = Request::new(wanted, Target::LinuxX86_64, Timestamp::UNIX_EPOCH);
        if self.one_in(4) {
            let selector = Selector::Requirement(self.req());
            request.pins.insert(self.name(), selector);
        }
        request
    }
}

/// A version that runs everywhere and needs nothing.
pub(super) fn version_without_needs(version: Version) -> IndexVersion {
    IndexVersion {
        published_at: Timestamp::UNIX_EPOCH,
        api: None,
        dependencies: BTreeMap::new(),
        yanked: None,
        archives: vec![IndexArchive {
            target: Target::Any,
            digest: Digest::of(version.to_string().as_bytes()),
            size: 1,
            unpacked: 1,
            entries: 1,
            format: ArchiveFormat::TarZst,
            provenance: None,
            sbom: None,
        }],
        version,
    }
}

/// Every choice of at most one usable version for each package.
fn choices<'i>(
    index: &'i MemoryIndex,
    request: &Request,
) -> Vec<BTreeMap<PackageName, &'i IndexVersion>> {
    let mut choices = vec![BTreeMap::new()];
    for entry in index.entries() {
        let mut longer = Vec::new();
        for choice in &choices {
            longer.push(choice.clone());
            for version in entry
                .versions
                .iter()
                .filter(|it| may_take(entry, it, request))
            {
                let mut with: BTreeMap<_, _> = choice.clone();
                with.insert(entry.name.clone(), version);
                longer.push(with);
            }
        }
        choices = longer;
    }
    choices
}

fn may_take(entry: &IndexEntry, version: &IndexVersion, request: &Request) -> bool {
    let pins = request.wanted.iter().filter(|it| it.name == entry.name);
    let mut exact = pins
        .map(|it| &it.selector)
        .chain(request.pins.get(&entry.name))
        .map(|it| it.requirement().to_string());
    let is_pinned = exact.any(|it| it == format!("={}", version.version));
    version.archive_for(request.target).is_some() && (version.yanked.is_none() || is_pinned)
}

fn is_answer(
    choice: &BTreeMap<PackageName, &IndexVersion>,
    request: &Request,
    matrix: &Matrix,
) -> bool {
    let mut wanted = request.wanted.iter();
    let has_wanted = wanted.all(|it| {
        let chosen = choice.get(&it.name);
        chosen.map_or(it.optional, |chosen| {
            it.selector.requirement().matches(&chosen.version)
        })
    });
    let mut pins = request.pins.iter();
    let keeps_pins = pins.all(|(name, pin)| {
        let chosen = choice.get(name);
        chosen.is_none_or(|it| pin.requirement().matches(&it.version))
    });
    has_wanted && keeps_pins && misfits(matrix, choice).is_empty()
}

fn graphs() -> u64 {
    let told = option_env!("PROVISIONING_TEST_GRAPHS").and_then(|it| it.parse().ok());
    told.unwrap_or(GRAPHS)
}

#[test]
fn the_order_of_everything_changes_neither_solution_nor_text() {
    for seed in 0..graphs() / 4 {
        let mut dice = Dice(seed);
        let (index, matrix, request) = (dice.index(), dice.matrix(), dice.request());
        let mut turned = request.clone();
        turned.wanted.reverse();
        let mut entries: Vec<IndexEntry> = index.entries().cloned().collect();
        entries.reverse();
        for entry in &mut entries {
            let middle = entry.versions.len() / 2;
            entry.versions.rotate_left(middle);
        }
        let other: MemoryIndex = entries.into_iter().collect();
        match (
            solve(&request, &matrix, &index),
            solve(&turned, &matrix, &other),
        ) {
            (Ok(one), Ok(two)) => assert_eq!(one, two, "seed {seed}"),
            (Err(one), Err(two)) => {
                assert_eq!(one.to_string(), two.to_string(), "seed {seed}");
            }
            (one, two) => panic!("seed {seed}: {one:?} {two:?}"),
        }
    }
}

#[test]
fn a_solution_is_found_exactly_when_brute_force_finds_one() {
    let (mut solved, mut refused) = (0, 0);
    for seed in 0..graphs() {
        let mut dice = Dice(seed);
        let (index, matrix, request) = (dice.index(), dice.matrix(), dice.request());
        let exists = choices(&index, &request)
            .iter()
            .any(|it| is_answer(it, &request, &matrix));
        match solve(&request, &matrix, &index) {
            Ok(solution) => {
                let choice: BTreeMap<_, _> = solution
                    .packages
                    .iter()
                    .map(|(name, it)| {
                        let entry = crate::Index::entry(&index, name).unwrap();
                        (name.clone(), entry.version(&it.version).unwrap())
                    })
                    .collect();
                assert!(
                    is_answer(&choice, &request, &matrix),
                    "seed {seed}: {choice:?}"
                );
                assert!(
                    solution.brought_by().values().all(|it| !it.is_empty()),
                    "seed {seed}: nobody asked for a part of {choice:?}"
                );
                solved += 1;
            }
            Err(refusal) => {
                assert!(!exists, "seed {seed}: {refusal}");
                assert!(!refusal.causes.is_empty(), "seed {seed}");
                refused += 1;
            }
        }
    }
    assert!(
        solved > graphs() / 5 && refused > graphs() / 5,
        "{solved} {refused}"
    );
}

#[test]
fn deciding_on_runs_of_versions_changes_no_verdict() {
    let mut joined = 0;
    for seed in 0..graphs() / 4 {
        let mut dice = Dice(seed);
        let (mut index, matrix, request) = (dice.index(), dice.matrix(), dice.request());
        index = index.entries().cloned().map(with_equal_needs).collect();
        let plain = Universe::new(&request, &matrix, &index, Holding::Free);
        let runs = Universe::new(&request, &matrix, &index, Holding::Free);
        runs.join_runs();
        match (
            search(&plain, DECISIONS_MAX, &|| false),
            search(&runs, DECISIONS_MAX, &|| false),
        ) {
            (Ok(_), Ok(picks)) => {
                let mut has_runs = picks.iter().map(|it| runs.run_starts(it.0).is_some());
                joined += usize::from(has_runs.any(|it| it));
                let choice: BTreeMap<_, _> = picks
                    .iter()
                    .map(|(id, place)| {
                        let view = runs.view(*id);
                        (view.name.clone(), view.usable.at(*place))
                    })
                    .collect();
                assert!(
                    is_answer(&choice, &request, &matrix),
                    "seed {seed}: {choice:?}"
                );
            }
            (Err(_), Err(Failure::Impossible(proof))) => {
                let mut choices = choices(&index, &request).into_iter();
                let escape = choices.find(|it| holds(&runs, &proof, it));
                assert!(escape.is_none(), "seed {seed}: {escape:?}\n{proof:#?}");
            }
            (plain, _) => panic!("seed {seed}: without runs {}", plain.is_ok()),
        }
    }
    assert!(joined > 50, "{joined}");
}

/// Gives neighbouring versions the needs of the first of them.
fn with_equal_needs(mut entry: IndexEntry) -> IndexEntry {
    for place in 1..entry.versions.len() {
        if place % 3 != 0 {
            let before = entry.versions[place - 1].clone();
            entry.versions[place].dependencies = before.dependencies;
            entry.versions[place].api = before.api;
        }
    }
    entry
}

#[test]
fn the_requirements_that_a_refusal_names_exclude_every_choice() {
    for seed in 0..graphs() {
        let mut dice = Dice(seed);
        let (index, matrix, request) = (dice.index(), dice.matrix(), dice.request());
        let universe = Universe::new(&request, &matrix, &index, Holding::Free);
        if let Err(Failure::Impossible(proof)) = search(&universe, DECISIONS_MAX, &|| false) {
            let mut choices = choices(&index, &request).into_iter();
            let escape = choices.find(|it| holds(&universe, &proof, it));
            assert!(escape.is_none(), "seed {seed}: {escape:?}\n{proof:#?}");
        }
    }
}

#[test]
fn a_refusal_names_no_requirement_that_it_holds_without() {
    for seed in 0..graphs() / 4 {
        let mut dice = Dice(seed);
        let (index, matrix, request) = (dice.index(), dice.matrix(), dice.request());
        let universe = Universe::new(&request, &matrix, &index, Holding::Free);
        let found = search(&universe, DECISIONS_MAX, &|| false);
        let Err(Failure::Impossible(proof)) = found else {
            continue;
        };
        let lean = Universe::new(&request, &matrix, &index, Holding::Free);
        let proof = super::shortened(&universe, &proof, &lean, &|| false).unwrap();
        let universe = lean;
        let choices = choices(&index, &request);
        let escape = choices.iter().find(|it| holds(&universe, &proof, it));
        assert!(escape.is_none(), "seed {seed}: {escape:?}\n{proof:#?}");
        for place in 0..proof.facts.len() {
            let mut less = proof.clone();
            less.facts = proof.without(place);
            let fact = &proof.facts[place];
            let escape = choices.iter().any(|it| holds(&universe, &less, it));
            assert!(escape, "seed {seed} holds without {fact:#?}");
        }
    }
}

/// Whether a choice meets every requirement of the proof.
fn holds(
    universe: &Universe<'_>,
    proof: &Proof<'_>,
    choice: &BTreeMap<PackageName, &IndexVersion>,
) -> bool {
    let place_of = |id| {
        let view = universe.view(id);
        let chosen = choice.get(&view.name)?;
        let mut usable = view.usable.iter();
        usable.position(|it| it.version == chosen.version)
    };
    let meets = |demand: &Demand<'_>| match place_of(demand.target) {
        None => !demand.brings,
        Some(place) => {
            let count = universe.view(demand.target).usable.len();
            demand.set.indices(count).any(|it| it == place)
        }
    };
    proof.facts.iter().all(|fact| {
        let demands = match fact.owner.map(|it| (it, place_of(it))) {
            None => universe.demands_of_request(),
            Some((owner, Some(place))) if fact.versions.contains(&place) => {
                universe.demands(owner, place)
            }
            Some(_) => return true,
        };
        demands
            .iter()
            .filter(|it| it.target == fact.demand.target && it.reason == fact.demand.reason)
            .all(meets)
    })
}
