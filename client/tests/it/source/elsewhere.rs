//! Repositories that lie elsewhere: propose, mirror, sync-from-downstream.

use serde_json::json;

use super::forge_server::ForgeServer;
use super::{World, texts};

const SPEC: &str = "Name: cli\nVersion: 1.0\nRelease: 3%{?dist}\nSummary: x\n\n%description\nx\n\n%changelog\n* Mon Jan 01 2024 D <d@e> - 1.0-3\n- downstream\n";

/// A source repository with two packages, and a store of their downstream repositories.
fn sample(forge: Option<(&str, &str)>) -> World {
    let world = World::new();
    world.init("src");
    let forge = forge.map(|(kind, url)| format!("forge: {{kind: {kind}, url: '{url}', project: 'rpms/{{name}}'}}\nupstream_project_url: '{url}/group/src'\n"));
    let config = format!(
        "{}upstream_tag_template: v{{version}}\npackages:\n  cli: {{paths: [cli], specfile_path: cli/cli.spec, files_to_sync: [{{src: cli/cli.spec, dest: cli.spec}}, {{src: [common/macros], dest: .}}]}}\n  web: {{paths: [web]}}\njobs: []\n",
        forge.unwrap_or_default()
    );
    let files = [
        (".provisioning.yaml", config.as_str()),
        ("cli/cli.spec", SPEC),
        ("cli/main", "1\n"),
        ("common/macros", "1\n"),
        ("web/x", "1\n"),
    ];
    world.commit("Bob", "src", "first", &files);
    world.git("src", &["tag", "v1.0"]);
    for name in ["rpms/cli", "rpms/web"] {
        world.init(name);
        world.commit("Bob", name, "begin", &[("README", "downstream\n")]);
    }
    world.source(&["update-downstream", "src", "--downstream-store", "rpms"]);
    world
}

#[test]
fn a_release_is_proposed_as_a_branch_where_there_is_no_forge() {
    let world = sample(None);
    let head = world.commit(
        "Cy",
        "src",
        "cli: faster",
        &[
            ("cli/main", "2\n"),
            ("cli/cli.spec", &SPEC.replace("Summary: x", "Summary: y")),
        ],
    );
    let store = [
        "--version",
        "2.0",
        "--downstream-store",
        "rpms",
        "-C",
        "src",
    ];
    let refused = world.refused(&[&["propose", "cli"], &store[..]].concat());
    assert_eq!(refused["error"]["code"], "no-tag");
    world.git("src", &["tag", "v2.0"]);
    let before = world.git("rpms/cli", &["rev-parse", "main"]);
    let planned = world.source(&[&["propose", "--dry-run"], &store[..]].concat());
    assert_eq!(
        texts(&planned["packages"], "state"),
        ["planned", "unchanged"]
    );
    let done = world.source(&[&["propose"], &store[..]].concat());
    assert_eq!(texts(&done["packages"], "state"), ["proposed", "unchanged"]);
    let branch = "2.0-main-update-propose_downstream";
    assert_eq!(done["packages"][0]["branch"], branch);
    let spec = world.git("rpms/cli", &["show", &format!("{branch}:cli.spec")]);
    assert!(
        spec.contains("Version: 2.0\nRelease: 1%{?dist}\nSummary: y\n"),
        "{spec}"
    );
    assert!(
        spec.contains("- 2.0-1\n- cli: faster (Cy)\n\n* Mon Jan 01 2024"),
        "{spec}"
    );
    let message = world.message("rpms/cli", branch);
    assert!(
        message.starts_with(&format!(
            "Update to 2.0 upstream release\n\nUpstream tag: v2.0\nUpstream commit: {}",
            &head[..8]
        )),
        "{message}"
    );
    assert!(
        message.ends_with(&format!(
            "From-source-git-commit: {head}\nSource-package: cli"
        )),
        "{message}"
    );
    assert_eq!(world.git("rpms/cli", &["rev-parse", "main"]), before);
    let again = world.source(&[&["propose", "cli"], &store[..]].concat());
    assert_eq!(again["packages"][0]["state"], "up-to-date");
    let missing = world.refused(&[&["propose", "cli", "--branch", "f99"], &store[..]].concat());
    assert!(
        missing["error"]["message"]
            .as_str()
            .unwrap()
            .ends_with("has no branch `f99`")
    );
}

#[test]
fn every_forge_gets_one_change_that_is_kept_up_to_date() {
    for kind in ["forgejo", "github", "gitlab"] {
        let forge = ForgeServer::start();
        let mut world = sample(Some((kind, &forge.url)));
        world.commit(
            "Cy",
            "src",
            "cli: faster",
            &[("cli/cli.spec", &SPEC.replace('x', "y"))],
        );
        world.git("src", &["tag", "v2.0"]);
        let words = [
            "propose",
            "cli",
            "--version",
            "2.0",
            "--downstream-store",
            "rpms",
            "-C",
            "src",
        ];
        let refused = world.refused(&words);
        assert_eq!(refused["error"]["code"], "forge-refused");
        assert!(
            refused["error"]["hints"]
                .to_string()
                .contains("PROVISIONING_FORGE_TOKEN")
        );
        world.client = world.client.with("PROVISIONING_FORGE_TOKEN", "secret");
        let done = world.source(&words);
        assert_eq!(done["packages"][0]["change"], "http://forge/1", "{kind}");
        world.source(&words);
        let kept = forge.kept.lock().unwrap();
        assert_eq!(kept.changes.len(), 1, "{kind}: {:?}", kept.asked);
        assert_eq!(kept.changes[0]["title"], "Update to 2.0 upstream release");
        assert!(kept.tokens.iter().any(|it| it.contains("secret")));
        let project = if kind == "gitlab" {
            "rpms%2Fcli"
        } else {
            "rpms/cli"
        };
        assert!(
            kept.asked.iter().all(|it| it.contains(project)),
            "{:?}",
            kept.asked
        );
    }
}

#[test]
fn a_change_is_mirrored_to_the_packages_that_it_alters_and_its_checks_come_back() {
    let forge = ForgeServer::start();
    let mut world = sample(Some(("forgejo", &forge.url)));
    world.client = world.client.with("PROVISIONING_FORGE_TOKEN", "secret");
    world.git("src", &["switch", "--quiet", "--create", "topic"]);
    world.commit(
        "Cy",
        "src",
        "macros: two",
        &[("common/macros", "2\n"), ("docs/x", "1\n")],
    );
    let words = [
        "mirror",
        "--base",
        "main",
        "--name",
        "pr-12",
        "--comment-on",
        "12",
        "--downstream-store",
        "rpms",
    ];
    let words = [&words[..], &["-C", "src"]].concat();
    let done = world.source(&words);
    assert_eq!(texts(&done["packages"], "package"), ["cli"]);
    assert_eq!(done["state"], "pending");
    assert_eq!(
        done["alterations"],
        json!([{"package": "cli", "file": "common/macros", "through": "files_to_sync"}])
    );
    let branch = "mirror/pr-12/main";
    assert_eq!(
        world.git("rpms/cli", &["show", &format!("{branch}:macros")]),
        "2"
    );
    let first = world.git("rpms/cli", &["rev-parse", branch]);
    forge.kept.lock().unwrap().check = "success".to_owned();
    let done = world.source(&words);
    assert_eq!(
        (
            done["state"].as_str(),
            done["packages"][0]["checks"][0]["name"].as_str()
        ),
        (Some("success"), Some("build"))
    );
    assert_eq!(
        world.git("rpms/cli", &["rev-parse", branch]),
        first,
        "its checks would begin again"
    );
    world.commit(
        "Cy",
        "src",
        "web too",
        &[("web/x", "2\n"), ("common/macros", "3\n")],
    );
    forge.kept.lock().unwrap().check = "failure".to_owned();
    let failed = world
        .client
        .run(&[&["--json", "source"], &words[..], &["--exit-code"]].concat());
    assert_eq!(failed.status(), 1, "{}", failed.stderr());
    assert_eq!(
        world.git("rpms/cli", &["show", &format!("{branch}:macros")]),
        "3"
    );
    the_report_names_what_matters(&forge);
}

fn the_report_names_what_matters(forge: &ForgeServer) {
    let kept = forge.kept.lock().unwrap();
    assert_eq!((kept.changes.len(), kept.comments.len()), (2, 1));
    let report = kept.comments[0]["body"].as_str().unwrap();
    assert!(
        report
            .contains("| cli | main | [failure](http://forge/1) | [build](http://ci/1) failure |"),
        "{report}"
    );
    assert!(
        report.contains("`common/macros` lies outside of `cli`"),
        "{report}"
    );
}

#[test]
fn files_come_back_whole_on_a_branch_of_their_own() {
    let world = sample(None);
    let edit = world.commit("Dana", "rpms/web", "edit", &[("x", "2\n"), ("y", "1\n")]);
    world.commit("Dana", "rpms/cli", "edit", &[("README", "other\n")]);
    let before = world.git("src", &["rev-parse", "main"]);
    let done = world.source(&[
        "sync-from-downstream",
        "-C",
        "src",
        "--downstream-store",
        "rpms",
    ]);
    assert_eq!(
        done["packages"][1]["files"],
        json!(["web/README", "web/x", "web/y"])
    );
    assert_eq!(done["packages"][0]["files"], json!([]));
    assert_eq!(world.git("src", &["show", "downstream-sync:web/y"]), "1");
    assert!(world.message("src", "downstream-sync").contains(&format!(
        "From-dist-git-commit: {edit}\nSource-package: web"
    )));
    assert_eq!(world.git("src", &["rev-parse", "main"]), before);
    assert_eq!(world.git("src", &["status", "--porcelain"]), "");
    let refused = world.client.run(&[
        "source",
        "sync-from-downstream",
        "-C",
        "src",
        "--to",
        "main",
        "--downstream-store",
        "rpms",
    ]);
    assert_eq!(refused.status(), 2);
}
