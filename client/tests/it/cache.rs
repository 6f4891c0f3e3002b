//! The cache: how much it holds, what goes first, and that installs never miss what they use.

use std::fs;
use std::process::Stdio;

use crate::product::{packages, published};
use crate::registry_fixture::Client;

fn archives(client: &Client) -> usize {
    let folder = client.home().join(".cache/provisioning/archives/sha256");
    fs::read_dir(folder).map_or(0, Iterator::count)
}

#[test]
fn the_size_is_what_was_fetched_and_pruning_keeps_to_a_cap() {
    let (_registry, client) = published();
    client.ok(&["install", "stable-3.2"]);
    let size = client.json(&["cache", "size"]);
    assert_eq!(size["archives"], 6);
    let all = size["size"].as_u64().unwrap();
    let cap = (all / 2).to_string();
    let would = client.json(&["cache", "prune", "--max-size", &cap, "--dry-run"]);
    assert_eq!(archives(&client), 6);
    let pruned = client.json(&["cache", "prune", "--max-size", &cap]);
    assert_eq!(pruned["removed"], would["removed"]);
    assert!(pruned["kept_bytes"].as_u64().unwrap() <= all / 2);
    client.ok(&["cache", "prune"]);
    assert_eq!(pruned["kept"], archives(&client));
    client.ok(&["cache", "prune", "--older-than", "0s"]);
    assert_eq!(archives(&client), 0);
    client.ok(&["verify"]);
}

#[test]
fn a_cap_in_the_configuration_holds_after_every_install() {
    let (_registry, client) = published();
    let client = client.with("PROVISIONING_CACHE_MAX_SIZE", "1");
    client.ok(&["install", "stable-3.2"]);
    assert_eq!(archives(&client), 0);
    assert_eq!(packages(&client.json(&["list"])).len(), 6);
    assert_eq!(client.json(&["cache", "size"])["max_size"], 1);
}

#[test]
fn installs_beside_a_pruning_neighbour_all_end_well() {
    let (_registry, client) = published();
    let children: Vec<_> = (0..8)
        .map(|it| {
            let prefix = client.home().join(format!("prefix-{it}"));
            let words = [
                "--prefix",
                prefix.to_str().unwrap(),
                "install",
                "stable-3.2",
            ];
            let mut command = client.command(&words);
            command.stdout(Stdio::null()).stderr(Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    for _ in 0..6 {
        let ran = client.run(&["--lock-timeout", "0s", "cache", "prune", "--all"]);
        assert!(matches!(ran.status(), 0 | 6), "{}", ran.stderr());
    }
    for child in children {
        let ended = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.success(), "{text}");
    }
}

#[test]
fn a_tree_of_another_prefix_that_cannot_be_taken_is_fetched_instead() {
    let (_registry, client) = published();
    client.ok(&["install", "core"]);
    let receipts = client.prefix().join("lib/provisioning/receipts");
    let receipt = fs::read_dir(receipts).unwrap().next().unwrap().unwrap();
    let text = fs::read(receipt.path()).unwrap();
    let mut document: serde_json::Value = serde_json::from_slice(&text).unwrap();
    // Whole to look at; where the file should go, a link stands.
    document["links"]["cli/provisioning"] = "elsewhere".into();
    fs::write(receipt.path(), document.to_string()).unwrap();
    let other = client.home().join("other");
    let prefix = ["--prefix", other.to_str().unwrap()];
    let ran = client.run(&[&prefix[..], &["-vv", "install", "core"]].concat());
    assert_eq!(ran.status(), 0, "{}", ran.stderr());
    assert!(
        ran.stderr().contains("fetched after all"),
        "{}",
        ran.stderr()
    );
    client.ok(&[&prefix[..], &["verify"]].concat());
    let listed = client.json(&[&prefix[..], &["list"]].concat());
    assert_eq!(packages(&listed), ["core 3.2.1"]);
}
