//! A download that was cut off anywhere runs nothing.
//!
//! Each beginning of the script is really run, with its programs replaced by ones that
//! leave a trace, and in an empty folder in which any file would be one.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use provisioning_installers::scripts::Script;

use super::machine::{Machine, finish};
use super::registry::{Answer, Registry};
use super::tools::{Shell, shells};

/// How many of the last bytes every shell tries one by one.
const END_BYTES: usize = 300;
/// The step between the other lengths, for all shells but the first.
const STEP_BYTES: usize = 97;

#[test]
fn the_script_cut_at_any_byte_does_nothing_in_any_shell() {
    let registry = Registry::start(Answer::Whole);
    for (number, shell) in shells().iter().enumerate() {
        for script in [Script::InstallSh, Script::CoreSh] {
            let step = if number == 0 && script == Script::InstallSh {
                1
            } else {
                STEP_BYTES
            };
            check(shell, &registry.script(script), step);
        }
    }
    assert!(registry.requests.lock().unwrap().is_empty());
}

#[test]
fn the_script_without_its_last_byte_is_no_script() {
    let registry = Registry::start(Answer::Whole);
    for script in Script::ALL {
        let text = registry.script(script);
        assert!(text.ends_with('}'), "{script:?}");
    }
}

fn check(shell: &Shell, script: &str, step: usize) {
    let mut machine = Machine::new();
    let traps = machine.folder("traps");
    let trace = machine.folder("home").join("trace");
    for name in [
        "cat", "chmod", "curl", "find", "gzip", "id", "ls", "mkdir", "mv", "rm", "sed", "tar", "uname",
        "wget",
    ] {
        let trap = traps.join(name);
        let body = format!("#!/bin/sh\n: >>'{}'\n", trace.display());
        fs::write(&trap, body).unwrap();
        fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).unwrap();
    }
    machine.programs_first(&traps);
    let before = machine.everything();
    let end = script.len() - END_BYTES;
    for length in (0..end).step_by(step).chain(end..script.len()) {
        let Some(beginning) = script.get(..length) else {
            continue;
        };
        let run = finish(machine.pipe(shell, beginning, &["-y"]));
        assert_eq!(run.stdout, "", "{shell:?}, cut at byte {length}");
        assert!(!trace.exists(), "{shell:?}, cut at byte {length}");
    }
    assert_eq!(machine.everything(), before, "{shell:?}");
    finish(machine.pipe(shell, script, &["-y"]));
    assert!(trace.exists(), "{shell:?}: the whole script leaves a trace");
}
