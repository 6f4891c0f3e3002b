//! Working copies in the place of packages.

use std::process::Command;

use crate::product::packages;
use crate::registry_fixture::{Client, Registry, Sample};

fn tool(version: &str, says: &str) -> Sample {
    Sample::extension("redis", version).file("bin/redis-tool", &format!("#!/bin/sh\necho {says}\n"))
}

fn says(client: &Client) -> String {
    // A shell reads it, since a file that this process wrote is busy while any thread here
    // starts a program.
    let program = client.prefix().join("bin/redis-tool");
    let ran = Command::new("sh").arg(program).output().unwrap();
    String::from_utf8_lossy(&ran.stdout).trim().to_owned()
}

#[test]
fn a_working_copy_takes_a_packages_place_until_it_is_unlinked() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    client.publish(&tool("1.0.0", "one"));
    client.ok(&["install", "redis"]);
    client.write(
        "copy/manifest.toml",
        "[extension]\nname = \"redis\"\nversion = \"2.0.0-dev\"\ntype = \"taskserv\"\n",
    );
    client.write("copy/bin/redis-tool", "#!/bin/sh\necho mine\n");
    client.ok(&["link", "copy"]);
    assert_eq!(says(&client), "mine");
    client.write("copy/bin/redis-tool", "#!/bin/sh\necho saved\n");
    assert_eq!(says(&client), "saved");

    let listed = client.json(&["list"]);
    assert_eq!(packages(&listed), ["redis 2.0.0-dev"]);
    assert!(
        listed["packages"][0]["linked"]
            .as_str()
            .unwrap()
            .ends_with("/copy")
    );
    let verified = client.json(&["verify"]);
    assert_eq!(verified["linked"][0]["code"], "linked");
    assert_eq!(verified["problems"].as_array().unwrap().len(), 0);

    // What is below moves, and says that it does not show.
    client.publish(&tool("1.1.0", "newer"));
    let ran = client.run(&["upgrade"]);
    assert!(
        ran.stderr().contains("provisioning unlink redis"),
        "{}",
        ran.stderr()
    );
    assert_eq!(says(&client), "saved");
    assert_eq!(client.error(1, &["uninstall", "redis"])["code"], "linked");

    client.ok(&["unlink", "redis"]);
    assert_eq!(says(&client), "newer");
    assert_eq!(client.error(1, &["unlink", "redis"])["code"], "not-linked");
    client.ok(&["rollback"]);
    assert_eq!(says(&client), "saved");
    std::fs::remove_dir_all(client.home().join("copy")).unwrap();
    let ran = client.run(&["verify"]);
    assert_eq!(ran.status(), 4);
    assert!(
        ran.stdout().contains("working copy is gone"),
        "{}",
        ran.stdout()
    );
    client.ok(&["unlink", "redis"]);
    client.ok(&["verify"]);
}

#[test]
fn a_package_that_was_never_published_is_tried_in_an_empty_prefix() {
    let client = Client::alone();
    client.ok(&["extension", "new", "redis", "--type", "taskserv"]);
    client.ok(&["link", "redis"]);
    assert_eq!(packages(&client.json(&["list"])), ["redis 0.1.0"]);
    let script = client
        .prefix()
        .join("share/provisioning/extensions/redis/taskserv.nu");
    assert!(script.is_file());
    client.ok(&["verify"]);
    client.ok(&["unlink", "redis"]);
    assert_eq!(packages(&client.json(&["list"])), Vec::<String>::new());
    client.write(
        "client/manifest.toml",
        "[package]\nkind = \"client\"\nname = \"client\"\nversion = \"1.0.0\"\n",
    );
    assert_eq!(
        client.error(1, &["link", "client"])["code"],
        "client-linked"
    );
    assert_eq!(client.error(1, &["link", "nowhere"])["code"], "io");
}

#[test]
fn a_workspace_is_made_from_linked_templates_and_records_no_archive() {
    let client = Client::alone();
    client.write(
        "t/manifest.toml",
        "[package]\nkind = \"workspace\"\nname = \"workspace\"\nversion = \"9.0.0\"\n",
    );
    client.write("t/templates/mine/README.md.j2", "# {{ name }}\n");
    client.ok(&["link", "t"]);
    let made = client.json(&["workspace", "create", "w", "--template", "mine"]);
    assert_eq!(made["version"], "9.0.0");
    assert!(made["digest"].is_null(), "{made}");
}

#[test]
fn a_bundle_whose_members_are_linked_is_not_published() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    client.publish(&Sample::first_party("core", "3.1.0"));
    client.publish(&tool("1.0.0", "one"));
    client.write("versions.toml", "[bundles.b-1]\nrelease-date = \"2025-10-15\"\ncore = \"3.1.0\"\nextensions = [\"redis@1.0.0\"]\n");
    client.ok(&["compat", "push", "versions.toml"]);
    client.ok(&["link", "src/redis-1.0.0"]);
    let error = client.error(1, &["bundle", "publish", "b-1"]);
    assert_eq!(error["code"], "linked");
    client.ok(&["unlink", "redis"]);
    client.ok(&["bundle", "publish", "b-1"]);
}
