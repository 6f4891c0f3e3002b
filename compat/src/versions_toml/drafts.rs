//! `[bundles.NAME]`: drafts of bundles.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::civil::Date;
use provisioning_package::{BundleName, CHANNELS, Kind, PackageName, Target, Version};
use toml::de::DeValue;

use super::BundleDraft;
use super::reader::{Key, Reader, Value, entries};

/// The keys of a draft; any other table under a bundle is a longer name.
const KEYS: [&str; 13] = [
    "name",
    "title",
    "release-date",
    "lts-until",
    "core",
    "platform",
    "workspace",
    "client",
    "extensions",
    "optional",
    "targets",
    "upgrades-from",
    "tests",
];

/// Reads everything under `[bundles]`.
///
/// TOML reads `[bundles.stable-3.2]` as a table `2` within a table `stable-3`, so names are
/// put together again: a table under a bundle that is none of a draft's keys goes on with
/// the name.
pub(super) fn read<'t>(
    reader: &mut Reader<'t>,
    value: &Value<'t>,
    bundles: &mut BTreeMap<BundleName, BundleDraft>,
) {
    let Some(tables) = reader.table(value, "bundles by name") else {
        return;
    };
    let named = entries(tables).into_iter();
    let mut open: Vec<_> = named
        .map(|(key, value)| (key.get_ref().to_string(), key, value))
        .rev()
        .collect();
    while let Some((name, key, value)) = open.pop() {
        let Some(table) = reader.table(value, "a bundle") else {
            continue;
        };
        let (longer, own): (Vec<_>, Vec<_>) =
            entries(table).into_iter().partition(|(key, value)| {
                value.get_ref().is_table() && !KEYS.contains(&key.get_ref().as_ref())
            });
        if !own.is_empty() || longer.is_empty() {
            read_draft(reader, (&name, key), own, bundles);
        }
        open.extend(longer.into_iter().rev().map(|(key, value)| {
            let name = format!("{name}.{}", key.get_ref());
            (name, key, value)
        }));
    }
}

fn read_draft<'t>(
    reader: &mut Reader<'t>,
    (text, key): (&str, &Key<'t>),
    own: Vec<(&Key<'t>, &Value<'t>)>,
    bundles: &mut BTreeMap<BundleName, BundleDraft>,
) {
    let name = read_name(reader, text, key);
    let mut draft = BundleDraft {
        title: text.to_owned(),
        release_date: None,
        lts_until: None,
        members: Vec::new(),
        optional: Vec::new(),
        targets: Vec::new(),
        upgrades_from: Vec::new(),
        tests: BTreeMap::new(),
        line: reader.place(&key.span()).0,
        places: BTreeMap::new(),
    };
    let problems = reader.problems();
    read_keys(reader, own, &mut draft);
    if draft.places.is_empty() && reader.problems() == problems {
        reader.error(key, format!("bundle `{text}` has no members"));
    }
    let Some(name) = name else { return };
    // `[bundles.a.b]` and `[bundles."a.b"]` are two keys and one name.
    if bundles.insert(name, draft).is_some() {
        reader.error(key, format!("bundle `{text}` is written twice"));
    }
}

fn read_name(reader: &mut Reader<'_>, text: &str, key: &Key<'_>) -> Option<BundleName> {
    let name = match BundleName::parse(text) {
        Ok(name) => name,
        Err(problem) => {
            reader.error(key, problem.to_string());
            return None;
        }
    };
    let taken = if CHANNELS.contains(&text) {
        Some("a channel")
    } else if Kind::ALL.iter().any(|kind| kind.as_str() == text) {
        Some("a package")
    } else {
        None
    };
    if let Some(taken) = taken {
        let problem = format!("a bundle cannot be called `{text}`: that is {taken}");
        reader.error(key, problem);
        return None;
    }
    Some(name)
}

fn read_keys<'t>(
    reader: &mut Reader<'t>,
    own: Vec<(&Key<'t>, &Value<'t>)>,
    draft: &mut BundleDraft,
) {
    // Optional members may refer to members that another key names.
    let mut optional = Vec::new();
    for (key, value) in own {
        match key.get_ref().as_ref() {
            "name" | "title" => {
                if let Some(title) = reader.string(value, "the bundle's name") {
                    title.clone_into(&mut draft.title);
                }
            }
            "release-date" => draft.release_date = read_date(reader, value),
            "lts-until" => draft.lts_until = read_date(reader, value),
            "core" | "platform" | "workspace" => read_singleton(reader, key, value, draft),
            "client" => {
                let problem = "the client is in no bundle: `provisioning self update` moves it";
                reader.error(key, problem.to_owned());
            }
            "extensions" => read_extensions(reader, value, draft),
            "optional" => optional = reader.strings(value, "members as `NAME` or `NAME@VERSION`"),
            "targets" => read_targets(reader, value, draft),
            "upgrades-from" => read_upgrades(reader, value, draft),
            "tests" => read_tests(reader, value, draft),
            other => reader.warn(key, format!("unknown key `{other}` is ignored")),
        }
    }
    for (text, at) in optional {
        read_optional(reader, text, &at, draft);
    }
}

fn read_singleton<'t>(
    reader: &mut Reader<'t>,
    key: &Key<'t>,
    value: &Value<'t>,
    draft: &mut BundleDraft,
) {
    let Some(text) = reader.string(value, "a version") else {
        return;
    };
    let Ok(name) = PackageName::parse(key.get_ref()) else {
        return;
    };
    if let Some(version) = read_version(reader, text, &value.span()) {
        add_member(reader, &value.span(), draft, name, version);
    }
}

fn read_extensions<'t>(reader: &mut Reader<'t>, value: &Value<'t>, draft: &mut BundleDraft) {
    for (text, at) in reader.strings(value, "extensions as `NAME@VERSION`") {
        if let Some((name, version)) = read_pinned(reader, text, &at) {
            if name.kind() == Kind::Extension {
                add_member(reader, &at, draft, name, version);
            } else {
                let problem = format!("{name} is no extension: write `{name} = \"{version}\"`");
                reader.error_at(&at, problem);
            }
        }
    }
}

fn read_optional(reader: &mut Reader<'_>, text: &str, at: &Range<usize>, draft: &mut BundleDraft) {
    if text.contains('@') {
        if let Some((name, version)) = read_pinned(reader, text, at) {
            add_member(reader, at, draft, name.clone(), version);
            make_optional(draft, &name);
        }
        return;
    }
    match PackageName::from_user(text) {
        Err(problem) => reader.error_at(at, problem.to_string()),
        Ok(name) if make_optional(draft, &name) => {}
        Ok(name) => {
            let problem = format!("{name} is no member: write `{name}@VERSION`");
            reader.error_at(at, problem);
        }
    }
}

/// Turns a member into one that the bundle pins but does not bring.
fn make_optional(draft: &mut BundleDraft, name: &PackageName) -> bool {
    let Some(index) = draft.members.iter().position(|(it, _)| it == name) else {
        return false;
    };
    let member = draft.members.remove(index);
    draft.optional.push(member);
    true
}

fn add_member(
    reader: &mut Reader<'_>,
    at: &Range<usize>,
    draft: &mut BundleDraft,
    name: PackageName,
    version: Version,
) {
    if name.kind() == Kind::Client {
        let problem = "the client is in no bundle: `provisioning self update` moves it";
        reader.error_at(at, problem.to_owned());
    } else if draft.places.contains_key(&name) {
        reader.error_at(at, format!("{name} is a member already"));
    } else {
        draft.places.insert(name.clone(), reader.place(at));
        draft.members.push((name, version));
    }
}

fn read_pinned(
    reader: &mut Reader<'_>,
    text: &str,
    at: &Range<usize>,
) -> Option<(PackageName, Version)> {
    let Some((name, version)) = text.split_once('@') else {
        reader.error_at(
            at,
            format!("`{text}` names no version: write `NAME@VERSION`"),
        );
        return None;
    };
    let version = read_version(reader, version, at);
    match PackageName::from_user(name) {
        Ok(name) => Some((name, version?)),
        Err(problem) => {
            reader.error_at(at, problem.to_string());
            None
        }
    }
}

fn read_version(reader: &mut Reader<'_>, text: &str, at: &Range<usize>) -> Option<Version> {
    match Version::parse(text) {
        Ok(version) => Some(version),
        Err(problem) => {
            let problem = format!("`{text}` is not a SemVer version: {problem}");
            reader.error_at(at, problem);
            None
        }
    }
}

/// A day, as a string or as TOML's own kind of date.
fn read_date(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Date> {
    let text = match value.get_ref() {
        DeValue::Datetime(date) => date.to_string(),
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => {
            let found = value.get_ref().type_str();
            reader.error(
                value,
                format!("expected a date like 2025-10-15, found {found}"),
            );
            return None;
        }
    };
    // Exactly a day: a date with a time of day would mean another day elsewhere.
    let date = (text.len() == "2025-10-15".len()).then(|| text.parse::<Date>());
    if let Some(Ok(date)) = date {
        return Some(date);
    }
    reader.error(value, format!("`{text}` is not a date like 2025-10-15"));
    None
}

fn read_targets<'t>(reader: &mut Reader<'t>, value: &Value<'t>, draft: &mut BundleDraft) {
    for (text, at) in reader.strings(value, "targets") {
        match text.parse::<Target>() {
            Ok(target) if draft.targets.contains(&target) => {
                reader.error_at(&at, format!("target `{target}` is promised already"));
            }
            Ok(target) => draft.targets.push(target),
            Err(problem) => reader.error_at(&at, problem.to_string()),
        }
    }
}

fn read_upgrades<'t>(reader: &mut Reader<'t>, value: &Value<'t>, draft: &mut BundleDraft) {
    for (text, at) in reader.strings(value, "bundles") {
        match BundleName::parse(text) {
            Ok(name) => draft.upgrades_from.push(name),
            Err(problem) => reader.error_at(&at, problem.to_string()),
        }
    }
}

fn read_tests<'t>(reader: &mut Reader<'t>, value: &Value<'t>, draft: &mut BundleDraft) {
    let Some(tests) = reader.table(value, "checks by name") else {
        return;
    };
    for (key, value) in entries(tests) {
        let commands = match value.get_ref().as_str() {
            Some(command) => vec![command.to_owned()],
            None => reader
                .strings(value, "a command, or commands,")
                .into_iter()
                .map(|(command, _)| command.to_owned())
                .collect(),
        };
        draft.tests.insert(key.get_ref().to_string(), commands);
    }
}
