//! `compat check --file`: what is wrong with a matrix, each with its line and column.

use serde_json::{Value, json};

use crate::foreign_registry::ForeignRegistry;
use crate::registry_fixture::Client;

/// A registry with two cores, two platforms and an extension.
fn client() -> (ForeignRegistry, Client) {
    let mut registry = ForeignRegistry::new();
    registry.first_party("core", &[("3.1.0", &[]), ("3.2.0", &[])]);
    let old: (&str, &[(&str, &str)]) = ("2.4.0", &[("core", "^3.1")]);
    registry.first_party("platform", &[old, ("2.5.0", &[("core", "^3.2")])]);
    registry.extension("redis", &[("1.1.0", &[])]);
    let client = registry.signed();
    (registry, client)
}

fn warnings(text: &str) -> String {
    let (_registry, client) = client();
    client.write("versions.toml", text);
    let checked = client.json(&["compat", "check", "--file", "versions.toml"]);
    lines(&checked["warnings"])
}

fn errors(text: &str) -> String {
    let (_registry, client) = client();
    client.write("versions.toml", text);
    let error = client.error(1, &["compat", "check", "--file", "versions.toml"]);
    lines(&error["causes"])
}

fn lines(found: &Value) -> String {
    let found = found.as_array().unwrap().iter();
    let found: Vec<&str> = found.map(|it| it.as_str().unwrap()).collect();
    found.join("\n")
}

#[test]
fn a_row_that_no_version_meets_is_found_with_its_place() {
    insta::assert_snapshot!(warnings(
        "[compatibility.core]\n\"3.1.0\" = { platform = \"^9\" }\n"
    ), @r"
    versions.toml:2:24: this registry has no platform that meets `^9`
    ");
    insta::assert_snapshot!(errors(
        "[compatibility.core]\n\"3.1.0\" = { platform = \">2, <1\" }\n"
    ), @r"
    versions.toml:2:24: no version can meet `>2, <1`
    ");
}

#[test]
fn a_version_that_the_registry_lacks_is_found_with_its_place() {
    insta::assert_snapshot!(warnings(
        "[compatibility.core]\n\"3.1.0\" = { platform = \"^2\" }\n\"3.9.0\" = { platform = \"^2\" }\n"
    ), @r"
    versions.toml:3:1: this registry has no core 3.9.0
    ");
}

#[test]
fn rows_that_contradict_each_other_are_found_with_their_places() {
    insta::assert_snapshot!(errors(
        "[compatibility.core]\n\"3.1.0\" = { platform = \"=2.4.0\" }\n\
         [compatibility.platform]\n\"2.4.0\" = { core = \"^3.2\" }\n"
    ), @r"
    versions.toml:2:24: the row of core 3.1.0 wants platform 2.4.0, but the row of platform 2.4.0 (line 4) wants core `^3.2`
    ");
    insta::assert_snapshot!(errors(
        "[compatibility.platform]\n\"2.4.0\" = { core = \"^3.2\", min-core = \"4.0.0\" }\n"
    ), @r#"
    versions.toml:2:39: the row of platform 2.4.0 contradicts itself: no version meets both `core = "^3.2"` and `min-core = ">=4.0.0"`
    "#);
    insta::assert_snapshot!(errors(
        "[compatibility.core]\n\"3.1.0\" = { platform = \"^2\" }\n\"3.1.0\" = { platform = \"^2.4\" }\n"
    ), @r"
    versions.toml:3:1: duplicate key
    ");
}

#[test]
fn a_row_against_what_the_packages_need_is_found_with_its_place() {
    insta::assert_snapshot!(warnings(
        "[compatibility.core]\n\"3.1.0\" = { platform = \"^2.5\" }\n"
    ), @r"
    versions.toml:2:24: the row of core 3.1.0 lets in platform `^2.5`, and no platform of this registry that meets that goes with it: platform 2.5.0 needs core `^3.2`
    ");
}

#[test]
fn a_bundle_that_cannot_be_solved_is_found_with_its_place() {
    insta::assert_snapshot!(errors(
        "[bundles.odd]\nname = \"Odd\"\nrelease-date = \"2025-10-15\"\ncore = \"3.1.0\"\nplatform = \"2.5.0\"\n"
    ), @r"
    versions.toml:1:1: bundle `odd`: members do not go together: platform 2.5.0 needs core `^3.2`, not 3.1.0; change one of them or the matrix
    ");
    insta::assert_snapshot!(errors(
        "[bundles.odd]\nname = \"Odd\"\nrelease-date = \"2025-10-15\"\ncore = \"3.1.7\"\nextensions = [\"rediss@1.1.0\"]\n"
    ), @r"
    versions.toml:4:8: bundle `odd`: this registry has no core 3.1.7
    versions.toml:5:15: bundle `odd`: this registry has no package `rediss`
    ");
}

#[test]
fn unknown_keys_are_found_with_their_places_and_change_nothing() {
    insta::assert_snapshot!(warnings(
        "[compatibility.core]\n\"3.1.0\" = { platform = \"^2\", \"no name\" = \"^1\" }\n\
         [bundles.good]\nname = \"Good\"\nrelease-date = \"2025-10-15\"\ncore = \"3.1.0\"\ncolour = \"red\"\n[extra]\na = 1\n"
    ), @r"
    versions.toml:2:30: unknown key `no name` is ignored: `no name` is not a package name: use 1 to 64 lower-case letters, digits and single inner hyphens
    versions.toml:7:1: unknown key `colour` is ignored
    versions.toml:8:2: unknown key `extra` is ignored
    ");
    // What is wrong in one way is shown on the terminal too.
    let (_registry, client) = client();
    client.write(
        "versions.toml",
        "[compatibility.core]\n\"3.1.0\" = { platform = \"^9\" }\n",
    );
    let ran = client.run(&["compat", "check"]);
    assert!(
        ran.stderr().contains("versions.toml:2:"),
        "{}",
        ran.stderr()
    );
    assert_eq!(json!(ran.status()), json!(0));
}
