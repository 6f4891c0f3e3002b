//! Git, run as a process: the one door to it.
//!
//! The user's own `git` knows their credentials, hooks and settings, as Packit's users are
//! used to. Arguments are never read by a shell. What could change an answer is pinned: no
//! translation, no pager, no colours, no prompt, no replaced objects.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why git did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no `git`.
    #[error("cannot run `git`")]
    Start(#[source] std::io::Error),
    /// It failed.
    #[error("`git {command}` failed in `{}`: {message}", folder.display())]
    Failed {
        /// The words of the command.
        command: String,
        /// Where it ran.
        folder: PathBuf,
        /// The last lines that it said.
        message: String,
    },
    /// It said something that is no text.
    #[error("`git {0}` gave no text")]
    NoText(String),
}

/// A git repository, bare or with a checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Git {
    folder: PathBuf,
    variables: Vec<(OsString, OsString)>,
}

impl Git {
    /// Git in this folder.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            variables: Vec::new(),
        }
    }

    /// The folder that git runs in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// With a variable in git's environment.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.into(), value.as_ref().into()));
        self
    }

    /// What a command prints, without the newline at its end.
    pub fn text<S: AsRef<OsStr>>(&self, words: &[S]) -> Result<String, GitError> {
        let bytes = self.bytes(words)?;
        let mut text = String::from_utf8(bytes).map_err(|_| GitError::NoText(shown(words)))?;
        while text.ends_with('\n') {
            text.pop();
        }
        Ok(text)
    }

    /// What a command prints, cut at each NUL byte (`-z`).
    pub fn items<S: AsRef<OsStr>>(&self, words: &[S]) -> Result<Vec<String>, GitError> {
        let bytes = self.bytes(words)?;
        let text = String::from_utf8(bytes).map_err(|_| GitError::NoText(shown(words)))?;
        let items = text.split('\0').filter(|it| !it.is_empty());
        Ok(items.map(str::to_owned).collect())
    }

    /// What a command prints, as it is.
    pub fn bytes<S: AsRef<OsStr>>(&self, words: &[S]) -> Result<Vec<u8>, GitError> {
        self.feed(words, &[])
    }

    /// What a command prints that is given `input`.
    pub fn feed<S: AsRef<OsStr>>(&self, words: &[S], input: &[u8]) -> Result<Vec<u8>, GitError> {
        let mut child = self
            .command(words)
            .stdin(if input.is_empty() {
                Stdio::null()
            } else {
                Stdio::piped()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(GitError::Start)?;
        let writer = child.stdin.take();
        let output = std::thread::scope(|scope| {
            if let Some(mut stdin) = writer {
                // A git that reads no further says itself why.
                scope.spawn(move || {
                    let _ = stdin.write_all(input);
                });
            }
            child.wait_with_output()
        })
        .map_err(GitError::Start)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = if said.trim().is_empty() {
            String::from_utf8_lossy(&output.stdout)
        } else {
            said
        };
        Err(GitError::Failed {
            command: shown(words),
            folder: self.folder.clone(),
            message: said.trim().to_owned(),
        })
    }

    /// Runs a command for what it does.
    pub fn run<S: AsRef<OsStr>>(&self, words: &[S]) -> Result<(), GitError> {
        self.bytes(words).map(|_| ())
    }

    /// Whether a command succeeds.
    pub fn succeeds<S: AsRef<OsStr>>(&self, words: &[S]) -> Result<bool, GitError> {
        match self.bytes(words) {
            Ok(_) => Ok(true),
            Err(GitError::Failed { .. }) => Ok(false),
            Err(problem @ (GitError::Start(_) | GitError::NoText(_))) => Err(problem),
        }
    }

    /// The command, for callers that stream.
    pub fn command<S: AsRef<OsStr>>(&self, words: &[S]) -> Command {
        let mut command = Command::new("git");
        command
            .args(["-c", "core.quotePath=false", "-c", "color.ui=false"])
            .args([
                "-c",
                "log.showSignature=false",
                "-c",
                "advice.detachedHead=false",
            ])
            .args(words)
            .current_dir(&self.folder)
            .env("LC_ALL", "C")
            .env("GIT_PAGER", "cat")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_NO_REPLACE_OBJECTS", "1");
        // Set inside of a hook, these would name another repository than the folder's.
        for name in [
            "GIT_DIR",
            "GIT_WORK_TREE",
            "GIT_INDEX_FILE",
            "GIT_PREFIX",
            "GIT_OBJECT_DIRECTORY",
        ] {
            command.env_remove(name);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The commit that a revision means.
    pub fn commit(&self, revision: &str) -> Result<String, GitError> {
        let wanted = format!("{revision}^{{commit}}");
        self.text(&[
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &wanted,
        ])
        .map_err(|problem| match problem {
            GitError::Failed { folder, .. } => GitError::Failed {
                command: "rev-parse".to_owned(),
                folder,
                message: format!("`{revision}` is no commit"),
            },
            other @ (GitError::Start(_) | GitError::NoText(_)) => other,
        })
    }

    /// Makes a clone of `url` in `folder`, which must not exist or be empty.
    pub fn clone(url: &str, folder: &Path) -> Result<Self, GitError> {
        let here = Self::new(folder.parent().unwrap_or(Path::new(".")));
        here.run(&[
            OsStr::new("clone"),
            OsStr::new("--quiet"),
            OsStr::new("--"),
            OsStr::new(url),
            folder.as_os_str(),
        ])?;
        Ok(Self::new(folder))
    }
}

/// The files that `head` changed since it left `base`, from the folder that git runs in; a
/// renamed file counts under both names.
pub fn changed_files(git: &Git, base: &str, head: &str) -> Result<Vec<String>, GitError> {
    let (base, head) = (git.commit(base)?, git.commit(head)?);
    // Histories that never met have no commit in common; then the trees are compared.
    let fork = git.text(&["merge-base", &base, &head]).unwrap_or(base);
    git.items(&[
        "diff",
        "--name-only",
        "--no-renames",
        "--relative",
        "-z",
        &fork,
        &head,
        "--",
    ])
}

fn shown<S: AsRef<OsStr>>(words: &[S]) -> String {
    let words: Vec<_> = words
        .iter()
        .map(|it| it.as_ref().to_string_lossy())
        .collect();
    words.join(" ")
}
