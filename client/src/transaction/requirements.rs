//! Commands that packages need at run time: are they on `PATH`, and new enough?

use std::fmt;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use provisioning_package::{PackageName, Version, VersionReq};

use crate::env::Env;

/// How long a command may take to say its version.
const VERSION_TIME_MAX: Duration = Duration::from_secs(3);
/// How often we look whether it did.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The commands that a user can run.
#[derive(Debug)]
pub(crate) struct Commands {
    folders: Vec<PathBuf>,
}

impl Commands {
    /// Those of `PATH`.
    pub(crate) fn of_path(env: &Env) -> Self {
        let path = env.path_variable("PATH").unwrap_or_default();
        Self {
            folders: std::env::split_paths(&path)
                .filter(|it| it.is_absolute())
                .collect(),
        }
    }

    /// Where a command is; `None` where there is none.
    pub(crate) fn find(&self, command: &str) -> Option<PathBuf> {
        self.folders
            .iter()
            .map(|it| it.join(command))
            .find(|it| is_executable(it))
    }

    /// The folders that commands are found in, first to last.
    pub(crate) fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// Whether a folder is one of those that commands are found in.
    pub(crate) fn has_folder(&self, folder: &Path) -> bool {
        self.folders.iter().any(|it| it == folder)
    }
}

/// A command that is missing or too old.
#[derive(Debug, Clone)]
pub(crate) struct Lacking {
    /// The stable word for programs.
    pub(crate) code: &'static str,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) fix: String,
}

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.message, self.fix)
    }
}

/// Each command that is missing or too old, with the fix.
pub(crate) fn missing_commands(
    requires: &[(&PackageName, &str, &VersionReq)],
    commands: &Commands,
) -> Vec<Lacking> {
    let mut lacking = Vec::new();
    for (package, command, req) in requires {
        let Some(path) = commands.find(command) else {
            lacking.push(Lacking {
                code: "command-missing",
                message: format!(
                    "`{package}` needs the command `{command}` {req}, which is not on PATH"
                ),
                fix: fix(command),
            });
            continue;
        };
        // A command that does not say its version is believed.
        let old = version_of(&path).filter(|it| !req.matches(it));
        lacking.extend(old.map(|version| Lacking {
            code: "command-too-old",
            message: format!(
                "`{package}` needs `{command}` {req}, but `{}` is {version}",
                path.display()
            ),
            fix: fix(command),
        }));
    }
    lacking
}

fn fix(command: &str) -> String {
    match command {
        "nu" => "install Nushell: `cargo install nu`, or see https://www.nushell.sh".to_owned(),
        "kcl" => "install KCL: see https://www.kcl-lang.io".to_owned(),
        other => format!("install `{other}` and put it on PATH"),
    }
}

/// The first version in what `COMMAND --version` prints.
fn version_of(path: &Path) -> Option<Version> {
    let mut child = Command::new(path)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let started = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(_)) => break,
            Ok(None) if started.elapsed() < VERSION_TIME_MAX => std::thread::sleep(LOOK_AGAIN),
            Ok(None) | Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
    let output = child.wait_with_output().ok()?;
    first_version(&String::from_utf8_lossy(&output.stdout))
}

fn first_version(text: &str) -> Option<Version> {
    text.split_whitespace()
        .map(|it| it.trim_start_matches('v').trim_end_matches([',', ';', ')']))
        .find_map(|it| Version::parse(it).ok())
}

fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_wherever_a_command_says_it() {
        let version = |text| first_version(text).map(|it| it.to_string());
        assert_eq!(version("0.108.0\n").as_deref(), Some("0.108.0"));
        assert_eq!(version("kcl version v0.11.2, x").as_deref(), Some("0.11.2"));
        assert_eq!(version("no version at all"), None);
    }

    #[test]
    fn a_command_that_is_nowhere_is_named_with_the_way_to_get_it() {
        let commands = Commands {
            folders: vec!["/nonexistent".into()],
        };
        let (name, req) = (PackageName::parse("core").unwrap(), VersionReq::STAR);
        let warnings = missing_commands(&[(&name, "nu", &req)], &commands);
        assert!(warnings[0].to_string().contains("Nushell"), "{warnings:?}");
    }
}
