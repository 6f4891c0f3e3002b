//! From a value as it was written to the value that counts.
//!
//! Types are Packit's, with its leniency (`"yes"` is a boolean) and none more: what Packit
//! refuses is refused here too, with its place.

use serde_json::{Map, Value as Json, json};

use super::keys::{BRANCH_OPTIONS, Key, Kind, TARGET_OPTIONS, find};
use crate::problem::Problems;
use crate::yaml::{Entry, Node, Value};

mod items;

use items::{actions, downloads, files};

/// The value of `key`; `None` where a problem was reported.
pub(super) fn convert(key: &Key, node: &Node, problems: &mut Problems) -> Option<Json> {
    if node.value == Value::Null {
        if key.nullable {
            return Some(key.default());
        }
        if !matches!(key.kind, Kind::Retired(_)) {
            problems.error(node.at, format!("`{}` has no value", key.name));
            return None;
        }
    }
    let Some(value) = of_kind(key, node, problems)? else {
        let expected = expected(key.kind);
        let found = node.value.kind();
        let mut message = format!("`{}` must be {expected}, found {found}", key.name);
        if expected == "text" && is_scalar(node) {
            message.push_str(": put it in quotes");
        }
        problems.error(node.at, message);
        return None;
    };
    Some(value)
}

/// `None` if a problem was reported, `Some(None)` if the value is of another kind.
#[expect(
    clippy::option_option,
    reason = "two ways to have no value: reported already, and to be reported by the caller"
)]
fn of_kind(key: &Key, node: &Node, problems: &mut Problems) -> Option<Option<Json>> {
    Some(match key.kind {
        Kind::Text => node.text().map(Json::from),
        Kind::Name => match node.text() {
            Some(name) => Some(Json::from(file_name(key, name, node, problems)?)),
            None => None,
        },
        Kind::Path => match node.text() {
            Some(path) => Some(Json::from(inner_path(key.name, path, node, problems)?)),
            None => None,
        },
        Kind::Specifiers => match node.text() {
            Some(written) => Some(Json::from(specifiers(key, written, node, problems)?)),
            None => None,
        },
        Kind::Bool => boolean(node).map(Json::from),
        Kind::Count => match whole_number(node) {
            Some(number) if number < 0 => {
                problems.error(node.at, format!("`{}` may not be negative", key.name));
                return None;
            }
            number => number.map(Json::from),
        },
        Kind::Texts => match node.list() {
            Some(items) => Some(texts(key, items, problems)?),
            None => None,
        },
        Kind::Paths => match node.list() {
            Some(items) => Some(paths(key, items, problems)?),
            None => None,
        },
        Kind::Globs => globs(key, node, problems)?,
        Kind::SourceId => source_id(node),
        Kind::Choice(words) => match node.text() {
            Some(word) => Some(choice(key, words, word, node, problems)?),
            // `bootstrap: off` is a boolean to YAML 1.1 and a word to its author.
            None => switch(words, node),
        },
        Kind::Choices(words) => match node.list() {
            Some(items) => Some(choices(key, words, items, problems)?),
            None => None,
        },
        Kind::Free => node.table().map(|_| to_json(node)),
        Kind::Targets => targets(key, node, problems)?,
        Kind::Branches => branches(key, node, problems)?,
        Kind::Files => match node.list() {
            Some(items) => Some(files(key, items, problems)?),
            None => None,
        },
        Kind::Actions => match node.table() {
            Some(entries) => Some(actions(entries, problems)?),
            None => None,
        },
        Kind::Downloads => match node.list() {
            Some(items) => Some(downloads(key, items, problems)?),
            None => None,
        },
        Kind::Nested(keys) => match node.table() {
            Some(entries) => Some(nested(key.name, keys, entries, problems)?),
            None => None,
        },
        Kind::Retired(why) => {
            let message = format!("`{}` is no longer read: {why}", key.name);
            problems.warning(node.at, message);
            return None;
        }
    })
}

/// What a kind takes, in words.
const fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Name | Kind::Path | Kind::Specifiers | Kind::Choice(_) => "text",
        Kind::Bool => "`true` or `false`",
        Kind::Count => "a whole number",
        Kind::Texts | Kind::Paths | Kind::Choices(_) => "a list of text",
        Kind::Globs => "text or a list of text",
        Kind::SourceId => "text or a whole number",
        Kind::Free | Kind::Nested(_) | Kind::Actions => "a table",
        Kind::Targets | Kind::Branches => "text, a list of text or a table of tables",
        Kind::Files | Kind::Downloads => "a list",
        Kind::Retired(_) => "nothing",
    }
}

/// A boolean where `on` and `off` are among the words.
fn switch(words: &[&str], node: &Node) -> Option<Json> {
    if let Value::Bool(value) = node.value
        && words.contains(&"off")
    {
        Some(json!(if value { "on" } else { "off" }))
    } else {
        None
    }
}

/// A scalar that quotes would make text.
fn is_scalar(node: &Node) -> bool {
    matches!(
        node.value,
        Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Time(_) | Value::Tag(_)
    )
}

fn boolean(node: &Node) -> Option<bool> {
    if let Value::Bool(value) = node.value {
        return Some(value);
    }
    if let Value::Integer(number @ (0 | 1)) = node.value {
        return Some(number == 1);
    }
    match node.text()? {
        "t" | "T" | "true" | "True" | "TRUE" | "on" | "On" | "ON" | "y" | "Y" | "yes" | "Yes"
        | "YES" | "1" => Some(true),
        "f" | "F" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" | "n" | "N" | "no"
        | "No" | "NO" | "0" => Some(false),
        _ => None,
    }
}

fn whole_number(node: &Node) -> Option<i64> {
    if let Value::Integer(number) = node.value {
        return Some(number);
    }
    node.text()?.trim().parse().ok()
}

fn source_id(node: &Node) -> Option<Json> {
    let id = match whole_number(node) {
        Some(number) => format!("Source{number}"),
        None => node.text()?.to_owned(),
    };
    Some(Json::from(id))
}

fn file_name(key: &Key, name: &str, node: &Node, problems: &mut Problems) -> Option<String> {
    if name.contains(['/', '\0']) || name == ".." || name == "." {
        let message = format!("`{}` must be a name, not a path: `{name}`", key.name);
        problems.error(node.at, message);
        return None;
    }
    Some(name.to_owned())
}

/// A path that stays in the repository, as it was written.
fn inner_path(key: &str, path: &str, node: &Node, problems: &mut Problems) -> Option<String> {
    let wrong = if path.is_empty() {
        "is empty"
    } else if path.starts_with('/') {
        "is absolute: write it from the root of the repository"
    } else if leaves(path) {
        "leaves the repository"
    } else if path.contains(['\0', '\n']) {
        "has control characters"
    } else {
        return Some(path.to_owned());
    };
    problems.error(
        node.at,
        format!("the path `{}` of `{key}` {wrong}", path.escape_debug()),
    );
    None
}

/// Whether a relative path goes above where it starts.
fn leaves(path: &str) -> bool {
    let mut depth = 0_i64;
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => depth -= 1,
            _ => depth += 1,
        }
        if depth < 0 {
            return true;
        }
    }
    false
}

/// Each item with `convert_item`; the whole list or nothing.
fn list(items: &[Node], mut convert_item: impl FnMut(&Node) -> Option<Json>) -> Option<Json> {
    let converted: Vec<Option<Json>> = items.iter().map(&mut convert_item).collect();
    let whole: Option<Vec<Json>> = converted.into_iter().collect();
    whole.map(Json::from)
}

fn item_text<'n>(key: &Key, item: &'n Node, problems: &mut Problems) -> Option<&'n str> {
    let found = item.text();
    if found.is_none() {
        let quotes = if is_scalar(item) {
            ": put it in quotes"
        } else {
            ""
        };
        let message = format!(
            "an item of `{}` must be text, found {}{quotes}",
            key.name,
            item.value.kind()
        );
        problems.error(item.at, message);
    }
    found
}

fn texts(key: &Key, items: &[Node], problems: &mut Problems) -> Option<Json> {
    list(items, |it| item_text(key, it, problems).map(Json::from))
}

fn paths(key: &Key, items: &[Node], problems: &mut Problems) -> Option<Json> {
    if items.is_empty() {
        return Some(key.default());
    }
    list(items, |it| {
        let path = item_text(key, it, problems)?;
        inner_path(key.name, path, it, problems).map(Json::from)
    })
}

/// Globs: an unquoted `!docs` is a tag to YAML and an exclusion to its author.
#[expect(
    clippy::option_option,
    reason = "as `of_kind`: reported already, or to be reported by the caller"
)]
fn globs(key: &Key, node: &Node, problems: &mut Problems) -> Option<Option<Json>> {
    let one = |item: &Node, problems: &mut Problems| -> Option<Json> {
        let glob = if let Value::Tag(tag) = &item.value {
            tag.as_str()
        } else {
            item_text(key, item, problems)?
        };
        match crate::paths::check_glob(glob) {
            Ok(()) => Some(Json::from(glob)),
            Err(problem) => {
                problems.error(item.at, format!("an item of `{}`: {problem}", key.name));
                None
            }
        }
    };
    if let Some(items) = node.list() {
        return Some(Some(list(items, |it| one(it, problems))?));
    }
    if matches!(node.value, Value::Text(_) | Value::Tag(_)) {
        return Some(Some(json!([one(node, problems)?])));
    }
    Some(None)
}

fn choice(
    key: &Key,
    words: &[&str],
    word: &str,
    node: &Node,
    problems: &mut Problems,
) -> Option<Json> {
    if words.contains(&word) {
        return Some(Json::from(word));
    }
    let message = format!(
        "`{}` is `{word}`, not one of: {}",
        key.name,
        words.join(", ")
    );
    problems.error(node.at, message);
    None
}

fn choices(key: &Key, words: &[&str], items: &[Node], problems: &mut Problems) -> Option<Json> {
    list(items, |it| {
        let word = item_text(key, it, problems)?;
        choice(key, words, word, it, problems)
    })
}

#[expect(
    clippy::option_option,
    reason = "as `of_kind`: reported already, or to be reported by the caller"
)]
fn targets(key: &Key, node: &Node, problems: &mut Problems) -> Option<Option<Json>> {
    if let Some(target) = node.text() {
        return Some(Some(json!({ target: {} })));
    }
    if let Some(items) = node.list() {
        let names: Option<Vec<&str>> = items
            .iter()
            .map(|it| item_text(key, it, problems))
            .collect();
        let pair = |it: &str| (it.to_owned(), json!({}));
        return Some(Some(Json::Object(names?.into_iter().map(pair).collect())));
    }
    let Some(entries) = node.table() else {
        return Some(None);
    };
    let table = options_of("target", TARGET_OPTIONS, entries, problems)?;
    Some(Some(Json::Object(table)))
}

#[expect(
    clippy::option_option,
    reason = "as `of_kind`: reported already, or to be reported by the caller"
)]
fn branches(key: &Key, node: &Node, problems: &mut Problems) -> Option<Option<Json>> {
    if let Some(branch) = node.text() {
        return Some(Some(json!([branch])));
    }
    if let Some(items) = node.list() {
        return Some(Some(texts(key, items, problems)?));
    }
    let Some(entries) = node.table() else {
        return Some(None);
    };
    if entries.is_empty() {
        return Some(Some(key.default()));
    }
    let table = options_of("branch", BRANCH_OPTIONS, entries, problems)?;
    Some(Some(Json::Object(table)))
}

/// A table from a target or branch to its options.
fn options_of(
    noun: &str,
    keys: &[Key],
    entries: &[Entry],
    problems: &mut Problems,
) -> Option<Map<String, Json>> {
    let mut table = Map::new();
    for entry in entries {
        let Some(options) = entry.node.table() else {
            let found = entry.node.value.kind();
            let message = format!(
                "the options of the {noun} `{}` must be a table, found {found}: `{{}}` is one \
                 without any",
                entry.key
            );
            problems.error(entry.node.at, message);
            return None;
        };
        let options = given(&entry.key, keys, options, problems)?;
        table.insert(entry.key.clone(), Json::Object(options));
    }
    Some(table)
}

/// A table of known keys, the rest at its defaults.
fn nested(owner: &str, keys: &[Key], entries: &[Entry], problems: &mut Problems) -> Option<Json> {
    let mut whole = defaults(keys);
    whole.extend(given(owner, keys, entries, problems)?);
    Some(Json::Object(whole))
}

/// What a table of known keys says, and no more.
fn given(
    owner: &str,
    keys: &[Key],
    entries: &[Entry],
    problems: &mut Problems,
) -> Option<Map<String, Json>> {
    let mut table = Map::new();
    let mut is_whole = true;
    for entry in entries {
        let value =
            known(keys, owner, entry, problems).and_then(|it| convert(it, &entry.node, problems));
        match value {
            Some(value) => {
                table.insert(entry.key.clone(), value);
            }
            None => is_whole = false,
        }
    }
    is_whole.then_some(table)
}

fn defaults(keys: &[Key]) -> Map<String, Json> {
    let pair = |it: &Key| (it.name.to_owned(), it.default());
    keys.iter().map(pair).collect()
}

fn known<'k>(
    keys: &'k [Key],
    owner: &str,
    entry: &Entry,
    problems: &mut Problems,
) -> Option<&'k Key> {
    let found = find(keys, &entry.key);
    if found.is_none() {
        let near = super::near(&entry.key, keys.iter().map(|it| it.name));
        problems.error(
            entry.at,
            format!("`{owner}` has no key `{}`{near}", entry.key),
        );
    }
    found
}

/// A set of specifiers of PEP 440, as far as its form goes.
fn specifiers(key: &Key, written: &str, node: &Node, problems: &mut Problems) -> Option<String> {
    let operators = ["===", "~=", "==", "!=", "<=", ">=", "<", ">"];
    let fits = |part: &str| {
        let part = part.trim();
        part.is_empty()
            || operators
                .iter()
                .find_map(|it| part.strip_prefix(it))
                .is_some_and(|version| {
                    let version = version.trim();
                    let allowed = |it: char| it.is_ascii_alphanumeric() || ".*+!-_".contains(it);
                    !version.is_empty() && version.chars().all(allowed)
                })
    };
    if written.split(',').all(fits) {
        return Some(written.to_owned());
    }
    let message = format!(
        "`{}` is `{written}`, not a set such as `>=1.0, <2.0`",
        key.name
    );
    problems.error(node.at, message);
    None
}

/// A value as JSON, for tables of anything.
pub(super) fn to_json(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::from(*value),
        Value::Integer(value) => Json::from(*value),
        Value::Float(value) => Json::from(*value),
        Value::Text(text) | Value::Time(text) | Value::Tag(text) => Json::from(text.as_str()),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Table(entries) => {
            let pair = |it: &Entry| (it.key.clone(), to_json(&it.node));
            Json::Object(entries.iter().map(pair).collect())
        }
    }
}
