//! `source run`, `source copr-build`, and what `affected` gives to CI.

use serde_json::json;

use super::{World, texts};

const CONFIG: &str = "packages:
  a: {paths: [a], actions: {test: 'test -f a/good'}}
  b: {paths: [b], actions: {test: 'true'}}
jobs:
- {job: build, trigger: pull_request | commit}
- {job: test, trigger: pull_request}
- {job: update, trigger: pull_request}
- {job: tests, trigger: pull_request, packages: [b]}
- {job: build, trigger: commit, branch: stable, packages: [b]}
- {job: build, trigger: pull_request, manual_trigger: true, packages: [b]}
- {job: propose, trigger: release}
- {job: copr_build, trigger: ignore, owner: '@copr', project: dev, targets: {fedora-all: {}, epel-9: {}}, packages: [a]}
";

fn sample() -> World {
    let world = World::new();
    world.init("src");
    world.commit(
        "Bob",
        "src",
        "first",
        &[
            (".provisioning.yaml", CONFIG),
            ("a/good", "1\n"),
            ("b/x", "1\n"),
        ],
    );
    world.git("src", &["tag", "1.0"]);
    for name in ["rpms/a", "rpms/b"] {
        world.init(name);
    }
    world
}

#[test]
fn the_jobs_of_an_event_run_for_what_the_change_touches_with_a_summary() {
    let world = sample();
    world.commit("Bob", "src", "b alone", &[("b/x", "2\n")]);
    let words = [
        "run",
        "-C",
        "src",
        "--event",
        "pull_request",
        "--base",
        "HEAD~",
        "-o",
        "out",
        "--downstream-store",
        "rpms",
    ];
    let planned = world.source(&[&words[..], &["--dry-run"]].concat());
    assert_eq!(
        texts(&planned["jobs"], "state"),
        ["planned", "planned", "planned", "skipped", "skipped"]
    );
    assert!(!world.path("out").exists());
    let done = world.source(&words);
    assert_eq!(texts(&done["jobs"], "package"), ["b", "b", "b", "b", "b"]);
    assert_eq!(
        texts(&done["jobs"], "state"),
        ["done", "done", "done", "skipped", "skipped"]
    );
    assert!(world.path("out/b/b-1.0.tar.gz").is_file());
    assert_eq!(world.git("rpms/b", &["show", "HEAD:x"]), "2");
}

#[test]
fn a_failed_test_stops_what_waits_for_that_package_and_nothing_else() {
    let world = sample();
    world.commit(
        "Bob",
        "src",
        "break a",
        &[("a/good", ""), ("a/x", "1\n"), ("b/x", "2\n")],
    );
    let words = [
        "source",
        "run",
        "-C",
        "src",
        "--event",
        "pull_request",
        "--base",
        "HEAD~",
        "-o",
        "out",
        "--downstream-store",
        "rpms",
    ];
    let ran = world.client.run(&[&["--json"], &words[..]].concat());
    assert_eq!(ran.status(), 1);
    let done: serde_json::Value = serde_json::from_str(&ran.stdout()).unwrap();
    let state = |job: &str, package: &str| {
        let jobs = done["jobs"].as_array().unwrap();
        let found = jobs
            .iter()
            .find(|it| it["job"] == job && it["package"] == package);
        found.unwrap()["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        [
            state("test", "a"),
            state("update", "a"),
            state("build", "a")
        ],
        ["failed", "skipped", "done"]
    );
    assert_eq!([state("test", "b"), state("update", "b")], ["done", "done"]);
    let text = world.client.run(&words).stdout();
    assert!(
        text.contains("update a: skipped (a job before it failed)"),
        "{text}"
    );
}

#[test]
fn jobs_of_another_branch_or_without_a_version_say_why_they_are_left_out() {
    let world = sample();
    let commit = world.source(&[
        "run",
        "-C",
        "src",
        "--event",
        "commit",
        "--on-branch",
        "main",
        "--dry-run",
    ]);
    assert_eq!(
        texts(&commit["jobs"], "state"),
        ["planned", "planned", "skipped"]
    );
    assert_eq!(commit["jobs"][2]["reason"], "it is for the branch `stable`");
    let release = world.source(&["run", "-C", "src", "--event", "release", "--dry-run"]);
    assert_eq!(release["jobs"][0]["reason"], "`--version V` is needed");
}

#[test]
fn a_build_service_would_get_the_values_of_the_packages_job() {
    let world = sample();
    let asked = world.source(&["copr-build", "-C", "src"]);
    let form = &asked["packages"][0]["form"];
    assert_eq!(
        [&form["ownername"], &form["projectname"], &form["chroots"]],
        [
            &json!("@copr"),
            &json!("dev"),
            &json!(["epel-9", "fedora-all"])
        ]
    );
    assert_eq!(
        asked["packages"][1]["form"]["projectname"],
        "packit-cli-src-main"
    );
    let asked = world.source(&[
        "copr-build",
        "b",
        "-C",
        "src",
        "--owner",
        "me",
        "--targets",
        "x,y",
    ]);
    assert_eq!(asked["packages"][0]["form"]["chroots"], json!(["x", "y"]));
}
