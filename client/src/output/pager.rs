//! Long answers on a terminal, shown by the user's pager.
//!
//! `less -FRX` where nothing else is said: it ends by itself where the text fits after all,
//! keeps colours, and leaves the text on the screen.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::env::Env;

/// What is run where nothing is said.
const DEFAULT: &str = "less";
/// How `less` behaves where the user has no wish of their own.
const LESS: &str = "FRX";

/// A program that shows long text.
#[derive(Debug, Clone)]
pub(super) struct Pager {
    command: String,
    has_less: bool,
}

impl Pager {
    /// The one that `said` (a setting) or `PAGER` names; `None` where stdout is no terminal or
    /// paging is switched off with an empty value or `cat`.
    pub(super) fn of(env: &Env, said: Option<&str>) -> Option<Self> {
        if !env.stdout_is_terminal || env.variable("TERM").is_none_or(|it| it == "dumb") {
            return None;
        }
        let of_variable = env.variables.get(std::ffi::OsStr::new("PAGER"));
        let of_variable = of_variable.and_then(|it| it.to_str());
        let command = said.or(of_variable).unwrap_or(DEFAULT).trim();
        if command.is_empty() || command == "cat" || command == "false" {
            return None;
        }
        Some(Self {
            command: command.to_owned(),
            has_less: env.variable("LESS").is_some(),
        })
    }

    /// Whether the text is longer than the terminal is high.
    pub(super) fn is_needed(text: &[u8]) -> bool {
        let Ok(size) = rustix::termios::tcgetwinsize(std::io::stdout()) else {
            return false;
        };
        let width = usize::from(size.ws_col).max(1);
        let text = String::from_utf8_lossy(text);
        let lines = text
            .lines()
            .map(|it| it.chars().count().div_ceil(width).max(1));
        let height: usize = lines.sum();
        size.ws_row > 0 && height >= usize::from(size.ws_row)
    }

    /// Shows it and waits until the reader is done; whether that worked.
    pub(super) fn show(&self, text: &[u8]) -> bool {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &self.command]).stdin(Stdio::piped());
        if !self.has_less {
            command.env("LESS", LESS);
        }
        let Ok(mut child) = command.spawn() else {
            return false;
        };
        if let Some(mut stdin) = child.stdin.take() {
            // A reader who has seen enough closes the pipe.
            let _ = stdin.write_all(text);
        }
        // 127 is the shell's word for "no such command": then nobody has read anything.
        child.wait().is_ok_and(|it| it.code() != Some(127))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::tests::bare;

    fn pager(variables: &[(&str, &str)], said: Option<&str>) -> Option<String> {
        let mut env = bare(variables);
        env.stdout_is_terminal = true;
        env.variables.insert("TERM".into(), "xterm".into());
        Pager::of(&env, said).map(|it| it.command)
    }

    #[test]
    fn the_setting_beats_the_variable_and_an_empty_one_switches_paging_off() {
        assert_eq!(pager(&[], None).as_deref(), Some("less"));
        assert_eq!(pager(&[("PAGER", "more")], None).as_deref(), Some("more"));
        assert_eq!(
            pager(&[("PAGER", "more")], Some("most")).as_deref(),
            Some("most")
        );
        assert_eq!(pager(&[("PAGER", "")], None), None);
        assert_eq!(pager(&[("PAGER", "more")], Some("cat")), None);
        assert!(Pager::of(&bare(&[("TERM", "xterm")]), None).is_none());
    }
}
