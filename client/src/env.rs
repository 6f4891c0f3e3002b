//! The process that we run in: arguments, variables, folder, clock, terminals.
//!
//! The only file of this crate that reads the environment or the clock; everything else
//! gets an [`Env`].

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// The outside world as this run sees it.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact about the process, and none depends on another"
)]
pub struct Env {
    /// The command line, program name first.
    pub args: Vec<OsString>,
    /// Environment variables.
    pub variables: BTreeMap<OsString, OsString>,
    /// The folder that relative paths start at.
    pub folder: PathBuf,
    /// The home folder that the system knows of this user, for where `HOME` is not set.
    pub system_home: Option<PathBuf>,
    /// The program that runs, links followed, where the system can tell.
    pub program: Option<PathBuf>,
    /// Whether we run as root.
    pub is_root: bool,
    /// Whether somebody can type at stdin.
    pub stdin_is_terminal: bool,
    /// Whether somebody reads stdout.
    pub stdout_is_terminal: bool,
    /// Whether somebody reads stderr.
    pub stderr_is_terminal: bool,
}

impl Env {
    /// The real process.
    pub fn of_process() -> Self {
        Self {
            args: std::env::args_os().collect(),
            variables: std::env::vars_os().collect(),
            folder: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            system_home: std::env::home_dir(),
            program: std::env::current_exe().ok(),
            is_root: rustix::process::geteuid().is_root(),
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
        }
    }

    /// What time it is.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock; a method so that callers need an Env"
    )]
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// The value of a variable; an empty one counts as unset.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables
            .get(std::ffi::OsStr::new(name))
            .and_then(|it| it.to_str())
            .filter(|it| !it.is_empty())
    }

    /// Whether a variable is set to something that is no text.
    pub(crate) fn is_garbled(&self, name: &str) -> bool {
        let value = self.variables.get(std::ffi::OsStr::new(name));
        value.is_some_and(|it| it.to_str().is_none())
    }

    /// The value of a variable that holds a path; an empty one counts as unset.
    pub fn path_variable(&self, name: &str) -> Option<PathBuf> {
        self.variables
            .get(std::ffi::OsStr::new(name))
            .filter(|it| !it.is_empty())
            .map(PathBuf::from)
    }

    /// The user's home folder: `HOME`, and where that is not set, as under cron, what the
    /// system knows.
    pub fn home(&self) -> Option<PathBuf> {
        self.path_variable("HOME")
            .or_else(|| self.system_home.clone())
            .filter(|it| it.is_absolute())
    }

    /// A base folder of the XDG specification: the variable if it is absolute (relative
    /// ones are to be ignored), else `fallback` under the home folder.
    pub fn xdg(&self, variable: &str, fallback: &str) -> Option<PathBuf> {
        self.path_variable(variable)
            .filter(|it| it.is_absolute())
            .or_else(|| self.home().map(|home| home.join(fallback)))
    }

    /// Makes a path that a user typed absolute.
    pub fn absolute(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An environment with nothing but these variables.
    pub(crate) fn bare(variables: &[(&str, &str)]) -> Env {
        Env {
            args: vec!["provisioning".into()],
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            folder: "/nowhere".into(),
            system_home: None,
            program: None,
            is_root: false,
            stdin_is_terminal: false,
            stdout_is_terminal: false,
            stderr_is_terminal: false,
        }
    }

    #[test]
    fn a_relative_xdg_folder_is_ignored_as_the_specification_says() {
        let env = bare(&[("HOME", "/home/ada"), ("XDG_CACHE_HOME", "cache")]);
        assert_eq!(
            env.xdg("XDG_CACHE_HOME", ".cache").unwrap(),
            Path::new("/home/ada/.cache")
        );
        assert!(bare(&[]).xdg("XDG_CACHE_HOME", ".cache").is_none());
    }

    #[test]
    fn without_home_the_systems_word_counts_and_a_relative_one_counts_for_nothing() {
        let known = |variables| Env {
            system_home: Some("/root".into()),
            ..bare(variables)
        };
        assert_eq!(known(&[]).home().unwrap(), Path::new("/root"));
        let other = known(&[("HOME", "/home/ada")]);
        assert_eq!(other.home().unwrap(), Path::new("/home/ada"));
        assert_eq!(known(&[("HOME", "here")]).home(), None);
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        assert_eq!(bare(&[("A", "")]).variable("A"), None);
        assert_eq!(bare(&[("A", "b")]).variable("A"), Some("b"));
    }
}
