//! How long solving takes: the product's own bundle, and an index of a thousand packages.

use provisioning_compat::{Matrix, MemoryIndex, Request, VersionsToml, Wanted, solve};
use provisioning_package::{ArchiveFormat, Digest, PackageName, Selector, Target, Version};
use provisioning_registry_api::index::{Dependency, IndexArchive, IndexEntry, IndexVersion};

const PACKAGES: usize = 1_000;
const VERSIONS: u64 = 20;
const DEPENDENCIES_MAX: usize = 6;
const SAMPLE: &str = include_str!("../tests/sample/versions.toml");

fn main() {
    divan::main();
}

/// Reading the sample matrix.
#[divan::bench]
fn read_the_sample_matrix() -> VersionsToml {
    VersionsToml::parse(divan::black_box(SAMPLE), None).expect("the sample is valid")
}

/// The members of `stable-3.2`, as an install asks for them.
#[divan::bench]
fn solve_the_sample_bundle(bencher: divan::Bencher<'_, '_>) {
    let read = VersionsToml::parse(SAMPLE, None).expect("the sample is valid");
    let mut index = MemoryIndex::new();
    let mut wanted = Vec::new();
    let stable = read
        .bundles
        .values()
        .last()
        .expect("the sample has bundles");
    for (name, exact) in &stable.members {
        let mut entry = IndexEntry::new(name.clone());
        entry.versions.push(version(exact.clone()));
        index.insert(entry);
        let selector = Selector::Exact(exact.clone());
        wanted.push(Wanted::by_you(name.clone(), selector, name.as_str()));
    }
    let request = Request::new(wanted, Target::LinuxX86_64, jiff::Timestamp::UNIX_EPOCH);
    bencher.bench_local(|| solve(&request, &read.matrix, &index).expect("the bundle fits"));
}

/// Packages that need smaller ones by caret requirements, a few of them very popular.
#[divan::bench]
fn solve_a_thousand_packages(bencher: divan::Bencher<'_, '_>) {
    let index = synthetic_index();
    let wanted = (PACKAGES - 10..PACKAGES)
        .map(|number| Wanted::by_you(name(number), Selector::Any, format!("p{number}")));
    let wanted = wanted.collect();
    let request = Request::new(wanted, Target::LinuxX86_64, jiff::Timestamp::UNIX_EPOCH);
    let matrix = Matrix::default();
    bencher.bench_local(|| solve(&request, &matrix, &index).expect("newest versions fit"));
}

fn synthetic_index() -> MemoryIndex {
    let mut state = 7_usize;
    let mut roll = move |sides: usize| {
        // A linear congruential generator: the same index on every machine.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % sides
    };
    let mut index = MemoryIndex::new();
    for number in 0..PACKAGES {
        let mut entry = IndexEntry::new(name(number));
        let needs: Vec<usize> = (0..roll(DEPENDENCIES_MAX))
            // Squaring the roll makes low numbers popular.
            .map(|_| number * roll(100) * roll(100) / 10_000)
            .filter(|it| *it < number)
            .collect();
        for minor in 0..VERSIONS {
            let mut version = version(Version::new(1, minor, 0));
            for needed in &needs {
                let req = format!("^1.{}", minor / 2).parse();
                let dependency = Dependency {
                    req: req.expect("a caret and two numbers are a requirement"),
                    optional: false,
                };
                version.dependencies.insert(name(*needed), dependency);
            }
            entry.versions.push(version);
        }
        index.insert(entry);
    }
    index
}

fn name(number: usize) -> PackageName {
    PackageName::parse(&format!("p{number}")).expect("a letter and digits are a name")
}

fn version(version: Version) -> IndexVersion {
    IndexVersion {
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
        published_at: jiff::Timestamp::UNIX_EPOCH,
        api: None,
        dependencies: std::collections::BTreeMap::new(),
        yanked: None,
    }
}
