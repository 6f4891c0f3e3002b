//! What a template asks, and which answers it takes.

use std::collections::BTreeMap;
use std::fmt;

use minijinja::Value;
use regex::Regex;
use serde::{Deserialize, Serialize};

/// An answer. A flag and a number are such in the template too: `{% if flag %}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// Anything else.
    Text(String),
}

/// Answers by variable.
pub type Answers = BTreeMap<String, Answer>;

/// What kind of answer a variable takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AnswerKind {
    Text,
    Flag,
    Number,
}

/// One thing that a template asks.
#[derive(Debug, Clone)]
pub struct Variable {
    name: String,
    prompt: Option<String>,
    kind: AnswerKind,
    default: Option<Answer>,
    choices: Vec<Answer>,
    pattern: Option<Regex>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(true) => f.write_str("yes"),
            Self::Flag(false) => f.write_str("no"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Answer {
    /// As the template engine sees it.
    pub(super) fn value(&self) -> Value {
        match self {
            Self::Flag(flag) => Value::from(*flag),
            Self::Number(number) => Value::from(*number),
            Self::Text(text) => Value::from(text.as_str()),
        }
    }
}

impl Variable {
    /// What it is called in the template, and after `--set`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The question for people.
    pub fn prompt(&self) -> &str {
        self.prompt.as_deref().unwrap_or(&self.name)
    }

    /// The answer where nobody answers; text in it may hold other variables.
    pub fn default(&self) -> Option<&Answer> {
        self.default.as_ref()
    }

    /// The only answers that it takes; empty where every answer is.
    pub fn choices(&self) -> &[Answer] {
        &self.choices
    }

    /// Whether it is answered with yes or no.
    pub fn is_flag(&self) -> bool {
        self.kind == AnswerKind::Flag
    }

    /// Reads what somebody typed; the error is a phrase for them.
    pub fn read(&self, text: &str) -> Result<Answer, String> {
        let answer = match self.kind {
            AnswerKind::Text => Answer::Text(text.to_owned()),
            AnswerKind::Flag => match text.trim().to_lowercase().as_str() {
                "yes" | "y" | "true" | "1" | "on" => Answer::Flag(true),
                "no" | "n" | "false" | "0" | "off" => Answer::Flag(false),
                _ => return Err("expected `yes` or `no`".to_owned()),
            },
            AnswerKind::Number => Answer::Number(
                text.trim()
                    .parse()
                    .map_err(|_| "expected a whole number".to_owned())?,
            ),
        };
        self.check(&answer)?;
        Ok(answer)
    }

    /// Whether it takes an answer, from wherever that comes; the error is a phrase.
    pub fn check(&self, answer: &Answer) -> Result<(), String> {
        let fits = matches!(
            (self.kind, answer),
            (AnswerKind::Text, Answer::Text(_))
                | (AnswerKind::Flag, Answer::Flag(_))
                | (AnswerKind::Number, Answer::Number(_))
        );
        if !fits {
            return Err(format!("`{answer}` is no {}", self.kind.as_str()));
        }
        if !self.choices.is_empty() && !self.choices.contains(answer) {
            let choices: Vec<_> = self.choices.iter().map(|it| format!("`{it}`")).collect();
            return Err(format!("`{answer}` is none of {}", choices.join(", ")));
        }
        if let (Some(pattern), Answer::Text(text)) = (&self.pattern, answer)
            && !pattern.is_match(text)
        {
            return Err(format!("`{text}` does not match `{}`", self.pattern_text()));
        }
        Ok(())
    }

    /// Reads one `[[variables]]` table; keys that it does not know go to `unknown`.
    pub(super) fn parse(table: &toml::Table, unknown: &mut Vec<String>) -> Result<Self, String> {
        let name = text_of(table, "name")?.ok_or("a variable has no `name`")?;
        check_name(&name)?;
        let wrong = |reason: String| format!("variable `{name}`: {reason}");
        let kind = match text_of(table, "type").map_err(&wrong)?.as_deref() {
            None | Some("text") => AnswerKind::Text,
            Some("flag") => AnswerKind::Flag,
            Some("number") => AnswerKind::Number,
            Some(other) => {
                return Err(wrong(format!(
                    "`{other}` is none of `text`, `flag`, `number`"
                )));
            }
        };
        let pattern = match text_of(table, "pattern").map_err(&wrong)? {
            None => None,
            Some(text) => Some(whole(&text).map_err(|it| wrong(it.to_string()))?),
        };
        let choices = match table.get("choices") {
            None => Vec::new(),
            Some(toml::Value::Array(items)) => items
                .iter()
                .map(answer_of)
                .collect::<Result<_, _>>()
                .map_err(&wrong)?,
            Some(_) => return Err(wrong("`choices` is no list".to_owned())),
        };
        let variable = Self {
            prompt: text_of(table, "prompt").map_err(&wrong)?,
            default: table
                .get("default")
                .map(answer_of)
                .transpose()
                .map_err(&wrong)?,
            name: name.clone(),
            kind,
            choices,
            pattern,
        };
        for choice in &variable.choices {
            variable.check(choice).map_err(&wrong)?;
        }
        // A default that holds other variables can only be checked when they are known.
        if let Some(default) = variable.default.as_ref().filter(|it| !is_computed(it)) {
            variable.check(default).map_err(&wrong)?;
        }
        let known = ["name", "prompt", "type", "default", "choices", "pattern"];
        unknown.extend(
            table
                .keys()
                .filter(|it| !known.contains(&it.as_str()))
                .map(|it| format!("{it}` of variable `{name}")),
        );
        Ok(variable)
    }

    fn pattern_text(&self) -> &str {
        let text = self.pattern.as_ref().map_or("", Regex::as_str);
        text.strip_prefix("^(?:")
            .and_then(|it| it.strip_suffix(")$"))
            .unwrap_or(text)
    }
}

impl AnswerKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Flag => "flag",
            Self::Number => "number",
        }
    }
}

/// Whether a default is a template of its own.
pub(super) fn is_computed(default: &Answer) -> bool {
    matches!(default, Answer::Text(text) if text.contains("{{") || text.contains("{%"))
}

/// A pattern speaks about the whole answer.
fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!("^(?:{pattern})$"))
}

fn check_name(name: &str) -> Result<(), String> {
    let is_name = name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_')
        && name
            .chars()
            .all(|it| it.is_ascii_alphanumeric() || it == '_');
    if !is_name {
        return Err(format!(
            "`{name}` is no name of a variable: letters, digits and `_`, no digit first"
        ));
    }
    if matches!(name, "name" | "template" | "version") {
        return Err(format!("variable `{name}`: every template has it already"));
    }
    Ok(())
}

fn text_of(table: &toml::Table, key: &str) -> Result<Option<String>, String> {
    match table.get(key) {
        None => Ok(None),
        Some(toml::Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("`{key}` is no text")),
    }
}

fn answer_of(value: &toml::Value) -> Result<Answer, String> {
    match value {
        toml::Value::String(text) => Ok(Answer::Text(text.clone())),
        toml::Value::Boolean(flag) => Ok(Answer::Flag(*flag)),
        toml::Value::Integer(number) => Ok(Answer::Number(*number)),
        toml::Value::Float(_)
        | toml::Value::Datetime(_)
        | toml::Value::Array(_)
        | toml::Value::Table(_) => Err(format!("`{value}` is no text, flag or whole number")),
    }
}
