//! Keys that people hold, over the real programs: the ceremony, signatures, changes of keys.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::registry_fixture::{Client, Registry, Sample, fetch};

const PASSPHRASE: &str = "correct horse battery staple";

/// A registry whose keys moved to people, a client that may do everything but sign, and the
/// folder of the keys.
pub(crate) struct Offline {
    pub(crate) registry: Registry,
    pub(crate) client: Client,
    pub(crate) keys: PathBuf,
}

impl Offline {
    /// Holds the ceremony; `more` are further arguments of `trust init`.
    pub(crate) fn start(more: &[&str]) -> Self {
        let registry = Registry::start();
        let client = Client::of(&registry);
        Self::over(registry, client, more)
    }

    /// The same on a registry that something was published to already.
    pub(crate) fn over(registry: Registry, client: Client, more: &[&str]) -> Self {
        let mut arguments = vec!["trust", "init", "--threshold", "2", "--of", "3"];
        arguments.extend(["--out", "ceremony"]);
        arguments.extend(more);
        client.json(&arguments);
        let keys = client.home().join("ceremony");
        Self {
            registry,
            client,
            keys,
        }
    }

    /// The path of a key, by its label.
    pub(crate) fn key(&self, label: &str) -> String {
        let path = self.keys.join(format!("{label}.pem"));
        path.to_str().unwrap().to_owned()
    }

    /// Publishes and signs in one go.
    pub(crate) fn publish(&self, sample: &Sample) {
        let archive = self.client.build(sample);
        let key = self.key("release");
        let document = self
            .client
            .json(&["publish", archive.to_str().unwrap(), "--key", &key]);
        assert_eq!(document["state"], "visible", "{document:#}");
    }
}

fn labels(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn resolved(client: &Client, spec: &str) -> Option<String> {
    let ran = client.run(&["--json", "resolve", spec]);
    if ran.status() != 0 {
        return None;
    }
    let document: Value = serde_json::from_str(&ran.stdout()).unwrap();
    let version = document["packages"][0]["version"].as_str().unwrap();
    Some(version.to_owned())
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one ceremony, looked at from every side"
)]
fn the_ceremony_leaves_the_registry_its_online_keys_alone_and_a_machine_that_knew_it_follows() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    client.publish(&Sample::first_party("core", "3.1.0"));
    client.ok(&["install", "core"]);
    let before = client.json(&["trust", "status"]);
    let moving = before["roles"].as_array().unwrap().iter();
    let moving = moving.filter(|it| it["should_move"] == true).count();
    assert_eq!(moving, 4, "{before:#}");

    let client = client.with("PROVISIONING_KEY_PASSPHRASE", PASSPHRASE);
    let ceremony = client.json(&[
        "trust",
        "init",
        "--threshold",
        "2",
        "--of",
        "3",
        "--out",
        "out",
    ]);
    assert_eq!(ceremony["root_version"], 2);
    assert_eq!(ceremony["protected"], true);
    let deleted: Vec<&str> = ceremony["deleted_keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap())
        .collect();
    assert_eq!(
        deleted,
        [
            "extensions",
            "release",
            "root-1",
            "root-2",
            "root-3",
            "targets"
        ]
    );
    assert_eq!(
        labels(&registry.data().join("keys")),
        ["bins.pem", "snapshot.pem", "timestamp.pem"]
    );
    assert_eq!(
        labels(&client.home().join("out")),
        [
            "extensions.pem",
            "paper-backup.txt",
            "release.pem",
            "root-1.pem",
            "root-2.pem",
            "root-3.pem",
            "targets.pem"
        ]
    );
    let pem = std::fs::read_to_string(client.home().join("out/root-1.pem")).unwrap();
    assert!(
        pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"),
        "{pem}"
    );

    // What was installed stays, what was published is signed by the new key, nothing waits.
    assert_eq!(resolved(&client, "core").as_deref(), Some("3.1.0"));
    let shown = client.json(&["trust", "show"]);
    assert_eq!(shown["root_fingerprint"], ceremony["root_fingerprint"]);
    let after = client.json(&["trust", "status"]);
    assert!(
        after["roles"]
            .as_array()
            .unwrap()
            .iter()
            .all(|it| it["should_move"] == false),
        "{after:#}"
    );
    assert_eq!(after["awaiting_signature"], 0);
    // A second ceremony needs the people's keys: the registry has none to sign with.
    let again = client.error(1, &["trust", "init", "--out", "again"]);
    assert_eq!(again["code"], "unsigned");
}

#[test]
fn a_first_party_publish_waits_for_its_engineer_and_a_community_extension_does_not() {
    let mut all = Offline::start(&[]);
    let client = &all.client;
    client.publish(&Sample::extension("redis", "1.0.0"));
    assert_eq!(resolved(client, "redis").as_deref(), Some("1.0.0"));

    let core = client.build(&Sample::first_party("core", "3.2.0"));
    let core = core.to_str().unwrap();
    let published = client.json(&["publish", core]);
    assert_eq!(published["state"], "awaiting-signature", "{published:#}");
    let session = published["session"].as_str().unwrap();
    assert_eq!(resolved(client, "core"), None);

    // A signature without the file: refused here, on the engineer's machine.
    let key = all.key("release");
    let refused = client.error(4, &["trust", "sign", "--key", &key]);
    assert_eq!(refused["code"], "unseen-digest");
    assert!(
        refused["causes"][0]
            .as_str()
            .unwrap()
            .contains("core 3.2.0"),
        "{refused}"
    );
    // A key that signs no releases.
    let foreign = client.error(1, &["trust", "sign", "--key", &all.key("targets"), core]);
    assert_eq!(foreign["code"], "foreign-key");
    // A dry run shows what waits and signs nothing.
    let waiting = client.json(&["trust", "sign", "--dry-run", core]);
    assert_eq!(waiting["waiting"]["sessions"][0], session);
    assert_eq!(waiting["waiting"]["unseen"].as_array().unwrap().len(), 0);
    assert_eq!(resolved(client, "core"), None);

    let signed = client.json(&["trust", "sign", "--key", &key, core]);
    assert_eq!(signed["state"], "visible", "{signed:#}");
    assert_eq!(resolved(client, "core").as_deref(), Some("3.2.0"));
    let status = client.json(&["publish", "status", session]);
    assert_eq!(status["state"], "visible");
    assert_eq!(
        client.json(&["trust", "sign", "--key", &key])["state"],
        "nothing"
    );
    client.ok(&["install", "core"]);

    // Killed and started again, the registry is as it was.
    all.registry.crash_and_restart();
    assert_eq!(resolved(&all.client, "core").as_deref(), Some("3.2.0"));
}

#[test]
fn one_signature_covers_all_that_waits_and_two_engineers_sign_what_needs_two() {
    let all = Offline::start(&["--release-keys", "3", "--release-threshold", "2"]);
    let client = &all.client;
    let core = client.build(&Sample::first_party("core", "3.2.0"));
    let platform = client.build(&Sample::first_party("platform", "2.5.0"));
    for archive in [&core, &platform] {
        let published = client.json(&["publish", archive.to_str().unwrap()]);
        assert_eq!(published["state"], "awaiting-signature");
    }
    let dist = core.parent().unwrap().to_str().unwrap();
    let first = client.json(&["trust", "sign", "--key", &all.key("release-1"), dist]);
    assert_eq!(first["state"], "awaiting-signature");
    assert_eq!(first["signed"].as_array().unwrap().len(), 1);
    assert_eq!(first["missing"].as_array().unwrap().len(), 2);
    assert_eq!(first["sessions"].as_array().unwrap().len(), 2);
    assert_eq!(resolved(client, "core"), None);
    // The same key again is no second engineer.
    let again = client.error(1, &["trust", "sign", "--key", &all.key("release-1"), dist]);
    assert_eq!(again["code"], "already-signed");
    // The second one has no files: the first one's signature vouches for them.
    let second = client.json(&["trust", "sign", "--key", &all.key("release-3")]);
    assert_eq!(second["state"], "visible", "{second:#}");
    assert_eq!(resolved(client, "core").as_deref(), Some("3.2.0"));
    assert_eq!(resolved(client, "platform").as_deref(), Some("2.5.0"));
}

#[test]
fn a_yank_a_matrix_and_a_bundle_wait_too_and_what_is_rejected_never_shows() {
    let all = Offline::start(&[]);
    let client = &all.client;
    all.publish(&Sample::first_party("core", "3.1.0"));
    all.publish(&Sample::first_party("core", "3.2.0"));
    let key = all.key("release");

    let yanked = client.json(&["yank", "core@3.2.0", "--reason", "burns"]);
    assert_eq!(yanked["awaiting_signature"], true);
    assert_eq!(resolved(client, "core").as_deref(), Some("3.2.0"));
    let signed = client.json(&["trust", "sign", "--key", &key]);
    assert_eq!(signed["state"], "visible");
    assert_eq!(resolved(client, "core").as_deref(), Some("3.1.0"));

    // A matrix must be known here: its file vouches for it.
    let matrix = client.write(
        "versions.toml",
        "[compatibility.core]\n\"3.1.0\" = {}\n[bundles.stable-3.1]\nname = \"Stable\"\n\
         release-date = \"2026-01-01\"\ncore = \"3.1.0\"\n",
    );
    let matrix = matrix.to_str().unwrap();
    client.ok(&["compat", "push", matrix]);
    assert_eq!(
        client.error(4, &["trust", "sign", "--key", &key])["code"],
        "unread-text"
    );
    client.ok(&["trust", "sign", "--key", &key, matrix]);
    let published = client.json(&["bundle", "publish", "stable-3.1"]);
    assert_eq!(published["awaiting_signature"], true);
    assert_eq!(client.run(&["resolve", "stable-3.1"]).status(), 3);
    client.ok(&["trust", "sign", "--key", &key]);
    client.ok(&["resolve", "stable-3.1"]);
    client.ok(&["install", "stable"]);

    // What its owner gives up is taken out of what waits.
    let bad = client.build(&Sample::first_party("core", "3.3.0"));
    let waiting = client.json(&["publish", bad.to_str().unwrap()]);
    client.ok(&["publish", "abandon", waiting["session"].as_str().unwrap()]);
    assert_eq!(
        client.json(&["trust", "sign", "--key", &key])["state"],
        "nothing"
    );
    assert_eq!(resolved(client, "core").as_deref(), Some("3.1.0"));
}

#[test]
fn keys_are_replaced_by_the_people_who_hold_the_role_above() {
    let all = Offline::start(&[]);
    let client = &all.client;
    all.publish(&Sample::first_party("core", "3.1.0"));
    client.publish(&Sample::extension("redis", "1.0.0"));
    let (one, two) = (all.key("root-1"), all.key("root-2"));

    // Online keys: made by the registry, named by the role above.
    let few = client.error(1, &["trust", "rotate", "timestamp", "--key", &one]);
    assert_eq!(few["code"], "unsigned");
    for role in ["timestamp", "snapshot"] {
        let done = client.json(&["trust", "rotate", role, "--key", &one, "--key", &two]);
        assert_eq!(done["state"], "in-force", "{done:#}");
    }
    client.ok(&["trust", "rotate", "bins", "--key", &all.key("extensions")]);
    client.publish(&Sample::extension("redis", "1.1.0"));
    assert_eq!(resolved(client, "redis").as_deref(), Some("1.1.0"));
    let left = labels(&all.registry.data().join("keys"));
    assert!(
        left.iter()
            .all(|it| it != "bins.pem" && it != "timestamp.pem"),
        "{left:?}"
    );

    // A release key: made here, named by targets. The old one signs nothing any more.
    client.ok(&[
        "trust",
        "rotate",
        "release",
        "--out",
        "new.pem",
        "--key",
        &all.key("targets"),
    ]);
    let core = client.build(&Sample::first_party("core", "3.2.0"));
    let core = core.to_str().unwrap();
    client.ok(&["publish", core]);
    let old = client.error(1, &["trust", "sign", "--key", &all.key("release"), core]);
    assert_eq!(old["code"], "foreign-key");
    client.ok(&["trust", "sign", "--key", "new.pem", core]);

    // A lost root key: a change that travels from hand to hand.
    let made = client.json(&["trust", "key", "new", "--out", "root-4.pem"]);
    let add = format!("root={}", made["public_key"].as_str().unwrap());
    let lost = client.json(&["trust", "key", "show", &all.key("root-3")]);
    let remove = format!("root={}", lost["key_id"].as_str().unwrap());
    client.ok(&[
        "trust", "propose", "--out", "c.json", "--add", &add, "--remove", &remove,
    ]);
    client.ok(&["trust", "sign", "--key", &one, "c.json"]);
    let early = client.error(1, &["trust", "publish", "c.json"]);
    assert_eq!(early["code"], "unsigned");
    client.ok(&[
        "trust",
        "sign",
        "--key",
        &two,
        "--key",
        "root-4.pem",
        "c.json",
    ]);
    let put = client.json(&["trust", "publish", "c.json"]);
    assert_eq!(put["state"], "in-force");
    assert_eq!(
        client.error(1, &["trust", "publish", "c.json"])["code"],
        "base-moved"
    );

    // Machines that knew the first root, and machines that know nothing, read the same.
    assert_eq!(resolved(client, "core").as_deref(), Some("3.2.0"));
    let stranger = Client::alone().with("PROVISIONING_REGISTRY", all.registry.url());
    assert_eq!(resolved(&stranger, "core").as_deref(), Some("3.2.0"));
}

#[test]
fn a_registry_can_be_born_without_ever_holding_an_offline_key() {
    let client = Client::alone();
    let made = client.json(&[
        "trust",
        "init",
        "--threshold",
        "2",
        "--of",
        "3",
        "--out",
        "born",
    ]);
    assert_eq!(made["registry"], Value::Null);
    let data = client.home().join("born/registry");
    assert_eq!(
        labels(&data.join("keys")),
        ["bins.pem", "snapshot.pem", "timestamp.pem"]
    );
    let registry = Registry::start_over(&data);
    let fingerprint = made["root_fingerprint"].as_str().unwrap();
    let client = client
        .with("PROVISIONING_REGISTRY", registry.url())
        .with("PROVISIONING_TOKEN", &registry.admin_token());
    let core = client.build(&Sample::first_party("core", "3.1.0"));
    client.ok(&[
        "--root-fingerprint",
        fingerprint,
        "publish",
        core.to_str().unwrap(),
    ]);
    client.ok(&[
        "trust",
        "sign",
        "--key",
        "born/release.pem",
        core.to_str().unwrap(),
    ]);
    assert_eq!(resolved(&client, "core").as_deref(), Some("3.1.0"));
    assert!(fetch(registry.url(), "/install.sh").starts_with(b"#!/bin/sh"));
}

#[test]
fn a_key_file_needs_its_passphrase_and_comes_back_from_paper() {
    let client = Client::alone().with("PROVISIONING_KEY_PASSPHRASE", PASSPHRASE);
    let made = client.json(&["trust", "key", "new", "--out", "ada.pem"]);
    let paper = client.json(&["trust", "key", "paper", "ada.pem"]);
    assert_eq!(paper["key_id"], made["key_id"]);
    let words = paper["words"].as_str().unwrap();
    assert_eq!(words.split(' ').count(), 24);
    let wrong = client.with("PROVISIONING_KEY_PASSPHRASE", "battery staple");
    let refused = wrong.error(1, &["trust", "key", "show", "ada.pem"]);
    assert!(
        refused["causes"][0]
            .as_str()
            .unwrap()
            .contains("passphrase"),
        "{refused}"
    );
    let exists = wrong.error(2, &["trust", "key", "new", "--out", "ada.pem"]);
    assert!(
        exists["message"]
            .as_str()
            .unwrap()
            .contains("exists already"),
        "{exists}"
    );

    let mut restoring = wrong.command(&["--json", "trust", "key", "restore", "--out", "back.pem"]);
    let words = wrong.write("paper", words);
    restoring.stdin(std::fs::File::open(words).unwrap());
    let restored = restoring.output().unwrap();
    let text = String::from_utf8(restored.stdout).unwrap();
    let restored: Value = serde_json::from_str(&text).expect(&text);
    assert_eq!(restored["key_id"], made["key_id"]);
}

#[test]
fn the_rehearsal_tells_each_step_and_what_a_client_made_of_it() {
    let told = Client::alone().ok(&["trust", "drill"]);
    assert!(told.contains("all of it went as it must"), "{told}");
    assert!(told.contains("replaced a community extension"), "{told}");
}
