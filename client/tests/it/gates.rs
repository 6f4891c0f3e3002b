//! Bundles from a draft to `stable`: created, tested, proved, promoted, bisected, withdrawn.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::product::{changes, packages};
use crate::registry_fixture::{Client, Registry, Sample};

const VERSIONS: &str = "# rows are proved\n[compatibility.core]\n\"3.2.1\" = { platform = \"^2.5\" }\n\
    [compatibility.platform]\n\"2.5.3\" = { core = \"^3.2\" }\n\n[bundles.stable-3.2]\n\
    name = \"Stable 3.2\"\nrelease-date = \"2025-10-15\"\ncore = \"3.2.1\" # the core\n\
    platform = \"2.5.3\"\nextensions = [\"redis@1.1.0\"]\n\
    [bundles.stable-3.2.tests]\ntogether = \"test \\\"$(orchestrator)\\\" != broken\"\n";

fn core(version: &str) -> Sample {
    let log = format!("# Changelog\n\n## {version}\n\n- what {version} brings\n");
    Sample::first_party("core", version)
        .table("[test]\nsmoke = [\"cli/provisioning\", \"--version\"]")
        .file("cli/provisioning", "#!/bin/sh\necho core\n")
        .file("CHANGELOG.md", &log)
}

/// A platform whose orchestrator says `word`.
fn platform(version: &str, word: &str) -> Sample {
    Sample::first_party("platform", version)
        .table("[dependencies]\ncore = \"^3.2\"\n[test]\nsmoke = [\"bin/orchestrator\"]")
        .file("bin/orchestrator", &format!("#!/bin/sh\necho {word}\n"))
}

/// A registry with `stable-3.2` as it was before anybody tested, and a release engineer whose
/// evidence counts from now on.
fn prepared() -> (Registry, Client) {
    let registry = Registry::start();
    let engineer = Client::of(&registry);
    engineer.publish(&core("3.2.1"));
    engineer.publish(&platform("2.5.3", "fine"));
    engineer.publish(&Sample::extension("redis", "1.1.0"));
    engineer.write("versions.toml", VERSIONS);
    engineer.ok(&["compat", "push"]);
    let published = engineer.json(&["bundle", "publish", "stable-3.2"]);
    assert_eq!(published["state"], "stable");
    let testers = engineer.json(&["bundle", "tester", "add", "ada"]);
    assert!(testers["testers"]["ada"]["removed_at"].is_null());
    (registry, engineer)
}

fn text(engineer: &Client) -> String {
    std::fs::read_to_string(engineer.home().join("versions.toml")).unwrap()
}

fn next_release(engineer: &Client) -> Vec<PathBuf> {
    vec![
        engineer.build(&core("3.3.0")),
        engineer.build(&platform("2.6.0", "better")),
    ]
}

/// Publishes core 3.3.0 and platform 2.6.0, proved together, as `stable-3.3` in `testing`.
fn stable_3_3(engineer: &Client) {
    let archives = next_release(engineer);
    let mut publish = vec!["publish"];
    publish.extend(archives.iter().map(|it| it.to_str().unwrap()));
    engineer.ok(&publish);
    engineer.json(&[
        "compat",
        "prove",
        "core@3.3.0",
        "platform@2.6.0",
        "--tests-of",
        "stable-3.2",
        "--push",
    ]);
    engineer.json(&[
        "bundle",
        "create",
        "stable-3.3",
        "--from",
        "stable-3.2",
        "--upgrade",
        "core",
        "platform",
    ]);
    engineer.ok(&["compat", "push"]);
    let published = engineer.json(&["bundle", "publish", "stable-3.3"]);
    assert_eq!(published["state"], "testing");
}

/// `what name` of each run.
fn runs(tested: &Value) -> Vec<String> {
    let word = |it: &Value, key: &str| it[key].as_str().unwrap().to_owned();
    let runs = tested["runs"].as_array().unwrap().iter();
    runs.map(|it| format!("{} {}", word(it, "what"), word(it, "name")))
        .collect()
}

/// Tests `stable-3.3` and promotes it to `stable`.
fn make_stable(engineer: &Client) {
    engineer.json(&["bundle", "test", "stable-3.3", "--submit"]);
    engineer.json(&["bundle", "promote", "stable-3.3", "--to", "stable"]);
}

#[test]
fn what_is_proved_from_archives_alone_is_written_with_its_evidence() {
    let (_registry, engineer) = prepared();
    let archives = next_release(&engineer);
    let mut prove = vec!["compat", "prove", "core@3.3.0", "platform@2.6.0"];
    prove.extend(["--tests-of", "stable-3.2"]);
    for archive in &archives {
        prove.extend(["--archive", archive.to_str().unwrap()]);
    }
    let proved = engineer.json(&prove);
    assert_eq!(proved["passed"], true, "{proved}");
    assert_eq!(proved["bounds"].as_array().unwrap().len(), 2);
    let written = text(&engineer);
    let row = "\"3.3.0\" = { platform = \"^2.6\" }";
    assert!(written.contains(row), "{written}");
    let evidence = proved["evidence"].as_str().unwrap();
    assert!(written.contains(evidence), "{written}");
    assert!(written.starts_with("# rows are proved\n"), "{written}");
    assert!(PathBuf::from(proved["file"].as_str().unwrap()).is_file());
}

#[test]
fn a_bundle_goes_through_both_gates_to_those_who_follow_stable() {
    let (registry, engineer) = prepared();
    let user = Client::alone().with("PROVISIONING_REGISTRY", registry.url());
    user.ok(&["install", "stable"]);
    stable_3_3(&engineer);
    let refused = engineer.error(1, &["bundle", "promote", "stable-3.3"]);
    assert_eq!(refused["code"], "gate-closed");
    let hint = "bundle test stable-3.3 --submit";
    assert!(refused["hints"].to_string().contains(hint), "{refused}");
    let past = ["bundle", "publish", "stable-3.3", "--state", "stable"];
    assert_eq!(engineer.error(1, &past)["code"], "gate-closed");
    let tested = engineer.json(&["bundle", "test", "stable-3.3", "--submit"]);
    assert_eq!(tested["submitted"]["sequences"], json!([1]), "{tested}");
    let fresh = "install stable-3.3,verify stable-3.3,smoke core,smoke platform,check together";
    let upgrade = "install stable-3.2,upgrade stable-3.3,smoke core,smoke platform,check together";
    let back = "rollback stable-3.2,verify stable-3.2";
    assert_eq!(runs(&tested).join(","), [fresh, upgrade, back].join(","));
    let candidate = engineer.json(&["bundle", "promote", "stable-3.3"]);
    assert_eq!(candidate["sequences"][0]["state"], "candidate");
    user.json(&["upgrade"]);
    assert!(packages(&user.json(&["list"])).contains(&"core 3.2.1".to_owned()));
    let stable = engineer.json(&["bundle", "promote", "stable-3.3"]);
    assert_eq!(stable["channels"]["stable"]["bundle"], "stable-3.3");
    let upgraded = changes(&user.json(&["upgrade"]));
    assert_eq!(upgraded, ["upgrade core 3.3.0", "upgrade platform 2.6.0"]);
    let shown = engineer.ok(&["bundle", "show", "stable-3.3"]);
    assert!(shown.contains("gate tests: passed"), "{shown}");
    assert!(shown.contains("by ada"), "{shown}");
    let diff = engineer.json(&["bundle", "diff", "stable-3.2", "stable-3.3"]);
    let section = &diff["members"][0]["changelog"][0];
    assert_eq!(section["text"], "- what 3.3.0 brings", "{diff}");
    assert_eq!(diff["upgrade"]["verdict"], "passed");
    assert!(diff["rows"].to_string().contains("^2.6"), "{diff}");
}

#[test]
fn everyone_who_has_a_withdrawn_bundle_is_told_why() {
    let (registry, engineer) = prepared();
    stable_3_3(&engineer);
    make_stable(&engineer);
    let [user, follower] = ["stable", "stable-3.3"].map(|spec| {
        let client = Client::alone().with("PROVISIONING_REGISTRY", registry.url());
        client.ok(&["install", spec]);
        client
    });
    let why = "it loses workflows";
    let withdraw = ["bundle", "withdraw", "stable-3.3", "--reason", why];
    let instead = ["--replacement", "stable-3.2"];
    engineer.json(&[&withdraw[..], &instead].concat());
    for told in [&user, &follower] {
        let news = told.json(&["outdated"]);
        assert!(
            news["bundle"]["news"]["message"].to_string().contains(why),
            "{news}"
        );
        assert_eq!(told.run(&["outdated", "--exit-code"]).status(), 100);
        let problems = told.run(&["doctor"]).stdout();
        assert!(problems.contains(why), "{problems}");
        let plan = told.json(&["install", "redis", "--dry-run"]);
        assert!(plan["plan"]["warnings"].to_string().contains(why), "{plan}");
    }
    let refused = follower.error(3, &["upgrade"]);
    assert_eq!(refused["code"], "bundle-withdrawn");
    assert!(
        refused["hints"].to_string().contains("install stable-3.2"),
        "{refused}"
    );
    let back = changes(&user.json(&["upgrade"]));
    assert_eq!(back, ["downgrade core 3.2.1", "downgrade platform 2.5.3"]);
    let refused = engineer.error(3, &["install", "stable-3.3"]);
    assert_eq!(refused["code"], "bundle-withdrawn");
}

#[test]
fn a_broken_member_is_found_and_never_reaches_stable() {
    let (_registry, engineer) = prepared();
    stable_3_3(&engineer);
    engineer.publish(&platform("2.6.1", "broken"));
    engineer.publish(&Sample::extension("redis", "1.2.0"));
    let create = [
        "bundle",
        "create",
        "stable-3.4",
        "--from",
        "stable-3.3",
        "--upgrade",
    ];
    engineer.json(&create);
    assert!(
        text(&engineer).contains("redis@1.2.0"),
        "{}",
        text(&engineer)
    );
    engineer.ok(&["compat", "push"]);
    engineer.ok(&["bundle", "publish", "stable-3.4"]);
    let tested = engineer.run(&["bundle", "test", "stable-3.4", "--submit"]);
    assert_eq!(tested.status(), 1);
    assert!(
        tested.stdout().contains("FAILED") && tested.stdout().contains("together"),
        "{}",
        tested.stdout()
    );
    let found = engineer.json(&["bundle", "bisect", "stable-3.2", "stable-3.4"]);
    let culprits = found["culprits"].as_array().unwrap();
    assert_eq!(culprits.len(), 1, "{found}");
    assert_eq!(culprits[0]["name"], "platform");
    assert_eq!(
        (&culprits[0]["from"], &culprits[0]["to"]),
        (&"2.6.0".into(), &"2.6.1".into())
    );
    let refused = engineer.error(1, &["bundle", "promote", "stable-3.4", "--to", "stable"]);
    assert_eq!(refused["code"], "gate-closed");
    assert!(
        refused["causes"].to_string().contains("together"),
        "{refused}"
    );
    let channels = engineer.json(&["bundle", "list"]).to_string();
    assert!(channels.contains("stable-3.2"), "{channels}");
    let refused = engineer.error(1, &["bundle", "bisect", "stable-3.2", "stable-3.3"]);
    assert_eq!(refused["code"], "bisect-good-after");
    let refused = engineer.error(1, &["bundle", "bisect", "stable-3.4", "stable-3.2"]);
    assert_eq!(refused["code"], "bisect-bad-before");
}

#[test]
fn a_waiver_needs_a_reason_and_stays_with_the_bundle() {
    let (_registry, engineer) = prepared();
    stable_3_3(&engineer);
    engineer.error(2, &["bundle", "promote", "stable-3.3", "--waive", "tests"]);
    engineer.error(
        2,
        &[
            "bundle",
            "promote",
            "stable-3.3",
            "--waive",
            "tests",
            "--reason",
            " ",
        ],
    );
    let waive = [
        "bundle",
        "promote",
        "stable-3.3",
        "--waive",
        "tests",
        "--reason",
        "no machine",
    ];
    let moved = engineer.json(&waive);
    let gate = &moved["sequences"][0]["gates"][0];
    assert_eq!(
        (&gate["verdict"], &gate["reason"]),
        (&"waived".into(), &"no machine".into())
    );
    let lts = ["bundle", "promote", "stable-3.2", "--to", "lts"];
    let refused = engineer.error(1, &lts);
    assert!(
        refused["hints"].to_string().contains("--lts-until"),
        "{refused}"
    );
    let moved = engineer.json(&[&lts[..], &["--lts-until", "2030-01-01"]].concat());
    assert_eq!(moved["channels"]["lts"]["bundle"], "stable-3.2");
}

/// The words that create `stable-3.3`.
fn create<'w>(more: &[&'w str]) -> Vec<&'w str> {
    [&["bundle", "create", "stable-3.3"][..], more].concat()
}

#[test]
fn only_a_draft_that_could_be_published_is_written() {
    let (_registry, engineer) = prepared();
    let before = text(&engineer);
    for (more, code) in [
        (&["--core", "9.9.9"][..], "bundle-refused"),
        (
            &["--core", "3.2.1", "--extension", "nope@1.0.0"][..],
            "bundle-refused",
        ),
        (&["--core", "^9"][..], "no-solution"),
        (
            &[
                "--core",
                "3.2.1",
                "--platform",
                "2.5.3",
                "--target",
                "macos-arm64",
                "--lts-until",
                "2030-02-30",
            ][..],
            "usage",
        ),
        (&[][..], "usage"),
    ] {
        let status = match code {
            "usage" => 2,
            "no-solution" => 3,
            _ => 1,
        };
        let refused = engineer.error(status, &create(more));
        assert_eq!(refused["code"], code, "{refused}");
        assert_eq!(text(&engineer), before);
    }
    let refused = engineer.error(1, &["bundle", "create", "stable-3.2", "--core", "3.2.1"]);
    assert_eq!(refused["code"], "draft-exists");
    let dry = engineer.ok(&create(&[
        "--core",
        "latest",
        "--extension",
        "redis",
        "--dry-run",
    ]));
    assert!(
        dry.contains("core = \"3.2.1\"") && dry.contains("redis@1.1.0"),
        "{dry}"
    );
    assert_eq!(text(&engineer), before);
    engineer.json(&create(&["--core", "3.2", "--optional", "redis@1.1.0"]));
    for line in before.lines() {
        assert!(text(&engineer).lines().any(|it| it == line), "{line}");
    }
}

#[test]
fn a_proof_that_fails_or_contradicts_a_row_writes_nothing() {
    let (_registry, engineer) = prepared();
    let archives = vec![
        engineer.build(&core("3.3.0")),
        engineer.build(&platform("2.6.1", "broken")),
    ];
    let before = text(&engineer);
    let mut prove = vec![
        "compat",
        "prove",
        "core@3.3.0",
        "platform@2.6.1",
        "--tests-of",
        "stable-3.2",
    ];
    for archive in &archives {
        prove.extend(["--archive", archive.to_str().unwrap()]);
    }
    let failed = engineer.run(&prove);
    assert_eq!(failed.status(), 1);
    assert!(failed.stdout().contains("check"), "{}", failed.stdout());
    assert_eq!(text(&engineer), before);
    engineer.error(2, &["compat", "prove", "core@3.3.0", "platform"]);
    engineer.write("versions.toml", &before.replace("^2.5", "^2.4"));
    let contradiction = VERSIONS.replace("platform = \"^2.5\"", "platform = \"~2.4\"");
    engineer.write("versions.toml", &contradiction);
    let refused = engineer.run(&["--json", "compat", "prove", "core@3.2.1", "platform@2.5.3"]);
    assert_eq!(refused.status(), 1, "{}", refused.stderr());
    assert!(refused.stderr().contains("~2.4"), "{}", refused.stderr());
}

#[test]
fn evidence_of_a_stranger_is_refused_and_says_what_to_do() {
    let (registry, engineer) = prepared();
    stable_3_3(&engineer);
    let stranger = Client::of(&registry);
    let refused = stranger.error(1, &["bundle", "test", "stable-3.3", "--submit"]);
    assert_eq!(refused["code"], "tester-unknown");
    assert!(
        refused["hints"].to_string().contains("bundle tester add"),
        "{refused}"
    );
    let key = stranger.json(&["bundle", "tester", "key"]);
    let hex = key["public_key"].as_str().unwrap();
    engineer.json(&["bundle", "tester", "add", "bob", "--public-key", hex]);
    let tested = stranger.json(&["bundle", "test", "stable-3.3", "--submit"]);
    assert_eq!(tested["submitted"]["tester"], "bob");
    engineer.json(&["bundle", "tester", "remove", "bob"]);
    let testers = engineer.json(&["bundle", "tester", "list"]);
    assert!(!testers["testers"]["bob"]["removed_at"].is_null());
    let refused = engineer.error(1, &["bundle", "promote", "stable-3.3"]);
    assert_eq!(refused["code"], "gate-closed");
}

#[test]
fn an_update_is_pushed_once_its_conditions_hold() {
    let (_registry, engineer) = prepared();
    let refused = engineer.error(
        1,
        &[
            "update",
            "create",
            "--type",
            "bugfix",
            "--notes",
            "nothing yet",
        ],
    );
    assert_eq!(refused["code"], "update-empty");
    stable_3_3(&engineer);
    let create = [
        "update",
        "create",
        "platform",
        "--type",
        "enhancement",
        "--notes",
        "a better platform",
    ];
    let made = engineer.json(&create);
    assert_eq!(
        made["updates"][0]["update"]["bundles"][0]["name"],
        "stable-3.3"
    );
    let refused = engineer.error(1, &["update", "push", "1"]);
    assert_eq!(refused["code"], "update-not-ready");
    assert!(refused["causes"].to_string().contains("gates"), "{refused}");
    engineer.json(&["bundle", "test", "stable-3.3", "--submit"]);
    engineer.error(2, &["update", "comment", "1", "--karma", "+2"]);
    let said = engineer.json(&[
        "update",
        "comment",
        "1",
        "--karma",
        "+1",
        "-m",
        "mine does not count",
    ]);
    assert_eq!(said["updates"][0]["karma"], 0);
    let text = engineer.ok(&["update", "status", "1"]);
    assert!(
        text.contains("1 gates: holds") && text.contains("1 feedback: missing"),
        "{text}"
    );
    engineer.error(1, &["update", "status", "7"]);
}
