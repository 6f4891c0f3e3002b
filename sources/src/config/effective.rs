//! The values that count for one package, in or out of a job.

use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Value as Json, json};

use super::keys::{HANDLE_IGNORE_PATHS, HANDLE_PATHS, JOB_KEYS, KEYS};
use super::layer::{Given, Layer};
use crate::paths::{InvalidGlob, Patterns};
use crate::yaml::Place;

/// Where a value comes from; the later ones win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nobody said anything.
    BuiltIn,
    /// The file's top level.
    Top,
    /// `packages.<p>`.
    Package,
    /// The job.
    Job,
    /// The job's `packages.<p>`.
    JobPackage,
}

#[derive(Debug, Clone, PartialEq)]
struct Setting {
    value: Json,
    level: Level,
    at: Option<Place>,
}

/// The values that count for one package.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    settings: BTreeMap<&'static str, Setting>,
}

/// An item of `files_to_sync`: rsync's arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileItem {
    /// What is copied, as globs.
    pub sources: Vec<String>,
    /// Where it goes; a slash at the end has rsync's meaning.
    pub destination: String,
    /// Whether the destination's folders are made.
    pub makes_folders: bool,
    /// Whether what the source has not is deleted at the destination.
    pub deletes: bool,
    /// Filter rules, as rsync's `--filter`.
    pub filters: Vec<String>,
}

impl Effective {
    /// The defaults.
    pub(super) fn built_in() -> Self {
        let setting = |value| Setting {
            value,
            level: Level::BuiltIn,
            at: None,
        };
        let keys = KEYS.iter().filter(|it| it.name != "dist_git_url");
        Self {
            settings: keys.map(|it| (it.name, setting(it.default()))).collect(),
        }
    }

    /// The defaults of a job's own keys beside these values.
    pub(super) fn in_job(&self) -> Self {
        let mut whole = self.clone();
        for key in JOB_KEYS {
            whole.default_to(key.name, key.default());
        }
        whole
    }

    /// Sets what nobody has set.
    pub(super) fn default_to(&mut self, key: &'static str, value: Json) {
        let is_set = self.settings.get(key).is_some_and(|it| !it.value.is_null());
        if !is_set {
            let setting = Setting {
                value,
                level: Level::BuiltIn,
                at: None,
            };
            self.settings.insert(key, setting);
        }
    }

    /// Puts a layer over these values.
    pub(super) fn put(&mut self, layer: &Layer, level: Level) {
        for Given { key, value, at } in &layer.given {
            let setting = Setting {
                value: value.clone(),
                level,
                at: Some(*at),
            };
            self.settings.insert(key, setting);
        }
        for Given { key, value, at } in &layer.added {
            let before = self.settings.get(key).map(|it| it.value.clone());
            let setting = Setting {
                value: join(before.unwrap_or(Json::Null), value),
                level,
                at: Some(*at),
            };
            self.settings.insert(key, setting);
        }
    }

    /// Where the value of a key is written; `None` for a default.
    pub fn place(&self, key: &str) -> Option<Place> {
        self.settings.get(key).and_then(|it| it.at)
    }

    /// Where the value of a key comes from.
    pub fn level(&self, key: &str) -> Level {
        self.settings.get(key).map_or(Level::BuiltIn, |it| it.level)
    }

    /// The value of a key.
    pub fn value(&self, key: &str) -> &Json {
        self.settings.get(key).map_or(&Json::Null, |it| &it.value)
    }

    /// The value of a key that is text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.value(key).as_str()
    }

    /// Whether a key is true.
    pub fn is_true(&self, key: &str) -> bool {
        self.value(key).as_bool().unwrap_or(false)
    }

    /// The value of a key that is a list of text.
    pub fn texts(&self, key: &str) -> Vec<&str> {
        let items = self.value(key).as_array().map_or(&[][..], Vec::as_slice);
        items.iter().filter_map(Json::as_str).collect()
    }

    /// The package's paths, as they are written.
    pub fn paths(&self) -> Vec<&str> {
        self.texts("paths")
    }

    /// The package's paths as git writes them; the root is empty.
    pub fn clean_paths(&self) -> Vec<String> {
        self.paths().into_iter().map(crate::paths::clean).collect()
    }

    /// The specfile, from the repository's root.
    pub fn specfile(&self) -> Option<&str> {
        self.text("specfile_path")
    }

    /// The package's name downstream.
    pub fn downstream_name(&self) -> &str {
        self.text("downstream_package_name").unwrap_or_default()
    }

    /// The package's name upstream.
    pub fn upstream_name(&self) -> &str {
        let own = self.text("upstream_package_name");
        own.unwrap_or_else(|| self.downstream_name())
    }

    /// What is copied to a downstream repository, as it is written.
    pub fn files_to_sync(&self) -> Vec<FileItem> {
        let items = self.value("files_to_sync").as_array();
        let items = items.map_or(&[][..], Vec::as_slice);
        items.iter().map(file_item).collect()
    }

    /// The commands that replace an action; `None` if nothing does.
    pub fn action(&self, name: &str) -> Option<&Json> {
        self.value("actions").get(name)
    }

    /// The targets, in order.
    pub fn targets(&self) -> Vec<&str> {
        let table = self.value("targets").as_object();
        table
            .map(|it| it.keys().map(String::as_str).collect())
            .unwrap_or_default()
    }

    /// The patterns that a changed file must match to set something off: `handle.paths` of
    /// the package or its job, else the package's own paths, else the top level's
    /// `handle.paths`.
    pub fn handled(&self) -> Vec<&str> {
        let handle = self.level(HANDLE_PATHS);
        let has_handle = self.value(HANDLE_PATHS).is_array();
        let has_paths = self.level("paths") >= Level::Package;
        if has_handle && (handle >= Level::Package || !has_paths) {
            self.texts(HANDLE_PATHS)
        } else {
            self.paths()
        }
    }

    /// The patterns of files that set nothing off.
    pub fn ignored(&self) -> Vec<&str> {
        self.texts(HANDLE_IGNORE_PATHS)
    }

    /// [`Self::handled`], ready to match.
    pub fn handled_patterns(&self) -> Result<Patterns, InvalidGlob> {
        Patterns::parse(self.handled())
    }

    /// [`Self::ignored`], ready to match.
    pub fn ignored_patterns(&self) -> Result<Patterns, InvalidGlob> {
        Patterns::parse(self.ignored())
    }
}

/// A value with more in it.
fn join(before: Json, added: &Json) -> Json {
    match (before, added) {
        (Json::Array(mut items), Json::Array(more)) => {
            items.extend(more.iter().cloned());
            Json::Array(items)
        }
        (Json::Object(mut table), Json::Object(more)) => {
            table.extend(more.iter().map(|(key, it)| (key.clone(), it.clone())));
            Json::Object(table)
        }
        // Branches with options meet branches without.
        (Json::Object(mut table), Json::Array(more)) => {
            let names = more.iter().filter_map(Json::as_str);
            table.extend(names.map(|it| (it.to_owned(), json!({}))));
            Json::Object(table)
        }
        (_, added) => added.clone(),
    }
}

fn file_item(item: &Json) -> FileItem {
    let texts = |key: &str| -> Vec<String> {
        let all = item.get(key).and_then(Json::as_array);
        let all = all.map_or(&[][..], Vec::as_slice);
        all.iter()
            .filter_map(Json::as_str)
            .map(str::to_owned)
            .collect()
    };
    let flag = |key: &str| item.get(key).and_then(Json::as_bool).unwrap_or(false);
    FileItem {
        sources: texts("src"),
        destination: item
            .get("dest")
            .and_then(Json::as_str)
            .unwrap_or_default()
            .to_owned(),
        makes_folders: flag("mkpath"),
        deletes: flag("delete"),
        filters: texts("filters"),
    }
}

impl Serialize for Effective {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut table = serializer.serialize_map(None)?;
        for (key, setting) in &self.settings {
            if !key.contains('.') {
                table.serialize_entry(key, &setting.value)?;
            }
        }
        let handle = json!({"paths": self.handled(), "ignore_paths": self.ignored()});
        table.serialize_entry("handle", &handle)?;
        table.end()
    }
}
