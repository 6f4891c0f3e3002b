//! Which shells and linters this machine has.

use std::path::PathBuf;
use std::process::Command;

/// A shell, and how it is told to behave as a POSIX shell.
#[derive(Debug, Clone)]
pub(super) struct Shell {
    pub(super) name: &'static str,
    pub(super) program: PathBuf,
    pub(super) arguments: &'static [&'static str],
}

impl Shell {
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(self.arguments);
        command
    }
}

const SHELLS: [(&str, &[&str]); 10] = [
    ("dash", &[]),
    ("bash", &[]),
    ("bash", &["--posix"]),
    ("busybox", &["sh"]),
    ("ksh93", &[]),
    ("mksh", &[]),
    ("zsh", &["--emulate", "sh"]),
    ("zsh", &[]),
    ("yash", &[]),
    ("posh", &[]),
];

/// Every shell that is installed; all of them where the environment says so.
pub(super) fn shells() -> Vec<Shell> {
    SHELLS
        .iter()
        .filter_map(|&(name, arguments)| {
            let program = tool(name)?;
            Some(Shell {
                name,
                program,
                arguments,
            })
        })
        .collect()
}

/// The shell that everything is tried with that need not be tried with all of them.
pub(super) fn sh() -> Shell {
    Shell {
        name: "sh",
        program: PathBuf::from("/bin/sh"),
        arguments: &[],
    }
}

/// Where `name` is. A tool that is missing skips its test, loudly, unless
/// `PROVISIONING_TEST_REQUIRE_ALL` is set, as `scripts/test` does.
pub(super) fn tool(name: &str) -> Option<PathBuf> {
    let found = find(name);
    if found.is_none() {
        assert!(
            !everything_is_required(),
            "`{name}` is not in PATH, and PROVISIONING_TEST_REQUIRE_ALL is set"
        );
        eprintln!("SKIPPED: `{name}` is not in PATH");
    }
    found
}

/// Where `name` is, if anywhere.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let path = variable("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// Whether a missing tool is a failure.
pub(super) fn everything_is_required() -> bool {
    variable("PROVISIONING_TEST_REQUIRE_ALL").is_some_and(|value| !value.is_empty())
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests learn from the environment which tools they have"
)]
pub(super) fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}
