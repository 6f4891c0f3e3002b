//! Reading an index entry that this code does not understand in every part.
//!
//! A version may name a package that no registry can have, or be newer than this code: its
//! requirement, its target, its form of archive. Only that version is lost then, never the
//! entry: it is set aside with the reason, so that a refusal can tell it. What is set aside is
//! never chosen.

use provisioning_package::{ArchiveFormat, PackageName, Target};
use semver::Version;
use serde::de::{DeserializeOwned, Error as _};
use serde_json::{Map, Value};

use super::{Dependency, IndexArchive, IndexEntry, IndexVersion};

/// A version that stands in an index entry and cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadVersion {
    /// How its number is written.
    pub written: String,
    /// The number itself; `None` where it is no version at all.
    pub version: Option<Version>,
    /// Why it cannot be used, as a phrase about the version: `it needs …`.
    pub why: String,
}

impl IndexEntry {
    /// Reads an entry as a registry serves it. Versions that cannot be understood are set
    /// aside in [`IndexEntry::unread`]; the others come in order, whatever order they were
    /// written in.
    pub fn read(bytes: &[u8]) -> serde_json::Result<Self> {
        // Entries are nearly always whole, and then are read only once.
        let mut entry = match serde_json::from_slice(bytes) {
            Ok(entry) => entry,
            Err(problem) => leniently(bytes).map_err(|_| problem)?,
        };
        put_in_order(&mut entry);
        Ok(entry)
    }
}

fn put_in_order(entry: &mut IndexEntry) {
    for version in &mut entry.versions {
        if !version.archives.is_sorted_by_key(|it| it.target) {
            version.archives.sort_by_key(|it| it.target);
        }
    }
    let is_ascending = |left: &IndexVersion, right: &IndexVersion| left.version < right.version;
    if entry.versions.is_sorted_by(is_ascending) {
        return;
    }
    entry.versions.sort_by(|left, right| {
        let by_number = left.version.cmp(&right.version);
        // The same number twice is a fault of the registry's, and must not be a coin toss.
        by_number.then_with(|| format!("{left:?}").cmp(&format!("{right:?}")))
    });
}

/// The entry with what cannot be understood set aside; an error where the entry itself is that.
fn leniently(bytes: &[u8]) -> serde_json::Result<IndexEntry> {
    let mut fields: Map<String, Value> = serde_json::from_slice(bytes)?;
    let versions = match fields.remove("versions") {
        Some(Value::Array(versions)) => versions,
        Some(Value::Null) | None => Vec::new(),
        Some(_) => return Err(serde_json::Error::custom("`versions` is no list")),
    };
    if fields
        .get("type")
        .is_some_and(|it| !is_read::<super::ExtensionType>(it))
    {
        fields.remove("type");
    }
    let mut entry: IndexEntry = serde_json::from_value(Value::Object(fields))?;
    for value in versions {
        let written = written(&value, "version");
        match version(value) {
            Ok(version) => entry.versions.push(version),
            Err(why) => entry.unread.push(UnreadVersion {
                version: Version::parse(&written).ok(),
                written,
                why,
            }),
        }
    }
    entry.unread.sort_by(|left, right| {
        let by_number = left.version.cmp(&right.version);
        by_number.then_with(|| (&left.written, &left.why).cmp(&(&right.written, &right.why)))
    });
    Ok(entry)
}

/// One version, or why it cannot be used.
fn version(value: Value) -> Result<IndexVersion, String> {
    let Value::Object(mut fields) = value else {
        return Err("it is no object".to_owned());
    };
    let number = fields.get("version").map_or_else(String::new, text);
    Version::parse(&number).map_err(|_| "its number is no SemVer version".to_owned())?;
    let needs = fields.remove("dependencies");
    let archives = fields.remove("archives");
    let mut version: IndexVersion = serde_json::from_value(Value::Object(fields))
        .map_err(|problem| format!("it cannot be understood: {problem}"))?;
    match needs {
        None | Some(Value::Null) => {}
        Some(Value::Object(needs)) => {
            for (name, value) in needs {
                if let Some((name, needed)) = dependency(&name, value)? {
                    version.dependencies.insert(name, needed);
                }
            }
        }
        Some(_) => return Err("what it needs is no table".to_owned()),
    }
    version.archives = match archives {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(archives)) => known_archives(archives)?,
        Some(_) => return Err("its archives are no list".to_owned()),
    };
    Ok(version)
}

/// What is needed of a package; `None` where it bounds one that cannot be there.
fn dependency(name: &str, value: Value) -> Result<Option<(PackageName, Dependency)>, String> {
    let req = written(&value, "req");
    let is_optional = value.get("optional") == Some(&Value::Bool(true));
    let Ok(known) = PackageName::parse(name) else {
        if is_optional {
            return Ok(None);
        }
        return Err(format!(
            "it needs `{name}` `{req}`, and no package of a registry can have that name"
        ));
    };
    let needed: Dependency = serde_json::from_value(value).map_err(|problem| {
        format!("it needs `{name}` `{req}`, which cannot be understood: {problem}")
    })?;
    Ok(Some((known, needed)))
}

/// The archives whose target and form are known here.
fn known_archives(values: Vec<Value>) -> Result<Vec<IndexArchive>, String> {
    let mut unknown = Vec::new();
    let mut known = Vec::new();
    for value in values {
        let has = |field: &str, is_known: fn(&Value) -> bool| value.get(field).is_none_or(is_known);
        if !has("target", is_read::<Target>) {
            unknown.push(format!("the target `{}`", written(&value, "target")));
        } else if !has("format", is_read::<ArchiveFormat>) {
            unknown.push(format!("the format `{}`", written(&value, "format")));
        } else {
            let archive = serde_json::from_value(value)
                .map_err(|problem| format!("an archive of it cannot be understood: {problem}"))?;
            known.push(archive);
        }
    }
    if known.is_empty() && !unknown.is_empty() {
        unknown.sort();
        let unknown = unknown.join(", ");
        return Err(format!(
            "this client does not know what its archives have: {unknown}"
        ));
    }
    Ok(known)
}

fn is_read<T: DeserializeOwned>(value: &Value) -> bool {
    value.is_null() || T::deserialize(value).is_ok()
}

/// A field as it is written.
fn written(value: &Value, field: &str) -> String {
    value.get(field).map_or_else(String::new, text)
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(versions: &Value) -> IndexEntry {
        let entry = json!({"schema": 1, "kind": "core", "name": "core", "versions": versions});
        IndexEntry::read(entry.to_string().as_bytes()).expect("it is an entry")
    }

    fn archive(target: &str, format: &str) -> Value {
        let digest = provisioning_package::Digest::of(b"x").prefixed();
        json!({"target": target, "digest": digest, "size": 1, "unpacked": 1, "entries": 1,
            "format": format})
    }

    /// What is set aside of a version that has `field` beside its number, and why.
    fn why_not(field: &str, value: &Value) -> String {
        let mut strange = json!({"version": "2.0.0"});
        strange[field] = value.clone();
        let entry = read(&json!([strange, {"version": "1.0.0"}]));
        let left: Vec<String> = entry
            .versions
            .iter()
            .map(|it| it.version.to_string())
            .collect();
        assert_eq!(left, ["1.0.0"]);
        assert_eq!(entry.unread.len(), 1);
        entry.unread[0].why.clone()
    }

    #[test]
    fn a_version_that_is_not_understood_is_set_aside_and_the_others_stay() {
        for name in ["Foo", "foo_bar", "foo.bar", ""] {
            assert_eq!(
                why_not("dependencies", &json!({name: {"req": "^1"}})),
                format!("it needs `{name}` `^1`, and no package of a registry can have that name")
            );
        }
        let why = why_not("dependencies", &json!({"redis": {"req": "new style 1"}}));
        assert!(
            why.starts_with("it needs `redis` `new style 1`, which cannot"),
            "{why}"
        );
        assert_eq!(
            why_not(
                "archives",
                &json!([archive("plan9-mips", "tar.zst"), archive("any", "zip")])
            ),
            "this client does not know what its archives have: the format `zip`, the target \
             `plan9-mips`"
        );
        assert_eq!(
            why_not("version", &json!("two")),
            "its number is no SemVer version"
        );
        for (field, value) in [("api", json!("x")), ("published_at", json!(7))] {
            let why = why_not(field, &value);
            assert!(why.starts_with("it cannot be understood: "), "{why}");
        }
    }

    #[test]
    fn an_unknown_target_costs_only_its_archive_and_an_unknown_optional_name_nothing() {
        let entry = read(&json!([{"version": "1.0.0",
            "dependencies": {"Foo": {"req": "^1", "optional": true}},
            "archives": [archive("plan9-mips", "tar.zst"), archive("linux-arm64", "tar.zst")]}]));
        assert_eq!(entry.unread, []);
        assert_eq!(entry.versions[0].archives.len(), 1);
        assert!(entry.versions[0].dependencies.is_empty());
    }

    #[test]
    fn versions_and_archives_are_in_order_whatever_order_they_were_written_in() {
        let both = [
            archive("linux-arm64", "tar.zst"),
            archive("linux-x86_64", "tar.zst"),
        ];
        let turned = [&both[1], &both[0]];
        let one = json!([{"version": "1.2.0", "archives": both}, {"version": "1.10.0"}]);
        let other = json!([{"version": "1.10.0"}, {"version": "1.2.0", "archives": turned}]);
        assert_eq!(read(&one), read(&other));
        assert_eq!(read(&one).versions[0].version, Version::new(1, 2, 0));
    }

    #[test]
    fn what_is_no_entry_at_all_is_an_error_with_its_first_cause() {
        for text in [
            "",
            "[]",
            r#"{"schema": 1, "versions": []}"#,
            r#"{"versions": {}}"#,
        ] {
            let problem = IndexEntry::read(text.as_bytes()).expect_err(text);
            let strict = serde_json::from_slice::<IndexEntry>(text.as_bytes()).expect_err(text);
            assert_eq!(problem.to_string(), strict.to_string());
        }
    }
}
