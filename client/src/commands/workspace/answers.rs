//! What a template asks is answered: by `--set`, by what was answered before, by people at
//! a terminal, or by its defaults. Nobody is asked where nobody can answer.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, Write as _};
use std::path::Path;

use provisioning_installers::{Answer, Answers, Template, Variable};

use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// How often a question is asked again after an answer that does not do.
const TRIES_MAX: usize = 5;
/// Longest name of a workspace, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// What was typed to answer a template.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Typed {
    /// Answer one of the template's questions; `name` is the workspace's name
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Take the defaults instead of asking
    #[arg(long)]
    defaults: bool,
}

impl Typed {
    /// Whether something was answered on the command line.
    pub(super) fn answers_something(&self) -> bool {
        !self.set.is_empty()
    }
}

/// Answers everything that `template` asks. `known` holds the name and what was answered
/// before; nothing is written.
pub(super) fn gather(
    template: &Template,
    known: &Answers,
    typed: &Typed,
    context: &Context,
) -> Outcome<Answers> {
    let mut set = parse(&typed.set)?;
    let mut answers = Answers::new();
    let name = match set.remove("name") {
        Some(name) => Answer::Text(name),
        None => known
            .get("name")
            .cloned()
            .unwrap_or(Answer::Text(String::new())),
    };
    check_name(&name.to_string())?;
    answers.insert("name".to_owned(), name);
    check_keys(&set, template)?;
    for key in template.unknown() {
        context.output.warning(&format!(
            "the template's `template.toml`: no such key: `{key}`"
        ));
    }
    let may_ask = context.env.stdin_is_terminal
        && context.env.stderr_is_terminal
        && !context.output.is_json()
        && !typed.defaults;
    let mut unanswered = Vec::new();
    for variable in template.variables() {
        let answer = match set.remove(variable.name()) {
            Some(text) => Some(
                variable
                    .read(&text)
                    .map_err(|it| does_not_do(variable, &it))?,
            ),
            None => before(variable, known, context),
        };
        let answer = if answer.is_some() {
            answer
        } else if !unanswered.is_empty() {
            // A default may be made of answers that are not there.
            variable.default().cloned()
        } else {
            let default = template.default_of(variable, &answers)?;
            if may_ask {
                Some(ask(variable, default.as_ref())?)
            } else {
                default
            }
        };
        match answer {
            Some(answer) => drop(answers.insert(variable.name().to_owned(), answer)),
            None => unanswered.push(variable),
        }
    }
    if unanswered.is_empty() {
        Ok(answers)
    } else {
        Err(nobody_answered(&unanswered))
    }
}

/// What was answered before, if it still does.
fn before(variable: &Variable, known: &Answers, context: &Context) -> Option<Answer> {
    let answer = known.get(variable.name())?;
    match variable.check(answer) {
        Ok(()) => Some(answer.clone()),
        Err(reason) => {
            let name = variable.name();
            context.output.warning(&format!(
                "the recorded answer to `{name}` does not do any more: {reason}"
            ));
            None
        }
    }
}

fn parse(set: &[String]) -> Outcome<BTreeMap<String, String>> {
    let mut parsed = BTreeMap::new();
    for text in set {
        let Some((key, value)) = text.split_once('=') else {
            return Err(
                Failure::usage(format!("`--set {text}` has no `=`")).with_hint("`--set KEY=VALUE`")
            );
        };
        if parsed
            .insert(key.trim().to_owned(), value.to_owned())
            .is_some()
        {
            return Err(Failure::usage(format!("`--set {key}=…` is there twice")));
        }
    }
    Ok(parsed)
}

fn check_keys(set: &BTreeMap<String, String>, template: &Template) -> Outcome<()> {
    let known: Vec<&str> = template.variables().iter().map(Variable::name).collect();
    let wrong: Vec<_> = set
        .keys()
        .filter(|it| !known.contains(&it.as_str()))
        .collect();
    let Some(first) = wrong.first() else {
        return Ok(());
    };
    let failure = Failure::usage(format!("the template asks no `{first}`"));
    let near = known
        .iter()
        .map(|it| (strsim::jaro_winkler(first, it), it))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let failure = match near {
        Some((_, near)) => failure.with_hint(format!("did you mean `{near}`?")),
        None => failure,
    };
    let known: Vec<_> = std::iter::once(&"name")
        .chain(&known)
        .map(|it| format!("`{it}`"))
        .collect();
    Err(failure.with_hint(format!(
        "it takes {}; nothing was changed",
        known.join(", ")
    )))
}

fn check_name(name: &str) -> Outcome<()> {
    let is_name = !name.trim().is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name.chars().any(|it| it.is_control() || it == '/');
    if is_name {
        return Ok(());
    }
    Err(
        Failure::usage(format!("`{name}` is no name for a workspace"))
            .with_hint("`--set name=NAME` gives it one"),
    )
}

fn does_not_do(variable: &Variable, reason: &str) -> Failure {
    Failure::usage(format!("`--set {}=…`: {reason}", variable.name()))
        .with_hint("nothing was changed")
}

fn nobody_answered(variables: &[&Variable]) -> Failure {
    let names: Vec<_> = variables
        .iter()
        .map(|it| format!("`{}`", it.name()))
        .collect();
    let hints = variables.iter().map(|it| {
        let choices: Vec<_> = it.choices().iter().map(ToString::to_string).collect();
        let value = if choices.is_empty() {
            "…".to_owned()
        } else {
            choices.join("|")
        };
        format!("`--set {}={value}`: {}", it.name(), it.prompt())
    });
    Failure::usage(format!(
        "the template asks what nobody has answered: {}",
        names.join(", ")
    ))
    .with_hints(hints)
    .with_hint("nothing was changed")
}

/// Asks at the terminal until the answer does.
fn ask(variable: &Variable, default: Option<&Answer>) -> Outcome<Answer> {
    let stderr = |it: io::Error| Failure::io("write to", Path::new("stderr"), &it);
    for _ in 0..TRIES_MAX {
        let mut out = io::stderr().lock();
        write!(out, "{}", question(variable, default))
            .and_then(|()| out.flush())
            .map_err(stderr)?;
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line);
        if read.map_err(|it| Failure::io("read", Path::new("stdin"), &it))? == 0 {
            break;
        }
        let line = line.trim();
        let answer = match default {
            Some(default) if line.is_empty() => variable.check(default).map(|()| default.clone()),
            _ => variable.read(line),
        };
        match answer {
            Ok(answer) => return Ok(answer),
            Err(reason) => writeln!(out, "{reason}").map_err(stderr)?,
        }
    }
    Err(nobody_answered(&[variable]))
}

fn question(variable: &Variable, default: Option<&Answer>) -> String {
    let choices: Vec<_> = variable.choices().iter().map(ToString::to_string).collect();
    let choices = match (choices.as_slice(), variable.is_flag()) {
        ([], true) => " (yes, no)".to_owned(),
        ([], false) => String::new(),
        (some, _) => format!(" ({})", some.join(", ")),
    };
    let default = default.map(|it| format!(" [{it}]")).unwrap_or_default();
    format!("{}{choices}{default}: ", variable.prompt())
}
