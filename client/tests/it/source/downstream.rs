//! Downstream repositories: init, update-downstream, update-source, status.

use super::{World, texts};

const CONFIG: &str = "sync_changelog: true
packages:
  lit:
    downstream_package_name: python-lit
    paths: [utils/lit]
    specfile_path: .distro/lit/python-lit.spec
    files_to_sync:
    - {src: .distro/lit/, dest: ., delete: true, filters: [protect .git*, protect sources, exclude .gitignore]}
  plain: {paths: [plain]}
jobs: []
";

/// A source repository with two packages, and their downstream repositories, paired.
fn sample() -> World {
    let world = World::new();
    world.init("src");
    world.commit(
        "Bob",
        "src",
        "first",
        &[
            (".distro/source-git.yaml", CONFIG),
            (
                ".distro/lit/python-lit.spec",
                "Name: python-lit\n%changelog\n",
            ),
            (".distro/lit/tests/run.sh", "true\n"),
            ("utils/lit/lit.py", "1\n"),
            ("plain/a", "1\n"),
            ("README", "1\n"),
        ],
    );
    for name in ["rpms/python-lit", "rpms/plain"] {
        world.init(name);
        world.commit("Bob", name, "begin", &[(".gitignore", "*.src.rpm\n")]);
    }
    world.source(&["update-downstream", "src", "--downstream-store", "rpms"]);
    world
}

#[test]
fn a_first_update_brings_everything_and_names_the_pair() {
    let world = sample();
    let head = world.git("src", &["rev-parse", "HEAD"]);
    let files = world.git("rpms/python-lit", &["ls-tree", "-r", "--name-only", "HEAD"]);
    assert_eq!(files, ".gitignore\npython-lit.spec\ntests/run.sh");
    let message = world.message("rpms/python-lit", "HEAD");
    assert!(
        message.ends_with(&format!(
            "From-source-git-commit: {head}\nSource-package: lit"
        )),
        "{message}"
    );
    assert_eq!(world.git("rpms/plain", &["status", "--porcelain"]), "");
    let status = world.source(&["status", "-C", "src", "--downstream-store", "rpms"]);
    assert_eq!(texts(&status["packages"], "state"), ["in-sync", "in-sync"]);
    let again = world.source(&["update-downstream", "src", "rpms/plain"]);
    assert_eq!(again["packages"][0]["commits"].as_array().unwrap().len(), 0);
}

#[test]
fn each_source_commit_becomes_a_downstream_commit_and_one_without_effect_is_recorded() {
    let world = sample();
    let one = world.commit("Cy", "src", "plain: two\n\nwhy", &[("plain/a", "2\n")]);
    world.commit(
        "Dee",
        "src",
        "lit: code alone",
        &[("utils/lit/lit.py", "2\n")],
    );
    let three = world.commit(
        "Eve",
        "src",
        "both",
        &[("plain/b", "1\n"), (".distro/lit/tests/run.sh", "")],
    );
    let status = world.source(&["status", "src", "rpms/plain", "rpms/python-lit"]);
    assert_eq!(texts(&status["packages"], "state"), ["ahead", "ahead"]);
    assert_eq!(
        texts(&status["packages"][1]["ahead"], "subject"),
        ["plain: two", "both"]
    );
    world.source(&["update-downstream", "src", "rpms/plain", "rpms/python-lit"]);
    let log = world.git("rpms/plain", &["log", "-2", "--reverse", "--format=%an %s"]);
    assert_eq!(log, "Cy plain: two\nEve both");
    assert!(
        world
            .message("rpms/plain", "HEAD~")
            .contains(&format!("why\n\nFrom-source-git-commit: {one}\n"))
    );
    let lit = world.git("rpms/python-lit", &["ls-tree", "-r", "--name-only", "HEAD"]);
    assert_eq!(lit, ".gitignore\npython-lit.spec");
    assert!(world.message("rpms/python-lit", "HEAD").contains(&three));
    let last = world.commit("Fay", "src", "readme", &[("README", "2\n")]);
    let status = world.source(&["status", "-C", "src", "--downstream-store", "rpms"]);
    assert_eq!(texts(&status["packages"], "state"), ["in-sync", "in-sync"]);
    let before = world.git("rpms/plain", &["rev-parse", "HEAD^{tree}"]);
    let done = world.source(&["update-downstream", "src", "rpms/plain"]);
    assert_eq!(done["packages"][0]["commits"][0]["has_effect"], false);
    assert_eq!(
        world.git("rpms/plain", &["rev-parse", "HEAD^{tree}"]),
        before
    );
    assert!(world.message("rpms/plain", "HEAD").contains(&last));
}

#[test]
fn downstream_commits_come_back_with_their_authors_and_the_pair_moves_on() {
    let world = sample();
    let edit = world.commit(
        "Gus",
        "rpms/python-lit",
        "spec: licence\n\nSigned-off-by: Gus <g@h>",
        &[
            (
                "python-lit.spec",
                "Name: python-lit\nLicense: MIT\n%changelog\n",
            ),
            ("gating.yaml", "x\n"),
        ],
    );
    let ignored = world.commit(
        "Hal",
        "rpms/python-lit",
        "ignore more",
        &[(".gitignore", "*\n")],
    );
    let status = world.source(&["status", "src", "rpms/python-lit", "rpms/plain"]);
    assert_eq!(texts(&status["packages"], "state"), ["behind", "in-sync"]);
    let refused = world.refused(&["update-downstream", "src", "rpms/python-lit", "rpms/plain"]);
    assert_eq!(refused["error"]["code"], "diverged");
    let done = world.source(&["update-source", "rpms/python-lit", "src"]);
    assert_eq!(
        texts(&done["commits"], "downstream"),
        [edit.clone(), ignored.clone()]
    );
    assert_eq!(done["commits"][1]["has_effect"], false);
    assert_eq!(
        world.git("src", &["log", "-2", "--format=%an %s"]),
        "Hal ignore more\nGus spec: licence"
    );
    assert_eq!(
        world.message("src", "HEAD~"),
        format!(
            "spec: licence\n\nSigned-off-by: Gus <g@h>\nFrom-dist-git-commit: {edit}\nSource-package: lit"
        )
    );
    let changed = world.git("src", &["show", "--format=", "--name-only", "HEAD~"]);
    assert_eq!(
        changed,
        ".distro/lit/gating.yaml\n.distro/lit/python-lit.spec"
    );
    assert_eq!(world.git("src", &["status", "--porcelain"]), "");
    let status = world.source(&["status", "src", "rpms/python-lit", "rpms/plain"]);
    assert_eq!(texts(&status["packages"], "state"), ["in-sync", "in-sync"]);
    world.commit("Ida", "src", "more", &[(".distro/lit/gating.yaml", "y\n")]);
    let done = world.source(&["update-downstream", "src", "rpms/python-lit"]);
    assert_eq!(texts(&done["packages"][0]["commits"], "subject"), ["more"]);
    assert_eq!(
        world.git("rpms/python-lit", &["show", "HEAD:gating.yaml"]),
        "y"
    );
}

#[test]
fn a_range_and_a_change_of_other_lines_merge_and_a_conflict_changes_nothing() {
    let world = sample();
    world.commit("Bob", "src", "long", &[("plain/a", "1\n2\n3\n4\n5\n")]);
    world.source(&["update-downstream", "src", "rpms/plain"]);
    world.commit("Bob", "src", "top", &[("plain/a", "one\n2\n3\n4\n5\n")]);
    let end = world.commit("Jo", "rpms/plain", "end", &[("a", "1\n2\n3\n4\nfive\n")]);
    let status = world.source(&["status", "src", "rpms/plain", "rpms/python-lit"]);
    assert_eq!(texts(&status["packages"], "state"), ["in-sync", "diverged"]);
    assert_eq!(
        world.refused(&["update-source", "rpms/plain", "src"])["error"]["code"],
        "diverged"
    );
    world.source(&["update-source", "rpms/plain", "src", &end]);
    assert_eq!(
        world.git("src", &["show", "HEAD:plain/a"]),
        "one\n2\n3\n4\nfive"
    );
    let status = world.source(&["status", "src", "rpms/plain", "rpms/python-lit"]);
    assert_eq!(texts(&status["packages"][1]["ahead"], "subject"), ["top"]);
    world.source(&["update-downstream", "src", "rpms/plain"]);
    assert_eq!(
        world.git("rpms/plain", &["show", "HEAD:a"]),
        "one\n2\n3\n4\nfive"
    );
    world.commit(
        "Bob",
        "src",
        "top again",
        &[("plain/a", "uno\n2\n3\n4\nfive\n")],
    );
    world.commit(
        "Jo",
        "rpms/plain",
        "clash",
        &[("a", "ONE\n2\n3\n4\nfive\n")],
    );
    let before = world.git("src", &["rev-parse", "HEAD"]);
    let refused = world.refused(&["update-source", "rpms/plain", "src", "HEAD~.."]);
    assert_eq!(refused["error"]["code"], "conflict");
    assert_eq!(world.git("src", &["rev-parse", "HEAD"]), before);
    assert_eq!(world.git("src", &["status", "--porcelain"]), "");
}

#[test]
fn what_is_refused_changes_no_repository() {
    let world = sample();
    world.commit("Bob", "src", "two", &[("plain/a", "2\n")]);
    let before = world.git("rpms/plain", &["rev-parse", "HEAD"]);
    std::fs::write(world.path("rpms/python-lit/tests/run.sh"), "mine\n").unwrap();
    let all = ["update-downstream", "src", "--downstream-store", "rpms"];
    assert_eq!(world.refused(&all)["error"]["code"], "dirty-repository");
    world.git("rpms/python-lit", &["checkout", "--quiet", "."]);
    let unknown = world.refused(&["update-downstream", "src", "rpms/plain", "rpms/other"]);
    assert_eq!(unknown["error"]["code"], "unknown-package");
    std::fs::rename(world.path("rpms/python-lit"), world.path("rpms/gone")).unwrap();
    assert_eq!(
        world.refused(&all)["error"]["code"],
        "no-downstream-repository"
    );
    assert_eq!(world.git("rpms/plain", &["rev-parse", "HEAD"]), before);
    world.git("rpms/plain", &["checkout", "--quiet", "--detach"]);
    assert_eq!(
        world.refused(&["update-downstream", "src", "rpms/plain"])["error"]["code"],
        "no-branch"
    );
}

#[test]
fn a_branch_that_cannot_move_leaves_the_others_as_they_were() {
    let world = sample();
    world.commit(
        "Bob",
        "src",
        "two",
        &[("plain/a", "2\n"), (".distro/lit/new", "1\n")],
    );
    let heads =
        || ["rpms/python-lit", "rpms/plain"].map(|it| world.git(it, &["rev-parse", "HEAD"]));
    let before = heads();
    // Packages move in the order of the configuration: the second fails.
    std::fs::write(world.path("rpms/plain/.git/index.lock"), "").unwrap();
    world.refused(&["update-downstream", "src", "--downstream-store", "rpms"]);
    std::fs::remove_file(world.path("rpms/plain/.git/index.lock")).unwrap();
    assert_eq!(heads(), before);
    assert_eq!(world.git("rpms/python-lit", &["status", "--porcelain"]), "");
    world.source(&["update-downstream", "src", "--downstream-store", "rpms"]);
    assert_eq!(world.git("rpms/plain", &["show", "HEAD:a"]), "2");
}

#[test]
fn packits_own_pairs_count_where_there_is_one_package() {
    let world = World::new();
    world.init("src");
    let head = world.commit(
        "Bob",
        "src",
        "first",
        &[
            (
                ".packit.yaml",
                "downstream_package_name: one\nfiles_to_sync: [a]\n",
            ),
            ("a", "1\n"),
        ],
    );
    world.init("one");
    world.commit(
        "Bob",
        "one",
        &format!("update\n\nFrom-source-git-commit: {head}"),
        &[("a", "1\n")],
    );
    world.commit("Bob", "src", "two", &[("a", "2\n")]);
    let status = world.source(&["status", "src", "one"]);
    assert_eq!(status["packages"][0]["state"], "ahead");
}

#[test]
fn one_commit_can_bring_all_and_bare_repositories_take_it() {
    let world = sample();
    world.git(
        "rpms",
        &["clone", "--quiet", "--bare", "plain", "../bare/plain"],
    );
    world.commit("Bob", "src", "two", &[("plain/a", "2\n")]);
    world.commit("Cy", "src", "three", &[("plain/a", "3\n")]);
    world.source(&["update-downstream", "--squash", "src", "bare/plain"]);
    let message = world.message("bare/plain", "HEAD");
    assert!(message.contains("- two (Bob)\n- three (Cy)\n"), "{message}");
    world.source(&["update-downstream", "-m", "rebase", "src", "rpms/plain"]);
    assert!(
        world
            .message("rpms/plain", "HEAD")
            .starts_with("rebase\n\nFrom-source-git-commit: ")
    );
}

#[test]
fn init_takes_what_downstream_repositories_have_and_their_patches_as_commits() {
    let world = World::new();
    world.init("src");
    world.commit(
        "Bob",
        "src",
        "v1",
        &[("cli/main.py", "a\nb\nc\n"), ("web/x", "1\n")],
    );
    world.git("src", &["tag", "v1"]);
    world.init("rpms/copr-cli");
    let patch = "From 1 Mon Sep 17 00:00:00 2001\nFrom: Pat <pat@example.org>\nDate: Mon, 1 Jan 2024 10:00:00 +0100\nSubject: [PATCH] say B\n\n---\n main.py | 2 +-\n\ndiff --git a/main.py b/main.py\n--- a/main.py\n+++ b/main.py\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n";
    let spec =
        "Name: copr-cli\nVersion: 1\nSource0: a.tar.gz\n# why\nPatch3: b.patch\n%description\nx\n";
    let tip = world.commit(
        "Bob",
        "rpms/copr-cli",
        "begin",
        &[
            ("copr-cli.spec", spec),
            ("b.patch", patch),
            ("sources", "x\n"),
            (".gitignore", "*.gz\n"),
        ],
    );
    let list = "- downstream_package_name: copr-cli\n  path: cli\n  dist_git_path: rpms/copr-cli\n- {package: web, downstream_package_name: copr-web, path: web}\n";
    world.client.write("packages.yaml", list);
    let done = world.source(&["init", "--packages", "packages.yaml", "v1", "src"]);
    assert_eq!(done["packages"], serde_json::json!(["copr-cli", "web"]));
    assert_eq!(
        world.git("src", &["log", "-1", "--format=%an %s"]),
        "Pat say B"
    );
    assert!(world.message("src", "HEAD").contains(&format!(
        "Patch-name: b.patch\nPatch-id: 3\nFrom-dist-git-commit: {tip}\n"
    )));
    assert_eq!(world.git("src", &["show", "HEAD:cli/main.py"]), "a\nB\nc");
    let kept = world.git("src", &["ls-tree", "-r", "--name-only", "HEAD", ".distro/"]);
    assert_eq!(
        kept,
        ".distro/.gitignore\n.distro/copr-cli/copr-cli.spec\n.distro/source-git.yaml"
    );
    world.client.ok(&["source", "validate", "-C", "src"]);
    let status = world.source(&["status", "src", "rpms/copr-cli"]);
    assert_eq!(status["packages"][0]["state"], "in-sync");
    let again = world.refused(&["init", "--packages", "packages.yaml", "HEAD", "src"]);
    assert_eq!(again["error"]["code"], "configured");
}

#[test]
fn init_refuses_before_it_changes_anything() {
    let world = World::new();
    world.init("src");
    let head = world.commit("Bob", "src", "v1", &[("cli/main.py", "a\n")]);
    for (list, code) in [
        ("- {downstream_package_name: a, path: nowhere}\n", "no-path"),
        (
            "- {downstream_package_name: a, path: cli, dist_git_path: gone}\n",
            "no-downstream-repository",
        ),
        (
            "- {downstream_package_name: a, color: 1}\n",
            "invalid-packages",
        ),
    ] {
        world.client.write("packages.yaml", list);
        let refused = world.refused(&["init", "--packages", "packages.yaml", "-C", "src"]);
        assert_eq!(refused["error"]["code"], code);
    }
    assert_eq!(
        world.client.run(&["source", "init", "-C", "src"]).status(),
        2
    );
    assert_eq!(world.git("src", &["rev-parse", "HEAD"]), head);
    assert_eq!(world.git("src", &["status", "--porcelain"]), "");
}
