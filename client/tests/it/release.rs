//! Releasing packages from their repositories: the plan, the notes, the run and the pipelines.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::registry_fixture::{Client, Registry};

const RELEASE: &str = "[packages.core]\nrepository = \"core\"\ntest = [\"grep -q batch notes.txt\"]\n\
    [packages.platform]\nrepository = \"mono\"\nfolder = \"platform\"\n\
    build = [\"cp -R manifest.toml bin \\\"$PROVISIONING_STAGE\\\"\"]\n";

const VERSIONS: &str = "[compatibility.core]\n\"3.2.1\" = { platform = \"^2.5\" }\n\
    [bundles.stable-3.2]\nname = \"Stable 3.2\"\nrelease-date = \"2025-10-15\"\n\
    core = \"3.2.1\"\nplatform = \"2.5.3\"\n";

/// Runs git in a folder of the client's home.
fn git(client: &Client, folder: &str, words: &[&str]) -> String {
    let done = Command::new("git")
        .args(words)
        .current_dir(client.home().join(folder))
        .envs(identity())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{words:?}: {said}");
    String::from_utf8_lossy(&done.stdout).into_owned()
}

fn identity() -> [(&'static str, &'static str); 4] {
    [
        ("GIT_AUTHOR_NAME", "Ada"),
        ("GIT_AUTHOR_EMAIL", "ada@example.org"),
        ("GIT_COMMITTER_NAME", "Ada"),
        ("GIT_COMMITTER_EMAIL", "ada@example.org"),
    ]
}

fn commit(client: &Client, folder: &str, message: &str) {
    git(client, folder, &["add", "--all"]);
    git(client, folder, &["commit", "--quiet", "--message", message]);
}

/// A registry with `stable-3.2`, and repositories with a change that is not released.
fn prepared() -> (Registry, Client) {
    let registry = Registry::start();
    let mut engineer = Client::of(&registry);
    for (name, value) in identity() {
        engineer = engineer.with(name, value);
    }
    engineer.write("core/version.toml", "version = \"3.2.1\"\n");
    engineer.write(
        "core/manifest.toml",
        "[package]\nkind = \"core\"\nname = \"core\"\n[test]\nsmoke = [\"cli/provisioning\"]\n",
    );
    engineer.write("core/cli/provisioning", "#!/bin/sh\necho core\n");
    engineer.write("core/notes.txt", "first\n");
    engineer.write(
        "mono/platform/manifest.toml",
        "[package]\nkind = \"platform\"\nname = \"platform\"\nversion = \"2.5.3\"\n[dependencies]\ncore = \"^3.2\"\n",
    );
    engineer.write("mono/platform/bin/orchestrator", "#!/bin/sh\necho fine\n");
    engineer.write("mono/other/README", "other\n");
    for (folder, tag) in [("core", "v3.2.1"), ("mono", "platform-v2.5.3")] {
        git(
            &engineer,
            folder,
            &["init", "--quiet", "--initial-branch", "main"],
        );
        commit(&engineer, folder, "Begin");
        git(&engineer, folder, &["tag", tag]);
    }
    engineer.write("versions.toml", VERSIONS);
    engineer.write("release.toml", RELEASE);
    for folder in ["core", "mono/platform"] {
        engineer.ok(&["package", "build", folder, "-o", "first"]);
    }
    let archives: Vec<_> = std::fs::read_dir(engineer.home().join("first"))
        .unwrap()
        .map(|it| it.unwrap().path().to_str().unwrap().to_owned())
        .collect();
    let mut publish = vec!["publish"];
    publish.extend(archives.iter().map(String::as_str));
    engineer.ok(&publish);
    engineer.ok(&["compat", "push"]);
    engineer.ok(&["bundle", "publish", "stable-3.2"]);
    engineer.ok(&["bundle", "tester", "add", "ada"]);
    engineer.write("core/notes.txt", "batch\n");
    commit(&engineer, "core", "feat(batch): run workflows in batches");
    engineer.write("mono/platform/bin/orchestrator", "#!/bin/sh\necho better\n");
    commit(&engineer, "mono", "Fix a crash of the orchestrator");
    engineer.write("mono/other/README", "changed\n");
    commit(&engineer, "mono", "feat!: nothing to do with the platform");
    (registry, engineer)
}

/// What a registry has after a release, without times and what depends on them.
fn published(engineer: &Client) -> Value {
    let package = |name: &str| engineer.json(&["info", name]);
    let versions = |document: &Value| -> Vec<String> {
        let all = document["versions"].as_array().unwrap().iter();
        all.map(|it| format!("{} {}", it["version"], it["archives"]))
            .collect()
    };
    let bundle = engineer.json(&["bundle", "show", "stable-3.3"]);
    let sequences: Vec<Value> = bundle["sequences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            serde_json::json!([
                it["sequence"],
                it["state"],
                it["members"],
                it["upgrades_from"],
                it["targets"]
            ])
        })
        .collect();
    let matrix = engineer.json(&["compat", "show"]);
    serde_json::json!({
        "core": versions(&package("core")),
        "platform": versions(&package("platform")),
        "bundle": sequences,
        "rows": matrix["rows"],
        "tags": [git(engineer, "core", &["tag"]), git(engineer, "mono", &["tag"])],
    })
}

#[test]
fn a_plan_reads_each_repository_since_its_last_tag() {
    let (_registry, engineer) = prepared();
    let plan = engineer.json(&["release", "plan"]);
    let packages = plan["packages"].as_array().unwrap();
    let line = |it: &Value| format!("{} {} {}", it["name"], it["to"], it["changes"]);
    let lines: Vec<String> = packages.iter().map(line).collect();
    // The monorepo's other commits are not the platform's.
    assert_eq!(lines, ["\"core\" \"3.3.0\" 1", "\"platform\" \"2.5.4\" 1"]);
    let plan = engineer.json(&["release", "plan", "--bump", "core=major"]);
    assert_eq!(
        plan["packages"][0]["waits_for"],
        serde_json::json!(["platform"])
    );
    assert!(
        engineer
            .ok(&["release", "plan"])
            .contains("run workflows in batches")
    );
    engineer.error(2, &["release", "plan", "--bump", "core=huge"]);
    engineer.error(2, &["release", "plan", "--bump", "redis=minor"]);
    let refused = engineer.error(1, &["release", "plan", "--release", "nowhere.toml"]);
    assert!(
        refused["hints"].to_string().contains("release.toml"),
        "{refused}"
    );
}

#[test]
fn a_run_releases_once_and_the_notes_say_what() {
    let (_registry, engineer) = prepared();
    engineer.write("core/notes.txt", "batch, and not committed\n");
    let refused = engineer.error(1, &["release", "run"]);
    assert_eq!(refused["code"], "not-committed");
    git(&engineer, "core", &["checkout", "--quiet", "notes.txt"]);
    let dry = engineer.json(&["release", "run", "--dry-run"]);
    assert_eq!(dry["done"], false);
    assert_eq!(dry["steps"][0]["name"], "version core");
    let done = engineer.json(&["release", "run"]);
    assert_eq!(done["versions"]["core"], "3.3.0");
    assert_eq!(done["bundle"], "stable-3.3");
    let shown = engineer.json(&["bundle", "show", "stable-3.3"]);
    assert_eq!(shown["sequences"][0]["state"], "testing");
    assert_eq!(shown["sequences"][0]["gates"][0]["verdict"], "passed");
    assert_eq!(git(&engineer, "core", &["tag"]), "v3.2.1\nv3.3.0\n");
    let again = engineer.error(1, &["release", "run"]);
    assert_eq!(again["code"], "nothing-to-release");
    let notes = engineer.ok(&["release", "notes", "stable-3.3"]);
    assert!(notes.contains("| core | 3.2.1 | 3.3.0 |"), "{notes}");
    assert!(notes.contains("batch: run workflows in batches"), "{notes}");
    assert!(notes.contains("### Fixed"), "{notes}");
    let notes = engineer.json(&["release", "notes", "core", "--to", "3.3.0"]);
    assert_eq!(notes["notes"]["packages"][0]["from"], "3.2.1", "{notes}");
    let between = engineer.ok(&["release", "notes", "stable-3.2..stable-3.3"]);
    assert!(between.contains("coming from stable-3.2"), "{between}");
    engineer.write("own.j2", "{% for p in packages %}{{ p.name }} {% endfor %}");
    let own = engineer.ok(&["release", "notes", "stable-3.3", "--template", "own.j2"]);
    assert_eq!(own.trim(), "core platform");
    engineer.write("bad.j2", "{{ nothing.like.this }}");
    let refused = engineer.error(
        1,
        &["release", "notes", "stable-3.3", "--template", "bad.j2"],
    );
    assert_eq!(refused["code"], "invalid-template");
}

#[test]
fn a_run_that_failed_goes_on_with_the_step_that_failed() {
    let (_registry, engineer) = prepared();
    engineer.write("release.toml", &RELEASE.replace("-q batch", "-q absent"));
    let refused = engineer.error(1, &["release", "run"]);
    assert!(
        refused["causes"].to_string().contains("step `test core`"),
        "{refused}"
    );
    assert!(
        refused["hints"].to_string().contains("release run"),
        "{refused}"
    );
    let commits = git(&engineer, "core", &["log", "--oneline"]);
    engineer.write("release.toml", RELEASE);
    engineer.json(&["release", "run"]);
    let after = git(&engineer, "core", &["log", "--oneline"]);
    assert_eq!(commits, after, "the version was stated once");
}

#[test]
fn killing_a_run_at_each_step_and_running_it_again_gives_the_same_registry() {
    let (_calm, undisturbed) = prepared();
    undisturbed.json(&["release", "run"]);
    let (_wild, engineer) = prepared();
    let mut kills = 0;
    // Each run is killed one write later than the one before it: before, between and after
    // every step that is written down.
    for write in 1..200 {
        let inject = format!("inject=fsync:signal=SIGKILL:when={write}");
        let program = engineer.command(&["release", "run"]);
        let mut traced = Command::new("strace");
        traced
            .args([
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                "trace=fsync",
                "-e",
                &inject,
                "--",
            ])
            .arg(program.get_program())
            .args(program.get_args())
            .current_dir(engineer.home())
            .env_clear();
        for (name, value) in program.get_envs() {
            if let Some(value) = value {
                traced.env(name, value);
            }
        }
        let ended = traced.output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        // Killed at its very last write, everything is done already.
        if ended.status.success() || said.contains("nothing to release") {
            break;
        }
        assert!(!said.contains("error:"), "{said}");
        kills += 1;
    }
    assert!(kills >= 8, "only {kills} kills");
    assert!(!engineer.home().join(".release/journal.json").exists());
    assert_eq!(published(&engineer), published(&undisturbed));
}

#[test]
fn pipelines_are_what_their_providers_read() {
    let client = Client::alone();
    let folder = client.home().join("pipelines");
    std::fs::create_dir(&folder).unwrap();
    let mut github = Vec::new();
    let mut gitlab = Vec::new();
    for kind in [
        "core",
        "platform",
        "extensions",
        "workspace",
        "distribution",
    ] {
        for provider in ["github", "gitlab", "jenkins"] {
            let made = client.json(&["release", "ci", "--provider", provider, "--kind", kind]);
            let text = made["text"].as_str().unwrap();
            // The identity of the job publishes; no secret is named.
            assert!(
                !text.contains("secrets.") && !text.contains("PROVISIONING_TOKEN"),
                "{text}"
            );
            let path = folder.join(format!("{provider}-{kind}.yml"));
            std::fs::write(&path, text).unwrap();
            match provider {
                "github" => github.push(path),
                "gitlab" => gitlab.push(path),
                _ => check_jenkinsfile(text),
            }
        }
    }
    lint("vendor.github-workflows", &github);
    lint("vendor.gitlab-ci", &gitlab);
    let place = client.json(&[
        "release",
        "ci",
        "--provider",
        "github",
        "--kind",
        "core",
        "--write",
        "repo",
    ]);
    let written = std::fs::read_to_string(place["written"].as_str().unwrap()).unwrap();
    assert_eq!(written, place["text"]);
    client.write("repo/.github/workflows/provisioning.yml", "mine\n");
    let refused = client.error(
        1,
        &[
            "release",
            "ci",
            "--provider",
            "github",
            "--kind",
            "core",
            "--write",
            "repo",
        ],
    );
    assert_eq!(refused["code"], "file-exists");
}

/// Checks pipelines against the schema that their provider publishes.
#[expect(
    clippy::disallowed_methods,
    reason = "a test is told where the tools are by the environment"
)]
fn lint(schema: &str, files: &[std::path::PathBuf]) {
    let Some(python) = std::env::var_os("PROVISIONING_TEST_PYTHON") else {
        assert!(
            std::env::var_os("PROVISIONING_TEST_REQUIRE_ALL").is_none(),
            "PROVISIONING_TEST_PYTHON names a Python with check-jsonschema"
        );
        return;
    };
    let done = Command::new(Path::new(&python))
        .args(["-m", "check_jsonschema", "--builtin-schema", schema])
        .args(files)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let failed = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{said}{failed}");
}

/// A Jenkinsfile has no schema: its braces and quotes must close.
fn check_jenkinsfile(text: &str) {
    let mut open: Vec<char> = Vec::new();
    let mut quote: Option<char> = None;
    for line in text.lines().filter(|it| !it.trim_start().starts_with("//")) {
        for letter in line.chars() {
            match (quote, letter) {
                (Some(mark), it) if it == mark => quote = None,
                (None, '\'' | '"') => quote = Some(letter),
                (None, '{' | '(' | '[') => open.push(letter),
                (None, '}') => assert_eq!(open.pop(), Some('{'), "{line}"),
                (None, ')') => assert_eq!(open.pop(), Some('('), "{line}"),
                (None, ']') => assert_eq!(open.pop(), Some('['), "{line}"),
                (Some(_) | None, _) => {}
            }
        }
        assert_eq!(quote, None, "a quote stays open: {line}");
    }
    assert!(open.is_empty(), "{open:?}");
    assert!(text.contains("pipeline {") && text.contains("stages {"));
}
