//! A registry as static files: read from a folder, verified like any other.

use std::path::PathBuf;

use crate::registry_fixture::{Client, Registry, Sample};

fn mirrored() -> (tempfile::TempDir, Client) {
    let registry = Registry::start();
    let client = Client::of(&registry);
    client.publish(&Sample::extension("redis", "1.1.0"));
    let mirror = registry.mirror();
    let address = format!("file://{}", mirror.path().display());
    let client = Client::alone().with("PROVISIONING_REGISTRY", &address);
    (mirror, client)
}

fn files(folder: &std::path::Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_str().unwrap().ends_with(ending) {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_copy_of_the_files_is_as_good_as_the_server() {
    let (_mirror, client) = mirrored();
    assert_eq!(
        client.json(&["info", "redis"])["versions"][0]["version"],
        "1.1.0"
    );
}

#[test]
fn a_changed_index_entry_is_refused_with_status_four() {
    let (mirror, client) = mirrored();
    let entries = files(&mirror.path().join("targets/index"), "redis.json");
    assert!(!entries.is_empty());
    for path in entries {
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("1.1.0", "6.6.6")).unwrap();
    }
    client.error(4, &["info", "redis"]);
}

#[test]
fn an_older_timestamp_than_the_one_seen_is_refused() {
    let registry = Registry::start();
    let publisher = Client::of(&registry);
    let (old, new) = (registry.mirror(), {
        publisher.publish(&Sample::extension("redis", "1.1.0"));
        registry.mirror()
    });
    let address = format!("file://{}", new.path().display());
    let client = Client::alone().with("PROVISIONING_REGISTRY", &address);
    client.ok(&["info", "redis"]);
    let timestamp = "metadata/timestamp.json";
    std::fs::copy(old.path().join(timestamp), new.path().join(timestamp)).unwrap();
    assert_eq!(client.error(4, &["info", "redis"])["code"], "rollback");
}

#[test]
fn a_folder_that_is_no_registry_is_told_apart_from_an_empty_one() {
    let folder = tempfile::TempDir::new().unwrap();
    let address = format!("file://{}", folder.path().display());
    let client = Client::alone().with("PROVISIONING_REGISTRY", &address);
    assert_eq!(
        client.error(5, &["info", "redis"])["code"],
        "not-a-registry"
    );
    let gone = Client::alone().with("PROVISIONING_REGISTRY", "file:///no/such/folder");
    assert_eq!(
        gone.error(5, &["info", "redis"])["code"],
        "registry-unreachable"
    );
}

#[test]
fn what_was_seen_once_is_known_offline_and_the_rest_is_not() {
    let mut registry = Registry::start();
    let client = Client::of(&registry);
    client.publish(&Sample::extension("redis", "1.1.0"));
    let stranger = Client::alone().with("PROVISIONING_REGISTRY", registry.url());
    assert_eq!(
        stranger.error(5, &["--offline", "info", "redis"])["code"],
        "never-met"
    );
    client.ok(&["info", "redis"]);
    registry.stop();
    let known = client.json(&["--offline", "info", "redis"]);
    assert_eq!(known["versions"][0]["version"], "1.1.0");
    let ran = client.run(&["--offline", "info", "redis"]);
    assert!(
        ran.stderr().starts_with("note: offline:"),
        "{}",
        ran.stderr()
    );
    assert_eq!(
        client.error(5, &["--offline", "search", "redis"])["code"],
        "offline"
    );
    assert_eq!(
        client.error(5, &["info", "redis"])["code"],
        "registry-unreachable"
    );
}
