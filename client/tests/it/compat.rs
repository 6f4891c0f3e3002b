//! The compatibility matrix: checked, pushed, shown.

use crate::registry_fixture::{Client, Registry, Sample};

const MATRIX: &str = "# kept\n[compatibility.core]\n\"3.1.0\" = { platform = \"^2.3\" }\n";

#[test]
fn a_pushed_matrix_is_served_as_it_was_written() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    client.write("versions.toml", MATRIX);
    let pushed = client.json(&["compat", "push"]);
    assert_eq!(pushed["changes"][0], "+ core 3.1.0: platform ^2.3");
    let shown = client.json(&["compat", "show"]);
    assert_eq!(shown["text"], MATRIX);
    assert_eq!(shown["digest"], pushed["digest"]);
    let again = client.json(&["compat", "push"]);
    assert_eq!(again["serial"], serde_json::Value::Null);
}

#[test]
fn a_push_over_a_matrix_that_somebody_else_changed_is_refused() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    client.write("versions.toml", MATRIX);
    let base = client.json(&["compat", "push"])["digest"].clone();
    client.write("versions.toml", &MATRIX.replace("2.3", "2.4"));
    client.ok(&["compat", "push"]);
    client.write("versions.toml", &MATRIX.replace("2.3", "2.5"));
    let error = client.error(1, &["compat", "push", "--base", base.as_str().unwrap()]);
    assert!(!error["code"].as_str().unwrap().is_empty(), "{error}");
    assert!(client.ok(&["compat", "show"]).contains("^2.4"));
}

#[test]
fn the_companion_beside_it_is_pushed_with_it() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    client.write("d/versions.toml", MATRIX);
    client.write(
        "d/compatibility.toml",
        "[compatibility.core]\n\"3.2.0\" = { platform = \"^2.4\" }\n",
    );
    client.ok(&["compat", "push", "d/versions.toml"]);
    let rows = client.json(&["compat", "show"])["rows"].clone();
    assert_eq!(rows.as_array().unwrap().len(), 2, "{rows}");
    client.write(
        "d/compatibility.toml",
        "[compatibility.core]\n\"3.1.0\" = { platform = \"^2.4\" }\n",
    );
    assert_eq!(
        client.error(1, &["compat", "push", "d/versions.toml"])["code"],
        "invalid-matrix"
    );
}

#[test]
fn every_mistake_of_a_matrix_is_reported_at_once_with_its_line() {
    let client = Client::alone();
    client.write(
        "versions.toml",
        "[compatibility.core]\n\"three\" = { platform = \"^2.3\" }\n\"3.1.0\" = { platform = \"two\" }\n",
    );
    let error = client.error(1, &["compat", "check"]);
    let causes = error["causes"].to_string();
    for place in ["versions.toml:2:", "versions.toml:3:"] {
        assert!(causes.contains(place), "{place}: {causes}");
    }
}

#[test]
fn a_bundle_member_that_does_not_exist_is_named_with_its_line() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    client.publish(&Sample::first_party("core", "3.1.0"));
    let text = format!(
        "{MATRIX}[bundles.stable-3.1]\nname = \"S\"\nrelease-date = \"2025-10-15\"\ncore = \"3.1.0\"\n\
         platform = \"2.4.0\"\n"
    );
    client.write("versions.toml", &text);
    let error = client.error(1, &["compat", "check"]);
    assert_eq!(error["code"], "matrix-mismatch");
    assert!(
        error["causes"][0]
            .as_str()
            .unwrap()
            .starts_with("versions.toml:8:"),
        "{error}"
    );
    client.publish(&Sample::first_party("platform", "2.4.0"));
    client.ok(&["compat", "check"]);
}

#[test]
fn a_bundle_that_cannot_be_solved_and_a_row_that_nothing_answers_are_found() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    client.publish(&Sample::first_party("core", "3.1.0"));
    let needs = "[dependencies]\ncore = \"^3.2\"";
    client.publish(&Sample::first_party("platform", "2.5.0").table(needs));
    let rows = "[compatibility.core]\n\"3.1.0\" = { platform = \"^2.5\" }\n";
    client.write("versions.toml", rows);
    let checked = client.json(&["compat", "check", "--file", "versions.toml"]);
    let warnings = checked["warnings"].to_string();
    assert!(
        warnings.contains("versions.toml:2:24: the row of core 3.1.0"),
        "{warnings}"
    );
    let bundle = "[bundles.odd]\nname = \"O\"\nrelease-date = \"2025-10-15\"\ncore = \"3.1.0\"\n\
                  platform = \"2.5.0\"\n";
    client.write("versions.toml", &format!("{rows}{bundle}"));
    let error = client.error(1, &["compat", "check"]);
    assert!(
        error["causes"][0]
            .as_str()
            .unwrap()
            .starts_with("versions.toml:3:1: bundle `odd`"),
        "{error}"
    );
}
