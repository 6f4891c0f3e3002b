//! Installing: what is chosen, what is refused, and what is left behind.

use std::fs;
use std::path::Path;

use crate::product::{changes, packages, published};
use crate::registry_fixture::Client;

#[test]
fn specs_and_bundles_install_what_the_matrix_lets_in() {
    let (_registry, client) = published();
    let first = client.json(&["install", "core@3.1.0"]);
    assert_eq!(changes(&first), ["install core 3.1.0"]);
    assert_eq!(first["generation"], 1);
    let second = client.json(&["install", "platform"]);
    assert_eq!(
        changes(&second),
        ["install platform 2.5.0"],
        "2.5.3 needs core 3.2"
    );
    let third = client.json(&["install", "platform@2.4.0"]);
    assert_eq!(changes(&third), ["downgrade platform 2.4.0"]);
    let warning = third["plan"]["warnings"][0].as_str().unwrap();
    assert!(warning.contains("platform 2.4.0 is unlisted"), "{warning}");
    client.error(3, &["install", "platform@2.5.3", "--strict", "core@3.1.0"]);
    let bundle = client.json(&["install", "stable-3.2"]);
    assert_eq!(bundle["generation"], 4);
    assert_eq!(
        packages(&client.json(&["list"])),
        [
            "core 3.2.1",
            "platform 2.5.3",
            "azure 2.0.0",
            "mongodb 1.2.0",
            "redis 1.1.0",
            "workspace 1.4.0"
        ]
    );
    let bin = client.prefix().join("bin/provisioning-orchestrator");
    let ran = std::process::Command::new(bin).output().unwrap();
    assert_eq!(ran.stdout, b"orchestrator 2.5.3\n");
    assert!(
        client
            .prefix()
            .join("extensions/mongodb/share/mongodb.txt")
            .is_file()
    );
    assert_eq!(
        client.json(&["verify"])["problems"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
}

#[test]
fn a_plan_has_the_eight_fields_that_the_contract_names() {
    let (_registry, client) = published();
    let document = client.json(&["install", "core@3.1.0", "--dry-run"]);
    assert!(document["generation"].is_null());
    let change = &document["plan"]["changes"][0];
    let mut fields: Vec<_> = change
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "action", "digest", "from", "kind", "name", "size", "target", "to"
        ]
    );
    assert_eq!(
        (&change["action"], &change["kind"]),
        (&"install".into(), &"core".into())
    );
    assert!(change["from"].is_null());
    assert!(change["size"].as_u64().unwrap() > 0);
    assert!(change["digest"].as_str().unwrap().starts_with("sha256:"));
}

#[test]
fn a_dry_run_writes_nothing_at_all_not_even_a_folder() {
    let (_registry, client) = published();
    let before = tree(client.home());
    client.ok(&["install", "stable", "--dry-run"]);
    assert_eq!(tree(client.home()), before);
    client.ok(&["install", "core@3.1.0"]);
    let before = tree(client.home());
    client.ok(&["install", "stable", "--dry-run"]);
    client.ok(&["upgrade", "--dry-run"]);
    client.ok(&["uninstall", "core", "--dry-run"]);
    assert_eq!(tree(client.home()), before);
}

#[test]
fn a_refused_install_leaves_the_prefix_as_it_was() {
    let (_registry, client) = published();
    let error = client.error(3, &["install", "core@3.1.0", "platform@2.5.3"]);
    assert_eq!(error["code"], "no-solution");
    let words = error.to_string();
    assert!(
        words.contains("platform") && words.contains("nothing was changed"),
        "{words}"
    );
    assert!(!client.prefix().exists());
    assert_eq!(
        client.error(3, &["install", "core@9"])["code"],
        "no-solution"
    );
    assert!(!client.prefix().exists());
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest_ones() {
    let (_registry, client) = published();
    let error = client.error(3, &["install", "mongodbb"]);
    assert_eq!(error["code"], "unknown-package");
    assert!(
        error["hints"][0].as_str().unwrap().contains("`mongodb`"),
        "{error}"
    );
    let error = client.error(3, &["install", "stabel-3.2"]);
    assert!(
        error["hints"][0].as_str().unwrap().contains("`stable-3.2`"),
        "{error}"
    );
    assert_eq!(
        client.error(2, &["install", "Not A Name"])["code"],
        "invalid-spec"
    );
    assert_eq!(client.error(2, &["install", "client"])["code"], "usage");
}

#[test]
fn a_spec_against_the_followed_bundle_is_refused_unless_the_bundle_is_left() {
    let (_registry, client) = published();
    client.ok(&["install", "stable-3.2"]);
    let error = client.error(3, &["install", "core@3.1.0"]);
    assert_eq!(error["code"], "against-bundle");
    assert!(
        error["hints"][0]
            .as_str()
            .unwrap()
            .contains("--leave-bundle"),
        "{error}"
    );
    let left = client.json(&["install", "platform@2.5.0", "--leave-bundle"]);
    assert_eq!(changes(&left), ["downgrade platform 2.5.0"]);
    assert!(client.json(&["list"])["bundle"].is_null());
    assert_eq!(packages(&client.json(&["list"])).len(), 6, "members stay");
}

#[test]
fn a_bundle_replaces_the_earlier_one_and_takes_its_own_members_away() {
    let (_registry, client) = published();
    client.ok(&["install", "mongodb"]);
    client.ok(&["install", "stable"]);
    assert_eq!(client.json(&["list"])["bundle"], "stable-3.2");
    let back = client.json(&["install", "lts-3.1"]);
    assert_eq!(
        changes(&back),
        [
            "downgrade core 3.1.5",
            "downgrade platform 2.4.8",
            "remove azure 2.0.0",
            "remove redis 1.1.0",
            "downgrade workspace 1.3.0"
        ],
        "mongodb was asked for by name and stays"
    );
}

#[test]
fn installing_what_is_there_says_so_and_makes_no_generation() {
    let (_registry, client) = published();
    client.ok(&["install", "stable-3.2"]);
    let before = tree(&client.prefix());
    let again = client.json(&["install", "stable-3.2"]);
    assert_eq!(again["generation"], 1);
    assert!(changes(&again).is_empty());
    assert_eq!(tree(&client.prefix()), before);
}

#[test]
fn what_is_in_the_store_is_not_fetched_again() {
    let (_registry, client) = published();
    client.ok(&["install", "core@3.1.0"]);
    client.ok(&["install", "core@3.2.1"]);
    fs::remove_dir_all(client.home().join(".cache")).unwrap();
    client.ok(&["install", "core@3.1.0"]);
    assert!(!client.home().join(".cache/provisioning/archives").exists());
}

#[test]
fn offline_installs_what_was_fetched_before_and_unreachable_is_its_own_status() {
    let (mut registry, client) = published();
    client.ok(&["install", "stable-3.2"]);
    registry.stop();
    client.error(5, &["install", "redis"]);
    let other = client.home().join("other");
    let other = other.to_str().unwrap();
    client.ok(&["--offline", "--prefix", other, "install", "stable-3.2"]);
    client.ok(&["list"]);
}

#[test]
fn resolve_answers_as_for_an_empty_prefix_and_any_target() {
    let (_registry, client) = published();
    client.ok(&["install", "core@3.1.0"]);
    let newest = client.json(&["resolve", "platform"]);
    assert_eq!(packages(&newest), ["core 3.2.1", "platform 2.5.3"]);
    let oldest = client.json(&["resolve", "platform", "--minimal"]);
    assert!(
        packages(&oldest).contains(&"platform 2.4.0".to_owned()),
        "{oldest}"
    );
    let bundle = client.json(&["resolve", "lts", "--target", "macos-arm64"]);
    assert_eq!(
        packages(&bundle),
        ["core 3.1.5", "platform 2.4.8", "workspace 1.3.0"]
    );
    assert!(
        newest["packages"][0]["digest"]
            .as_str()
            .unwrap()
            .starts_with("sha256:")
    );
}

#[test]
fn a_file_that_is_not_ours_is_refused_and_named() {
    let (_registry, client) = published();
    client.write("prefix/bin/provisioning-orchestrator", "mine");
    let error = client.error(1, &["install", "platform"]);
    assert_eq!(error["code"], "collision");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("bin/provisioning-orchestrator"),
        "{message}"
    );
    assert!(!client.prefix().join("lib").exists());
}

#[test]
fn a_command_that_a_package_needs_and_nobody_has_is_a_warning_with_the_fix() {
    let (registry, client) = published();
    let author = Client::of(&registry);
    let sample = crate::registry_fixture::Sample::extension("picky", "1.0.0")
        .table("[requires]\nno-such-command = \">=1.0\"");
    author.publish(&sample);
    let installed = client.json(&["install", "picky"]);
    let warnings = installed["plan"]["warnings"].to_string();
    assert!(warnings.contains("no-such-command"), "{warnings}");
    assert!(warnings.contains("PATH"), "{warnings}");
}

/// Every path below a folder.
fn tree(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let entry = entry.unwrap();
            found.push(entry.path().display().to_string());
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            }
        }
    }
    found.sort();
    found
}
