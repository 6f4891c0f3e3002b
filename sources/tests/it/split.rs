//! Histories split off, compared with what git says of the original.

use std::fs;
use std::path::Path;

use provisioning_sources::config::{self, ReadOptions, SourceConfig};
use provisioning_sources::git::Git;
use provisioning_sources::split::{SplitError, left_over, split};

const CONFIG: &str = "packages:
  a: {paths: [pkg/a], upstream_tag_template: 'a-{version}'}
  both: {paths: [pkg/b, shared]}
jobs: []
";

fn configuration() -> SourceConfig {
    let options = ReadOptions {
        file: ".provisioning.yaml",
        repository: "source",
        tree: None,
    };
    config::read(CONFIG, &options).config.unwrap()
}

/// Commits these files in the name of `author`.
fn commit(git: &Git, author: &str, message: &str, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = git.folder().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let git = ["AUTHOR", "COMMITTER"]
        .into_iter()
        .fold(git.clone(), |git, who| {
            git.with(&format!("GIT_{who}_NAME"), author)
                .with(&format!("GIT_{who}_EMAIL"), format!("{author}@example.org"))
        });
    git.run(&["add", "--all"]).unwrap();
    git.run(&["commit", "--quiet", "-m", message]).unwrap();
}

fn log(git: &Git, paths: &[&str]) -> String {
    let mut words = vec!["log", "--format=%an %at %s", "--"];
    words.extend(paths);
    git.text(&words).unwrap()
}

fn tree(git: &Git, revision: &str) -> String {
    git.text(&["ls-tree", "-r", revision]).unwrap()
}

fn sample(folder: &Path) -> Git {
    let git = Git::new(folder);
    git.run(&["init", "--quiet", "--initial-branch=main"])
        .unwrap();
    commit(
        &git,
        "ada",
        "all",
        &[("pkg/a/x", "1\n"), ("pkg/b/y", "1\n"), ("README", "1\n")],
    );
    commit(&git, "bob", "b only", &[("pkg/b/ü \"q\"", "data 3\n")]);
    commit(&git, "cy", "a only", &[("pkg/a/ä", "D x\nM 1 2 pkg/a/z\n")]);
    git.run(&["tag", "a-1.0"]).unwrap();
    git.run(&["tag", "other-1"]).unwrap();
    git.run(&["mv", "pkg/a/x", "pkg/a/renamed"]).unwrap();
    commit(&git, "dee", "rename", &[("shared/s", "1\n")]);
    git
}

#[test]
fn a_split_history_is_what_git_says_of_the_packages_paths_and_grows_with_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("source")).unwrap();
    let source = sample(&folder.path().join("source"));
    let config = configuration();
    let target = folder.path().join("out/a");
    let values = config.package("a").unwrap();
    let done = split(&source, "a", values, &target).unwrap();
    assert_eq!((done.commits, done.added), (3, 3));
    let split_off = Git::new(&target);
    assert_eq!(log(&split_off, &[]), log(&source, &["pkg/a"]));
    assert_eq!(tree(&split_off, "HEAD"), tree(&source, "HEAD:pkg/a"));
    assert_eq!(tree(&split_off, "a-1.0"), tree(&source, "a-1.0:pkg/a"));
    assert_eq!(split_off.text(&["tag", "--list"]).unwrap(), "a-1.0");
    assert_eq!(split_off.text(&["status", "--porcelain"]).unwrap(), "");
    assert_eq!(split(&source, "a", values, &target).unwrap().added, 0);
    commit(
        &source,
        "eve",
        "more",
        &[("pkg/a/new", "1\n"), ("README", "2\n")],
    );
    let done = split(&source, "a", values, &target).unwrap();
    assert_eq!((done.commits, done.added), (4, 1));
    assert_eq!(tree(&split_off, "HEAD"), tree(&source, "HEAD:pkg/a"));
}

#[test]
fn several_paths_keep_their_names_and_the_rest_is_left_over() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("source")).unwrap();
    let source = sample(&folder.path().join("source"));
    let config = configuration();
    let target = folder.path().join("both");
    split(&source, "both", config.package("both").unwrap(), &target).unwrap();
    let split_off = Git::new(&target);
    assert_eq!(log(&split_off, &[]), log(&source, &["pkg/b", "shared"]));
    let names = split_off
        .items(&["ls-tree", "-r", "--name-only", "-z", "HEAD"])
        .unwrap();
    assert_eq!(names, ["pkg/b/y", "pkg/b/ü \"q\"", "shared/s"]);
    assert_eq!(left_over(&source, &config).unwrap(), ["README"]);
}

#[test]
fn a_folder_that_is_not_ours_or_has_work_in_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("source")).unwrap();
    let source = sample(&folder.path().join("source"));
    let config = configuration();
    let values = config.package("a").unwrap();
    let taken = folder.path().join("source");
    let problem = split(&source, "a", values, &taken).unwrap_err();
    assert!(matches!(problem, SplitError::Occupied(_)));
    let target = folder.path().join("a");
    split(&source, "a", values, &target).unwrap();
    fs::write(target.join("mine"), "x").unwrap();
    let problem = split(&source, "a", values, &target).unwrap_err();
    assert!(matches!(problem, SplitError::Dirty(_)));
}
