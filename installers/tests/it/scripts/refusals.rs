//! When install.sh stops, and that it then leaves nothing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use provisioning_installers::scripts::{Script, ScriptContext, render};

use super::machine::{Machine, finish};
use super::registry::{Answer, Registry, context};
use super::tools::{find, sh, shells};

#[test]
fn a_forged_archive_stops_every_shell_and_leaves_nothing() {
    let registry = Registry::start(Answer::Forged);
    for shell in shells() {
        let machine = Machine::new();
        let before = machine.everything();
        let run = machine.run(&shell, &registry, &["-y"]);
        assert_eq!(run.code, Some(1), "{shell:?}: {run:?}");
        assert!(
            run.stderr.contains("not what the registry signed"),
            "{run:?}"
        );
        assert_eq!(machine.everything(), before, "{shell:?}");
        assert!(machine.calls().is_empty(), "{shell:?}");
    }
}

#[test]
fn a_cut_archive_stops_and_leaves_nothing() {
    let registry = Registry::start(Answer::Half);
    let machine = Machine::new();
    let before = machine.everything();
    let run = machine.run(&sh(), &registry, &["-y"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert_eq!(machine.everything(), before);
}

#[test]
fn without_a_digest_program_nothing_is_even_fetched() {
    let registry = Registry::start(Answer::Whole);
    for shell in shells() {
        let mut machine = Machine::new();
        let programs = machine.folder("programs");
        for name in ALL_BUT_DIGESTS {
            link(&programs, name);
        }
        machine.only_programs_of(&programs);
        let before = machine.everything();
        let run = machine.run(&shell, &registry, &["-y"]);
        assert_eq!(run.code, Some(1), "{shell:?}: {run:?}");
        assert!(run.stderr.contains("sha256sum, shasum or openssl"));
        assert_eq!(machine.everything(), before, "{shell:?}");
    }
    assert!(registry.requests.lock().unwrap().is_empty());
}

#[test]
fn each_digest_program_is_enough_and_a_broken_one_is_not_believed() {
    let registry = Registry::start(Answer::Whole);
    for name in ["sha256sum", "shasum", "openssl"] {
        if find(name).is_none() {
            eprintln!("SKIPPED: `{name}` is not in PATH");
            continue;
        }
        let mut machine = Machine::new();
        let programs = machine.folder("programs");
        for tool in ALL_BUT_DIGESTS {
            link(&programs, tool);
        }
        if name != "sha256sum" {
            program(&programs, "sha256sum", "echo 0000  -");
        }
        link(&programs, name);
        machine.only_programs_of(&programs);
        let run = machine.run(&sh(), &registry, &["--no-modify-path"]);
        assert_eq!(run.code, Some(0), "{name}: {run:?}");
    }
}

#[test]
fn a_prefix_that_cannot_be_written_is_refused_before_anything_is_fetched() {
    let registry = Registry::start(Answer::Whole);
    let machine = Machine::with_prefix("file/prefix");
    fs::write(machine.home.parent().unwrap().join("file"), "").unwrap();
    let before = machine.everything();
    let run = machine.run(&sh(), &registry, &["-y"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("cannot write to"), "{run:?}");
    assert_eq!(machine.everything(), before);
    assert!(registry.requests.lock().unwrap().is_empty());
}

#[test]
fn a_file_that_is_not_ours_is_never_replaced() {
    let registry = Registry::start(Answer::Whole);
    let machine = Machine::new();
    fs::create_dir_all(machine.prefix.join("bin")).unwrap();
    fs::write(machine.program(), "theirs").unwrap();
    let before = machine.everything();
    let run = machine.run(&sh(), &registry, &["-y"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("not put there by"), "{run:?}");
    assert_eq!(machine.everything(), before);
    assert_eq!(fs::read(machine.program()).unwrap(), b"theirs");
}

#[test]
fn an_interrupted_run_cleans_up_and_ends_its_download() {
    let registry = Registry::start(Answer::Silence);
    for shell in shells() {
        for signal in ["TERM", "INT", "HUP"] {
            let machine = Machine::new();
            let before = machine.everything();
            let script = registry.script(Script::InstallSh);
            let asked = registry.requests.lock().unwrap().len();
            let child = machine.pipe(&shell, &script, &["-y"]);
            let patience = Instant::now() + Duration::from_secs(20);
            while registry.requests.lock().unwrap().len() == asked {
                assert!(Instant::now() < patience, "{shell:?} fetches nothing");
                sleep(Duration::from_millis(5));
            }
            let sent = Command::new("kill")
                .args(["-s", signal, &child.id().to_string()])
                .status()
                .unwrap();
            assert!(sent.success());
            let run = finish(child);
            assert_ne!(run.code, Some(0), "{shell:?} {signal}: {run:?}");
            assert_eq!(machine.everything(), before, "{shell:?} {signal}");
        }
    }
}

#[test]
fn a_failed_install_keeps_the_client_and_its_exit_code() {
    let registry = Registry::start(Answer::Whole);
    for shell in shells() {
        let machine = Machine::new();
        let run = machine.run(&shell, &registry, &["--bundle", "fails"]);
        assert_eq!(run.code, Some(3), "{shell:?}: {run:?}");
        assert!(run.stderr.contains("install fails"), "{run:?}");
        assert!(machine.program().exists());
        assert!(!run.stdout.contains("Done."), "{run:?}");
    }
}

#[test]
fn without_a_client_every_script_says_so_and_fails() {
    let registry = ScriptContext {
        client: None,
        ..context("http://127.0.0.1:1", BTreeMap::new())
    };
    for shell in shells() {
        for script in [Script::InstallSh, Script::CoreSh] {
            let machine = Machine::new();
            let run = finish(machine.pipe(&shell, &render(script, &registry), &[]));
            assert_eq!(run.code, Some(1), "{shell:?}: {run:?}");
            assert!(run.stderr.contains("no client published"), "{run:?}");
        }
    }
}

#[test]
fn a_machine_that_no_client_is_for_is_told_which_there_are() {
    let registry = Registry::start(Answer::Whole);
    let mut machine = Machine::new();
    let programs = machine.folder("programs");
    let uname = r#"case "$1" in -s) echo SunOS ;; *) echo sparc ;; esac"#;
    program(&programs, "uname", uname);
    machine.programs_first(&programs);
    let run = machine.run(&sh(), &registry, &["-y"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("SunOS-sparc"), "{run:?}");
    assert!(run.stderr.contains("linux-x86_64"), "{run:?}");
}

#[test]
fn rosetta_is_seen_through() {
    let registry = Registry::start(Answer::Whole);
    let mut machine = Machine::new();
    let programs = machine.folder("programs");
    let uname = r#"case "$1" in -s) echo Darwin ;; *) echo x86_64 ;; esac"#;
    program(&programs, "uname", uname);
    program(&programs, "sysctl", "echo 1");
    machine.programs_first(&programs);
    let run = machine.run(&sh(), &registry, &["--dry-run"]);
    assert!(run.stdout.contains("for macos-arm64"), "{run:?}");
    program(&programs, "sysctl", "exit 1");
    let run = machine.run(&sh(), &registry, &["--dry-run"]);
    assert!(run.stdout.contains("for macos-x86_64"), "{run:?}");
}

#[test]
fn misuse_exits_with_two_and_changes_nothing() {
    let registry = Registry::start(Answer::Whole);
    let machine = Machine::new();
    let before = machine.everything();
    for wrong in [
        &["--no-such-option"][..],
        &["--prefix"],
        &["--bundle", "--prefix"],
        &["--bundle="],
        &["--prefix", "/"],
    ] {
        let run = machine.run(&sh(), &registry, wrong);
        assert_eq!(run.code, Some(2), "{wrong:?}: {run:?}");
        assert!(run.stderr.contains("help: --help"), "{run:?}");
    }
    assert_eq!(machine.everything(), before);
}

/// What install.sh runs, but the digest programs, and what the client's stand-in needs.
const ALL_BUT_DIGESTS: [&str; 24] = [
    "cat", "chmod", "curl", "env", "grep", "gzip", "id", "kill", "ln", "ls", "mkdir", "mv",
    "printf", "pwd", "rm", "rmdir", "sed", "sysctl", "tar", "tr", "uname", "wc", "wget", "test",
];

fn link(folder: &Path, name: &str) {
    if let Some(program) = find(name) {
        symlink(program, folder.join(name)).unwrap();
    }
}

fn program(folder: &Path, name: &str, body: &str) {
    let file = folder.join(name);
    fs::write(&file, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
}
