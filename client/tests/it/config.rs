//! Settings, remembered registries and stored tokens.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::Value;

use crate::registry_fixture::{Client, Registry, Sample};

fn setting<'a>(document: &'a Value, name: &str) -> &'a Value {
    document["settings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["name"] == name)
        .unwrap()
}

#[test]
fn config_show_tells_where_each_value_comes_from() {
    let client = Client::alone();
    client.write(
        ".config/provisioning/config.toml",
        "min-age = \"24h\"\nregistry = \"https://one.example\"\n",
    );
    client.write(
        "provisioning.toml",
        "registry = \"https://two.example\"\n[workspace]\nname = \"x\"\n",
    );
    let shown = client.json(&["config", "show"]);
    assert_eq!(setting(&shown, "min-age")["value"], "24h");
    let registry = setting(&shown, "registry");
    assert_eq!(registry["value"], "https://two.example");
    assert!(
        registry["origin"]
            .as_str()
            .unwrap()
            .contains("provisioning.toml")
    );
    let shown = client.json(&["--registry", "https://three.example", "config", "show"]);
    assert_eq!(setting(&shown, "registry")["origin"], "flag `--registry`");
}

#[test]
fn a_home_that_may_not_be_entered_holds_no_settings_of_ours() {
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::process::CommandExt as _;
    let client = Client::alone();
    let home = tempfile::tempdir().unwrap();
    let is_root = home.path().metadata().unwrap().uid() == 0;
    let closed = std::fs::Permissions::from_mode(0o000);
    std::fs::set_permissions(home.path(), closed).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = client.command(arguments);
        command.env("HOME", home.path()).current_dir("/");
        // Nothing is closed to root.
        if is_root {
            command.uid(65534).gid(65534);
        }
        command.output()
    };
    let Ok(shown) = run(&["config", "show"]) else {
        eprintln!("skipped: another user cannot run the program where it lies");
        return;
    };
    let text = String::from_utf8_lossy(&shown.stderr);
    assert_eq!(shown.status.code(), Some(0), "{text}");
    let named = home.path().join("named.toml");
    let named = run(&["--config", named.to_str().unwrap(), "config", "show"]).unwrap();
    assert_eq!(named.status.code(), Some(2));
}

#[test]
fn a_variable_that_is_no_text_is_refused_and_not_ignored() {
    let garbled: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"/tmp/\xff");
    let output = Client::alone()
        .command(&["cache", "dir"])
        .env("PROVISIONING_PREFIX", garbled)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("`PROVISIONING_PREFIX` is not UTF-8"),
        "{text}"
    );
}

#[test]
fn an_empty_prefix_is_refused_and_is_not_the_current_folder() {
    let client = Client::alone();
    let error = client.error(2, &["--prefix", "", "list"]);
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("no value for `prefix`"), "{error}");
}

#[test]
fn reading_needs_neither_a_home_for_tokens_nor_good_credentials() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    client.publish(&Sample::extension("redis", "1.1.0"));
    let client = Client::alone().with("PROVISIONING_REGISTRY", registry.url());
    client.write(
        ".config/provisioning/credentials.toml",
        "this is = not [ TOML",
    );
    client.ok(&["info", "redis"]);
    client.ok(&["search", "redis"]);
}

#[test]
fn an_unknown_key_is_a_warning_and_a_broken_file_a_failure() {
    let client = Client::alone();
    client.write(".config/provisioning/config.toml", "colour = \"mauve\"\n");
    let ran = client.run(&["cache", "dir"]);
    assert_eq!(ran.status(), 0);
    assert!(
        ran.stderr().contains("no such setting: `colour`"),
        "{}",
        ran.stderr()
    );
    client.write(".config/provisioning/config.toml", "registry = \n");
    assert_eq!(client.error(2, &["cache", "dir"])["code"], "usage");
}

#[test]
fn a_remembered_registry_needs_no_flag_any_more() {
    let registry = Registry::start();
    let client = Client::alone();
    client.ok(&["registry", "add", registry.url()]);
    let listed = client.json(&["registry", "list"]);
    assert_eq!(listed["registries"][0]["default"], true);
    let shown = client.json(&["trust", "show"]);
    assert!(
        shown["root_fingerprint"]
            .as_str()
            .unwrap()
            .starts_with("sha256:")
    );
    client.ok(&["registry", "remove", registry.url()]);
    assert_eq!(
        client.json(&["registry", "list"])["registries"],
        Value::Array(vec![])
    );
    assert_eq!(
        client.error(1, &["registry", "remove", registry.url()])["code"],
        "unknown-registry"
    );
}

#[test]
fn a_wrong_fingerprint_is_refused_whether_given_or_remembered() {
    let registry = Registry::start();
    let wrong = format!("sha256:{}", "0".repeat(64));
    let client = Client::alone();
    let flags = [
        "--registry",
        registry.url(),
        "--root-fingerprint",
        &wrong,
        "trust",
        "show",
    ];
    assert_eq!(client.error(4, &flags)["code"], "wrong-root");
    client.ok(&[
        "registry",
        "add",
        registry.url(),
        "--root-fingerprint",
        &wrong,
    ]);
    assert_eq!(client.error(4, &["trust", "show"])["code"], "wrong-root");
    let right = Client::of(&registry).json(&["trust", "show"])["root_fingerprint"].clone();
    client.ok(&[
        "registry",
        "add",
        registry.url(),
        "--root-fingerprint",
        right.as_str().unwrap(),
    ]);
    assert_eq!(client.json(&["trust", "show"])["root_fingerprint"], right);
}

#[test]
fn another_registry_under_a_known_address_is_refused_until_it_is_forgotten() {
    let client = Client::alone();
    let mirror = Registry::start().mirror();
    let address = format!("file://{}", mirror.path().display());
    let client = client.with("PROVISIONING_REGISTRY", &address);
    client.ok(&["trust", "show"]);
    let other = Registry::start().mirror();
    std::fs::remove_dir_all(mirror.path()).unwrap();
    std::fs::rename(other.path(), mirror.path()).unwrap();
    assert_eq!(client.error(4, &["trust", "show"])["code"], "root-changed");
    client.ok(&["registry", "remove", &address]);
    client.ok(&["trust", "show"]);
}

#[test]
fn a_token_is_stored_for_its_owner_alone_and_never_shown() {
    let registry = Registry::start();
    let client = Client::alone().with("PROVISIONING_REGISTRY", registry.url());
    let mut child = client
        .command(&["login"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let token = registry.admin_token();
    writeln!(child.stdin.take().unwrap(), "{token}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(!String::from_utf8_lossy(&output.stdout).contains(&token));
    let path = client.home().join(".config/provisioning/credentials.toml");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!client.ok(&["config", "show"]).contains(&token));
    let missing = client.error(1, &["publish", "status", "no-such-session"]);
    assert_ne!(missing["code"], "no-token", "{missing}");
    client.ok(&["logout"]);
    assert_eq!(
        client.error(1, &["publish", "status", "x"])["code"],
        "no-token"
    );
}
