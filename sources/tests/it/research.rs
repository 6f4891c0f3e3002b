//! The research note's own examples: lit from llvm, copr's three packages, inheritance.

use provisioning_sources::affected::{Affected, affected};
use provisioning_sources::config::{self, ReadOptions, SourceConfig};
use provisioning_sources::tree::{Listing, Tree};

const LIT: &str = "\
upstream_project_url: https://github.com/llvm/llvm-project.git
upstream_ref: llvmorg-13.0.0-rc3
packages:
  lit:
    downstream_package_name: python-lit
    specfile_path: .distro/python-lit/python-lit.spec
    paths:
      - llvm/utils/lit
    sync_changelog: true
    files_to_sync:
      - src: .distro/python-lit/
        dest: .
        delete: true
        filters:
          - protect .git*
          - protect sources
          - exclude .gitignore
    sources:
      - path: lit-13.0.0rc1
        url: https://src.example.org/lit-13.0.0rc1
";

const COPR: &str = "\
handle:
  ignore_paths:
    - doc
upstream_project_url: https://pagure.io/copr/copr.git
packages:
  copr-backend:
    specfile_path: backend/copr-backend.spec
    paths:
      - backend
  copr-frontend:
    specfile_path: frontend/copr-frontend.spec
    paths:
      - frontend
  copr-cli:
    specfile_path: cli/copr-cli.spec
    paths:
      - cli
jobs:
  - job: copr_build
    trigger: pull_request
    targets:
      - fedora-all
      - epel-8
    packages:
      - copr-frontend
      - copr-backend
    handle:
      paths:
        - backend
        - frontend
        - common
  - job: copr_build
    trigger: pull_request
    targets:
      - fedora-all
    packages:
      - copr-cli
    handle:
      paths:
        - cli
        - common
";

const INHERITANCE: &str = "\
srpm_build_deps:
  - python3-pip
  - python3-setuptools
packages:
  subpackage1:
    paths:
      - package1
    srpm_build_deps:
      - python3-pip
      - python3-setuptools
      - python3-packaging
  subpackage2:
    paths:
      - package2
jobs:
  - job: copr_build
    trigger: pull_request
    srpm_build_deps:
      - python3-pip
      - python3-setuptools
      - cowsay
    targets:
      - fedora-all
  - job: copr_build
    trigger: release
    packages:
      - subpackage1
    targets:
      - fedora-all
      - epel-9
";

fn read_in(text: &str, tree: Option<&dyn Tree>) -> SourceConfig {
    let options = ReadOptions {
        file: ".provisioning.yaml",
        repository: "repository",
        tree,
    };
    let reading = config::read(text, &options);
    let problems: Vec<String> = reading
        .problems
        .sorted()
        .iter()
        .map(ToString::to_string)
        .collect();
    reading.config.unwrap_or_else(|| panic!("{problems:#?}"))
}

fn read(text: &str) -> SourceConfig {
    read_in(text, None)
}

/// `package (files)` for packages, `number: packages` for jobs.
fn touched(config: &SourceConfig, files: &[&str]) -> (Vec<String>, Vec<String>) {
    let files: Vec<String> = files.iter().map(|it| (*it).to_owned()).collect();
    let found: Affected = affected(config, &files).unwrap();
    let packages = found.packages.iter().map(|it| it.package.clone());
    let jobs = found.jobs.iter().map(|job| {
        let keys: Vec<&str> = job.packages.iter().map(|it| it.package.as_str()).collect();
        format!("{}: {}", job.index, keys.join(" "))
    });
    (packages.collect(), jobs.collect())
}

fn found(packages: &[&str], jobs: &[&str]) -> (Vec<String>, Vec<String>) {
    let owned = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect();
    (owned(packages), owned(jobs))
}

#[test]
fn lit_is_one_folder_of_llvm_under_another_name() {
    let config = read(LIT);
    let lit = config.package("lit").unwrap();
    assert_eq!(lit.downstream_name(), "python-lit");
    assert_eq!(lit.paths(), ["llvm/utils/lit"]);
    assert_eq!(lit.specfile(), Some(".distro/python-lit/python-lit.spec"));
    let item = &lit.files_to_sync()[0];
    assert_eq!(item.destination, ".");
    assert!(item.deletes && !item.makes_folders);
    assert_eq!(config.select_one("python-lit").unwrap(), "lit");
    let (packages, jobs) = touched(&config, &["llvm/utils/lit/setup.py", "clang/a.c"]);
    assert_eq!(packages, ["lit"]);
    assert_eq!(jobs.len(), 3, "the jobs that every configuration has");
    assert_eq!(touched(&config, &["llvm/utils/lit2/x"]), found(&[], &[]));
}

#[test]
fn a_change_of_lits_specfile_is_outside_of_its_paths_and_named() {
    let config = read(LIT);
    let files = [
        ".distro/python-lit/python-lit.spec".to_owned(),
        ".distro/python-lit/gating.yaml".to_owned(),
        ".distro/other".to_owned(),
    ];
    let found = affected(&config, &files).unwrap();
    assert!(found.packages.is_empty());
    let through: Vec<_> = found.alterations.iter().map(|it| it.through).collect();
    assert_eq!(through, ["files_to_sync", "specfile_path"]);
    assert_eq!(found.unmatched.len(), 3);
}

#[test]
fn coprs_jobs_react_to_what_they_say_and_its_packages_to_their_paths() {
    let config = read(COPR);
    assert_eq!(
        touched(&config, &["common/x.py"]),
        found(&[], &["0: copr-backend copr-frontend", "1: copr-cli"])
    );
    assert_eq!(
        touched(&config, &["backend/x.py"]),
        found(&["copr-backend"], &["0: copr-backend copr-frontend"])
    );
    assert_eq!(
        touched(&config, &["cli/main.py"]),
        found(&["copr-cli"], &["1: copr-cli"])
    );
    assert_eq!(
        touched(&config, &["doc/index.rst", "README"]),
        found(&[], &[])
    );
}

#[test]
fn a_job_without_handle_reacts_to_the_paths_of_its_packages_only() {
    let text = COPR.replace(
        "    handle:\n      paths:\n        - cli\n        - common\n",
        "",
    );
    let config = read(&text);
    assert_eq!(
        touched(&config, &["cli/x"]),
        found(&["copr-cli"], &["1: copr-cli"])
    );
    assert_eq!(
        touched(&config, &["common/x"]),
        found(&[], &["0: copr-backend copr-frontend"])
    );
}

#[test]
fn paths_of_a_package_beat_the_top_levels_handle_and_its_own_handle_beats_both() {
    let text = "handle: {paths: [ci], ignore_paths: ['**/*.md']}
packages:
  a: {paths: [a]}
  b: {paths: [b], handle: {paths: [b, shared, !b/old]}}
  c: {}
jobs:
- {job: tests, trigger: commit, skip_build: true}
";
    let config = read(text);
    assert_eq!(touched(&config, &["a/x"]), found(&["a"], &["0: a"]));
    assert_eq!(touched(&config, &["ci/x"]), found(&["c"], &["0: c"]));
    assert_eq!(touched(&config, &["shared/x"]), found(&["b"], &["0: b"]));
    assert_eq!(
        touched(&config, &["b/old/x", "a/README.md"]),
        found(&[], &[])
    );
}

#[test]
fn a_jobs_list_replaces_that_of_the_package_which_replaces_the_top_levels() {
    let config = read(INHERITANCE);
    let of = |at: usize, key: &str| {
        let job = &config.jobs[at];
        let (_, values) = job.packages.iter().find(|(it, _)| it == key).unwrap();
        values.texts("srpm_build_deps").join(" ")
    };
    assert_eq!(
        of(0, "subpackage1"),
        "python3-pip python3-setuptools cowsay"
    );
    assert_eq!(of(0, "subpackage2"), of(0, "subpackage1"));
    assert_eq!(
        of(1, "subpackage1"),
        "python3-pip python3-setuptools python3-packaging"
    );
    assert_eq!(config.jobs[1].packages.len(), 1);
    let top = config.package("subpackage2").unwrap();
    assert_eq!(
        top.texts("srpm_build_deps").join(" "),
        "python3-pip python3-setuptools"
    );
}

#[test]
fn extend_adds_to_an_inherited_list_at_every_level() {
    let text = INHERITANCE
        .replace(
            "    srpm_build_deps:\n      - python3-pip\n      - python3-setuptools\n      - python3-packaging\n",
            "    extend: {srpm_build_deps: [python3-packaging]}\n",
        )
        .replace(
            "    srpm_build_deps:\n      - python3-pip\n      - python3-setuptools\n      - cowsay\n",
            "    extend: {srpm_build_deps: [cowsay], targets: [epel-9]}\n    packages: {subpackage1: {extend: {srpm_build_deps: [last]}}}\n",
        );
    let config = read(&text);
    let one = config.package("subpackage1").unwrap();
    assert_eq!(
        one.texts("srpm_build_deps").join(" "),
        "python3-pip python3-setuptools python3-packaging"
    );
    let (_, in_job) = &config.jobs[0].packages[0];
    assert_eq!(
        in_job.texts("srpm_build_deps").join(" "),
        "python3-pip python3-setuptools python3-packaging cowsay last"
    );
    assert_eq!(in_job.targets(), ["epel-9", "fedora-all"]);
}

#[test]
fn specfiles_are_looked_for_in_the_paths_in_their_order() {
    let files = [
        "z.spec",
        "b/x.spec",
        "b/deep/a.spec",
        "a/two.spec",
        "tests/t.spec",
        "b/named.spec",
    ];
    let tree = Listing::new(files.map(str::to_owned));
    let text = "packages:
  named: {paths: [a, b]}
  searched: {paths: [b, a]}
  written: {specfile_path: made/by.spec}
  nowhere: {paths: [c]}
jobs: []
";
    let config = read_in(text, Some(&tree));
    let specfile = |key: &str| config.package(key).unwrap().specfile().unwrap().to_owned();
    assert_eq!(specfile("named"), "b/named.spec");
    assert_eq!(specfile("searched"), "b/named.spec");
    assert_eq!(specfile("written"), "made/by.spec");
    assert_eq!(specfile("nowhere"), "nowhere.spec");
    let alone = read_in("jobs: []\n", Some(&tree));
    assert_eq!(
        alone.package("repository").unwrap().specfile(),
        Some("z.spec")
    );
    let tests = Listing::new(["tests/t.spec".to_owned()]);
    let alone = read_in("jobs: []\n", Some(&tests));
    assert_eq!(alone.package("repository").unwrap().specfile(), None);
}

#[test]
fn every_problem_comes_in_one_report_with_its_line_and_column() {
    let text = "downstream_package_nam: x
paths: [/etc, ok, ../up]
handle: {path: [a]}
extend: {branch: [a]}
sources: [{path: a}]
actions: {fix-spec: x}
targets: 3
files_to_sync:
  - dest: x
  - {src: a, dest: ../b, colour: red}
packages:
  a: {timeout: soon, create_pr: maybe}
jobs:
  - trigger: pull_request | merge
    job: copr_build
    packages: [b, a]
  - {job: tests}
  - 5
";
    let options = ReadOptions {
        file: "f",
        repository: "r",
        tree: None,
    };
    let reading = config::read(text, &options);
    assert!(reading.config.is_none());
    let lines: Vec<String> = reading
        .problems
        .sorted()
        .iter()
        .map(ToString::to_string)
        .collect();
    let expected = [
        "1:1: no such key: `downstream_package_nam`: did you mean `downstream_package_name`?",
        "2:9: the path `/etc` of `paths` is absolute: write it from the root of the repository",
        "2:19: the path `../up` of `paths` leaves the repository",
        "3:10: `handle` has no key `path`: did you mean `paths`?",
        "4:10: `branch` is no list that `extend` could add to",
        "5:11: an item of `sources` has no `url`",
        "6:11: no such action: `fix-spec`",
        "7:10: `targets` must be text, a list of text or a table of tables, found a whole number",
        "9:5: an item of `files_to_sync` has no `src`",
        "10:20: the path `../b` of `files_to_sync` leaves the repository",
        "10:26: `files_to_sync` has no key `colour`",
        "12:16: `timeout` must be a whole number, found text",
        "12:33: `create_pr` must be `true` or `false`, found text",
        "14:14: no such trigger: `merge`: one of release, pull_request, commit, koji_build, ignore",
        "16:16: no such package: `b`: did you mean `a`?",
        "17:5: a job has no `trigger`",
        "18:5: a job must be a table, found a whole number",
    ];
    assert_eq!(lines, expected, "{lines:#?}");
}

#[test]
fn a_name_that_fits_several_packages_or_none_is_refused() {
    let config = read(
        "packages:\n  a: {downstream_package_name: x}\n  b: {downstream_package_name: x}\njobs: []\n",
    );
    assert!(config.select(&["x".to_owned()]).is_err());
    assert!(config.select(&["a".to_owned(), "c".to_owned()]).is_err());
    assert_eq!(config.select(&["b".to_owned()]).unwrap(), ["b"]);
    assert_eq!(config.select(&[]).unwrap(), ["a", "b"]);
}
