//! Graphs: one of everyday shape and size, and those that are known to be hard.

use std::collections::BTreeMap;

use provisioning_compat::MemoryIndex;
use provisioning_package::{
    ArchiveFormat, Digest, PackageName, Selector, Target, Version, VersionReq,
};
use provisioning_registry_api::index::{Dependency, IndexArchive, IndexEntry, IndexVersion};

use super::Case;

/// Every family.
pub(crate) const ALL: [fn() -> Case; 7] = [
    power_law,
    backtracking_chain,
    levels_that_end_nowhere,
    diamond_pyramid,
    release_trains,
    release_trains_that_never_meet,
    pigeonholes,
];

type Entries = BTreeMap<PackageName, IndexEntry>;

/// 10,000 packages of 20 versions that need smaller numbers, a few of them very popular.
fn power_law() -> Case {
    let mut state = 7_usize;
    let mut roll = move |sides: usize| {
        // A linear congruential generator: the same index on every machine.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % sides
    };
    let mut entries = Entries::new();
    for number in 0..10_000 {
        let needed: Vec<usize> = (0..roll(8))
            // A product of rolls makes low numbers popular.
            .map(|_| number * roll(100) * roll(100) / 10_000)
            .filter(|it| *it < number)
            .collect();
        for minor in 0..20_u64 {
            let needs: Vec<String> = needed
                .iter()
                .map(|it| format!("p{it} ^1.{}", minor / 2))
                .collect();
            add(
                &mut entries,
                &format!("p{number}"),
                Version::new(1, minor, 0),
                &needs,
            );
        }
    }
    let roots: Vec<String> = (9_900..10_000).map(|it| format!("p{it}")).collect();
    case("10,000 packages, power law", entries, &roots)
}

/// Each newest version fails a few steps on, so the search walks down the chain.
fn backtracking_chain() -> Case {
    let mut entries = Entries::new();
    for link in 0..100 {
        for version in 0..50_u64 {
            let needs = [format!("c{} <={version}.0.0", link + 1)];
            add(
                &mut entries,
                &format!("c{link}"),
                Version::new(version, 0, 0),
                &needs,
            );
        }
    }
    add(&mut entries, "c100", Version::new(0, 0, 0), &[]);
    case("backtracking chain", entries, &["c0".to_owned()])
}

/// Cargo's: two hundred levels of a hundred versions, and below them nothing.
fn levels_that_end_nowhere() -> Case {
    let mut entries = Entries::new();
    for level in 0..200 {
        for patch in 1..30_u64 {
            let needs = [format!("level{} *", level + 1)];
            add(
                &mut entries,
                &format!("level{level}"),
                Version::new(1, 0, patch),
                &needs,
            );
        }
    }
    case("levels that end nowhere", entries, &["level0".to_owned()])
}

/// Every block needs two of the row below, at its own version.
fn diamond_pyramid() -> Case {
    let mut entries = Entries::new();
    let rows = 30;
    for row in 0..rows {
        for block in 0..=row {
            for version in 0..5_u64 {
                let needs: Vec<String> = if row + 1 == rows {
                    Vec::new()
                } else {
                    let below = [block, block + 1];
                    below
                        .iter()
                        .map(|it| format!("d{}-{it} >={version}.0.0", row + 1))
                        .collect()
                };
                let name = format!("d{row}-{block}");
                add(&mut entries, &name, Version::new(version, 0, 0), &needs);
            }
        }
    }
    case("diamond pyramid", entries, &["d0-0".to_owned()])
}

/// Trains of packages that need each other's release of the same day, one of which stopped
/// early: hundreds of versions until they meet.
fn release_trains() -> Case {
    case(
        "release trains",
        trains(100),
        &["boto3".to_owned(), "awscli".to_owned()],
    )
}

fn release_trains_that_never_meet() -> Case {
    let mut entries = trains(100);
    entries.remove(&name("urllib3"));
    add(&mut entries, "urllib3", Version::new(9, 0, 0), &[]);
    let roots = ["boto3".to_owned(), "awscli".to_owned()];
    case("release trains that never meet", entries, &roots)
}

fn trains(meet: u64) -> Entries {
    let mut entries = Entries::new();
    for day in 0..400_u64 {
        let urllib = if day < meet { "^1" } else { "^2" };
        let needs = [format!("urllib3 {urllib}"), "jmespath ^1".to_owned()];
        add(&mut entries, "botocore", Version::new(1, day, 0), &needs);
        let needs = [
            format!("botocore ~1.{day}"),
            format!("s3transfer >=0.{}", day / 8),
        ];
        add(&mut entries, "boto3", Version::new(1, day, 0), &needs);
        let needs = [format!("botocore =1.{day}.0"), "urllib3 ^1".to_owned()];
        add(&mut entries, "awscli", Version::new(1, day, 0), &needs);
        if day % 8 == 0 {
            let needs = [format!("botocore >=1.{day}")];
            add(
                &mut entries,
                "s3transfer",
                Version::new(0, day / 8, 0),
                &needs,
            );
        }
    }
    add(&mut entries, "urllib3", Version::new(1, 26, 0), &[]);
    add(&mut entries, "urllib3", Version::new(2, 2, 0), &[]);
    add(&mut entries, "jmespath", Version::new(1, 0, 0), &[]);
    entries
}

/// Six pigeons, five holes, one pigeon a hole.
fn pigeonholes() -> Case {
    let pigeons = 6_u64;
    let mut entries = Entries::new();
    for hole in 1..pigeons {
        for pigeon in 0..pigeons {
            let needs = [format!("hole{hole} ={pigeon}.0.0")];
            add(
                &mut entries,
                &format!("p{pigeon}"),
                Version::new(hole, 0, 0),
                &needs,
            );
            add(
                &mut entries,
                &format!("hole{hole}"),
                Version::new(pigeon, 0, 0),
                &[],
            );
        }
    }
    let roots: Vec<String> = (0..pigeons).map(|it| format!("p{it}")).collect();
    case("pigeonholes", entries, &roots)
}

fn case(title: &'static str, entries: Entries, roots: &[String]) -> Case {
    Case {
        name: title,
        index: entries.into_values().collect::<MemoryIndex>(),
        wanted: roots.iter().map(|it| (name(it), Selector::Any)).collect(),
    }
}

fn name(text: &str) -> PackageName {
    PackageName::parse(text).expect("names of families are valid")
}

fn add(entries: &mut Entries, package: &str, exact: Version, needs: &[String]) {
    let package = name(package);
    let mut version = version(exact);
    for need in needs {
        let (needed, req) = need
            .split_once(' ')
            .expect("a need is a name and a requirement");
        let req = VersionReq::parse(req).expect("requirements of families are valid");
        let optional = false;
        version
            .dependencies
            .insert(name(needed), Dependency { req, optional });
    }
    let entry = entries
        .entry(package.clone())
        .or_insert_with(|| IndexEntry::new(package));
    entry.versions.push(version);
}

/// A version without needs that runs everywhere.
pub(crate) fn version(version: Version) -> IndexVersion {
    IndexVersion {
        archives: vec![IndexArchive {
            target: Target::Any,
            digest: Digest::of(b""),
            size: 1,
            unpacked: 1,
            entries: 1,
            format: ArchiveFormat::TarZst,
            provenance: None,
            sbom: None,
        }],
        version,
        published_at: jiff::Timestamp::UNIX_EPOCH,
        api: None,
        dependencies: BTreeMap::new(),
        yanked: None,
    }
}
