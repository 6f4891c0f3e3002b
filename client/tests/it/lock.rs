//! Workspaces and their lockfiles: resolved once, installed alike everywhere.

use std::fs;

use crate::product::{changes, packages, published};
use crate::registry_fixture::{Client, Registry, Sample};

/// Runs `arguments` in the workspace, where no prefix is given.
fn at_work(client: &Client, arguments: &[&str]) -> std::process::Output {
    client
        .command(arguments)
        .env_remove("PROVISIONING_PREFIX")
        .current_dir(client.home().join("ws"))
        .output()
        .unwrap()
}

fn ok(client: &Client, arguments: &[&str]) -> serde_json::Value {
    let ran = at_work(client, &[&["--json"], arguments].concat());
    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "{arguments:?}: {told}");
    serde_json::from_slice(&ran.stdout).unwrap()
}

fn refused(client: &Client, status: i32, arguments: &[&str]) -> serde_json::Value {
    let ran = at_work(client, &[&["--json"], arguments].concat());
    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status.code(), Some(status), "{arguments:?}: {told}");
    let document: serde_json::Value =
        serde_json::from_str(&told[told.find('{').unwrap()..]).unwrap();
    document["error"].clone()
}

fn require(client: &Client, requires: &str) {
    let text = format!("[workspace]\nname = \"w\"\n\n[requires]\n{requires}");
    client.write("ws/provisioning.toml", &text);
}

fn lockfile(client: &Client) -> String {
    fs::read_to_string(client.home().join("ws/provisioning.lock")).unwrap()
}

#[test]
fn a_workspace_is_locked_and_synced_and_frozen_needs_no_registry() {
    let (mut registry, client) = published();
    require(&client, "core = \"^3.1\"\nmongodb = \"*\"\n");
    assert!(
        refused(&client, 1, &["sync", "--frozen"])["message"]
            .as_str()
            .unwrap()
            .contains("no `provisioning.lock`")
    );
    let locked = ok(&client, &["lock"]);
    assert_eq!(packages(&locked), ["core 3.2.1", "mongodb 1.2.0"]);
    let text = lockfile(&client);
    assert!(text.contains(registry.url()), "{text}");
    assert!(text.contains("root = \"sha256:"), "{text}");
    ok(&client, &["sync", "--frozen"]);
    assert!(client.home().join("ws/.provisioning/lib").is_dir());
    assert!(!client.prefix().exists());
    registry.stop();
    assert_eq!(changes(&ok(&client, &["sync", "--frozen"])), [""; 0]);
    fs::remove_dir_all(client.home().join("ws/.provisioning")).unwrap();
    let again = ok(&client, &["sync", "--frozen"]);
    assert_eq!(
        changes(&again),
        ["install core 3.2.1", "install mongodb 1.2.0"]
    );
}

#[test]
fn a_lockfile_that_does_not_answer_the_request_fails_frozen_and_is_renewed_else() {
    let (_registry, client) = published();
    require(&client, "core = \"3.1.5\"\n");
    ok(&client, &["lock"]);
    require(&client, "core = \"^3.1\"\nredis = \"*\"\n");
    let error = refused(&client, 1, &["sync", "--frozen"]);
    assert_eq!(error["code"], "frozen");
    let causes = error["causes"].to_string();
    assert!(causes.contains("`core` is locked for `3.1.5`"), "{causes}");
    assert!(causes.contains("is required and not locked"), "{causes}");
    let synced = ok(&client, &["sync"]);
    assert_eq!(
        changes(&synced),
        ["install core 3.1.5", "install redis 1.1.0"],
        "what was locked stays"
    );
    ok(&client, &["sync", "--frozen"]);
    let upgraded = ok(&client, &["upgrade", "core"]);
    assert_eq!(changes(&upgraded), ["upgrade core 3.2.1"]);
    assert!(lockfile(&client).contains("core = { version = \"3.2.1\""));
    assert_eq!(
        refused(&client, 1, &["upgrade", "azure"])["code"],
        "not-locked"
    );
}

#[test]
fn a_bundle_can_be_required_and_is_locked_member_by_member() {
    let (_registry, client) = published();
    require(&client, "\"stable-3.2\" = \"*\"\n");
    let locked = ok(&client, &["lock"]);
    assert_eq!(packages(&locked).len(), 6, "{locked}");
    ok(&client, &["sync", "--frozen"]);
    assert_eq!(ok(&client, &["lock"])["changes"], serde_json::json!([]));
}

#[test]
fn the_lockfile_of_another_registry_is_refused_in_clear_words() {
    let (_registry, client) = published();
    require(&client, "redis = \"*\"\n");
    ok(&client, &["lock"]);
    let before = lockfile(&client);
    let other = Registry::start();
    Client::of(&other).publish(&Sample::extension("redis", "1.1.0"));
    let client = client.with("PROVISIONING_REGISTRY", other.url());
    for command in [
        &["lock"][..],
        &["sync"],
        &["sync", "--frozen"],
        &["upgrade"],
    ] {
        let error = refused(&client, 1, command);
        assert_eq!(error["code"], "other-registry", "{command:?}");
    }
    assert_eq!(lockfile(&client), before);
    assert!(!client.home().join("ws/.provisioning").exists());
}

#[test]
fn a_folder_that_requires_nothing_is_told_what_to_write() {
    let client = Client::alone().with("PROVISIONING_REGISTRY", "file:///no/such/folder");
    client.write("ws/readme", "");
    assert_eq!(refused(&client, 1, &["lock"])["code"], "no-workspace");
    require(&client, "");
    let error = refused(&client, 1, &["lock"]);
    assert_eq!(error["code"], "nothing-required");
    assert!(error["hints"].to_string().contains("[requires]"), "{error}");
}
