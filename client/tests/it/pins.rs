//! Pins: what a package is tied to, and how the others respect it.

use crate::product::{changes, packages, published};
use crate::registry_fixture::{Client, Sample};

#[test]
fn a_pin_holds_against_upgrade_until_it_is_taken_away() {
    let (registry, client) = published();
    client.ok(&["install", "core@3", "redis"]);
    let pinned = client.json(&["pin", "redis"]);
    assert_eq!(pinned["plan"]["pins"]["redis"], "1.1.0");
    assert_eq!(pinned["generation"], 2);
    let author = Client::of(&registry);
    let newer = Sample::extension("redis", "1.2.0").key("core-version = \"^3.0\"");
    author.publish(&newer.key("api = \"1.0.0\""));
    let held = client.json(&["upgrade"]);
    assert!(changes(&held).is_empty(), "{held}");
    let warnings = held["plan"]["warnings"].to_string();
    assert!(warnings.contains("provisioning unpin redis"), "{warnings}");
    let outdated = client.json(&["outdated"]);
    let held_back = outdated["packages"][0]["held_back_by"].to_string();
    assert!(
        held_back.contains("you pinned redis to `1.1.0`"),
        "{held_back}"
    );
    let list = client.ok(&["list"]);
    assert!(list.contains("1.1.0 (pinned)"), "{list}");
    let freed = client.json(&["unpin", "redis"]);
    assert!(freed["plan"]["pins"]["redis"].is_null());
    let moved = client.json(&["upgrade"]);
    assert_eq!(changes(&moved), ["upgrade redis 1.2.0"]);
}

#[test]
fn a_pin_to_another_version_moves_the_package_there() {
    let (_registry, client) = published();
    client.ok(&["install", "core"]);
    let moved = client.json(&["pin", "core@~3.1"]);
    assert_eq!(changes(&moved), ["downgrade core 3.1.5"]);
    let listed = client.json(&["list"]);
    assert_eq!(packages(&listed), ["core 3.1.5"]);
    assert_eq!(listed["packages"][0]["pinned"], "~3.1");
    let back = client.json(&["rollback"]);
    assert_eq!(changes(&back), ["upgrade core 3.2.1"]);
    assert!(client.json(&["list"])["packages"][0]["pinned"].is_null());
}

#[test]
fn what_a_pin_keeps_out_is_refused_with_the_way_out() {
    let (_registry, client) = published();
    client.ok(&["install", "core"]);
    client.ok(&["pin", "core@3.1.5"]);
    let error = client.error(3, &["install", "platform@2.5.3"]);
    let causes = error["causes"].to_string();
    assert!(causes.contains("you pinned core to `3.1.5`"), "{error}");
    let hints = error["hints"].to_string();
    assert!(hints.contains("provisioning unpin core"), "{error}");
    assert!(hints.ends_with("\"nothing was changed\"]"), "{error}");
}

#[test]
fn pinning_asks_no_registry_where_nothing_has_to_move() {
    let (mut registry, client) = published();
    client.ok(&["install", "core"]);
    registry.stop();
    client.ok(&["pin", "core"]);
    client.ok(&["pin", "core@^3"]);
    assert_eq!(
        client.json(&["pin", "core@^3"])["generation"],
        3,
        "the same pin again changes nothing"
    );
    client.ok(&["unpin", "--all"]);
    assert_eq!(client.error(1, &["unpin", "core"])["code"], "not-pinned");
}

#[test]
fn only_what_is_installed_can_be_pinned_and_only_to_something() {
    let (_registry, client) = published();
    assert_eq!(client.error(1, &["pin", "core"])["code"], "not-installed");
    client.ok(&["install", "core"]);
    let error = client.error(1, &["pin", "cor"]);
    assert_eq!(error["hints"][0], "did you mean `core`?");
    client.error(2, &["pin", "core@*"]);
    client.error(2, &["pin", "bundle:stable-3.2"]);
    let error = client.error(3, &["pin", "core@9.0.0"]);
    let hints = error["hints"].to_string();
    assert!(!hints.contains("unpin"), "there is no such pin: {hints}");
    assert!(hints.contains("provisioning info core"), "{hints}");
    assert_eq!(client.json(&["list"])["generation"], 1);
}

#[test]
fn a_pin_goes_with_its_package() {
    let (_registry, client) = published();
    client.ok(&["install", "core", "redis"]);
    client.ok(&["pin", "redis"]);
    let gone = client.json(&["uninstall", "redis"]);
    let warnings = gone["plan"]["warnings"].to_string();
    assert!(
        warnings.contains("the pin of `redis` to 1.1.0"),
        "{warnings}"
    );
    assert!(gone["plan"]["pins"]["redis"].is_null());
    assert_eq!(client.error(1, &["unpin", "redis"])["code"], "not-pinned");
}
