//! Questions to whoever sits at the terminal.
//!
//! A question is asked on stderr and answered on stdin, and only where both are a terminal
//! and neither `--json` nor `--quiet` was said: a script is never kept waiting.

use std::io::{BufRead as _, Read as _, Write as _};

use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 1024;
/// Longest secret that is read.
const SECRET_BYTES_MAX: u64 = 8192;
/// How often a question is repeated that got no clear answer.
const TRIES_MAX: usize = 3;

/// What an empty line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Yes.
    Yes,
    /// No.
    No,
}

/// Whether there is somebody to ask.
pub(crate) fn is_interactive(context: &Context) -> bool {
    let env = &context.env;
    env.stdin_is_terminal
        && env.stderr_is_terminal
        && !context.output.is_json()
        && !context.settings.quiet
}

/// Asks a yes-or-no question. `--yes` answers it; where nobody can be asked, and where the
/// terminal goes away, the answer is no.
pub(crate) fn confirm(context: &Context, question: &str, default: Answer) -> Outcome<bool> {
    if context.settings.yes {
        return Ok(true);
    }
    if !is_interactive(context) {
        return Ok(false);
    }
    let choices = match default {
        Answer::Yes => "[Y/n]",
        Answer::No => "[y/N]",
    };
    for _ in 0..TRIES_MAX {
        let _ = write!(std::io::stderr().lock(), "{question} {choices} ");
        let mut line = String::new();
        let stdin = std::io::stdin();
        let read = stdin.lock().take(ANSWER_BYTES_MAX).read_line(&mut line);
        let count = read.map_err(|it| {
            Failure::new("io", "cannot read the answer").with_cause(it.to_string())
        })?;
        if count == 0 {
            let _ = writeln!(std::io::stderr().lock());
            return Ok(false);
        }
        match line.trim().to_ascii_lowercase().as_str() {
            "" => return Ok(default == Answer::Yes),
            "y" | "yes" => return Ok(true),
            "n" | "no" => return Ok(false),
            _ => {}
        }
    }
    Ok(false)
}

/// Asks for a secret at the terminal: echo is off while it is typed, and on again whatever happens.
pub(crate) fn ask_hidden(prompt: &str) -> Outcome<String> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let stdin = std::io::stdin();
    let before = tcgetattr(&stdin).map_err(|problem| no_answer(&problem.into()))?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Flush, &silent)
        .map_err(|problem| no_answer(&problem.into()))?;
    prompt_line(prompt);
    let mut line = String::new();
    let read = stdin.lock().take(SECRET_BYTES_MAX).read_line(&mut line);
    let restored = tcsetattr(&stdin, OptionalActions::Flush, &before);
    prompt_line("\n");
    read.map_err(|problem| no_answer(&problem))?;
    restored.map_err(|problem| no_answer(&problem.into()))?;
    Ok(line.trim_end_matches('\n').to_owned())
}

/// A prompt is for the terminal, so it goes to stderr and lacks a line end.
fn prompt_line(text: &str) {
    use std::io::Write as _;
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}

fn no_answer(problem: &std::io::Error) -> Failure {
    Failure::new("io", "cannot read the answer").with_cause(problem.to_string())
}
