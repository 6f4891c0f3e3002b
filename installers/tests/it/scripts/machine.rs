//! A bare machine: an empty home, a prefix, and a script that is piped into a shell.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use provisioning_installers::scripts::Script;
use tempfile::TempDir;

use super::registry::Registry;
use super::tools::{Shell, variable};

/// What a run of a script has around it.
pub(super) struct Machine {
    folder: TempDir,
    /// The user's home, empty at first.
    pub(super) home: PathBuf,
    /// Where it installs; not there at first.
    pub(super) prefix: PathBuf,
    record: PathBuf,
    script: PathBuf,
    path: std::ffi::OsString,
}

/// What a run said.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Machine {
    pub(super) fn new() -> Self {
        Self::with_prefix("opt/provisioning")
    }

    /// A machine whose prefix has this path below its folder.
    pub(super) fn with_prefix(prefix: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        fs::create_dir(&home).unwrap();
        Self {
            prefix: folder.path().join(prefix),
            record: folder.path().join("record"),
            script: folder.path().join("script"),
            home,
            folder,
            path: variable("PATH").unwrap(),
        }
    }

    /// Lets the script find nothing but the programs in `folder`.
    pub(super) fn only_programs_of(&mut self, folder: &Path) {
        self.path = folder.into();
    }

    /// Puts `folder` before everything else in PATH.
    pub(super) fn programs_first(&mut self, folder: &Path) {
        let mut folders = vec![folder.to_owned()];
        folders.extend(std::env::split_paths(&self.path));
        self.path = std::env::join_paths(folders).unwrap();
    }

    /// A folder of this machine, made when it is not there.
    pub(super) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// Starts `shell` with the script on its standard input, as `curl … | sh -s -- …` does.
    /// posh knows no `-s`, and gets it as a file.
    pub(super) fn pipe(&self, shell: &Shell, script: &str, arguments: &[&str]) -> Child {
        let mut command = self.command(shell);
        if shell.name == "posh" {
            fs::write(&self.script, script).unwrap();
            command
                .arg(&self.script)
                .args(arguments)
                .stdin(Stdio::null());
            return command.spawn().unwrap();
        }
        command.arg("-s").arg("--").args(arguments);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A shell that refused to start has closed its end already.
        let _ = stdin.write_all(script.as_bytes());
        drop(stdin);
        child
    }

    /// Runs `shell` with this machine's environment and nothing else.
    pub(super) fn command(&self, shell: &Shell) -> Command {
        let mut command = shell.command();
        command
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", &self.home)
            .env("RECORD", &self.record)
            .env("PROVISIONING_PREFIX", &self.prefix)
            .current_dir(self.folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Pipes one of the registry's scripts into `shell`, to its end.
    pub(super) fn run(&self, shell: &Shell, registry: &Registry, arguments: &[&str]) -> Run {
        let script = registry.script(Script::InstallSh);
        finish(self.pipe(shell, &script, arguments))
    }

    /// What the client was asked, one line for each call.
    pub(super) fn calls(&self) -> Vec<String> {
        let record = fs::read_to_string(&self.record).unwrap_or_default();
        record.lines().map(ToOwned::to_owned).collect()
    }

    /// Every path of this machine but the client's record and the script, for a comparison.
    pub(super) fn everything(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        walk(self.folder.path(), &mut found);
        found.retain(|path| *path != self.record && *path != self.script);
        found.sort();
        found
    }

    /// The installed client, through its link.
    pub(super) fn program(&self) -> PathBuf {
        self.prefix.join("bin/provisioning")
    }
}

/// Waits for a shell's end.
pub(super) fn finish(child: Child) -> Run {
    Run::from(child.wait_with_output().unwrap())
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        found.push(entry.path());
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), found);
        }
    }
}
