//! One command: started, waited for, its end and what it printed written down.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use provisioning_package::{Digest, Hasher};

/// How much of what a failed command printed last is shown.
const TAIL_LINES: usize = 20;
/// Bytes of output that are kept to show their end.
const TAIL_BYTES_MAX: usize = 64 * 1024;

/// How a command ended.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    /// Its exit status; `None` where it was killed, ran out of time or did not start.
    pub(super) exit: Option<i32>,
    /// The digest of stdout and then stderr.
    pub(super) output: Digest,
    /// The last lines of both.
    pub(super) tail: String,
    /// What it printed on stdout.
    pub(super) stdout: Vec<u8>,
    /// How long it ran.
    pub(super) milliseconds: u64,
}

/// A command that was not started yet.
#[derive(Debug)]
pub(super) struct Command<'a> {
    pub(super) program: OsString,
    pub(super) arguments: Vec<OsString>,
    pub(super) folder: &'a Path,
    /// The whole environment.
    pub(super) variables: &'a [(OsString, OsString)],
    /// When it is killed.
    pub(super) patience: Duration,
}

impl Command<'_> {
    /// Runs it.
    pub(super) async fn run(self) -> Ended {
        let began = Instant::now();
        let child = tokio::process::Command::new(&self.program)
            .args(&self.arguments)
            .current_dir(self.folder)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let child = match child {
            Ok(child) => child,
            Err(problem) => {
                let text = format!("cannot run `{}`: {problem}", self.program.display());
                return ended(None, Vec::new(), text.as_bytes(), began);
            }
        };
        match tokio::time::timeout(self.patience, child.wait_with_output()).await {
            Ok(Ok(output)) => ended(output.status.code(), output.stdout, &output.stderr, began),
            Ok(Err(problem)) => ended(None, Vec::new(), problem.to_string().as_bytes(), began),
            Err(_) => {
                let text = format!("killed after {} seconds", self.patience.as_secs());
                ended(None, Vec::new(), text.as_bytes(), began)
            }
        }
    }
}

fn ended(exit: Option<i32>, stdout: Vec<u8>, stderr: &[u8], began: Instant) -> Ended {
    let mut hasher = Hasher::new();
    hasher.update(&stdout);
    hasher.update(stderr);
    let mut text = String::from_utf8_lossy(last(&stdout)).into_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&String::from_utf8_lossy(last(stderr)));
    let lines: Vec<&str> = text.lines().collect();
    Ended {
        exit,
        output: hasher.finish().0,
        tail: lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"),
        stdout,
        milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}

fn last(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.len().saturating_sub(TAIL_BYTES_MAX)..]
}
