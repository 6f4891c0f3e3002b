//! The committed content of a repository, in a folder of its own.
//!
//! The user's checkout is never touched: what they have not committed is not built, and what
//! an action writes ends with the folder. Objects are shared with the repository, so that a
//! snapshot costs a checkout and no copy of the history.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::git::{Git, GitError};

/// One commit, checked out apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Git in the snapshot.
    pub git: Git,
    /// The repository's root there.
    pub root: PathBuf,
    /// The commit.
    pub commit: String,
    /// The branch that the user is on, or the commit where they are on none.
    pub branch: String,
    /// When it was committed, in seconds since 1970.
    pub time: u64,
}

impl Snapshot {
    /// Takes `revision` of the repository that `root` lies in, into `folder`, which must not
    /// exist.
    pub fn take(root: &Path, revision: &str, folder: &Path) -> Result<Self, GitError> {
        let git = Git::new(root);
        let top = git.text(&["rev-parse", "--show-toplevel"])?;
        let prefix = git.text(&["rev-parse", "--show-prefix"])?;
        let commit = git.commit(revision)?;
        let branch = git.text(&["rev-parse", "--abbrev-ref", "HEAD"])?;
        let time = git.text(&["show", "--no-patch", "--format=%ct", &commit])?;
        git.run(&[
            "clone".as_ref(),
            "--quiet".as_ref(),
            "--shared".as_ref(),
            "--no-checkout".as_ref(),
            "--".as_ref(),
            top.as_ref(),
            folder.as_os_str(),
        ])?;
        let git = Git::new(folder);
        git.run(&["checkout", "--quiet", "--detach", &commit])?;
        Ok(Self {
            root: folder.join(prefix),
            git: Git::new(&folder.join(git.text(&["rev-parse", "--show-prefix"])?)),
            branch: if branch == "HEAD" {
                commit.clone()
            } else {
                branch
            },
            time: time.parse().unwrap_or_default(),
            commit,
        })
    }

    /// Git at the repository's root.
    pub fn at_root(&self) -> Git {
        Git::new(&self.root)
    }

    /// Writes the committed files under some paths into `folder`, as `git archive` would:
    /// `export-ignore` and `export-subst` count.
    pub fn export(&self, paths: &[String], folder: &Path) -> Result<(), GitError> {
        let mut words = vec!["archive", "--format=tar", &self.commit, "--"];
        // The root is all of it; git has no other word for that.
        let all = paths.iter().any(String::is_empty);
        words.extend(paths.iter().filter(|_| !all).map(String::as_str));
        let tar = self.at_root().bytes(&words)?;
        let failed = |message: String| GitError::Failed {
            command: "archive | tar -x".to_owned(),
            folder: folder.to_owned(),
            message,
        };
        let mut child = Command::new("tar")
            .args(["-x", "-f", "-", "-C"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|problem| failed(format!("cannot run `tar`: {problem}")))?;
        let stdin = child.stdin.take();
        let output = std::thread::scope(|scope| {
            if let Some(mut stdin) = stdin {
                let tar = &tar;
                scope.spawn(move || {
                    // A tar that reads no further says itself why.
                    let _ = std::io::Write::write_all(&mut stdin, tar);
                });
            }
            child.wait_with_output()
        })
        .map_err(|problem| failed(problem.to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        Err(failed(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ))
    }
}
