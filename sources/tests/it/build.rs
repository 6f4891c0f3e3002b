//! Archives and RPMs from real commits, with real git and rpmbuild.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use provisioning_package::inspect_archive;
use provisioning_sources::build::{BuildError, BuildInput, Built, build};
use provisioning_sources::config::{self, ReadOptions, SourceConfig};
use provisioning_sources::git::Git;
use provisioning_sources::snapshot::Snapshot;
use provisioning_sources::srpm::{build_rpms, build_srpm};

/// A repository of its own, and a folder for what is made.
struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    fn new(files: &[(&str, &str)]) -> Self {
        let new = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::create_dir_all(new.root()).unwrap();
        fs::create_dir_all(new.output()).unwrap();
        new.git()
            .run(&["init", "--quiet", "--initial-branch=main"])
            .unwrap();
        new.commit("first", files);
        new
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    fn output(&self) -> PathBuf {
        self.folder.path().join("output")
    }

    fn git(&self) -> Git {
        ["AUTHOR", "COMMITTER"]
            .into_iter()
            .fold(Git::new(&self.root()), |git, who| {
                git.with(&format!("GIT_{who}_NAME"), "Ada")
                    .with(&format!("GIT_{who}_EMAIL"), "ada@example.org")
                    .with(&format!("GIT_{who}_DATE"), "2026-01-31T12:00:00Z")
            })
    }

    fn commit(&self, message: &str, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = self.root().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        self.git().run(&["add", "--all"]).unwrap();
        self.git()
            .run(&["commit", "--quiet", "-m", message])
            .unwrap();
    }

    fn config(&self) -> SourceConfig {
        let text = fs::read_to_string(self.root().join(".provisioning.yaml")).unwrap();
        let options = ReadOptions {
            file: ".provisioning.yaml",
            repository: "source",
            tree: None,
        };
        config::read(&text, &options).config.unwrap()
    }

    fn with<T>(&self, package: &str, run: impl Fn(&BuildInput<'_>) -> T) -> T {
        let work = tempfile::tempdir_in(self.folder.path()).unwrap();
        let snapshot =
            Snapshot::take(&self.root(), "HEAD", &work.path().join("repository")).unwrap();
        let config = self.config();
        run(&BuildInput {
            package,
            values: config.package(package).unwrap(),
            snapshot: &snapshot,
            work: work.path(),
        })
    }

    fn build(&self, package: &str) -> Result<Built, BuildError> {
        self.with(package, |input| build(input, &self.output(), None))
    }
}

fn names(archive: &Path) -> Vec<String> {
    let report = inspect_archive(archive).unwrap();
    report
        .entries
        .iter()
        .map(|it| it.path.as_str().to_owned())
        .collect()
}

const CONFIG: &str = "packages:
  redis: {paths: [extensions/redis, common]}
  python-lit: {paths: [utils/lit], upstream_package_name: lit, upstream_tag_template: 'lit-{version}'}
  empty: {paths: [nothing]}
jobs: []
";

const MANIFEST: &str = "[extension]\nname = \"redis\"\nversion = \"1.2.3\"\ntype = \"taskserv\"\n";

const SPEC: &str = "Name: python-lit
Version: 0
Release: 1%{?dist}
Summary: A tester
License: MIT
Source0: old.tar.gz
BuildArch: noarch
%description
It tests.
%prep
%autosetup -n wrong
%install
install -D -m 0644 lit.py %{buildroot}/usr/share/lit/lit.py
%files
/usr/share/lit/lit.py
%changelog
";

fn sample() -> Repository {
    Repository::new(&[
        (".provisioning.yaml", CONFIG),
        ("extensions/redis/manifest.toml", MANIFEST),
        ("extensions/redis/run.nu", "# run\n"),
        ("common/lib.nu", "# lib\n"),
        ("utils/lit/lit.py", "print(1)\n"),
        ("utils/lit/python-lit.spec", SPEC),
        ("README.md", "# all\n"),
    ])
}

#[test]
fn a_package_with_a_manifest_is_an_archive_whose_root_is_the_manifests_folder() {
    let repository = sample();
    let built = repository.build("redis").unwrap();
    assert!(built.is_for_registry);
    assert_eq!(
        built.archive.file_name().unwrap().to_str().unwrap(),
        "provisioning-ext-redis-1.2.3.tar.zst"
    );
    assert_eq!(
        names(&built.archive),
        ["common", "common/lib.nu", "manifest.toml", "run.nu"]
    );
}

#[test]
fn one_commit_gives_the_same_bytes_and_what_is_not_committed_is_not_built() {
    let repository = sample();
    let first = repository.build("redis").unwrap();
    fs::write(repository.root().join("common/new.nu"), "x").unwrap();
    fs::write(repository.root().join("common/lib.nu"), "changed").unwrap();
    let before = repository.git().text(&["status", "--porcelain"]).unwrap();
    assert_eq!(repository.build("redis").unwrap().digest, first.digest);
    assert_eq!(
        repository.git().text(&["status", "--porcelain"]).unwrap(),
        before
    );
}

#[test]
fn a_package_without_a_manifest_is_a_plain_archive_of_its_tags_version() {
    let repository = sample();
    let problem = repository.build("python-lit").unwrap_err().to_string();
    assert!(problem.contains("no tag fits `lit-{version}`"), "{problem}");
    repository.git().run(&["tag", "other-9"]).unwrap();
    repository.git().run(&["tag", "lit-13.0.0-rc1"]).unwrap();
    let built = repository.build("python-lit").unwrap();
    assert!(!built.is_for_registry);
    assert_eq!(built.version, "13.0.0.rc1");
    assert_eq!(
        built.archive.file_name().unwrap().to_str().unwrap(),
        "python-lit-13.0.0.rc1.tar.gz"
    );
    assert_eq!(
        names(&built.archive),
        [
            "lit-13.0.0.rc1",
            "lit-13.0.0.rc1/lit.py",
            "lit-13.0.0.rc1/python-lit.spec"
        ]
    );
}

#[test]
fn paths_without_a_committed_file_are_refused() {
    let problem = sample().build("empty").unwrap_err().to_string();
    assert_eq!(
        problem,
        "no committed file lies under the paths of `empty`: nothing"
    );
}

#[test]
fn a_source_rpm_has_packits_version_release_and_changelog_and_is_reproducible() {
    let repository = sample();
    repository.git().run(&["tag", "lit-1.0"]).unwrap();
    repository.commit("lit: says two", &[("utils/lit/lit.py", "print(2)\n")]);
    repository.commit("readme: says more", &[("README.md", "# more\n")]);
    let output = repository.output();
    let srpm = repository
        .with("python-lit", |input| build_srpm(input, &output))
        .unwrap();
    let first = fs::read(&srpm).unwrap();
    let again = repository
        .with("python-lit", |input| build_srpm(input, &output))
        .unwrap();
    assert!(
        fs::read(again).unwrap() == first,
        "the same commit, other bytes"
    );
    let asked = Command::new("rpm")
        .args(["-qp", "--qf", "%{VERSION} %{RELEASE}\n[%{CHANGELOGTEXT}\n]"])
        .arg(&srpm)
        .output()
        .unwrap();
    let said = String::from_utf8(asked.stdout).unwrap();
    let commit = repository
        .git()
        .text(&["rev-parse", "--short", "HEAD"])
        .unwrap();
    assert_eq!(
        said.trim_end(),
        format!("1.0 1.20260131120000000000.main.2.g{commit}\n- lit: says two (Ada)")
    );
    let rpms = repository
        .with("python-lit", |input| build_rpms(input, &output))
        .unwrap();
    assert_eq!(rpms.len(), 1);
}

#[test]
fn actions_run_at_the_root_without_a_shell_and_with_their_variables() {
    let repository = sample();
    repository.git().run(&["tag", "v1"]).unwrap();
    let config = "packages:
  python-lit:
    paths: [utils/lit]
    actions:
      get-current-version: echo 7.1-x
      create-archive:
      - bash -c 'test -d utils && tar -czf out-$PACKIT_PROJECT_VERSION.tar.gz --transform s,^,wrong/, utils/lit/lit.py'
      - bash -c 'echo noise; echo out-$PACKIT_PROJECT_VERSION.tar.gz'
      post-modifications: touch done-$HOME
jobs: []
";
    repository.commit("actions", &[(".provisioning.yaml", config)]);
    let output = repository.output();
    let srpm = repository
        .with("python-lit", |input| build_srpm(input, &output))
        .unwrap();
    assert!(
        srpm.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("python-lit-7.1.x-1.")
    );
    assert!(!repository.root().join("out-7.1.x.tar.gz").exists());
}
