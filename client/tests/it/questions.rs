//! Questions about versions: why, tree, outdated, verdicts, what-if, the matrix as tables.

use serde_json::Value;

use crate::product::{packages, published};
use crate::registry_fixture::{Client, Registry, Sample};

fn texts(value: &Value) -> String {
    let all = value.as_array().unwrap().iter();
    let all: Vec<&str> = all.map(|it| it.as_str().unwrap()).collect();
    all.join("\n")
}

#[test]
fn every_path_to_a_package_names_who_asked_and_what_bounds_it() {
    let (_registry, client) = published();
    client.ok(&["install", "core@3.2.1", "platform"]);
    insta::assert_snapshot!(client.ok(&["why", "core"]), @"
    core 3.2.1
      you asked for `core@3.2.1` earlier
      you asked for `platform` earlier; platform 2.5.3 needs core `^3.2`
      bounded: the matrix lets platform 2.5.3 go only with core `^3.2` (line 7)
      bounded: the matrix lets platform 2.5.3 go only with core `>=3.2.0` (line 7)
    ");
    let document = client.json(&["why", "core"]);
    assert_eq!(document["ways"][1]["steps"][0]["name"], "platform");
    assert_eq!(client.error(1, &["why", "redis"])["code"], "not-installed");
}

#[test]
fn the_tree_shows_what_needs_what_and_inverted_who_needs_it() {
    let (mut registry, client) = published();
    client.ok(&["install", "platform", "mongodb"]);
    registry.stop();
    insta::assert_snapshot!(client.ok(&["tree"]), @"
    mongodb 1.2.0
    └── core 3.2.1 (^3.0)
    platform 2.5.3
    └── core 3.2.1 (^3.2)
    ");
    insta::assert_snapshot!(client.ok(&["tree", "--invert", "core"]), @"
    core 3.2.1
    ├── mongodb 1.2.0 (^3.0)
    └── platform 2.5.3 (^3.2)
    ");
    let document = client.json(&["tree"]);
    assert_eq!(document["tree"][1]["depth"], 1);
    assert_eq!(document["generation"], 1);
}

#[test]
fn what_is_outdated_is_told_with_what_holds_it_back() {
    let (_registry, client) = published();
    assert_eq!(client.run(&["outdated", "--exit-code"]).status(), 0);
    client.ok(&["install", "core@3.1.0", "platform"]);
    let document = client.json(&["outdated"]);
    let platform = &document["packages"][1];
    assert_eq!(platform["name"], "platform");
    assert_eq!(platform["newest"], "2.5.3");
    assert_eq!(platform["fits"], "2.5.0");
    let causes = texts(&platform["held_back_by"]);
    assert!(causes.contains("you asked for `core@3.1.0`"), "{causes}");
    assert!(causes.contains("core `^3.2`"), "{causes}");
    assert_eq!(client.run(&["outdated", "--exit-code"]).status(), 100);
    let text = client.ok(&["outdated"]);
    assert!(text.contains("platform is held back:"), "{text}");
    client.ok(&["install", "core", "platform"]);
    client.ok(&["upgrade"]);
    assert_eq!(client.run(&["outdated", "--exit-code"]).status(), 0);
}

#[test]
fn a_set_that_does_not_fit_is_judged_with_the_row_that_breaks_it() {
    let (_registry, client) = published();
    let verdict = client.json(&["compat", "check", "core@3.2.1", "platform@2.5.3"]);
    assert_eq!(verdict["fits"], true);
    let error = client.error(3, &["compat", "check", "core@3.1.0", "platform@2.5.3"]);
    let causes = texts(&error["causes"]);
    assert!(
        causes.contains("row of platform 2.5.3 (line 7) wants core `^3.2`"),
        "{causes}"
    );
    client.write(
        "mine.toml",
        "[compatibility.core]\n\"3.2.1\" = { platform = \"<2.5\" }\n",
    );
    let specs = ["core@3.2.1", "platform@2.5.3"];
    let under = ["compat", "check", specs[0], specs[1], "--file", "mine.toml"];
    let error = client.error(3, &under);
    assert!(texts(&error["causes"]).contains("(line 2)"), "{error}");
}

#[test]
fn the_matrix_is_shown_as_tables_and_as_the_file_that_it_is() {
    let (_registry, client) = published();
    let text = client.ok(&["compat", "show"]);
    let tables = text.split("\n\nbundle").next().unwrap();
    insta::assert_snapshot!(tables, @"
    core   extensions  platform  workspace
    3.2.1  ^1.0        ^2.5      ^1.0
    3.2.0  ^1.0        ^2.4      ^1.0
    3.1.0  ^0.9        ^2.3      ^1.0

    platform  core  min-core
    2.5.3     ^3.2  >=3.2.0
    2.5.0     ^3.1  >=3.1.0
    ");
    let file = client.ok(&["compat", "show", "--toml"]);
    assert!(file.contains("[compatibility.core]\n\"3.2.1\""), "{file}");
    let document = client.json(&["compat", "show"]);
    assert_eq!(document["tables"][0]["rows"][0]["cells"][1], "^2.5");
}

#[test]
fn what_one_change_forces_on_the_others_is_told_without_doing_it() {
    let (_registry, client) = published();
    let about = ["compat", "what-if", "core@3.2.1", "--bundle", "lts"];
    let document = client.json(&about);
    let changes = document["changes"].as_array().unwrap();
    assert_eq!(changes[0]["name"], "core");
    assert_eq!(changes[0]["to"], "3.2.1");
    assert_eq!(changes[1]["name"], "platform");
    assert!(
        !changes[1]["why"].as_str().unwrap().is_empty(),
        "{document}"
    );
    client.ok(&["install", "core@3.1.5", "platform"]);
    let before = packages(&client.json(&["list"]));
    client.ok(&["compat", "what-if", "core@3.2.1"]);
    assert_eq!(packages(&client.json(&["list"])), before);
    let refused = ["compat", "what-if", "core@3.1.5", "platform@2.5.3"];
    assert_eq!(client.error(3, &refused)["code"], "no-solution");
}

#[test]
fn a_version_that_needs_what_the_registry_lacks_is_passed_over() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    let needy = "[dependencies]\nghost = \"^1\"";
    client.publish(&Sample::extension("redis", "1.0.0"));
    client.publish(&Sample::extension("redis", "1.1.0").table(needy));
    assert_eq!(
        packages(&client.json(&["resolve", "redis"])),
        ["redis 1.0.0"]
    );
    let error = client.error(3, &["resolve", "redis@1.1.0"]);
    assert!(texts(&error["causes"]).contains("ghost"), "{error}");
    let explained = error["explanation"]["because"].as_array().unwrap();
    assert!(explained.iter().any(|it| it["kind"] == "missing-package"));
    let unknown = client.error(3, &["resolve", "ghost"]);
    assert!(!unknown["causes"].as_array().unwrap().is_empty());
}
