//! A client that is killed at any instant leaves the old or the new state, whole, and the
//! next command works with nothing done by hand.
//!
//! Each kill starts from a copy of a prepared home and strikes at an instant chosen over the
//! whole run time of an undisturbed run. `PROVISIONING_CRASH_KILLS` and
//! `PROVISIONING_CRASH_SEED` make a longer or a repeated run of it: `scripts/crash-test`.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::crash_world::{Change, CrashWorld, Dice, Home, number, say};

/// How many kills are enough to run all the time.
const KILLS: u64 = 60;

#[test]
fn a_client_killed_at_any_instant_leaves_a_whole_state_and_the_next_one_works() {
    let kills = number("PROVISIONING_CRASH_KILLS").unwrap_or(KILLS);
    // One sample for everybody: a long run takes another seed.
    let seed = number("PROVISIONING_CRASH_SEED").unwrap_or(1);
    say(&format!(
        "PROVISIONING_CRASH_KILLS={kills} PROVISIONING_CRASH_SEED={seed}"
    ));
    let world = CrashWorld::new();
    let mut dice = Dice::new(seed);
    let mut tally = Tally::default();
    let changes = world.changes();
    let times: Vec<_> = changes.iter().map(undisturbed).collect();
    for kill in 0..kills {
        let index = usize::try_from(kill).unwrap() % changes.len();
        let (change, time) = (&changes[index], times[index]);
        let instant =
            Duration::from_micros(dice.below(u64::try_from(time.as_micros()).unwrap() * 11 / 10));
        let home = change.before.copy();
        let label = format!(
            "kill {kill} of seed {seed}: {} after {instant:?}",
            change.name
        );
        let was_killed = strike(&home, change, instant);
        let is_new = home.is_whole(change, &label);
        tally.note(was_killed, is_new);
        home.goes_on(change, is_new, &label);
    }
    say(&format!("{tally:?}; undisturbed: {times:?}"));
}

#[derive(Debug, Default)]
struct Tally {
    ended_before_the_kill: u64,
    killed_old_state: u64,
    killed_new_state: u64,
}

impl Tally {
    fn note(&mut self, was_killed: bool, is_new: bool) {
        match (was_killed, is_new) {
            (false, _) => self.ended_before_the_kill += 1,
            (true, false) => self.killed_old_state += 1,
            (true, true) => self.killed_new_state += 1,
        }
    }
}

/// How long a change takes when nobody disturbs it: the second of two runs, so that neither
/// finds a cold disk cache.
fn undisturbed(change: &Change) -> Duration {
    let mut time = Duration::ZERO;
    for _ in 0..2 {
        let home = change.before.copy();
        let started = Instant::now();
        let ended = home.command(&change.words()).output().unwrap();
        time = started.elapsed();
        let text = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.success(), "{}: {text}", change.name);
        assert!(home.is_whole(change, "undisturbed"), "{}", change.name);
    }
    time
}

/// Runs a change and kills it at an instant. Whether it was still running.
fn strike(home: &Home, change: &Change, instant: Duration) -> bool {
    let mut child = home
        .command(&change.words())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(instant);
    let _ = child.kill();
    child.wait().unwrap().code().is_none()
}
