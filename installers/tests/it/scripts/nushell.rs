//! install.nu, really run.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use provisioning_installers::scripts::{Script, ScriptContext, render};

use super::machine::{Machine, Run};
use super::registry::{Answer, Registry};
use super::tools::{Shell, everything_is_required, find, variable};

#[test]
fn the_nushell_script_installs_the_client_and_the_bundle() {
    for nu in nushells() {
        let registry = Registry::start(Answer::Whole);
        let machine = Machine::with_prefix("a b/it's");
        for _ in 0..2 {
            let run = run(&machine, &nu, &registry, &["--bundle", "lts-3.1"]);
            assert_eq!(run.code, Some(0), "{run:?}");
            assert_eq!(run.stderr, "", "{run:?}");
            assert_eq!(
                fs::read_link(machine.program()).unwrap().to_str().unwrap(),
                "../lib/provisioning/client/0.1.0/provisioning",
            );
            let calls = machine.calls();
            let last = calls.last().unwrap();
            assert!(last.ends_with("install lts-3.1"), "{last}");
            let fingerprint = registry.context.root_fingerprint.hex();
            assert!(last.contains(&fingerprint), "{last}");
        }
        let clients = fs::read_dir(machine.prefix.join("lib/provisioning/client"));
        assert_eq!(clients.unwrap().count(), 1);
        let home: Vec<_> = fs::read_dir(&machine.home).unwrap().collect();
        assert!(home.is_empty(), "no profile without consent: {home:?}");
    }
}

#[test]
fn the_nushell_script_edits_its_profile_with_consent() {
    for nu in nushells() {
        let registry = Registry::start(Answer::Whole);
        let machine = Machine::new();
        for _ in 0..2 {
            let run = run(&machine, &nu, &registry, &["--modify-path"]);
            assert_eq!(run.code, Some(0), "{run:?}");
        }
        let profile = machine.home.join(".config/nushell/env.nu");
        let text = fs::read_to_string(profile).unwrap();
        assert_eq!(text.matches("provisioning's installer").count(), 1);
    }
}

#[test]
fn the_nushell_script_leaves_nothing_of_a_forged_archive() {
    for nu in nushells() {
        for answer in [Answer::Forged, Answer::Half] {
            let registry = Registry::start(answer);
            let machine = Machine::new();
            fs::write(machine.folder(".").join("install.nu"), "").unwrap();
            let before = machine.everything();
            let run = run(&machine, &nu, &registry, &[]);
            assert_eq!(run.code, Some(1), "{run:?}");
            assert!(run.stderr.contains("nothing was changed"), "{run:?}");
            assert_eq!(machine.everything(), before);
        }
    }
}

#[test]
fn the_nushell_script_gives_the_exit_code_of_a_failed_install() {
    for nu in nushells() {
        let registry = Registry::start(Answer::Whole);
        let machine = Machine::new();
        let run = run(&machine, &nu, &registry, &["--bundle", "fails"]);
        assert_eq!(run.code, Some(3), "{run:?}");
    }
}

#[test]
fn the_nushell_script_without_a_client_says_so() {
    for nu in nushells() {
        let mut registry = Registry::start(Answer::Whole);
        registry.context = ScriptContext {
            client: None,
            ..registry.context
        };
        let machine = Machine::new();
        let run = run(&machine, &nu, &registry, &[]);
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.stderr.contains("no client published"), "{run:?}");
    }
}

fn run(machine: &Machine, nu: &Shell, registry: &Registry, arguments: &[&str]) -> Run {
    let script = machine.folder(".").join("install.nu");
    fs::write(&script, render(Script::InstallNu, &registry.context)).unwrap();
    let mut command: Command = machine.command(nu);
    let output = command.arg(&script).args(arguments).output().unwrap();
    Run::from(output)
}

/// Nushell as this machine has it, and the old one that we still support.
fn nushells() -> Vec<Shell> {
    let new = variable("PROVISIONING_TEST_NU").map_or_else(|| find("nu"), |it| Some(it.into()));
    let old = variable("PROVISIONING_TEST_NU_OLD").map(PathBuf::from);
    if new.is_none() {
        assert!(
            !everything_is_required(),
            "PROVISIONING_TEST_NU is not set, and `nu` is not in PATH"
        );
        eprintln!("SKIPPED: no Nushell");
    }
    new.into_iter()
        .chain(old)
        .map(|program| Shell {
            name: "nu",
            program,
            arguments: &[],
        })
        .collect()
}
