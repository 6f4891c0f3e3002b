//! Which packages of a repository need which others of it.
//!
//! A manifest's `[dependencies]` count, and `Requires:` and `BuildRequires:` of a specfile
//! that name another package by its downstream name. Files are read through a function, so
//! that a commit serves as well as a checkout.

use std::collections::{BTreeMap, BTreeSet};

use provisioning_package::Manifest;
use toml::de::{DeTable, DeValue};

use crate::config::{Effective, SourceConfig};
use crate::paths::clean;

/// Reads files of a repository by their clean path.
#[derive(Clone, Copy)]
pub struct SourceTexts<'r> {
    /// The text of a file; `None` if there is none.
    pub read: &'r dyn Fn(&str) -> Option<String>,
}

/// For each package's key, the keys that it needs.
pub fn dependencies(
    config: &SourceConfig,
    texts: &SourceTexts<'_>,
) -> BTreeMap<String, BTreeSet<String>> {
    let mut by_name: BTreeMap<String, &str> = BTreeMap::new();
    let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (key, package) in &config.packages {
        let values = &package.effective;
        by_name.insert(values.downstream_name().to_owned(), key);
        let mut names = BTreeSet::new();
        if let Some((_, text)) = find_manifest(values, texts) {
            let (name, of_manifest) = of_manifest(&text);
            if let Some(name) = name {
                by_name.insert(name, key);
            }
            names.extend(of_manifest);
        }
        if let Some((_, text)) = find_specfile(values, texts) {
            names.extend(of_specfile(&text));
        }
        needs.insert(key.clone(), names);
    }
    let keys = |names: BTreeSet<String>, own: &str| -> BTreeSet<String> {
        let found = names
            .iter()
            .filter_map(|it| by_name.get(short(it)).copied());
        found.filter(|it| *it != own).map(str::to_owned).collect()
    };
    needs
        .into_iter()
        .map(|(key, names)| {
            let found = keys(names, &key);
            (key, found)
        })
        .collect()
}

/// What a package is called in a registry: as its manifest says, else by its downstream name.
pub fn registry_name(values: &Effective, texts: &SourceTexts<'_>) -> String {
    let manifest = find_manifest(values, texts);
    let named = manifest.and_then(|(_, text)| of_manifest(&text).0);
    named.unwrap_or_else(|| short(values.downstream_name()).to_owned())
}

/// The manifest of a package and its path: the key `manifest`, else the first of its paths
/// that has one.
pub fn find_manifest(values: &Effective, texts: &SourceTexts<'_>) -> Option<(String, String)> {
    let named = values.text("manifest").map(clean);
    let of_paths = values.clean_paths().into_iter();
    let candidates: Vec<String> = match named {
        Some(path) => vec![path],
        None => of_paths
            .map(|it| clean(&format!("{it}/{}", Manifest::FILE)))
            .collect(),
    };
    candidates.into_iter().find_map(|it| {
        let text = (texts.read)(&it)?;
        Some((it, text))
    })
}

/// The specfile of a package and its path: from the root, else, as Packit has it, from one of
/// the package's paths.
pub fn find_specfile(values: &Effective, texts: &SourceTexts<'_>) -> Option<(String, String)> {
    let written = clean(values.specfile()?);
    let in_paths = values.clean_paths().into_iter();
    let in_paths = in_paths.map(|it| clean(&format!("{it}/{written}")));
    let candidates: Vec<String> = std::iter::once(written.clone()).chain(in_paths).collect();
    candidates.into_iter().find_map(|it| {
        let text = (texts.read)(&it)?;
        Some((it, text))
    })
}

/// `provisioning-ext-mongodb` and `mongodb` are one name.
fn short(name: &str) -> &str {
    let name = name.strip_prefix("provisioning-").unwrap_or(name);
    name.strip_prefix("ext-").unwrap_or(name)
}

/// The name that a manifest gives, and the names that it depends on. A manifest that is none
/// depends on nothing; `build` says what is wrong with it.
fn of_manifest(text: &str) -> (Option<String>, Vec<String>) {
    let Ok(document) = DeTable::parse(text) else {
        return (None, Vec::new());
    };
    let root = document.get_ref();
    let owner = root.get("extension").or_else(|| root.get("package"));
    let field = |key: &str| {
        let value = owner.and_then(|it| it.get_ref().get(key));
        value
            .and_then(|it| it.get_ref().as_str())
            .map(str::to_owned)
    };
    let name = field("name").or_else(|| field("kind"));
    let mut names = Vec::new();
    if let Some(DeValue::Table(table)) = root.get("dependencies").map(toml::Spanned::get_ref) {
        names.extend(table.keys().map(|it| it.get_ref().to_string()));
    }
    if field("core-version").is_some() {
        names.push("core".to_owned());
    }
    (name.map(|it| short(&it).to_owned()), names)
}

fn of_specfile(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for line in text.lines() {
        let Some((tag, value)) = line.split_once(':') else {
            continue;
        };
        let tag = tag.trim().split('(').next().unwrap_or_default();
        if !tag.eq_ignore_ascii_case("Requires") && !tag.eq_ignore_ascii_case("BuildRequires") {
            continue;
        }
        let words = value.split([' ', '\t', ',']).filter(|it| !it.is_empty());
        names.extend(words.map(str::to_owned));
    }
    names
}
