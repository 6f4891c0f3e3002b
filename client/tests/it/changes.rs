//! Uninstall, upgrade, rollback, history and extensions.

use std::fs;

use crate::product::{changes, packages, published};
use crate::registry_fixture::{Client, Sample};

#[test]
fn uninstall_protects_what_others_need_and_takes_all_of_it_together() {
    let (_registry, client) = published();
    client.ok(&["install", "platform"]);
    let error = client.error(1, &["uninstall", "core"]);
    assert_eq!(error["code"], "needed");
    assert!(
        error["message"].as_str().unwrap().contains("`platform`"),
        "{error}"
    );
    let error = client.error(1, &["uninstall", "platfrom"]);
    assert!(
        error["hints"][0].as_str().unwrap().contains("`platform`"),
        "{error}"
    );
    let gone = client.json(&["uninstall", "core", "platform"]);
    assert_eq!(
        changes(&gone),
        ["remove core 3.2.1", "remove platform 2.5.3"]
    );
    assert!(packages(&client.json(&["list"])).is_empty());
    assert!(
        !client
            .prefix()
            .join("bin/provisioning-orchestrator")
            .is_symlink()
    );
}

#[test]
fn uninstall_needs_no_registry_and_says_what_became_unneeded() {
    let (mut registry, client) = published();
    client.ok(&["install", "mongodb"]);
    registry.stop();
    let gone = client.json(&["uninstall", "mongodb"]);
    assert_eq!(changes(&gone), ["remove mongodb 1.2.0"]);
    let warning = gone["plan"]["warnings"][0].as_str().unwrap();
    assert!(warning.contains("provisioning uninstall core"), "{warning}");
}

#[test]
fn uninstall_with_prune_takes_what_nothing_needs_afterwards() {
    let (_registry, client) = published();
    client.ok(&["install", "mongodb", "azure"]);
    let kept = client.json(&["uninstall", "mongodb", "--prune"]);
    assert_eq!(changes(&kept), ["remove mongodb 1.2.0"], "azure needs core");
    let gone = client.json(&["uninstall", "azure", "--autoremove"]);
    assert_eq!(changes(&gone), ["remove core 3.2.1", "remove azure 2.0.0"]);
}

#[test]
fn what_became_unneeded_is_followed_through_and_a_later_prune_takes_it() {
    let (registry, client) = published();
    let author = Client::of(&registry);
    let shelf = Sample::extension("shelf", "1.0.0").key("core-version = \"^3.0\"");
    author.publish(&shelf.table("[dependencies]\nredis = \"^1\""));
    client.ok(&["install", "shelf", "azure"]);
    let gone = client.json(&["uninstall", "shelf"]);
    let warning = gone["plan"]["warnings"][0].as_str().unwrap();
    assert!(
        warning.ends_with("`provisioning uninstall redis`"),
        "azure needs core: {warning}"
    );
    client.ok(&["install", "shelf"]);
    client.ok(&["uninstall", "azure"]);
    let gone = client.json(&["uninstall", "shelf"]);
    let warning = gone["plan"]["warnings"][0].as_str().unwrap();
    assert!(
        warning.ends_with("`provisioning uninstall core redis`"),
        "{warning}"
    );
    client.ok(&["install", "workspace"]);
    client.ok(&["uninstall", "workspace", "--prune"]);
    assert!(packages(&client.json(&["list"])).is_empty());
}

#[test]
fn the_way_out_of_a_protected_uninstall_names_everything_that_would_go() {
    let (_registry, client) = published();
    client.ok(&["install", "platform", "mongodb"]);
    let error = client.error(1, &["uninstall", "core"]);
    let hint = error["hints"][0].as_str().unwrap();
    let (_, command) = hint.split_once("`provisioning ").unwrap();
    let words: Vec<&str> = command.trim_end_matches('`').split(' ').collect();
    client.ok(&words);
    assert!(packages(&client.json(&["list"])).is_empty());
}

#[test]
fn every_refusal_ends_with_what_was_changed() {
    let (_registry, client) = published();
    client.ok(&["install", "platform"]);
    for refused in [
        &["install", "no-such-thing"] as &[&str],
        &["install", "core@9"],
        &["install", "core@x.y"],
        &["uninstall", "core"],
        &["uninstall", "redis"],
        &["upgrade", "redis"],
        &["rollback", "9"],
        &["pin", "redis"],
        &["unpin", "redis"],
        &["lock"],
        &["sync"],
        &["yank", "core@3.2.1", "--reason", "x"],
        &["bundle", "publish", "no-such"],
        &["registry", "remove", "https://nowhere.example"],
        &["package", "build", "no-such-folder"],
        &["publish", "no-such-file.tar.zst"],
    ] {
        let ran = client.run(refused);
        assert_ne!(ran.status(), 0, "{refused:?}");
        let text = ran.stderr();
        let last = text.lines().last().unwrap_or_default();
        assert_eq!(last, "note: nothing was changed", "{refused:?}:\n{text}");
    }
}

#[test]
fn a_member_taken_out_stays_out_until_it_is_asked_for_again() {
    let (_registry, client) = published();
    client.ok(&["install", "stable-3.2"]);
    client.ok(&["uninstall", "mongodb"]);
    client.ok(&["upgrade"]);
    assert!(!packages(&client.json(&["list"])).contains(&"mongodb 1.2.0".to_owned()));
    let back = client.json(&["extension", "install", "mongodb"]);
    assert_eq!(changes(&back), ["install mongodb 1.2.0"]);
    let gone = client.json(&["uninstall", "stable-3.2"]);
    assert_eq!(
        packages(&client.json(&["list"])),
        ["core 3.2.1", "mongodb 1.2.0"],
        "{gone}"
    );
}

#[test]
fn upgrade_moves_everything_or_only_what_is_named() {
    let (registry, client) = published();
    client.ok(&["install", "core@3", "redis"]);
    let author = Client::of(&registry);
    for version in ["1.2.0", "1.3.0"] {
        let sample = Sample::extension("redis", version).key("core-version = \"^3.0\"");
        author.publish(&sample.key("api = \"1.0.0\""));
    }
    author.publish(&Sample::first_party("core", "3.3.0"));
    let held = client.json(&["install", "mongodb"]);
    assert_eq!(changes(&held), ["install mongodb 1.2.0"], "the others stay");
    let named = client.json(&["upgrade", "redis"]);
    assert_eq!(changes(&named), ["upgrade redis 1.3.0"]);
    let all = client.json(&["upgrade"]);
    assert_eq!(changes(&all), ["upgrade core 3.3.0"]);
    assert_eq!(
        client.error(1, &["upgrade", "azure"])["code"],
        "not-installed"
    );
}

#[test]
fn upgrade_follows_a_channel_to_its_next_bundle() {
    let (registry, client) = published();
    client.ok(&["install", "stable"]);
    let author = Client::of(&registry);
    author.publish(&Sample::first_party("core", "3.3.0"));
    author.write(
        "versions.toml",
        "[bundles.stable-3.3]\nname = \"Stable 3.3\"\nrelease-date = \"2025-11-15\"\ncore = \"3.3.0\"\n",
    );
    author.ok(&["compat", "push", "versions.toml"]);
    author.ok(&["bundle", "publish", "stable-3.3"]);
    let moved = client.json(&["upgrade"]);
    assert!(
        changes(&moved).contains(&"upgrade core 3.3.0".to_owned()),
        "{moved}"
    );
    assert_eq!(client.json(&["list"])["bundle"], "stable-3.3");
}

#[test]
fn rollback_goes_back_with_configuration_and_can_be_undone() {
    let (mut registry, client) = published();
    client.ok(&["install", "lts-3.1"]);
    let config = client
        .prefix()
        .join("etc/provisioning/platform/config/orchestrator.toml");
    fs::write(&config, "# mine\n").unwrap();
    client.ok(&["install", "stable-3.2"]);
    assert_eq!(fs::read_to_string(&config).unwrap(), "# mine\n");
    let beside = config.with_extension("toml.new");
    assert_eq!(fs::read_to_string(&beside).unwrap(), "# 2.5.3\n");
    registry.stop();
    let back = client.json(&["rollback"]);
    assert_eq!(back["generation"], 3);
    assert_eq!(
        packages(&client.json(&["list"])),
        ["core 3.1.5", "platform 2.4.8", "workspace 1.3.0"]
    );
    assert_eq!(fs::read_to_string(&config).unwrap(), "# mine\n");
    assert!(!beside.exists());
    client.ok(&["rollback", "2"]);
    assert_eq!(packages(&client.json(&["list"])).len(), 6);
    let history = client.json(&["history"]);
    let reasons: Vec<_> = history["generations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["reason"].as_str().unwrap())
        .collect();
    assert_eq!(
        reasons,
        [
            "install lts-3.1",
            "install stable-3.2",
            "rollback",
            "rollback 2"
        ]
    );
    assert_eq!(history["generations"][3]["current"], true);
    assert_eq!(client.error(1, &["rollback", "9"])["code"], "no-generation");
}

#[test]
fn extension_commands_are_for_extensions_alone() {
    let (_registry, client) = published();
    client.ok(&["extension", "install", "azure-taskserv"]);
    assert_eq!(
        packages(&client.json(&["extension", "list"])),
        ["azure 2.0.0"]
    );
    assert_eq!(packages(&client.json(&["list"])).len(), 2);
    client.error(2, &["extension", "install", "core"]);
    client.error(2, &["extension", "uninstall", "core"]);
    let found = client.json(&["extension", "search", "redis"]);
    assert_eq!(found["packages"][0]["name"], "redis");
    client.ok(&["extension", "uninstall", "azure"]);
    assert!(packages(&client.json(&["extension", "list"])).is_empty());
}

#[test]
fn an_edited_file_is_found_by_verify_and_an_edited_configuration_is_none() {
    let (_registry, client) = published();
    client.ok(&["install", "platform"]);
    let config = "prefix/etc/provisioning/platform/config/orchestrator.toml";
    client.write(config, "# mine\n");
    let clean = client.json(&["verify"]);
    assert_eq!(clean["problems"].as_array().unwrap().len(), 0);
    assert_eq!(clean["edited"].as_array().unwrap().len(), 1);
    let program = fs::canonicalize(client.prefix().join("bin/provisioning-orchestrator")).unwrap();
    fs::remove_file(&program).unwrap();
    fs::write(&program, "#!/bin/sh\nevil\n").unwrap();
    let ran = client.run(&["--json", "verify"]);
    assert_eq!(ran.status(), 4);
    assert!(ran.stdout().contains("\"changed\""), "{}", ran.stdout());
}

#[test]
fn a_pre_release_that_was_let_in_stays_when_later_commands_do_not_say_pre() {
    let (registry, client) = published();
    Client::of(&registry).publish(&Sample::extension("redis", "1.2.0-rc.1"));
    client.ok(&["install", "redis", "--pre"]);
    assert_eq!(packages(&client.json(&["list"])), ["redis 1.2.0-rc.1"]);
    let held = client.json(&["install", "core"]);
    assert_eq!(changes(&held), ["install core 3.2.1"]);
}

#[test]
fn a_yanked_version_stays_where_it_is_and_installs_only_where_it_is_pinned() {
    let (registry, client) = published();
    client.ok(&["install", "azure"]);
    Client::of(&registry).ok(&[
        "yank",
        "azure@2.0.0",
        "--reason",
        "it loses data",
        "--force",
    ]);
    let held = client.json(&["install", "redis"]);
    assert_eq!(changes(&held), ["install redis 1.1.0"]);
    let other = client.home().join("other");
    let fresh = ["--prefix", other.to_str().unwrap()];
    client.error(3, &[&fresh[..], &["install", "azure"]].concat());
    let bundle = client.json(&[&fresh[..], &["install", "stable-3.2"]].concat());
    let warnings = bundle["plan"]["warnings"].to_string();
    assert!(
        warnings.contains("azure 2.0.0 is yanked: it loses data"),
        "{warnings}"
    );
}

#[test]
fn a_damaged_record_of_an_old_generation_keeps_nobody_from_going_back_to_it() {
    let (_registry, client) = published();
    client.ok(&["install", "core"]);
    client.ok(&["install", "redis"]);
    let record = "prefix/lib/provisioning/generations/1/generation.json";
    client.write(record, "not what was written");
    client.ok(&["history"]);
    client.ok(&["rollback", "1"]);
    assert_eq!(packages(&client.json(&["list"])).len(), 1);
}
