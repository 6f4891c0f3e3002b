//! Branches that move to commits that were made beside them, all of them or none.

use std::path::Path;

use super::DownstreamError;
use crate::git::{Git, GitError};

/// A branch, and the commit that it is to be at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The repository.
    pub git: Git,
    /// Where it is; `None` if the branch has no commit yet.
    pub from: Option<String>,
    /// Where it goes.
    pub to: String,
}

/// A repository that is about to get commits: on a branch, and clean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// Its commit; `None` if it has none yet.
    pub head: Option<String>,
}

/// Checks that a repository can get commits.
pub fn ready(git: &Git) -> Result<Ready, DownstreamError> {
    let name = || git.folder().display().to_string();
    if !git.succeeds(&["symbolic-ref", "--quiet", "HEAD"])? {
        return Err(DownstreamError::NoBranch(name()));
    }
    if !is_bare(git)? && !git.text(&["status", "--porcelain"])?.is_empty() {
        return Err(DownstreamError::Dirty(name()));
    }
    // Asked now, so that a missing name is no failure half way.
    git.text(&["var", "GIT_COMMITTER_IDENT"])?;
    Ok(Ready { head: head(git)? })
}

/// The commit of a repository; `None` if it has none yet.
pub fn head(git: &Git) -> Result<Option<String>, GitError> {
    if git.succeeds(&["rev-parse", "--verify", "--quiet", "HEAD"])? {
        git.commit("HEAD").map(Some)
    } else {
        Ok(None)
    }
}

/// Whether a repository has no checkout.
pub fn is_bare(git: &Git) -> Result<bool, GitError> {
    Ok(git.text(&["rev-parse", "--is-bare-repository"])? == "true")
}

/// Whether a folder is the root of a git repository.
pub fn is_repository(folder: &Path) -> bool {
    folder.join(".git").exists()
        || (folder.join("HEAD").is_file() && folder.join("objects").is_dir())
}

/// Moves every branch and its checkout; when one cannot, those before it are put back.
pub fn move_all(moves: &[Move]) -> Result<(), DownstreamError> {
    for (at, one) in moves.iter().enumerate() {
        if let Err(problem) = forward(one) {
            for done in moves[..=at].iter().rev() {
                // What is said is why it went wrong, not what undoing it met.
                let _ = restore(done);
            }
            return Err(problem.into());
        }
    }
    Ok(())
}

fn forward(one: &Move) -> Result<(), GitError> {
    if is_bare(&one.git)? {
        let old = one.from.clone().unwrap_or_else(|| "0".repeat(one.to.len()));
        return one.git.run(&["update-ref", "HEAD", &one.to, &old]);
    }
    one.git
        .run(&["merge", "--quiet", "--ff-only", "--no-verify", &one.to])
}

fn restore(one: &Move) -> Result<(), GitError> {
    let Some(from) = &one.from else {
        let branch = one.git.text(&["symbolic-ref", "HEAD"])?;
        if !is_bare(&one.git)? {
            one.git.run(&[
                "read-tree",
                "-u",
                "--reset",
                "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
            ])?;
        }
        return one.git.run(&["update-ref", "-d", &branch]);
    };
    if is_bare(&one.git)? {
        one.git.run(&["update-ref", "HEAD", from])
    } else {
        one.git.run(&["reset", "--quiet", "--hard", from])
    }
}
