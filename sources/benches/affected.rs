//! `affected` on 100,000 files: a change of 1,000, how it grows, and git's part in it.
//!
//! `cargo bench -p provisioning-sources`.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has failed"
)]

use std::fmt::Write as _;

use provisioning_sources::affected::affected;
use provisioning_sources::config::{self, ReadOptions, SourceConfig};
use provisioning_sources::git::{Git, changed_files};

const PACKAGES: usize = 100;
const FILES: usize = 100_000;

fn main() {
    divan::main();
}

fn configuration() -> SourceConfig {
    let mut text = String::from("handle: {ignore_paths: ['**/*.md']}\npackages:\n");
    for at in 0..PACKAGES {
        writeln!(
            text,
            "  p{at}: {{paths: [packages/p{at}, 'shared/**/{at}.c']}}"
        )
        .unwrap();
    }
    text.push_str("jobs:\n- {job: build, trigger: pull_request}\n");
    let options = ReadOptions {
        file: ".provisioning.yaml",
        repository: "bench",
        tree: None,
    };
    config::read(&text, &options).config.unwrap()
}

fn file(at: usize) -> String {
    format!("packages/p{}/src/{}/{at}.rs", at % PACKAGES, at % 37)
}

#[divan::bench(args = [10, 100, 1_000, 10_000, 100_000])]
fn changes(bencher: divan::Bencher<'_, '_>, count: usize) {
    let config = configuration();
    let changed: Vec<String> = (0..count).map(file).collect();
    bencher.bench(|| affected(&config, &changed).unwrap());
}

/// A repository of 100,000 files, of which the second commit changes `count`.
#[divan::bench(args = [1_000, 10_000], sample_count = 10)]
fn with_git(bencher: divan::Bencher<'_, '_>, count: usize) {
    let folder = tempfile::tempdir().unwrap();
    let git = Git::new(folder.path());
    git.run(&["init", "--quiet", "--bare"]).unwrap();
    git.feed(&["fast-import", "--quiet"], history(count).as_bytes())
        .unwrap();
    let config = configuration();
    bencher.bench(|| {
        let changed = changed_files(&git, "main~1", "main").unwrap();
        assert_eq!(changed.len(), count);
        affected(&config, &changed).unwrap()
    });
}

fn history(count: usize) -> String {
    let mut text = String::new();
    for (number, files) in [(1, FILES), (2, count)] {
        write!(text, "commit refs/heads/main\nmark :{number}\n").unwrap();
        write!(text, "committer A <a@b> {number} +0000\ndata 1\nx\n").unwrap();
        for at in 0..files {
            write!(text, "M 100644 inline {}\ndata 1\n{number}\n", file(at)).unwrap();
        }
    }
    text
}
