//! What a client remembers: answers of the solver, and trees of other prefixes.

use std::fs;
use std::path::{Path, PathBuf};

use crate::product::{changes, packages};
use crate::registry_fixture::{Client, Registry, Sample};

/// A copy of a registry with one package, and a client of it that has installed it.
fn installed() -> (tempfile::TempDir, Client) {
    let registry = Registry::start();
    let author = Client::of(&registry);
    author.publish(&Sample::extension("redis", "1.1.0"));
    let mirror = registry.mirror();
    let address = format!("file://{}", mirror.path().display());
    let client = Client::alone().with("PROVISIONING_REGISTRY", &address);
    client.ok(&["install", "redis"]);
    (mirror, client)
}

/// Every file or folder below `folder` that is called `name`.
fn called(name: &str, folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name() == name {
            found.push(entry.path());
        } else if entry.path().is_dir() {
            found.extend(called(name, &entry.path()));
        }
    }
    found
}

fn forget(mirror: &Path, client: &Client) {
    fs::remove_dir_all(mirror.join("targets")).unwrap();
    for folder in called("targets", &client.home().join("state")) {
        fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn an_install_that_changes_nothing_reads_the_index_once() {
    let (mirror, client) = installed();
    client.ok(&["install", "redis"]);
    forget(mirror.path(), &client);
    let again = client.json(&["install", "redis"]);
    assert_eq!(again["generation"], 1);
    assert!(changes(&again).is_empty());
    // Another question has no answer yet.
    assert_ne!(client.run(&["install", "redis@1.1"]).status(), 0);
}

#[test]
fn a_damaged_answer_is_found_again() {
    let (_mirror, client) = installed();
    let folders = called("answers", &client.home().join("state"));
    let mut damaged = 0;
    for entry in folders.iter().flat_map(|it| fs::read_dir(it).unwrap()) {
        fs::write(entry.unwrap().path(), "{\"question\": 3").unwrap();
        damaged += 1;
    }
    assert!(damaged > 0);
    let again = client.json(&["install", "redis"]);
    assert_eq!(again["generation"], 1);
    assert!(changes(&again).is_empty());
}

#[test]
fn what_was_published_meanwhile_is_seen_at_once() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    client.publish(&Sample::extension("redis", "1.1.0"));
    for _ in 0..2 {
        client.ok(&["install", "redis@latest"]);
    }
    client.publish(&Sample::extension("redis", "1.2.0"));
    let newer = client.json(&["install", "redis@latest"]);
    assert_eq!(changes(&newer), ["upgrade redis 1.2.0"]);
}

#[test]
fn a_second_prefix_fetches_nothing_that_the_first_has_unpacked() {
    let (mirror, client) = installed();
    fs::remove_dir_all(mirror.path().join("archives")).unwrap();
    for folder in called("archives", client.home()) {
        fs::remove_dir_all(folder).unwrap();
    }
    let second = client.home().join("second");
    let second = second.to_str().unwrap();
    client.ok(&["install", "redis", "--prefix", second]);
    assert_eq!(
        packages(&client.json(&["list", "--prefix", second])),
        ["redis 1.1.0"]
    );
    client.ok(&["verify", "--prefix", second]);
}
