//! What a publish costs the signer when the registry is large: 10,000 extensions, 1,000
//! bundles. The promise is less than 25 ms.

use divan::Bencher;
use jiff::Timestamp;
use provisioning_package::Digest;
use provisioning_trust::{KeySet, Repository, TargetChange, TargetFacts};

const EXTENSIONS: usize = 10_000;
const BUNDLES: usize = 1_000;

fn main() {
    divan::main();
}

fn change(path: String, content: &str) -> TargetChange {
    let facts = TargetFacts {
        length: content.len() as u64,
        digest: Digest::of(content.as_bytes()),
    };
    TargetChange {
        path,
        facts: Some(facts),
    }
}

fn large_registry() -> (KeySet, Repository) {
    let keys = KeySet::generate().expect("random bytes are there");
    let now = Timestamp::UNIX_EPOCH;
    let (mut repository, _) = Repository::create(&keys, now).expect("all keys are there");
    let extensions = (0..EXTENSIONS).map(|n| format!("index/extension/extension-{n}.json"));
    let bundles = (0..BUNDLES).map(|n| format!("bundles/bundle-{n}.json"));
    let changes: Vec<_> = extensions
        .chain(bundles)
        .chain(["index/core/core.json", "versions.toml", "channels.json"].map(str::to_owned))
        .map(|path| change(path, "first"))
        .collect();
    repository
        .apply(&keys, &changes, now)
        .expect("all keys are there");
    (keys, repository)
}

/// One publish: `paths` change, and the files to write come out.
fn publish(bencher: Bencher, paths: &[&str]) {
    let (keys, repository) = large_registry();
    let changes: Vec<_> = paths
        .iter()
        .map(|&path| change(path.to_owned(), "second"))
        .collect();
    bencher
        .with_inputs(|| repository.clone())
        .bench_refs(|repository| repository.apply(&keys, &changes, Timestamp::UNIX_EPOCH));
}

#[divan::bench]
fn publish_one_extension_among_ten_thousand(bencher: Bencher) {
    publish(bencher, &["index/extension/extension-4711.json"]);
}

#[divan::bench]
fn publish_a_core_beside_a_thousand_bundles(bencher: Bencher) {
    publish(bencher, &["index/core/core.json"]);
}

#[divan::bench]
fn publish_a_core_a_bundle_and_a_channel(bencher: Bencher) {
    publish(
        bencher,
        &[
            "index/core/core.json",
            "bundles/bundle-7.json",
            "channels.json",
        ],
    );
}

#[divan::bench]
fn sign_a_fresh_registry(bencher: Bencher) {
    let keys = KeySet::generate().expect("random bytes are there");
    bencher.bench(|| Repository::create(&keys, Timestamp::UNIX_EPOCH));
}
