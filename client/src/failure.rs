//! What went wrong, in the one form in which every command says it.
//!
//! Text: `error: …`, a `  caused by: …` line for each cause, `help: …` for each hint. JSON:
//! `{"error": {"code", "message", "causes", "hints"}}`. Where versions do not fit, the causes
//! are the sentences of a proof, one `  - …` line each, and `explanation` has it as a tree.
//! Both on stderr. Programs match on `code` and on the exit status, never on the words. The
//! last hint of a command that may change something tells what was changed before it failed.

use std::error::Error;
use std::fmt;

use serde::Serialize;

mod conversions;
mod files;

pub(crate) use conversions::NOT_AUTHORISED;

/// What a refusal ends with where it came before the first write.
const NOTHING_CHANGED: &str = "nothing was changed";

/// How a run ended, as the shell sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// Refused or failed.
    Failed,
    /// The command line or the configuration makes no sense.
    Usage,
    /// No versions fit.
    NoSolution,
    /// A digest, signature, expiry or archive does not hold.
    Verification,
    /// The registry could not be reached.
    Unreachable,
    /// Another writer holds the prefix.
    Locked,
    /// Something newer exists and `--exit-code` asked to be told.
    Outdated,
    /// Nobody reads our output any more.
    BrokenPipe,
}

impl Exit {
    /// The exit status.
    pub(crate) const fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NoSolution => 3,
            Self::Verification => 4,
            Self::Unreachable => 5,
            Self::Locked => 6,
            Self::Outdated => 100,
            Self::BrokenPipe => 141,
        }
    }
}

/// Why a command did not do what it was asked.
///
/// Build one with [`Failure::new`] and the `with_…` methods; errors of our crates convert
/// with `?` (see `failure/conversions.rs`: add a `From` there for a new error type).
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    body: Box<Body>,
    exit: Exit,
}

#[derive(Debug, Clone, Serialize)]
struct Body {
    code: String,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<serde_json::Value>,
    /// What was or was not changed: the last of the hints once it is told.
    #[serde(skip)]
    changed: Option<String>,
}

/// The result of everything in this crate that can fail.
pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure with exit status 1; `code` is kebab-case and never changes.
    pub(crate) fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            body: Box::new(Body {
                code: code.into(),
                message: message.into(),
                causes: Vec::new(),
                hints: Vec::new(),
                explanation: None,
                changed: None,
            }),
            exit: Exit::Failed,
        }
    }

    /// The command line or configuration makes no sense: exit status 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new("usage", message).with_exit(Exit::Usage)
    }

    /// Sets the exit status.
    pub(crate) fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Adds what lay behind it.
    pub(crate) fn with_cause(mut self, cause: impl Into<String>) -> Self {
        self.body.causes.push(cause.into());
        self
    }

    /// Adds several things that lay behind it.
    pub(crate) fn with_causes(mut self, causes: impl IntoIterator<Item = String>) -> Self {
        self.body.causes.extend(causes);
        self
    }

    /// Adds the proof that the causes tell, as a tree for `--json`.
    pub(crate) fn with_explanation(mut self, explanation: serde_json::Value) -> Self {
        self.body.explanation = Some(explanation);
        self
    }

    /// Adds what to do about it: a sentence or a command to paste.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.body.hints.push(hint.into());
        self
    }

    /// Adds several things to do about it.
    pub(crate) fn with_hints(mut self, hints: impl IntoIterator<Item = String>) -> Self {
        self.body.hints.extend(hints);
        self
    }

    /// Says what was changed before it failed. Where nothing says so, a command that might
    /// have changed something says that nothing was.
    pub(crate) fn with_changed(mut self, changed: impl Into<String>) -> Self {
        self.body.changed = Some(changed.into());
        self
    }

    /// Closes the message: what was or was not changed becomes its last line. A question
    /// changes nothing, so there nobody asks unless the failure says it by itself.
    pub(crate) fn closed(mut self, is_question: bool) -> Self {
        let hints = std::mem::take(&mut self.body.hints);
        let mut is_said = !is_question;
        for hint in hints {
            if hint == NOTHING_CHANGED {
                is_said = true;
            } else if let Some(rest) = hint.strip_suffix("; nothing was changed") {
                is_said = true;
                self.body.hints.push(rest.to_owned());
            } else {
                self.body.hints.push(hint);
            }
        }
        let nothing = is_said.then(|| NOTHING_CHANGED.to_owned());
        self.body.changed = self.body.changed.or(nothing);
        self.body.hints.extend(self.body.changed.clone());
        self
    }

    /// Adds every error in `problem`'s chain, itself included, as causes.
    pub(crate) fn with_chain(mut self, problem: &(dyn Error + 'static)) -> Self {
        let mut next = Some(problem);
        while let Some(cause) = next {
            let text = cause.to_string();
            if self.body.causes.last() != Some(&text) {
                self.body.causes.push(text);
            }
            next = cause.source();
        }
        self
    }

    /// How the run ends.
    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }

    /// The stable code.
    pub(crate) fn code(&self) -> &str {
        &self.body.code
    }

    /// What lay behind it.
    pub(crate) fn causes(&self) -> &[String] {
        &self.body.causes
    }

    /// What to do about it.
    pub(crate) fn hints(&self) -> &[String] {
        &self.body.hints
    }

    /// The one document of `--json`.
    pub(crate) fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Document<'a> {
            schema: u32,
            error: &'a Body,
        }
        let document = Document {
            schema: 1,
            error: &self.body,
        };
        serde_json::to_string_pretty(&document).expect("four text fields serialise")
    }

    /// The text for people; `paint` colours the leading words.
    pub(crate) fn to_text(&self, paint: impl Fn(Label, &str) -> String) -> String {
        let mut text = format!("{} {}", paint(Label::Error, "error:"), self.body.message);
        let lead = match self.body.explanation {
            Some(_) => "\n  - ",
            None => "\n  caused by: ",
        };
        for cause in &self.body.causes {
            text.push_str(lead);
            text.push_str(&cause.replace('\n', "\n    "));
        }
        for hint in &self.body.hints {
            text.push('\n');
            if self.body.changed.as_ref() == Some(hint) {
                text.push_str(&paint(Label::Note, "note:"));
            } else {
                text.push_str(&paint(Label::Help, "help:"));
            }
            text.push(' ');
            text.push_str(&hint.replace('\n', "\n      "));
        }
        text
    }
}

/// The leading words that are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    /// `error:`
    Error,
    /// `warning:`
    Warning,
    /// `note:`
    Note,
    /// `help:`
    Help,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.body.message)
    }
}

impl Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Failure {
        Failure::new("sample", "`a` does not fit")
            .with_cause("the first\nof two lines")
            .with_hint("run `b`")
    }

    #[test]
    fn the_text_form_names_causes_and_then_help() {
        let plain = |_: Label, word: &str| word.to_owned();
        insta::assert_snapshot!(sample().to_text(plain), @r"
        error: `a` does not fit
          caused by: the first
            of two lines
        help: run `b`
        ");
    }

    #[test]
    fn the_json_form_has_the_four_fields_under_error() {
        insta::assert_snapshot!(sample().to_json(), @r#"
        {
          "schema": 1,
          "error": {
            "code": "sample",
            "message": "`a` does not fit",
            "causes": [
              "the first\nof two lines"
            ],
            "hints": [
              "run `b`"
            ]
          }
        }
        "#);
    }
}
