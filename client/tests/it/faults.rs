//! Every call that changes a disk fails once: the command says so (or succeeds), and the
//! state is whole.
//!
//! `strace` makes the calls fail, one run for each, whichever thread makes it: the n-th call
//! of every thread, for every n at which an undisturbed run touches a file of the home.
//! What runs all the time is a sample; `PROVISIONING_CRASH_FAULTS=all` runs them all, on
//! `PROVISIONING_CRASH_JOBS` threads: `scripts/crash-test`.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::crash_world::{Change, CrashWorld, Dice, Home, number, say, variable};

/// Calls that are tried, and with which errors.
const FAULTS: [Fault; 9] = [
    Fault::with_each("rename,renameat,renameat2", &["EIO", "EROFS"]),
    Fault::with_each("fsync,fdatasync,syncfs", &["EIO", "ENOSPC"]),
    Fault::with_each("write,pwrite64,writev", &["ENOSPC", "EIO"]),
    Fault::in_turn("openat,open,creat", &["EIO", "ENOSPC", "EROFS"]),
    Fault::in_turn("mkdir,mkdirat", &["ENOSPC", "EROFS"]),
    Fault::in_turn("link,linkat,symlink,symlinkat", &["EIO", "ENOSPC"]),
    Fault::in_turn("unlink,unlinkat,rmdir", &["EIO"]),
    Fault::in_turn("chmod,fchmod,fchmodat,ftruncate,flock", &["EIO"]),
    Fault::in_turn(
        "getdents64,readlink,readlinkat,copy_file_range,ioctl",
        &["EIO"],
    ),
];

/// A command that takes longer waits for a wake-up that failed, and is killed.
const SECONDS_OF_A_WAKE_UP: u64 = 10;
/// Without such a wake-up it has this long, however busy the machine is.
const SECONDS_MAX: u64 = 120;

/// How often an undisturbed run is watched, since its threads share the work anew each time.
const WATCHED_RUNS: usize = 3;

/// Calls that fail, and how.
struct Fault {
    calls: &'static str,
    errors: &'static [&'static str],
    /// Whether each call fails with every error, rather than with one of them in turn.
    takes_each: bool,
}

/// One call that is to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Trial<'w> {
    change: usize,
    calls: &'w str,
    error: &'w str,
    nth: u64,
}

/// What came of the trials.
#[derive(Debug, Default)]
struct Tally {
    /// The call was made, and failed.
    met: usize,
    /// It was not made in this run: threads had shared the work otherwise.
    not_met: usize,
    /// It was about no file: waking a thread, a socket, a pipe.
    elsewhere: usize,
    refused: usize,
    succeeded: usize,
    stuck: usize,
    problems: Vec<String>,
}

/// How one trial went.
enum Ran {
    NotMet,
    Elsewhere { was_stuck: bool },
    Succeeded,
    Refused,
}

impl Fault {
    const fn with_each(calls: &'static str, errors: &'static [&'static str]) -> Self {
        Self {
            calls,
            errors,
            takes_each: true,
        }
    }

    const fn in_turn(calls: &'static str, errors: &'static [&'static str]) -> Self {
        Self {
            calls,
            errors,
            takes_each: false,
        }
    }

    /// The errors that the `nth` call is to fail with.
    fn errors_of(&self, nth: u64) -> &'static [&'static str] {
        if self.takes_each {
            return self.errors;
        }
        let at = usize::try_from(nth).unwrap() % self.errors.len();
        &self.errors[at..=at]
    }
}

#[test]
fn every_call_that_fails_once_leaves_a_whole_state_and_is_reported() {
    if !Path::new("/usr/bin/strace").exists() {
        crate::crash_world::skip("strace is not installed");
        return;
    }
    let is_long = variable("PROVISIONING_CRASH_FAULTS").is_some_and(|it| it == "all");
    // One sample for everybody: a long run takes another seed.
    let seed = number("PROVISIONING_CRASH_SEED").unwrap_or(1);
    say(&format!("PROVISIONING_CRASH_SEED={seed}"));
    let world = CrashWorld::new();
    let changes = world.warm_changes();
    let trials = if is_long {
        every_trial(&changes)
    } else {
        sample(&changes, &mut Dice::new(seed))
    };
    say(&format!("{} calls are to fail", trials.len()));
    let tally = carry_out(&changes, &trials);
    say(&format!("{tally:#?}"));
    assert!(tally.problems.is_empty(), "{:#?}", tally.problems);
    assert!(tally.met > 0, "no fault was met at all");
}

/// Every call that an undisturbed run makes about a file of the home.
fn every_trial(changes: &[Change]) -> Vec<Trial<'static>> {
    let mut trials = Vec::new();
    for (index, change) in changes.iter().enumerate() {
        for fault in &FAULTS {
            let places = places_of(change, fault.calls, WATCHED_RUNS);
            say(&format!(
                "{}: {} calls of {}",
                change.name,
                places.len(),
                fault.calls
            ));
            for nth in places {
                let errors = fault.errors_of(nth).iter();
                trials.extend(errors.map(|error| Trial {
                    change: index,
                    calls: fault.calls,
                    error,
                    nth,
                }));
            }
        }
    }
    trials
}

/// One call of every second kind, for each change.
fn sample(changes: &[Change], dice: &mut Dice) -> Vec<Trial<'static>> {
    let mut trials = Vec::new();
    for (index, change) in changes.iter().enumerate() {
        for fault in &FAULTS {
            if dice.below(2) != 0 {
                continue;
            }
            let places: Vec<u64> = places_of(change, fault.calls, 1).into_iter().collect();
            let Some(nth) = places.get(usize::try_from(dice.below(places.len() as u64)).unwrap())
            else {
                continue;
            };
            trials.push(Trial {
                change: index,
                calls: fault.calls,
                error: fault.errors
                    [usize::try_from(dice.below(fault.errors.len() as u64)).unwrap()],
                nth: *nth,
            });
        }
    }
    trials
}

/// Which calls of a kind, counted in each thread, are about a file of the home.
fn places_of(change: &Change, calls: &str, runs: usize) -> BTreeSet<u64> {
    let mut places = BTreeSet::new();
    for _ in 0..runs {
        let home = change.before.copy();
        let log = traced(&home, change, calls, None, SECONDS_MAX).1;
        let mut made = BTreeMap::<&str, u64>::new();
        for line in log.lines().filter(|it| is_made(it)) {
            let thread = line.split_whitespace().next().unwrap_or("");
            let nth = made.entry(thread).or_default();
            *nth += 1;
            if is_about(line, &home) {
                places.insert(*nth);
            }
        }
    }
    places
}

/// Whether a line of the log is where a call begins.
fn is_made(line: &str) -> bool {
    line.contains('(') && !line.contains(" resumed>")
}

/// Whether a call names a file of the home, by its path or by an open file. The folder that
/// the program runs in is the home too, and stands in every call.
fn is_about(line: &str, home: &Home) -> bool {
    let home = home.path().to_str().unwrap();
    line.replace(&format!("AT_FDCWD<{home}>"), "")
        .contains(home)
}

/// Runs the trials, several at a time where that was asked for. One that finds something
/// does not end the others.
fn carry_out(changes: &[Change], trials: &[Trial<'_>]) -> Tally {
    let jobs = number("PROVISIONING_CRASH_JOBS").unwrap_or(1);
    let next = AtomicUsize::new(0);
    let tally = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(trial) = trials.get(at) else { return };
                    if at > 0 && at.is_multiple_of(250) {
                        say(&format!("{at} of {}", trials.len()));
                    }
                    let ran = catch_unwind(AssertUnwindSafe(|| {
                        fail_once(&changes[trial.change], trial)
                    }));
                    tally.lock().unwrap().note(ran);
                }
            });
        }
    });
    tally.into_inner().unwrap()
}

impl Tally {
    fn note(&mut self, ran: std::thread::Result<Ran>) {
        match ran {
            Ok(Ran::NotMet) => self.not_met += 1,
            Ok(Ran::Elsewhere { was_stuck }) => {
                self.elsewhere += 1;
                self.stuck += usize::from(was_stuck);
            }
            Ok(Ran::Succeeded) => (self.met, self.succeeded) = (self.met + 1, self.succeeded + 1),
            Ok(Ran::Refused) => (self.met, self.refused) = (self.met + 1, self.refused + 1),
            Err(problem) => {
                self.met += 1;
                let text = problem.downcast_ref::<String>().cloned();
                self.problems.push(text.unwrap_or_default());
            }
        }
    }
}

fn fail_once(change: &Change, trial: &Trial<'_>) -> Ran {
    let ran = fail_once_within(SECONDS_OF_A_WAKE_UP, change, trial);
    let ran = ran.or_else(|| fail_once_within(SECONDS_MAX, change, trial));
    ran.unwrap_or_else(|| panic!("{}: {trial:?}: it is stuck", change.name))
}

/// `None` where the command took longer and no wake-up failed.
fn fail_once_within(seconds: u64, change: &Change, trial: &Trial<'_>) -> Option<Ran> {
    let home = change.before.copy();
    let fault = Some((trial.error, trial.nth));
    let (ended, log) = traced(&home, change, trial.calls, fault, seconds);
    let hits: Vec<_> = log.lines().filter(|it| it.contains("(INJECTED)")).collect();
    let is_killed = ended.status.code().is_none_or(|it| it == 137);
    if is_killed && hits.iter().all(|it| is_about(it, &home)) {
        return None;
    }
    if hits.is_empty() {
        return Some(Ran::NotMet);
    }
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    let label = format!("{}: {trial:?} at {hits:#?}: {said}", change.name);
    let is_new = home.is_whole(change, &label);
    // A wake-up of the event loop, a pipe or a socket is no disk: whoever waits for the wake
    // waits until it is killed. The state is whole all the same.
    if !hits.iter().any(|it| is_about(it, &home)) {
        home.goes_on(change, is_new, &label);
        let was_stuck = is_killed;
        return Some(Ran::Elsewhere { was_stuck });
    }
    let is_about_alone = hits.iter().all(|it| is_about(it, &home));
    let ran = match ended.status.code() {
        Some(0) => {
            assert!(is_new, "{label}: done, and the old state is here");
            Ran::Succeeded
        }
        Some(1..=6) => {
            // Another thread's call may have been the one that says it.
            let may_be_silent = !is_about_alone;
            assert!(
                may_be_silent || said.contains("error: "),
                "{label}: it says nothing"
            );
            assert!(
                !is_new
                    || change.is_collection()
                    || said.contains("is current")
                    // Done, and nobody could be told.
                    || said.contains("cannot write to stdout"),
                "{label}: refused, and the new state is here"
            );
            Ran::Refused
        }
        // The n-th call of another thread was such a wake-up.
        Some(101 | 137) | None if !is_about_alone => Ran::Elsewhere { was_stuck: true },
        other => panic!("{label}: ended with {other:?}"),
    };
    home.goes_on(change, is_new, &label);
    Some(ran)
}

/// Runs a change under `strace`: how it ended, and the log.
fn traced(
    home: &Home,
    change: &Change,
    calls: &str,
    fault: Option<(&str, u64)>,
    seconds: u64,
) -> (Output, String) {
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut strace = Command::new("timeout");
    strace
        .args(["-s", "KILL", &seconds.to_string()])
        .args(["strace", "-f", "-qq", "-y"])
        // Only the calls that are watched stop the program.
        .args(["--seccomp-bpf", "-o"])
        .arg(log.path())
        .args(["-e", &format!("trace={calls}")]);
    if let Some((error, nth)) = fault {
        strace.args(["-e", &format!("inject={calls}:error={error}:when={nth}")]);
    }
    strace.arg(home.program(&change.words()));
    let ended = home.with(strace, &change.words()).output().unwrap();
    let text = std::fs::read(log.path()).unwrap_or_default();
    (ended, String::from_utf8_lossy(&text).into_owned())
}
