//! `doctor`: each thing that can be wrong is named, with its fix.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::product::published;
use crate::registry_fixture::{Client, Registry};

/// The codes of the problems, and the document.
fn problems(client: &Client, status: i32) -> (Vec<String>, Value) {
    let ran = client.run(&["--json", "doctor"]);
    assert_eq!(ran.status(), status, "{}{}", ran.stdout(), ran.stderr());
    let document: Value = serde_json::from_str(&ran.stdout()).unwrap();
    let codes = document["problems"].as_array().unwrap().iter();
    let codes = codes.map(|it| it["code"].as_str().unwrap().to_owned());
    let codes = codes.collect();
    for problem in document["problems"].as_array().unwrap() {
        for key in ["message", "fix"] {
            assert!(!problem[key].as_str().unwrap().is_empty(), "{problem}");
        }
    }
    (codes, document)
}

/// A client with its own commands on PATH, as the guide has it.
fn at_home(client: Client) -> Client {
    let path = format!("{}:/usr/bin:/bin", client.prefix().join("bin").display());
    client.with("PATH", &path)
}

#[test]
fn a_healthy_installation_has_no_problem_and_exits_zero() {
    let (_registry, client) = published();
    let client = at_home(client);
    client.ok(&["install", "stable-3.2"]);
    let (codes, document) = problems(&client, 0);
    assert!(codes.is_empty(), "{document}");
    let text = client.ok(&["doctor"]);
    assert!(text.ends_with("nothing is wrong\n"), "{text}");
}

#[test]
fn broken_files_and_commands_that_do_not_start_ours_are_named() {
    let (_registry, client) = published();
    client.ok(&["install", "platform"]);
    let (codes, _) = problems(&client, 1);
    assert_eq!(codes, ["not-on-path"]);
    let other = client.write("other/provisioning-orchestrator", "#!/bin/sh\necho other\n");
    let program = client.prefix().join("bin/provisioning-orchestrator");
    fs::remove_file(fs::canonicalize(&program).unwrap()).unwrap();
    let path = format!(
        "{}:{}:/usr/bin:/bin",
        other.parent().unwrap().display(),
        client.prefix().join("bin").display()
    );
    let client = client.with("PATH", &path);
    let (codes, document) = problems(&client, 1);
    assert_eq!(codes, ["files-changed", "shadowed-command"], "{document}");
}

#[test]
fn another_installation_is_named_with_its_prefix() {
    let (_registry, client) = published();
    let client = at_home(client);
    client.ok(&["install", "core"]);
    let other = client.home().join(".provisioning");
    client.ok(&["--prefix", other.to_str().unwrap(), "install", "redis"]);
    let (codes, document) = problems(&client, 1);
    assert_eq!(codes, ["other-prefix"]);
    let message = document["problems"][0]["message"].as_str().unwrap();
    assert!(message.contains(other.to_str().unwrap()), "{message}");
}

#[test]
fn missing_commands_of_packages_come_with_the_fix() {
    let registry = Registry::start();
    let author = Client::of(&registry);
    let sample = crate::registry_fixture::Sample::extension("mongodb", "1.0.0");
    author.publish(&sample.table("[requires]\nnu = \">=0.108\"\nsh-of-nobody = \"*\""));
    let client = Client::alone().with("PROVISIONING_REGISTRY", registry.url());
    client.write("tools/nu", "#!/bin/sh\necho 0.90.0\n");
    let path = format!("{}:/usr/bin:/bin", client.home().join("tools").display());
    let client = client.with("PATH", &path);
    client.ok(&["install", "mongodb"]);
    let (mut codes, document) = problems(&client, 1);
    codes.sort();
    assert_eq!(codes, ["command-missing", "command-too-old"], "{document}");
}

#[test]
fn each_way_not_to_reach_a_registry_has_its_own_name() {
    let client = Client::alone();
    assert_eq!(problems(&client, 1).0, ["no-registry"]);
    let client = client.with("PROVISIONING_REGISTRY", "http://127.0.0.1:9");
    assert_eq!(problems(&client, 1).0, ["registry-refused"]);
    let client = client.with("PROVISIONING_REGISTRY", "http://no-such-host.invalid");
    assert_eq!(problems(&client, 1).0, ["registry-dns"]);
    let client = client.with("PROVISIONING_REGISTRY", "file:///no/such/folder");
    assert_eq!(problems(&client, 1).0, ["registry-unreachable"]);
    let registry = Registry::start();
    let secure = registry.url().replace("http://", "https://");
    let client = client.with("PROVISIONING_REGISTRY", &secure);
    assert_eq!(problems(&client, 1).0, ["registry-tls"]);
}

#[test]
fn open_tokens_and_unknown_settings_are_named() {
    let (_registry, client) = published();
    let client = at_home(client);
    client.write(".config/provisioning/config.toml", "colour = \"never\"\n");
    let path = client.write(".config/provisioning/credentials.toml", "# none\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let (codes, document) = problems(&client, 1);
    assert_eq!(codes, ["unknown-setting", "open-credentials"]);
    let fix = document["problems"][1]["fix"].as_str().unwrap();
    assert!(fix.starts_with("chmod 600 "), "{fix}");
}

#[test]
fn leftovers_of_a_killed_run_and_a_clock_that_went_back_are_named() {
    let (_registry, client) = published();
    let client = at_home(client);
    client.ok(&["install", "core"]);
    let base = client.prefix().join("lib/provisioning");
    fs::create_dir(base.join("store/.tmp-half")).unwrap();
    let file = base.join("generations/1/generation.json");
    let mut generation: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    generation["created_at"] = "2199-01-01T00:00:00Z".into();
    fs::write(&file, generation.to_string()).unwrap();
    let (codes, document) = problems(&client, 1);
    // Our own record was changed by hand, which is a finding too.
    let all = ["files-changed", "leftovers", "clock-stepped-back"];
    assert_eq!(codes, all, "{document}");
}

#[test]
fn a_lost_link_to_the_current_generation_is_named_and_what_it_led_to_is_no_leftover() {
    let (_registry, client) = published();
    let client = at_home(client);
    client.ok(&["install", "core"]);
    client.ok(&["install", "redis"]);
    fs::remove_file(client.prefix().join("lib/provisioning/current")).unwrap();
    let (codes, document) = problems(&client, 1);
    assert_eq!(codes, ["files-changed"], "{document}");
    for reader in [
        &["list"] as &[&str],
        &["tree"],
        &["why", "redis"],
        &["outdated"],
        &["install", "--dry-run", "mongodb"],
        &["uninstall", "redis"],
    ] {
        let error = client.error(1, reader);
        assert_eq!(error["code"], "damaged-state", "{reader:?}: {error}");
        let hints = error["hints"].to_string();
        assert!(hints.contains("verify --repair"), "{reader:?}: {hints}");
    }
    client.ok(&["verify", "--repair"]);
    assert!(problems(&client, 0).0.is_empty());
}

#[test]
fn a_generation_of_a_newer_client_is_a_problem_and_no_crash() {
    let (_registry, client) = published();
    let client = at_home(client);
    client.ok(&["install", "core"]);
    let file = client
        .prefix()
        .join("lib/provisioning/generations/1/generation.json");
    let mut generation: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    generation["schema"] = 99.into();
    fs::write(&file, generation.to_string()).unwrap();
    let (codes, document) = problems(&client, 1);
    assert_eq!(codes, ["newer-client"], "{document}");
}

#[test]
fn a_bundle_past_its_support_and_a_yanked_version_are_named() {
    let (registry, client) = published();
    let client = at_home(client);
    client.ok(&["install", "lts-3.1", "redis"]);
    Client::of(&registry).ok(&[
        "yank",
        "redis@1.1.0",
        "--reason",
        "it loses data",
        "--force",
    ]);
    let (codes, document) = problems(&client, 1);
    assert_eq!(codes, ["bundle-unsupported", "yanked"], "{document}");
    let message = document["problems"][1]["message"].as_str().unwrap();
    assert!(message.contains("it loses data"), "{message}");
}
