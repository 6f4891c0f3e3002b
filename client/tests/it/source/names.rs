//! Every command takes packages by name, and refuses an unknown one before it does anything.

use super::World;

/// The commands that take packages, with what each also needs.
const COMMANDS: &[&[&str]] = &[
    &["validate"],
    &["show"],
    &["affected", "--base", "HEAD"],
    &["build", "-o", "made"],
    &["local-build", "-o", "made"],
    &["srpm", "-o", "made"],
    &["prepare-sources", "-o", "made"],
    &["copr-build"],
    &["test", "-o", "made"],
    &["status"],
    &["status", "--downstream-store", "rpms"],
    &["propose", "--version", "1.0", "--downstream-store", "rpms"],
    &["sync-from-downstream", "--downstream-store", "rpms"],
    &[
        "mirror",
        "--base",
        "HEAD",
        "--name",
        "x",
        "--downstream-store",
        "rpms",
    ],
    &["update-downstream", "--downstream-store", "rpms"],
    &["split", "--to", "made"],
    &["run", "--event", "commit", "-o", "made"],
];

fn sample() -> World {
    let world = World::new();
    world.init("src");
    let config = "packages:\n  one: {downstream_package_name: first, paths: [one]}\n  two: {downstream_package_name: same, paths: [two]}\n  three: {downstream_package_name: same, paths: [three]}\njobs:\n- {job: build, trigger: commit}\n";
    world.commit(
        "Bob",
        "src",
        "first",
        &[
            ("other.yaml", config),
            ("one/x", "1\n"),
            ("two/x", "1\n"),
            ("three/x", "1\n"),
        ],
    );
    world.git("src", &["tag", "1.0"]);
    world.init("rpms/first");
    world.commit("Bob", "rpms/first", "begin", &[("x", "0\n")]);
    world
}

#[test]
fn an_unknown_or_unclear_package_is_refused_before_anything_is_done() {
    let world = sample();
    let before = world.git("rpms/first", &["for-each-ref"]);
    for command in COMMANDS {
        for (name, said) in [
            ("four", "no package `four` in the source configuration"),
            (
                "same",
                "`same` is the downstream name of several packages: two, three",
            ),
        ] {
            let words = [
                command,
                &["one", name, "-C", "src", "--source-config", "other.yaml"][..],
            ]
            .concat();
            let refused = world.refused(&words);
            assert_eq!(refused["error"]["code"], "unknown-package", "{words:?}");
            assert_eq!(refused["error"]["message"], said, "{words:?}");
        }
    }
    assert!(!world.path("made").exists());
    assert_eq!(world.git("rpms/first", &["for-each-ref"]), before);
    assert_eq!(
        world
            .git("src", &["for-each-ref", "refs/heads"])
            .lines()
            .count(),
        1
    );
}

#[test]
fn a_package_is_named_by_its_key_or_its_downstream_name() {
    let world = sample();
    for command in COMMANDS {
        if matches!(command[0], "local-build" | "srpm" | "prepare-sources") {
            continue;
        }
        for name in ["one", "first"] {
            let words = [
                &["source"],
                *command,
                &[name, "-C", "src", "--source-config", "other.yaml"],
            ]
            .concat();
            world.client.ok(&words);
        }
    }
}

#[test]
fn a_url_is_cloned_for_the_time_of_a_command() {
    let world = sample();
    let url = format!("file://{}", world.path("src").display());
    let shown = world.source(&["show", "one", "-C", &url, "--source-config", "other.yaml"]);
    assert_eq!(shown["packages"]["one"]["downstream_package_name"], "first");
}
