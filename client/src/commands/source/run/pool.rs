//! Tasks, several at once: each command is this program again, with its output kept.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::task::{Done, Task};

/// How much of what a command said is kept, in bytes.
const OUTPUT_BYTES_MAX: usize = 64 * 1024;

/// Runs the tasks, `parallel` at once: first those that wait for nothing, then the others,
/// but those of a package of which something failed.
pub(super) fn run_all(
    tasks: &[Task],
    program: &Path,
    parallel: usize,
    say: impl Fn(&str) + Sync,
) -> Vec<Done> {
    let done: Mutex<Vec<Option<Done>>> = Mutex::new(vec![None; tasks.len()]);
    for waits in [false, true] {
        let failed = failed(tasks, &done);
        let places: Vec<usize> = (0..tasks.len())
            .filter(|it| tasks[*it].waits == waits)
            .collect();
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(at) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
                let task = &tasks[*at];
                let one = match &task.skipped {
                    Some(reason) => Done::skipped(reason),
                    None if failed.contains(task.package.as_str()) => {
                        Done::skipped("a job before it failed")
                    }
                    None => {
                        say(&format!("Running {} of {}", task.job, task.package));
                        run(task, program)
                    }
                };
                if let Ok(mut done) = done.lock() {
                    done[*at] = Some(one);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..parallel.min(places.len()) {
                scope.spawn(work);
            }
        });
    }
    let done = done
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let or_broken = |it: Option<Done>| {
        it.unwrap_or_else(|| Done {
            state: "failed",
            reason: Some("it ended without a result".to_owned()),
            output: String::new(),
        })
    };
    done.into_iter().map(or_broken).collect()
}

/// The packages of which something failed.
fn failed<'t>(tasks: &'t [Task], done: &Mutex<Vec<Option<Done>>>) -> BTreeSet<&'t str> {
    let Ok(done) = done.lock() else {
        return BTreeSet::new();
    };
    let pairs = tasks.iter().zip(done.iter());
    let has_failed = |done: &Option<Done>| done.as_ref().is_some_and(|it| it.state == "failed");
    pairs
        .filter(|(_, done)| has_failed(done))
        .map(|(task, _)| task.package.as_str())
        .collect()
}

fn run(task: &Task, program: &Path) -> Done {
    let mut said = String::new();
    for words in &task.commands {
        let words = expand(words);
        let output = Command::new(program)
            .args(&words)
            .stdin(Stdio::null())
            .output();
        let failure = match output {
            Ok(output) => {
                said.push_str(&String::from_utf8_lossy(&output.stderr));
                said.push_str(&String::from_utf8_lossy(&output.stdout));
                (!output.status.success()).then(|| output.status.to_string())
            }
            Err(problem) => Some(problem.to_string()),
        };
        if let Some(reason) = failure {
            return Done {
                state: "failed",
                reason: Some(reason),
                output: tail(&said),
            };
        }
    }
    Done {
        state: "done",
        reason: None,
        output: tail(&said),
    }
}

/// A last word `FOLDER/*` is the archives in the folder.
fn expand(words: &[String]) -> Vec<String> {
    let Some((folder, rest)) = words
        .split_last()
        .and_then(|(last, rest)| Some((last.strip_suffix("/*")?, rest)))
    else {
        return words.to_vec();
    };
    let mut all = rest.to_vec();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<String> = entries
        .map(|it| it.path().display().to_string())
        .filter(|it| it.ends_with(".tar.zst"))
        .collect();
    files.sort();
    all.extend(files);
    all
}

/// The end of what was said.
fn tail(said: &str) -> String {
    let start = said.len().saturating_sub(OUTPUT_BYTES_MAX);
    let start = (start..said.len()).find(|it| said.is_char_boundary(*it));
    said[start.unwrap_or(0)..].to_owned()
}
