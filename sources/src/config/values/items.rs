//! Keys whose items are tables of their own: `files_to_sync`, `actions`, `sources`.

use serde_json::{Map, Value as Json, json};

use super::{convert, defaults, given, inner_path, known, list, to_json};
use crate::config::keys::{self, ACTIONS, Key};
use crate::problem::Problems;
use crate::yaml::{Entry, Node, Value};

/// The items of `files_to_sync`.
pub(super) fn files(key: &Key, items: &[Node], problems: &mut Problems) -> Option<Json> {
    list(items, |item| {
        if let Some(path) = item.text() {
            let path = inner_path(key.name, path, item, problems)?;
            return Some(json!({
                "src": [path], "dest": path, "mkpath": false, "delete": false, "filters": [],
            }));
        }
        if let Some(entries) = item.table() {
            return file_item(item, entries, problems);
        }
        let found = item.value.kind();
        let message = format!(
            "an item of `{}` must be text or a table, found {found}",
            key.name
        );
        problems.error(item.at, message);
        None
    })
}

/// One item of `files_to_sync` that is a table.
fn file_item(item: &Node, entries: &[Entry], problems: &mut Problems) -> Option<Json> {
    const KEYS: &[Key] = keys::FILE_ITEM;
    let mut whole = defaults(KEYS);
    let mut is_whole = true;
    for entry in entries {
        let is_source_text = entry.key == "src" && entry.node.text().is_some();
        let value = if is_source_text {
            entry.node.text().map(|it| json!([it]))
        } else {
            known(KEYS, "files_to_sync", entry, problems)
                .and_then(|it| convert(it, &entry.node, problems))
        };
        let Some(value) = value else {
            is_whole = false;
            continue;
        };
        let written: Vec<&str> = match entry.key.as_str() {
            "src" => {
                let all = value.as_array().map_or(&[][..], Vec::as_slice);
                all.iter().filter_map(Json::as_str).collect()
            }
            "dest" => value.as_str().into_iter().collect(),
            _ => Vec::new(),
        };
        for path in written {
            is_whole &= inner_path("files_to_sync", path, &entry.node, problems).is_some();
        }
        whole.insert(entry.key.clone(), value);
    }
    for needed in ["src", "dest"] {
        if !entries.iter().any(|it| it.key == needed) {
            problems.error(
                item.at,
                format!("an item of `files_to_sync` has no `{needed}`"),
            );
            is_whole = false;
        }
    }
    is_whole.then_some(Json::Object(whole))
}

/// The table `actions`.
pub(super) fn actions(entries: &[Entry], problems: &mut Problems) -> Option<Json> {
    let mut table = Map::new();
    let mut is_whole = true;
    for entry in entries {
        if !ACTIONS.contains(&entry.key.as_str()) {
            let near = crate::config::near(&entry.key, ACTIONS.iter().copied());
            problems.error(entry.at, format!("no such action: `{}`{near}", entry.key));
            is_whole = false;
            continue;
        }
        let fits = entry.node.text().is_some()
            || entry
                .node
                .list()
                .is_some_and(|it| it.iter().all(is_command));
        if !fits {
            let message = format!(
                "the action `{}` must be text or a list of commands, found {}",
                entry.key,
                entry.node.value.kind()
            );
            problems.error(entry.node.at, message);
            is_whole = false;
        }
        table.insert(entry.key.clone(), to_json(&entry.node));
    }
    is_whole.then_some(Json::Object(table))
}

/// A command is text, or a list of its words.
fn is_command(node: &Node) -> bool {
    let is_word = |it: &Node| {
        matches!(
            it.value,
            Value::Text(_) | Value::Integer(_) | Value::Float(_)
        )
    };
    node.text().is_some() || node.list().is_some_and(|it| it.iter().all(is_word))
}

/// The items of `sources`.
pub(super) fn downloads(key: &Key, items: &[Node], problems: &mut Problems) -> Option<Json> {
    list(items, |item| {
        let Some(entries) = item.table() else {
            let message = format!(
                "an item of `{}` must be a table, found {}",
                key.name,
                item.value.kind()
            );
            problems.error(item.at, message);
            return None;
        };
        let whole = given(key.name, keys::DOWNLOAD, entries, problems)?;
        for needed in ["path", "url"] {
            if !whole.contains_key(needed) {
                let message = format!("an item of `{}` has no `{needed}`", key.name);
                problems.error(item.at, message);
                return None;
            }
        }
        Some(Json::Object(whole))
    })
}
