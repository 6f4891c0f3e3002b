//! One of the places that values are looked for in: what it says, read and checked.

use serde_json::Value as Json;

use super::keys::{HANDLE_IGNORE_PATHS, HANDLE_PATHS, JOB_KEYS, KEYS, Key, Kind, find};
use super::values::convert;
use crate::problem::Problems;
use crate::yaml::{Entry, Node, Place};

/// A value that a place gives to a key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Given {
    /// The key.
    pub(super) key: &'static str,
    /// The value.
    pub(super) value: Json,
    /// Where the value is written.
    pub(super) at: Place,
}

/// What one place says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Layer {
    /// Values that replace.
    pub(super) given: Vec<Given>,
    /// Values that are added to a list.
    pub(super) added: Vec<Given>,
}

/// Which keys a place may have beside those of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Those of a package alone.
    Package,
    /// Those of a job too.
    Job,
}

/// The parts of `handle`.
const HANDLE: &[(&str, &str)] = &[
    ("paths", HANDLE_PATHS),
    ("ignore_paths", HANDLE_IGNORE_PATHS),
];

impl Layer {
    /// Reads a table; `read_elsewhere` are keys that its owner reads itself.
    pub(super) fn read(
        entries: &[Entry],
        place: Scope,
        read_elsewhere: &[&str],
        problems: &mut Problems,
    ) -> Self {
        let mut layer = Self::default();
        for entry in entries {
            if read_elsewhere.contains(&entry.key.as_str()) {
                continue;
            }
            match entry.key.as_str() {
                "handle" => layer.given.extend(handle(&entry.node, problems)),
                "extend" => layer.read_extend(&entry.node, place, problems),
                name => match key(name, place) {
                    Some(key) => layer.given.extend(given(key, &entry.node, problems)),
                    None => unknown(entry, place, read_elsewhere, problems),
                },
            }
        }
        layer
    }

    fn read_extend(&mut self, node: &Node, place: Scope, problems: &mut Problems) {
        let Some(entries) = node.table() else {
            let found = node.value.kind();
            problems.error(node.at, format!("`extend` must be a table, found {found}"));
            return;
        };
        for entry in entries {
            if entry.key == "handle" {
                self.added.extend(handle(&entry.node, problems));
                continue;
            }
            let Some(key) = key(&entry.key, place) else {
                unknown(entry, place, &[], problems);
                continue;
            };
            if !is_list(key.kind) {
                let message = format!("`{}` is no list that `extend` could add to", key.name);
                problems.error(entry.at, message);
                continue;
            }
            if entry.node.list().is_none() {
                let found = entry.node.value.kind();
                let message = format!("`extend` adds a list to `{}`, found {found}", key.name);
                problems.error(entry.node.at, message);
                continue;
            }
            self.added.extend(given(key, &entry.node, problems));
        }
    }
}

fn key(name: &str, place: Scope) -> Option<&'static Key> {
    // The parts of `handle` are written under `handle`, never with a point.
    let found = find(KEYS, name).filter(|it| !it.name.contains('.'));
    match place {
        Scope::Package => found,
        Scope::Job => found.or_else(|| find(JOB_KEYS, name)),
    }
}

fn given(key: &'static Key, node: &Node, problems: &mut Problems) -> Option<Given> {
    let value = convert(key, node, problems)?;
    Some(Given {
        key: key.name,
        value,
        at: node.at,
    })
}

fn handle(node: &Node, problems: &mut Problems) -> Vec<Given> {
    let Some(entries) = node.table() else {
        let found = node.value.kind();
        let message =
            format!("`handle` must be a table with `paths` or `ignore_paths`, found {found}");
        problems.error(node.at, message);
        return Vec::new();
    };
    let mut all = Vec::new();
    for entry in entries {
        let Some((_, name)) = HANDLE.iter().find(|(part, _)| *part == entry.key) else {
            let near = super::near(&entry.key, HANDLE.iter().map(|(part, _)| *part));
            problems.error(
                entry.at,
                format!("`handle` has no key `{}`{near}", entry.key),
            );
            continue;
        };
        let key = find(KEYS, name).expect("both parts of `handle` are keys");
        all.extend(given(key, &entry.node, problems));
    }
    all
}

fn unknown(entry: &Entry, place: Scope, also: &[&str], problems: &mut Problems) {
    let names = KEYS.iter().map(|it| it.name).filter(|it| !it.contains('.'));
    let of_job = JOB_KEYS
        .iter()
        .map(|it| it.name)
        .filter(|_| place == Scope::Job);
    let ours = ["handle", "extend"];
    let known = names.chain(of_job).chain(ours).chain(also.iter().copied());
    let near = super::near(&entry.key, known);
    let not_text = if entry.key_is_text {
        ""
    } else {
        ", which is no text to YAML: put it in quotes"
    };
    problems.error(
        entry.at,
        format!("no such key: `{}`{near}{not_text}", entry.key),
    );
}

/// Whether `extend` can add to such a key.
const fn is_list(kind: Kind) -> bool {
    match kind {
        Kind::Texts
        | Kind::Paths
        | Kind::Globs
        | Kind::Choices(_)
        | Kind::Targets
        | Kind::Branches
        | Kind::Files
        | Kind::Downloads => true,
        Kind::Text
        | Kind::Name
        | Kind::Path
        | Kind::Specifiers
        | Kind::Bool
        | Kind::Count
        | Kind::SourceId
        | Kind::Choice(_)
        | Kind::Free
        | Kind::Actions
        | Kind::Nested(_)
        | Kind::Retired(_) => false,
    }
}
