//! A download that was cut off anywhere runs nothing.
//!
//! Each beginning of the script is really run, with its programs replaced by ones that
//! leave a trace, and in an empty folder in which any file would be one.

use std::fs;
use std::num::NonZero;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;

use provisioning_installers::scripts::Script;

use super::machine::{Machine, finish};
use super::registry::{Answer, Registry};
use super::tools::{Shell, everything_is_required, sh, shells};

/// How many of the first and of the last bytes are always tried one by one.
const EDGE_BYTES: usize = 200;
/// The step between the other lengths, where not every one of them is tried.
const STEP_BYTES: usize = 211;

#[test]
fn the_script_cut_at_any_byte_does_nothing() {
    let registry = Registry::start(Answer::Whole);
    let script = registry.script(Script::InstallSh);
    let step = if everything_is_required() { 1 } else { 7 };
    let lengths = lengths(&script, step);
    let shell = shells().into_iter().next().unwrap_or_else(sh);
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for part in lengths.chunks(lengths.len().div_ceil(threads)) {
            scope.spawn(|| check(&shell, &script, part));
        }
    });
    assert!(registry.requests.lock().unwrap().is_empty());
}

#[test]
fn the_script_cut_here_and_there_does_nothing_in_any_shell() {
    let registry = Registry::start(Answer::Whole);
    for shell in shells() {
        for script in [Script::InstallSh, Script::CoreSh] {
            let script = registry.script(script);
            check(&shell, &script, &lengths(&script, STEP_BYTES));
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

/// Lengths to cut at: all at both ends, and each `step`th between them.
fn lengths(script: &str, step: usize) -> Vec<usize> {
    let end = script.len() - EDGE_BYTES;
    (0..EDGE_BYTES)
        .chain((EDGE_BYTES..end).step_by(step))
        .chain(end..script.len())
        .filter(|length| script.is_char_boundary(*length))
        .collect()
}

fn check(shell: &Shell, script: &str, lengths: &[usize]) {
    let mut machine = Machine::new();
    let traps = machine.folder("traps");
    let trace = machine.folder("home").join("trace");
    for name in [
        "cat", "chmod", "curl", "find", "gzip", "id", "ls", "mkdir", "mv", "rm", "sed", "tar",
        "uname", "wget",
    ] {
        let trap = traps.join(name);
        let body = format!("#!/bin/sh\n: >>'{}'\n", trace.display());
        fs::write(&trap, body).unwrap();
        fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).unwrap();
    }
    machine.programs_first(&traps);
    let before = machine.everything();
    for &length in lengths {
        let beginning = &script[..length];
        let run = finish(machine.pipe(shell, beginning, &["-y"]));
        assert_eq!(run.stdout, "", "{shell:?}, cut at byte {length}");
        assert!(!trace.exists(), "{shell:?}, cut at byte {length}");
    }
    assert_eq!(machine.everything(), before, "{shell:?}");
    finish(machine.pipe(shell, script, &["-y"]));
    assert!(trace.exists(), "{shell:?}: the whole script leaves a trace");
}
