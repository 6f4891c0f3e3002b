//! `provisioning source` on real repositories, with real git and rpmbuild.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::registry_fixture::Client;

mod downstream;
mod elsewhere;
mod forge_server;
mod history;
mod jobs;
mod names;
mod patches;

/// A client, and git in repositories under its home.
pub(crate) struct World {
    pub(crate) client: Client,
}

impl World {
    pub(crate) fn new() -> Self {
        let client = Client::alone()
            .with("GIT_CONFIG_GLOBAL", "/dev/null")
            .with("GIT_CONFIG_NOSYSTEM", "1")
            .with("GIT_AUTHOR_NAME", "Ana")
            .with("GIT_AUTHOR_EMAIL", "ana@example.org")
            .with("GIT_COMMITTER_NAME", "Ana")
            .with("GIT_COMMITTER_EMAIL", "ana@example.org");
        Self { client }
    }

    /// A folder of the world.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.client.home().join(name)
    }

    /// Makes an empty repository.
    pub(crate) fn init(&self, name: &str) {
        std::fs::create_dir_all(self.path(name)).unwrap();
        self.git(name, &["init", "--quiet", "--initial-branch=main"]);
    }

    /// What git prints in a repository.
    pub(crate) fn git(&self, name: &str, words: &[&str]) -> String {
        self.git_as("Ana", name, words)
    }

    /// The same for somebody else.
    pub(crate) fn git_as(&self, who: &str, name: &str, words: &[&str]) -> String {
        let output = git(who, &self.path(name), words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "git {words:?} in {name}: {said}");
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    /// Commits files in somebody's name; an empty text deletes.
    pub(crate) fn commit(
        &self,
        who: &str,
        name: &str,
        message: &str,
        files: &[(&str, &str)],
    ) -> String {
        for (path, text) in files {
            let path = self.path(name).join(path);
            if text.is_empty() {
                std::fs::remove_file(path).unwrap();
            } else {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
        }
        self.git(name, &["add", "--all", "--force"]);
        self.git_as(
            who,
            name,
            &["commit", "--quiet", "--allow-empty", "-m", message],
        );
        self.git(name, &["rev-parse", "HEAD"])
    }

    /// Feeds git.
    pub(crate) fn feed(&self, name: &str, words: &[&str], input: &str) {
        use std::io::Write as _;
        let mut child = git("Ana", &self.path(name), words)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// The files of a tree: mode, id and path.
    pub(crate) fn tree(&self, name: &str, revision: &str) -> String {
        self.git(name, &["ls-tree", "-r", revision])
    }

    /// The message of a commit.
    pub(crate) fn message(&self, name: &str, revision: &str) -> String {
        self.git(name, &["show", "--no-patch", "--format=%B", revision])
    }

    /// `source …` under `--json`.
    pub(crate) fn source(&self, words: &[&str]) -> Value {
        self.client.json(&[&["source"], words].concat())
    }

    /// The failure of `source …`, with the exit status 1.
    pub(crate) fn refused(&self, words: &[&str]) -> Value {
        let error = self.client.error(1, &[&["source"], words].concat());
        serde_json::json!({ "error": error })
    }
}

fn git(who: &str, folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("git");
    command
        .args(words)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_NAME", who)
        .env(
            "GIT_AUTHOR_EMAIL",
            format!("{}@example.org", who.to_lowercase()),
        )
        .env("GIT_COMMITTER_NAME", "Ana")
        .env("GIT_COMMITTER_EMAIL", "ana@example.org");
    command
}

/// The words under a key of each item of a list.
pub(crate) fn texts(list: &Value, key: &str) -> Vec<String> {
    let items = list.as_array().unwrap_or_else(|| panic!("{list}"));
    let text = |it: &Value| {
        it[key]
            .as_str()
            .unwrap_or_else(|| panic!("{it}"))
            .to_owned()
    };
    items.iter().map(text).collect()
}
