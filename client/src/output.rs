//! Where words go: results to stdout, everything else to stderr.
//!
//! A command prints its result exactly once, with [`Output::result`]; notes, warnings and
//! progress go to stderr and change nothing for a program that reads stdout. Colour is for
//! terminals only and never carries meaning.

use std::io::{self, Write};

use serde::Serialize;

use crate::env::Env;
use crate::failure::{Exit, Failure, Label, Outcome};
use crate::settings::{ColourChoice, Settings};

mod pager;
mod progress;
mod table;

use pager::Pager;
pub(crate) use progress::{Bar, Progress};
pub(crate) use table::{Table, bytes};

/// The version of the form of every JSON document that we print.
const SCHEMA: u32 = 1;

/// Where a run's words go.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own, and none depends on another"
)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
    colour_stdout: bool,
    colour_stderr: bool,
    has_progress: bool,
    /// What long text is shown with, on a terminal alone.
    pager: Option<Pager>,
}

#[derive(Serialize)]
struct Document<'a, T> {
    schema: u32,
    #[serde(flatten)]
    body: &'a T,
}

impl Output {
    /// The output that `settings` ask for.
    pub(crate) fn new(env: &Env, settings: &Settings) -> Self {
        let mut output = Self::plain(env, settings.json);
        output.quiet = settings.quiet;
        output.has_progress = env.stderr_is_terminal && !settings.quiet;
        output.colour_stdout = wants_colour(env, settings.color, env.stdout_is_terminal);
        output.colour_stderr = wants_colour(env, settings.color, env.stderr_is_terminal);
        output.pager = Pager::of(env, settings.pager.as_deref());
        output
    }

    /// The output before settings could be read.
    pub(crate) fn plain(env: &Env, json: bool) -> Self {
        Self {
            json,
            quiet: false,
            colour_stdout: false,
            colour_stderr: wants_colour(env, ColourChoice::Auto, env.stderr_is_terminal),
            has_progress: false,
            pager: None,
        }
    }

    /// Prints a command's result: `document` under `--json` (`"schema": 1` is added), else
    /// what `text` writes.
    pub(crate) fn result<T: Serialize>(
        &self,
        document: &T,
        text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Outcome<()> {
        let mut stdout = io::BufWriter::new(io::stdout().lock());
        let written = if self.json {
            let document = Document {
                schema: SCHEMA,
                body: document,
            };
            let json = serde_json::to_string_pretty(&document)
                .expect("result documents are structs with text keys");
            writeln!(stdout, "{json}")
        } else {
            text(&mut stdout)
        };
        written
            .and_then(|()| stdout.flush())
            .map_err(|it| stdout_failure(&it))
    }

    /// The same for an answer that may be long: on a terminal that it does not fit, through a
    /// pager.
    pub(crate) fn long_result<T: Serialize>(
        &self,
        document: &T,
        text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Outcome<()> {
        let Some(pager) = self.pager.as_ref().filter(|_| !self.json) else {
            return self.result(document, text);
        };
        let mut page = Vec::new();
        text(&mut page).expect("writing to memory does not fail");
        if Pager::is_needed(&page) && pager.show(&page) {
            return Ok(());
        }
        self.raw(&page)
    }

    /// Prints bytes as they are, with and without `--json`: a completion script, a page.
    #[expect(clippy::unused_self, reason = "whoever writes needs an Output at hand")]
    pub(crate) fn raw(&self, bytes: &[u8]) -> Outcome<()> {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(bytes)
            .and_then(|()| stdout.flush())
            .map_err(|it| stdout_failure(&it))
    }

    /// Says something worth knowing that is no result; silent under `--quiet`.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.say(&format!("{} {text}", self.label(Label::Note, "note:")));
        }
    }

    /// Says what is being done, a line at a time; silent under `--quiet` and `--json`.
    pub(crate) fn status(&self, text: &str) {
        if !self.quiet && !self.json {
            self.say(text);
        }
    }

    /// Says something that the user should look at; silent under `--quiet`.
    pub(crate) fn warning(&self, text: &str) {
        if !self.quiet {
            let label = self.label(Label::Warning, "warning:");
            self.say(&format!("{label} {text}"));
        }
    }

    /// Says why the run failed, in the form that was asked for.
    pub(crate) fn failure(&self, failure: &Failure) {
        if failure.exit() == Exit::BrokenPipe {
            return;
        }
        if self.json {
            self.say(&failure.to_json());
        } else {
            self.say(&failure.to_text(|label, word| self.label(label, word)));
        }
    }

    /// Progress bars, which show on a terminal alone.
    pub(crate) fn progress(&self) -> Progress {
        Progress::new(self.has_progress)
    }

    /// Whether results are JSON.
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// `text` in bold where stdout shows colour: a heading or a name in a result.
    pub(crate) fn strong(&self, text: &str) -> String {
        paint(self.colour_stdout, "1", text)
    }

    /// `text` dimmed where stdout shows colour: what may be skipped in a result.
    pub(crate) fn faint(&self, text: &str) -> String {
        paint(self.colour_stdout, "2", text)
    }

    /// `text` in green where stdout shows colour: all is well.
    pub(crate) fn good(&self, text: &str) -> String {
        paint(self.colour_stdout, "32", text)
    }

    /// `text` in bold red where stdout shows colour: something is wrong.
    pub(crate) fn bad(&self, text: &str) -> String {
        paint(self.colour_stdout, "1;31", text)
    }

    /// `text` in bold where stderr shows colour.
    pub(crate) fn strong_beside(&self, text: &str) -> String {
        paint(self.colour_stderr, "1", text)
    }

    /// `text` dimmed where stderr shows colour.
    pub(crate) fn faint_beside(&self, text: &str) -> String {
        paint(self.colour_stderr, "2", text)
    }

    fn label(&self, label: Label, word: &str) -> String {
        let code = match label {
            Label::Error => "1;31",
            Label::Warning => "1;33",
            Label::Note => "1;36",
            Label::Help => "1;32",
        };
        paint(self.colour_stderr, code, word)
    }

    /// Writes a line to stderr. A stderr that nobody reads is no reason to fail.
    #[expect(clippy::unused_self, reason = "whoever writes needs an Output at hand")]
    fn say(&self, line: &str) {
        let _ = writeln!(io::stderr().lock(), "{line}");
    }
}

fn paint(on: bool, code: &str, text: &str) -> String {
    if on {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// `--color` decides; under `auto` a terminal gets colour unless `NO_COLOR` is set
/// (no-color.org), `CLICOLOR=0` or it is dumb, and `CLICOLOR_FORCE` gives it to anything.
fn wants_colour(env: &Env, choice: ColourChoice, is_terminal: bool) -> bool {
    match choice {
        ColourChoice::Always => true,
        ColourChoice::Never => false,
        ColourChoice::Auto => {
            if env.variable("NO_COLOR").is_some() {
                return false;
            }
            let forced = env.variable("CLICOLOR_FORCE").is_some_and(|it| it != "0");
            let refused = env.variable("CLICOLOR") == Some("0");
            forced
                || (is_terminal && !refused && env.variable("TERM").is_none_or(|it| it != "dumb"))
        }
    }
}

/// A reader that went away (`| head`) ends the run quietly; anything else, such as a full
/// disk behind `> file`, is an error.
fn stdout_failure(problem: &io::Error) -> Failure {
    let failure = Failure::new("io", "cannot write to stdout")
        .with_cause(problem.to_string())
        .with_changed("the command was carried out; only its result could not be written");
    if problem.kind() == io::ErrorKind::BrokenPipe {
        failure.with_exit(Exit::BrokenPipe)
    } else {
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::tests::bare;

    #[test]
    fn no_color_beats_a_terminal_and_the_flag_beats_no_color() {
        let no_color = bare(&[("NO_COLOR", "1")]);
        assert!(!wants_colour(&no_color, ColourChoice::Auto, true));
        assert!(wants_colour(&no_color, ColourChoice::Always, false));
        assert!(wants_colour(&bare(&[]), ColourChoice::Auto, true));
        assert!(!wants_colour(&bare(&[]), ColourChoice::Auto, false));
        let dumb = bare(&[("TERM", "dumb")]);
        assert!(!wants_colour(&dumb, ColourChoice::Auto, true));
        let refused = bare(&[("CLICOLOR", "0")]);
        assert!(!wants_colour(&refused, ColourChoice::Auto, true));
        let forced = bare(&[("CLICOLOR_FORCE", "1")]);
        assert!(wants_colour(&forced, ColourChoice::Auto, false));
    }
}
