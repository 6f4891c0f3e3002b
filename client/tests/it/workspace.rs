//! Workspaces from templates.

use std::fs;

use crate::product::{packages, published};
use crate::registry_fixture::Client;

#[test]
fn a_workspace_is_made_from_a_template_that_is_fetched_first() {
    let (_registry, client) = published();
    let made = client.json(&["workspace", "create", "my-infra", "--template", "minimal"]);
    assert_eq!(
        (&made["template"], &made["version"]),
        (&"minimal".into(), &"1.4.0".into())
    );
    assert_eq!(packages(&client.json(&["list"])), ["workspace 1.4.0"]);
    let read = |path: &str| fs::read_to_string(client.home().join(path)).unwrap();
    assert!(read("my-infra/README.md").starts_with("# my-infra\n"));
    assert_eq!(
        read("my-infra/infra/default.toml"),
        "plain = \"{{ name }}\"\n"
    );
    let settings = read("my-infra/provisioning.toml");
    for line in [
        "name = \"my-infra\"",
        "template = \"minimal\"",
        "template-version = \"1.4.0\"",
    ] {
        assert!(settings.contains(line), "{settings}");
    }
    client.write("my-infra/infra/mine.toml", "");
    let error = client.error(
        1,
        &["workspace", "create", "my-infra", "--template", "minimal"],
    );
    assert_eq!(error["code"], "workspace-exists");
}

#[test]
fn a_refusal_after_the_templates_were_installed_says_that_they_are() {
    let (_registry, client) = published();
    let error = client.error(1, &["workspace", "create", "x", "--template", "huge"]);
    let hints = error["hints"].as_array().unwrap();
    let last = hints.last().unwrap().as_str().unwrap();
    assert!(last.contains("`workspace` is installed now"), "{error}");
    assert_eq!(packages(&client.json(&["list"])), ["workspace 1.4.0"]);
    let error = client.error(1, &["workspace", "create", "x", "--template", "huge"]);
    assert!(error.to_string().contains("nothing was changed"), "{error}");
}

#[test]
fn templates_are_listed_and_an_unknown_one_names_those_that_there_are() {
    let (_registry, client) = published();
    let listed = client.json(&["workspace", "templates"]);
    assert_eq!(listed["templates"][0]["name"], "kubernetes");
    assert_eq!(listed["templates"][1]["name"], "minimal");
    assert!(!client.prefix().exists(), "a listing installs nothing");
    let error = client.error(1, &["workspace", "create", "x", "--template", "huge"]);
    assert!(
        error["hints"][0].as_str().unwrap().contains("`minimal`"),
        "{error}"
    );
    assert!(!client.home().join("x").exists());
}

#[test]
fn init_makes_a_folder_with_files_a_workspace_by_one_file() {
    let client = Client::alone();
    client.write("infra/notes.txt", "mine");
    client.ok(&["workspace", "init", "infra"]);
    let settings = fs::read_to_string(client.home().join("infra/provisioning.toml")).unwrap();
    assert!(settings.contains("name = \"infra\""), "{settings}");
    let error = client.error(1, &["workspace", "init", "infra"]);
    assert_eq!(error["code"], "workspace-exists");
}

#[test]
fn init_with_a_template_fills_an_empty_folder() {
    let (_registry, client) = published();
    fs::create_dir(client.home().join("empty")).unwrap();
    client.ok(&["workspace", "init", "empty", "--template", "kubernetes"]);
    assert!(client.home().join("empty/nodes.k").is_file());
}
