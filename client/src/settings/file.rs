//! The user's `config.toml`, edited in place: comments and order stay.

use std::path::{Path, PathBuf};

use provisioning_package::Digest;
use toml_edit::{DocumentMut, Item, Table, value};

use super::keys::Key;
use super::layers::REGISTRIES;
use super::location::RegistryLocation;
use crate::durable::{Readers, replace_file};
use crate::failure::{Failure, Outcome};

/// A registry that the user's configuration knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownRegistry {
    /// Its address, as written.
    pub(crate) url: String,
    /// The fingerprint that its root must have.
    pub(crate) root_fingerprint: Option<String>,
    /// Whether it is used where none is named.
    pub(crate) is_default: bool,
}

/// The user's configuration file.
#[derive(Debug)]
pub(crate) struct UserConfig {
    path: PathBuf,
    document: DocumentMut,
}

impl UserConfig {
    /// Reads the file; an absent one is empty.
    pub(super) fn open(path: PathBuf) -> Outcome<Self> {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(problem) => return Err(Failure::io("read", &path, &problem)),
        };
        let document = text.parse::<DocumentMut>().map_err(|problem| {
            Failure::usage(format!("`{}` is not TOML", path.display()))
                .with_cause(problem.to_string().trim_end().to_owned())
        })?;
        Ok(Self { path, document })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The registries that it knows, the default one first.
    pub(crate) fn registries(&self) -> Vec<KnownRegistry> {
        let default = self.document.get("registry").and_then(Item::as_str);
        let mut known: Vec<KnownRegistry> = self
            .document
            .get(REGISTRIES)
            .and_then(Item::as_table_like)
            .into_iter()
            .flat_map(toml_edit::TableLike::iter)
            .map(|(url, item)| KnownRegistry {
                url: url.to_owned(),
                root_fingerprint: item
                    .get("root-fingerprint")
                    .and_then(Item::as_str)
                    .map(str::to_owned),
                is_default: Some(url) == default,
            })
            .collect();
        if let Some(url) = default
            && !known.iter().any(|it| it.is_default)
        {
            known.push(KnownRegistry {
                url: url.to_owned(),
                root_fingerprint: None,
                is_default: true,
            });
        }
        known.sort_by_key(|it| !it.is_default);
        known
    }

    /// Remembers a registry and makes it the default.
    pub(crate) fn add(&mut self, registry: &RegistryLocation, fingerprint: Option<&Digest>) {
        self.document["registry"] = value(registry.to_string());
        let all = self
            .document
            .entry(REGISTRIES)
            .or_insert_with(|| {
                let mut table = Table::new();
                table.set_implicit(true);
                Item::Table(table)
            })
            .as_table_like_mut();
        if let Some(all) = all {
            let mut one = Table::new();
            if let Some(digest) = fingerprint {
                one["root-fingerprint"] = value(digest.prefixed());
            }
            all.insert(&registry.to_string(), Item::Table(one));
        }
    }

    /// Forgets a registry; whether it was known.
    pub(crate) fn remove(&mut self, registry: &RegistryLocation) -> bool {
        let url = registry.to_string();
        let was_default = self.document.get("registry").and_then(Item::as_str) == Some(&*url);
        if was_default {
            self.document.remove("registry");
        }
        let was_listed = self
            .document
            .get_mut(REGISTRIES)
            .and_then(Item::as_table_like_mut)
            .and_then(|it| it.remove(&url))
            .is_some();
        was_default || was_listed
    }

    /// Sets a value, or takes it out; whether there was one.
    pub(crate) fn set(&mut self, key: &Key, text: Option<&str>) -> bool {
        let was_there = self.document.contains_key(key.name);
        let Some(text) = text else {
            self.document.remove(key.name);
            return was_there;
        };
        let mut new = match (text, text.parse::<i64>()) {
            ("true" | "false", _) => toml_edit::Value::from(text == "true"),
            (_, Ok(number)) => toml_edit::Value::from(number),
            _ => toml_edit::Value::from(text),
        };
        // A comment behind the old value is about the setting, so it stays.
        if let Some(old) = self.document.get(key.name).and_then(Item::as_value) {
            *new.decor_mut() = old.decor().clone();
        }
        self.document[key.name] = Item::Value(new);
        was_there
    }

    /// Writes it back.
    pub(crate) fn save(&self) -> Outcome<()> {
        replace_file(
            &self.path,
            self.document.to_string().as_bytes(),
            Readers::Everyone,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::tests::bare;

    #[test]
    fn setting_a_value_keeps_the_comment_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, "prefix = \"/opt/p\" # why\n\n[registries]\n").unwrap();
        let mut config = UserConfig::open(path.clone()).unwrap();
        let key = |name| {
            *super::super::keys::KEYS
                .iter()
                .find(|it| it.name == name)
                .unwrap()
        };
        assert!(config.set(&key("prefix"), Some("/opt/q")));
        assert!(!config.set(&key("quiet"), Some("true")));
        config.save().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            "prefix = \"/opt/q\" # why\nquiet = true\n\n[registries]\n"
        );
        assert!(config.set(&key("prefix"), None));
    }

    #[test]
    fn adding_and_removing_a_registry_keeps_the_users_comments() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, "# mine\nprefix = \"/opt/p\" # why\n").unwrap();
        let location = RegistryLocation::parse("https://example.org", &bare(&[])).unwrap();
        let mut config = UserConfig::open(path.clone()).unwrap();
        config.add(&location, Some(&Digest::of(b"root")));
        config.save().unwrap();
        insta::assert_snapshot!(std::fs::read_to_string(&path).unwrap(), @r#"
        # mine
        prefix = "/opt/p" # why
        registry = "https://example.org/"

        [registries."https://example.org/"]
        root-fingerprint = "sha256:4813494d137e1631bba301d5acab6e7bb7aa74ce1185d456565ef51d737677b2"
        "#);
        let mut config = UserConfig::open(path.clone()).unwrap();
        assert_eq!(config.registries().len(), 1);
        assert!(config.remove(&location));
        assert!(!config.remove(&location));
        config.save().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "# mine\nprefix = \"/opt/p\" # why\n");
    }
}
