//! Every call that changes a disk fails once: the command says so (or succeeds), and the
//! state is whole.
//!
//! `strace` makes the calls fail, one run for each call, until a run meets no fault any
//! more. What runs all the time is a sample; `PROVISIONING_CRASH_FAULTS=all` runs them all:
//! `scripts/crash-test`.

use std::path::Path;
use std::process::Command;

use crate::crash_world::{Change, CrashWorld, Dice, Home, number, say, variable};

/// Calls that are tried, and with which errors.
const FAULTS: [(&str, &[&str]); 9] = [
    ("rename,renameat,renameat2", &["EIO", "EROFS"]),
    ("fsync,fdatasync,syncfs", &["EIO", "ENOSPC"]),
    ("write,pwrite64,writev", &["ENOSPC", "EIO"]),
    ("openat,open,creat", &["EIO", "ENOSPC", "EROFS"]),
    ("mkdir,mkdirat", &["ENOSPC", "EROFS"]),
    ("link,linkat,symlink,symlinkat", &["EIO", "ENOSPC"]),
    ("unlink,unlinkat,rmdir", &["EIO"]),
    ("chmod,fchmod,fchmodat,ftruncate,flock", &["EIO"]),
    (
        "getdents64,readlink,readlinkat,copy_file_range,ioctl",
        &["EIO"],
    ),
];

/// Faults of one kind that a sample tries for one change.
const SAMPLE: u64 = 1;

/// What the event loop writes to wake itself, as `strace` shows it.
const WAKE: &str = r#""\1\0\0\0\0\0\0\0", 8"#;

/// A command that takes longer is stuck.
const SECONDS_MAX: &str = "30";

/// No command makes more calls of one kind than this.
const CALLS_MAX: u64 = 5_000;

#[test]
fn every_call_that_fails_once_leaves_a_whole_state_and_is_reported() {
    if !Path::new("/usr/bin/strace").exists() {
        crate::crash_world::skip("strace is not installed");
        return;
    }
    let all = variable("PROVISIONING_CRASH_FAULTS").is_some_and(|it| it == "all");
    // One sample for everybody: a long run takes another seed.
    let seed = number("PROVISIONING_CRASH_SEED").unwrap_or(1);
    say(&format!("PROVISIONING_CRASH_SEED={seed}"));
    let world = CrashWorld::new();
    let mut dice = Dice::new(seed);
    let (mut runs, mut refused) = (0, 0);
    for change in world.warm_changes() {
        for (calls, errors) in FAULTS {
            for error in errors {
                // A sample tries every second kind of call, and of each one error.
                if !all && dice.below(2 * errors.len() as u64) != 0 {
                    continue;
                }
                let count = if all { CALLS_MAX } else { SAMPLE };
                let last = if all { 0 } else { calls_of(&change, calls) };
                for index in 1..=count {
                    let nth = if all { index } else { 1 + dice.below(last) };
                    match fail_once(&change, calls, error, nth) {
                        Ran::Undisturbed => break,
                        Ran::Succeeded => runs += 1,
                        Ran::Refused => (runs, refused) = (runs + 1, refused + 1),
                    }
                }
            }
        }
    }
    say(&format!("{runs} faults, {refused} of them refused"));
    assert!(runs > 0, "no fault was met at all");
}

enum Ran {
    /// There is no such call.
    Undisturbed,
    Succeeded,
    Refused,
}

/// How many calls of a kind one thread of an undisturbed run makes at most.
fn calls_of(change: &Change, calls: &str) -> u64 {
    let home = change.before.copy();
    let log = traced(&home, change, &format!("trace={calls}"), None).1;
    let mut by_thread = std::collections::BTreeMap::<&str, u64>::new();
    for line in log
        .lines()
        .filter(|it| it.contains('(') && !it.contains("resumed"))
    {
        let thread = line.split_whitespace().next().unwrap_or("");
        *by_thread.entry(thread).or_default() += 1;
    }
    by_thread.into_values().max().unwrap_or(0)
}

fn fail_once(change: &Change, calls: &str, error: &str, nth: u64) -> Ran {
    let home = change.before.copy();
    let inject = format!("inject={calls}:error={error}:when={nth}");
    let (ended, log) = traced(&home, change, &format!("trace={calls}"), Some(&inject));
    let hits: Vec<_> = log.lines().filter(|it| it.contains("(INJECTED)")).collect();
    if hits.is_empty() {
        return Ran::Undisturbed;
    }
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    let label = format!("{}: {error} at {hits:#?}: {said}", change.name);
    let is_new = home.is_whole(change, &label);
    let refused = match ended.status.code() {
        Some(0) => {
            assert!(is_new, "{label}: done, and the old state is here");
            false
        }
        Some(1..=6) => {
            assert!(said.contains("error: "), "{label}: it says nothing");
            assert!(
                !is_new
                    || change.is_collection()
                    || said.contains("is current")
                    // Done, and nobody could be told.
                    || said.contains("cannot write to stdout"),
                "{label}: refused, and the new state is here"
            );
            true
        }
        // A write to wake the event loop is none to a disk; nothing makes it fail but us, and
        // whoever waits for the wake waits for ever.
        Some(101 | 137) | None if hits.iter().any(|it| it.contains(WAKE)) => true,
        other => panic!("{label}: ended with {other:?}"),
    };
    home.goes_on(change, &label);
    if refused {
        Ran::Refused
    } else {
        Ran::Succeeded
    }
}

/// Runs a change under `strace`: how it ended, and the log.
fn traced(
    home: &Home,
    change: &Change,
    trace: &str,
    inject: Option<&str>,
) -> (std::process::Output, String) {
    let log = home.path().join("strace.log");
    let mut strace = Command::new("timeout");
    strace
        .args(["-s", "KILL", SECONDS_MAX, "strace", "-f", "-qq", "-o"])
        .arg(&log)
        .args(["-e", trace]);
    strace.args(inject.into_iter().flat_map(|it| ["-e", it]));
    strace.arg(home.program(&change.words()));
    let ended = home.with(strace, &change.words()).output().unwrap();
    let text = std::fs::read(&log).unwrap_or_default();
    (ended, String::from_utf8_lossy(&text).into_owned())
}
