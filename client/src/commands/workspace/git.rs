//! What git knows of a workspace: whether there is work that an update could not be told
//! from afterwards.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::context::Context;

/// Most files that are named.
const NAMED_MAX: usize = 10;

/// Files with changes that are not committed; none outside a git worktree or without git.
pub(super) fn uncommitted(root: &Path, context: &Context) -> Vec<String> {
    let mut command = Command::new("git");
    let variables = context.env.variables.iter();
    // `GIT_DIR` and its like name another repository than the one around the workspace.
    let ours = variables.filter(|(name, _)| !name.as_encoded_bytes().starts_with(b"GIT_"));
    command
        .arg("-C")
        .arg(root)
        .args(["--no-optional-locks", "-c", "core.fsmonitor=false"])
        .args([
            "status",
            "--porcelain=v1",
            "-z",
            "--untracked-files=all",
            "--",
        ])
        .args([
            ".",
            ":(exclude).provisioning",
            ":(exclude).provisioning-update",
        ])
        .env_clear()
        .envs(ours)
        .env_remove(OsString::from("PROVISIONING_TOKEN"))
        .stdin(Stdio::null());
    let Ok(answer) = command.output() else {
        return Vec::new();
    };
    if !answer.status.success() {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    let mut files = Vec::new();
    let mut parts = text.split('\0').filter(|it| !it.is_empty());
    while let Some(part) = parts.next() {
        files.push(part.get(3..).unwrap_or(part).to_owned());
        // A rename names its old path next.
        if part.starts_with('R') || part.starts_with('C') {
            parts.next();
        }
    }
    let more = files.len().saturating_sub(NAMED_MAX);
    files.truncate(NAMED_MAX);
    if more > 0 {
        files.push(format!("and {more} more"));
    }
    files
}
