//! Templates that ask, and workspaces that are moved to newer templates.

use std::fs;
use std::process::{Command, Stdio};

use crate::registry_fixture::{Client, Registry, Sample};

const ASKS: &str = r#"
description = "A web shop"
[[variables]]
name = "region"
prompt = "Where do the servers stand?"
choices = ["eu", "us"]
[[variables]]
name = "nodes"
type = "number"
default = 3
[[variables]]
name = "domain"
default = "{{ name }}.{{ region }}.example.org"
pattern = "[a-z.-]+"
"#;

const SETTINGS: &str = "[workspace]\nname = \"{{ name }}\"\ntemplate = \"{{ template }}\"\ntemplate-version = \"{{ version }}\"\n";

fn shop(version: &str) -> Sample {
    let infra = "first = 1\nsecond = 2\nthird = 3\n";
    Sample::first_party("workspace", version)
        .file("templates/shop/template.toml", ASKS)
        .file("templates/shop/provisioning.toml.j2", SETTINGS)
        .file(
            "templates/shop/README.md.j2",
            "# {{ name }}\n\nIn {{ region }}, {{ nodes }} nodes at {{ domain }}.\n",
        )
        .file("templates/shop/infra/{{ region }}.toml", infra)
        .file("templates/shop/old.txt", "goes\n")
        .file(
            "templates/shop/notes.txt",
            "one\ntwo\nthree\nfour\nfive\nsix\n",
        )
}

/// What 2.0.0 changes: a line of `infra`, a line of the README, a new file, one that goes,
/// one with a new name.
fn newer_shop() -> Sample {
    Sample::first_party("workspace", "2.0.0")
        .file("templates/shop/template.toml", ASKS)
        .file("templates/shop/provisioning.toml.j2", SETTINGS)
        .file(
            "templates/shop/README.md.j2",
            "# The shop {{ name }}\n\nIn {{ region }}, {{ nodes }} nodes at {{ domain }}.\n",
        )
        .file(
            "templates/shop/infra/{{ region }}.toml",
            "first = 1\nsecond = 2\nthird = 33\n",
        )
        .file("templates/shop/extra.txt", "new\n")
        .file(
            "templates/shop/docs/notes.txt",
            "one\ntwo\nthree\nfour\nfive\n6\n",
        )
}

fn read(client: &Client, path: &str) -> String {
    fs::read_to_string(client.home().join(path)).unwrap_or_else(|_| "nothing".to_owned())
}

fn git(client: &Client, arguments: &[&str]) {
    let ran = Command::new("git")
        .args([
            "-C",
            "my-shop",
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.org",
        ])
        .args(arguments)
        .current_dir(client.home())
        .env("HOME", client.home())
        .output()
        .unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

#[test]
fn a_template_is_answered_by_set_and_defaults_and_every_wrong_answer_is_refused() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    client.publish(&shop("1.0.0"));
    let create = |more: &[&'static str]| {
        [
            &["workspace", "create", "my-shop", "--template", "shop"],
            more,
        ]
        .concat()
    };
    for (more, part) in [
        (&[][..], "region"),
        (&["--set", "region=asia"], "none of `eu`, `us`"),
        (
            &["--set", "region=eu", "--set", "nodes=many"],
            "whole number",
        ),
        (
            &["--set", "region=eu", "--set", "domain=NO"],
            "does not match",
        ),
        (
            &["--set", "region=eu", "--set", "regoin=us"],
            "asks no `regoin`",
        ),
        (&["--set", "region"], "no `=`"),
        (&["--set", "region=eu", "--set", "name=a/b"], "no name"),
    ] {
        let error = client.error(2, &create(more));
        assert!(
            error["message"].as_str().unwrap().contains(part),
            "{more:?}: {error}"
        );
        assert!(!client.home().join("my-shop").exists(), "{more:?}");
    }
    let made = client.json(&create(&["--set", "region=eu"]));
    assert_eq!(made["answers"]["domain"], "my-shop.eu.example.org");
    assert_eq!(
        read(&client, "my-shop/README.md"),
        "# my-shop\n\nIn eu, 3 nodes at my-shop.eu.example.org.\n"
    );
    assert!(read(&client, "my-shop/infra/eu.toml").starts_with("first"));
    assert!(!client.home().join("my-shop/template.toml").exists());
    let record = read(&client, "my-shop/.provisioning-template.toml");
    for line in [
        "template = \"shop\"",
        "version = \"1.0.0\"",
        "digest = \"sha256:",
        "nodes = 3",
        "region = \"eu\"",
    ] {
        assert!(record.contains(line), "{line} in {record}");
    }
    let listed = client.json(&["workspace", "templates"]);
    assert_eq!(
        listed["templates"][0]["variables"][0]["prompt"],
        "Where do the servers stand?"
    );
}

#[test]
fn questions_are_asked_at_a_terminal_and_asked_again_after_a_wrong_answer() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    client.publish(&shop("1.0.0"));
    let line = format!(
        "{} workspace create my-shop --template shop",
        crate::registry_fixture::client_program().display()
    );
    let mut plain = client.command(&[]);
    let variables: Vec<_> = plain
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    plain = Command::new("script");
    let mut child = plain
        .args(["-qec", &line, "/dev/null"])
        .current_dir(client.home())
        .env_clear()
        .envs(variables)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"asia\nus\n\n\n").unwrap();
    let ran = child.wait_with_output().unwrap();
    drop(stdin);
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(
        said.contains("Where do the servers stand? (eu, us): "),
        "{said}"
    );
    assert!(
        said.contains("none of `eu`, `us`") && said.contains("nodes [3]: "),
        "{said}"
    );
    assert!(
        read(&client, "my-shop/README.md").contains("In us, 3 nodes"),
        "{said}"
    );
}

#[test]
fn an_update_merges_both_sides_and_leaves_what_both_changed_marked() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    client.publish(&shop("1.0.0"));
    client.ok(&[
        "workspace",
        "create",
        "my-shop",
        "--template",
        "shop",
        "--set",
        "region=eu",
    ]);
    client.publish(&newer_shop());
    // Mine: a line of the README that 2.0.0 changes too, another line of infra, a file.
    client.write(
        "my-shop/README.md",
        "# My own shop\n\nIn eu, 3 nodes at my-shop.eu.example.org.\n",
    );
    client.write(
        "my-shop/infra/eu.toml",
        "first = 11\nsecond = 2\nthird = 3\n",
    );
    client.write("my-shop/notes.txt", "mine\ntwo\nthree\nfour\nfive\nsix\n");
    client.write("my-shop/mine.txt", "mine\n");
    let update = |more: &[&'static str]| [&["workspace", "update", "my-shop"], more].concat();

    assert_eq!(client.run(&update(&["--check"])).status(), 100);
    let before = read(&client, "my-shop/.provisioning-template.toml");
    let dry = client.run(&update(&["--dry-run"]));
    assert_eq!(dry.status(), 1, "{}", dry.stdout());
    assert!(
        dry.stdout()
            .contains("README.md: both changed the same lines"),
        "{}",
        dry.stdout()
    );
    assert_eq!(read(&client, "my-shop/.provisioning-template.toml"), before);
    assert!(!client.home().join("my-shop/extra.txt").exists());

    let ran = client.run(&[&["--json"], update(&[]).as_slice()].concat());
    assert_eq!(ran.status(), 1, "{}", ran.stderr());
    let document: serde_json::Value = serde_json::from_str(&ran.stdout()).unwrap();
    assert_eq!(
        (&document["from"], &document["to"]),
        (&"1.0.0".into(), &"2.0.0".into())
    );
    assert_eq!(document["conflicts"][0]["path"], "README.md");
    assert_eq!(document["conflicts"].as_array().unwrap().len(), 1);
    holds_both_sides(&client);

    assert!(client.ok(&update(&[])).contains("up to date"));
    let error = client.error(1, &update(&["--to", "1.0.0"]));
    assert_eq!(error["code"], "unsettled-conflicts");
    // Settled, it can be taken back, and answers can be changed.
    client.write(
        "my-shop/README.md",
        "# The shop my-shop\n\nIn eu, 3 nodes at my-shop.eu.example.org.\n",
    );
    client.ok(&update(&["--set", "nodes=5"]));
    assert!(read(&client, "my-shop/README.md").contains("5 nodes"));
    client.ok(&update(&["--to", "1.0.0"]));
    assert_eq!(
        read(&client, "my-shop/infra/eu.toml"),
        "first = 11\nsecond = 2\nthird = 3\n"
    );
    assert!(read(&client, "my-shop/README.md").starts_with("# my-shop\n\nIn eu, 5 nodes"));
}

/// What the update left of both sides.
fn holds_both_sides(client: &Client) {
    assert_eq!(
        read(client, "my-shop/README.md"),
        "<<<<<<< this workspace\n# My own shop\n=======\n# The shop my-shop\n>>>>>>> template shop 2.0.0\n\n\
         In eu, 3 nodes at my-shop.eu.example.org.\n"
    );
    assert_eq!(
        read(client, "my-shop/infra/eu.toml"),
        "first = 11\nsecond = 2\nthird = 33\n"
    );
    assert_eq!(
        read(client, "my-shop/docs/notes.txt"),
        "mine\ntwo\nthree\nfour\nfive\n6\n"
    );
    assert_eq!(read(client, "my-shop/extra.txt"), "new\n");
    assert_eq!(read(client, "my-shop/mine.txt"), "mine\n");
    for gone in [
        "my-shop/old.txt",
        "my-shop/notes.txt",
        "my-shop/.provisioning-update",
    ] {
        assert!(!client.home().join(gone).exists(), "{gone}");
    }
    assert!(read(client, "my-shop/provisioning.toml").contains("template-version = \"2.0.0\""));
    assert!(read(client, "my-shop/.provisioning-template.toml").contains("version = \"2.0.0\""));
}

#[test]
fn uncommitted_work_is_not_updated_over_unless_told_to() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    client.publish(&shop("1.0.0"));
    client.ok(&[
        "workspace",
        "create",
        "my-shop",
        "--template",
        "shop",
        "--set",
        "region=eu",
    ]);
    client.publish(&newer_shop());
    git(&client, &["init", "-q"]);
    git(&client, &["add", "."]);
    git(&client, &["commit", "-qm", "first"]);
    client.write("my-shop/mine.txt", "not committed");
    let error = client.error(1, &["workspace", "update", "my-shop"]);
    assert_eq!(error["code"], "uncommitted-changes");
    assert_eq!(error["causes"][0], "mine.txt");
    assert!(read(&client, "my-shop/README.md").starts_with("# my-shop"));
    client.ok(&["workspace", "update", "my-shop", "--force"]);
    assert!(read(&client, "my-shop/README.md").starts_with("# The shop"));
}

#[test]
fn init_adds_to_a_folder_and_names_every_file_that_it_would_overwrite() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    client.publish(&shop("1.0.0"));
    client.write("w/README.md", "mine");
    client.write("w/infra/eu.toml", "mine");
    client.write("w/main.c", "mine");
    let init = [
        "workspace",
        "init",
        "w",
        "--template",
        "shop",
        "--set",
        "region=eu",
    ];
    let error = client.error(1, &init);
    assert_eq!(error["code"], "would-overwrite");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("`README.md`, `infra/eu.toml`"),
        "{message}"
    );
    assert!(!client.home().join("w/provisioning.toml").exists());
    fs::remove_file(client.home().join("w/README.md")).unwrap();
    fs::remove_dir_all(client.home().join("w/infra")).unwrap();
    client.ok(&init);
    assert_eq!(read(&client, "w/main.c"), "mine");
    assert!(read(&client, "w/README.md").starts_with("# w\n"));
    assert_eq!(client.error(1, &init)["code"], "workspace-exists");
}

#[test]
fn a_template_that_reaches_out_of_the_workspace_is_refused_and_leaves_nothing() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    client.publish(
        &Sample::first_party("workspace", "1.0.0")
            .file("templates/include/a.j2", "{% include '/etc/passwd' %}")
            .file("templates/env/a.j2", "{{ env.HOME }}")
            .file("templates/up/{{ name }}/a", "x")
            .file("templates/hook/{{ '.git' }}/hooks/post-checkout", "x")
            .file(
                "templates/loop/a.j2",
                "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            ),
    );
    for template in ["include", "env", "up", "hook", "loop"] {
        let create = [
            "workspace",
            "create",
            "w",
            "--template",
            template,
            "--set",
            "name=..",
        ];
        let error = client.error(1, &create);
        assert_eq!(error["code"], "template-refused", "{template}: {error}");
        assert!(!client.home().join("w").exists(), "{template}");
    }
}
