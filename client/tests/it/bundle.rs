//! Bundles: checked, published, shown, and the channels that follow.

use crate::registry_fixture::{Client, Registry, Sample};

const VERSIONS: &str = "[bundles.stable-3.2]\nname = \"Stable 3.2 Bundle\"\n\
    release-date = \"2025-10-15\"\ncore = \"3.2.1\"\nextensions = [\"redis@1.1.0\"]\n\
    [bundles.lts-3.1]\nname = \"LTS 3.1 Bundle\"\nrelease-date = \"2025-09-01\"\n\
    lts-until = \"2026-09-01\"\ncore = \"3.1.5\"\n\
    [bundles.broken]\nname = \"Broken\"\nrelease-date = \"2025-09-01\"\ncore = \"9.9.9\"\n";

fn prepared() -> (Registry, Client) {
    let registry = Registry::start();
    let client = Client::of(&registry);
    client.publish(&Sample::first_party("core", "3.1.5"));
    client.publish(&Sample::first_party("core", "3.2.1"));
    client.publish(&Sample::extension("redis", "1.1.0"));
    client.write("versions.toml", VERSIONS);
    (registry, client)
}

#[test]
fn a_published_bundle_moves_the_channel_of_its_state() {
    let (_registry, client) = prepared();
    client.ok(&["bundle", "check", "stable-3.2"]);
    let stable = client.json(&["bundle", "publish", "stable-3.2"]);
    assert_eq!(
        (&stable["sequence"], &stable["state"]),
        (&1.into(), &"stable".into())
    );
    let lts = client.json(&["bundle", "publish", "lts-3.1"]);
    assert_eq!(lts["state"], "lts");
    let listed = client.json(&["bundle", "list"]);
    let bundles = listed["bundles"].as_array().unwrap();
    assert_eq!(bundles.len(), 2, "{listed}");
    let shown = client.json(&["bundle", "show", "stable"]);
    assert_eq!(shown["name"], "stable-3.2");
    let members = shown["sequences"][0]["members"].as_array().unwrap();
    assert_eq!(members.len(), 2, "{shown}");
    assert!(client.ok(&["info", "lts"]).contains("LTS 3.1 Bundle"));
}

#[test]
fn the_same_bundle_again_is_no_new_sequence() {
    let (_registry, client) = prepared();
    client.ok(&["bundle", "publish", "stable-3.2"]);
    let again = client.json(&["bundle", "publish", "stable-3.2"]);
    assert_eq!(again["sequence"], 1);
}

#[test]
fn a_bundle_that_names_something_missing_is_refused_by_check_and_by_the_registry() {
    let (_registry, client) = prepared();
    let error = client.error(1, &["bundle", "check", "broken"]);
    assert!(error["causes"].to_string().contains("9.9.9"), "{error}");
    let error = client.error(1, &["bundle", "publish", "broken"]);
    assert!(error.to_string().contains("9.9.9"), "{error}");
    let error = client.error(1, &["bundle", "publish", "absent"]);
    assert!(error["hints"].to_string().contains("stable-3.2"), "{error}");
    assert_eq!(
        client.error(3, &["bundle", "show", "broken"])["code"],
        "unknown-bundle"
    );
}
