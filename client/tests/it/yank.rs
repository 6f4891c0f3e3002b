//! Hiding a version, and bringing it back.

use serde_json::Value;

use crate::registry_fixture::{Client, Registry, Sample};

#[test]
fn a_yanked_version_carries_its_reason_until_it_is_brought_back() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    client.publish(&Sample::extension("redis", "1.1.0"));
    client.ok(&[
        "yank",
        "redis@1.1.0",
        "--reason",
        "loses data",
        "--replacement",
        "1.2.0",
    ]);
    let yanked = client.json(&["info", "redis"])["versions"][0]["yanked"].clone();
    assert_eq!(yanked["reason"], "loses data");
    assert_eq!(yanked["replacement"], "1.2.0");
    let text = client.ok(&["info", "redis"]);
    assert!(text.contains("yanked: loses data"), "{text}");
    client.ok(&["unyank", "redis@1.1.0"]);
    assert_eq!(
        client.json(&["info", "redis"])["versions"][0]["yanked"],
        Value::Null
    );
}

#[test]
fn only_one_whole_version_that_exists_can_be_yanked() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    client.publish(&Sample::extension("redis", "1.1.0"));
    for vague in ["redis", "redis@1", "redis@^1.1", "stable-3.2"] {
        let error = client.error(2, &["yank", vague, "--reason", "x"]);
        assert_eq!(error["code"], "usage", "{vague}");
    }
    client.error(1, &["yank", "redis@9.9.9", "--reason", "x"]);
    client.error(2, &["yank", "redis@1.1.0", "--reason", " "]);
}
