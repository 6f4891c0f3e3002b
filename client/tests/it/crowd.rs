//! Many processes at once: one prefix, one cache, and readers beside writers.

use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::crash_world::{CrashWorld, Home};

/// How many come at once.
const CROWD: usize = 50;

fn start(home: &Home, words: &[&str]) -> Child {
    home.command(words)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for all; what each said and its status.
fn ended(children: Vec<Child>) -> Vec<(Option<i32>, String)> {
    children
        .into_iter()
        .map(|it| {
            let ended = it.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&ended.stderr).into_owned();
            (ended.status.code(), said)
        })
        .collect()
}

#[test]
fn fifty_installs_into_one_prefix_all_end_well() {
    let world = CrashWorld::new();
    let home = world.home(&[&["resolve", "core"]]);
    let specs = ["core", "mongodb", "redis", "azure", "large"];
    let words: Vec<_> = (0..CROWD).map(|it| specs[it % specs.len()]).collect();
    let children = words.iter().map(|it| start(&home, &["install", it]));
    for (status, said) in ended(children.collect()) {
        assert_eq!(status, Some(0), "{said}");
    }
    let listed = home.ok(&["list"]);
    for spec in specs {
        assert!(listed.contains(spec), "{spec} is lost: {listed}");
    }
    home.ok(&["verify"]);
}

#[test]
fn those_that_will_not_wait_are_told_who_holds_the_prefix_and_since_when() {
    let world = CrashWorld::new();
    let home = world.home(&[&["resolve", "core"]]);
    let children = (0..CROWD).map(|it| {
        let spec = ["core", "mongodb", "redis", "azure", "large"][it % 5];
        start(&home, &["--lock-timeout", "0", "install", spec])
    });
    let mut done = 0;
    for (status, said) in ended(children.collect()) {
        match status {
            Some(0) => done += 1,
            Some(6) => {
                assert!(said.contains("is locked by process "), "{said}");
                assert!(
                    said.contains("(`install ") && said.contains(" since 2"),
                    "{said}"
                );
            }
            other => panic!("ended with {other:?}: {said}"),
        }
    }
    assert!(done > 0, "somebody has the lock");
    home.ok(&["verify"]);
    home.ok(&["install", "mongodb"]);
}

#[test]
fn fifty_prefixes_that_share_a_cache_are_all_whole_and_so_is_the_cache() {
    let world = CrashWorld::new();
    let home = world.home(&[&["resolve", "core"]]);
    let prefixes: Vec<_> = (0..CROWD)
        .map(|it| home.path().join(format!("p{it}")))
        .collect();
    let children = prefixes.iter().map(|it| {
        let prefix = it.to_str().unwrap();
        start(&home, &["--prefix", prefix, "install", "core", "large"])
    });
    for (status, said) in ended(children.collect()) {
        assert_eq!(status, Some(0), "{said}");
    }
    for prefix in &prefixes {
        home.ok(&["--prefix", prefix.to_str().unwrap(), "verify"]);
    }
    let archives = home.path().join(".cache/provisioning/archives/sha256");
    for entry in std::fs::read_dir(archives).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let digest = provisioning_package::Digest::of(&std::fs::read(&path).unwrap());
        assert_eq!(digest.hex(), name, "the cache has something else");
    }
    let last = home.path().join("last");
    let last = last.to_str().unwrap();
    home.ok(&["--offline", "--prefix", last, "install", "core", "large"]);
}

#[test]
fn readers_beside_writers_neither_wait_nor_see_half_a_state() {
    let world = CrashWorld::new();
    let home = world.home(&[&["install", "lts-3.1"], &["install", "stable-3.2"]]);
    let is_over = AtomicBool::new(false);
    let reads = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !is_over.load(Ordering::Relaxed) {
                for words in [&["list"][..], &["verify"], &["history"]] {
                    let ended = home.command(words).output().unwrap();
                    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
                    let shown = String::from_utf8_lossy(&ended.stdout).into_owned();
                    assert!(ended.status.success(), "{words:?}: {said}{shown}");
                }
                let program = home.prefix().join("bin/provisioning-orchestrator");
                let said = std::process::Command::new(program).output().unwrap();
                assert!(said.stdout.starts_with(b"orchestrator 2."), "{said:?}");
                reads += 1;
            }
            reads
        });
        for _ in 0..6 {
            home.ok(&["install", "lts-3.1"]);
            home.ok(&["gc", "--keep", "1"]);
            home.ok(&["install", "stable-3.2"]);
        }
        is_over.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    assert!(reads > 0, "nobody read");
}
