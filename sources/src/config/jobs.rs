//! From the file's table to packages and jobs with their values.

use serde_json::Value as Json;

use super::effective::{Effective, Level};
use super::keys::{DEFAULT_JOBS, JOB_KINDS, TRIGGERS};
use super::layer::{Layer, Scope};
use super::{Job, Package, ReadOptions, SourceConfig};
use crate::paths::{clean, is_in};
use crate::problem::Problems;
use crate::tree::Tree;
use crate::yaml::{self, Entry, Node, Value};

/// Packit does not look for specfiles there.
const NO_SPECFILES_IN: &str = "tests";

/// A job's keys that are no values of its packages.
const JOB_FRAME: &[&str] = &["job", "trigger", "package", "packages", "metadata"];

/// Reads the whole file.
pub(super) fn resolve(
    root: &Node,
    options: &ReadOptions<'_>,
    problems: &mut Problems,
) -> Option<SourceConfig> {
    let no_entries = Vec::new();
    let entries = match &root.value {
        Value::Null => &no_entries,
        Value::Table(entries) => entries,
        Value::Bool(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Time(_)
        | Value::Tag(_)
        | Value::List(_) => {
            let found = root.value.kind();
            problems.error(
                root.at,
                format!("a configuration is a table, found {found}"),
            );
            return None;
        }
    };
    let top = Layer::read(
        entries,
        Scope::Package,
        &["packages", "jobs", "_"],
        problems,
    );
    let mut base = Effective::built_in();
    base.default_to("config_file_path", Json::from(options.file));
    base.put(&top, Level::Top);
    let own = entry(entries, "packages");
    let packages = match own {
        Some(entry) => several(entry, &base, options, problems)?,
        None => vec![single(base, root, options)],
    };
    let jobs = if let Some(entry) = entry(entries, "jobs") {
        jobs(&entry.node, &packages, problems)
    } else {
        let defaults = yaml::read(DEFAULT_JOBS).expect("the default jobs are YAML");
        jobs(&defaults.root, &packages, problems)
    };
    Some(SourceConfig {
        packages,
        jobs,
        is_monorepo: own.is_some(),
    })
}

fn entry<'e>(entries: &'e [Entry], key: &str) -> Option<&'e Entry> {
    entries.iter().find(|it| it.key == key)
}

/// The one package of a file without `packages`.
fn single(mut effective: Effective, root: &Node, options: &ReadOptions<'_>) -> (String, Package) {
    let given = effective.text("downstream_package_name").map(str::to_owned);
    set_specfile(&mut effective, given.as_deref(), options.tree);
    let key = given.unwrap_or_else(|| options.repository.to_owned());
    effective.default_to("downstream_package_name", Json::from(key.as_str()));
    effective.default_to("upstream_package_name", Json::from(options.repository));
    let at = root.at;
    (key, Package { effective, at })
}

/// The packages of a file that has `packages`.
fn several(
    packages: &Entry,
    base: &Effective,
    options: &ReadOptions<'_>,
    problems: &mut Problems,
) -> Option<Vec<(String, Package)>> {
    let Some(entries) = packages.node.table() else {
        let found = packages.node.value.kind();
        let message = format!("`packages` must be a table, found {found}");
        problems.error(packages.node.at, message);
        return None;
    };
    if entries.is_empty() {
        let message = "`packages` is empty: leave it out for one package of the whole repository";
        problems.error(packages.node.at, message);
        return None;
    }
    let mut all = Vec::new();
    for entry in entries {
        if entry.key.is_empty()
            || entry.key.contains(['/', '\0', '\n'])
            || entry.key.starts_with('-')
        {
            let message = format!("`{}` cannot be a package's key", entry.key.escape_debug());
            problems.error(entry.at, message);
        }
        let Some(layer) = table_of(entry, Scope::Package, problems) else {
            continue;
        };
        let mut effective = base.clone();
        effective.put(&layer, Level::Package);
        let name = effective
            .text("downstream_package_name")
            .unwrap_or(&entry.key);
        let name = name.to_owned();
        set_specfile(&mut effective, Some(&name), options.tree);
        effective.default_to("downstream_package_name", Json::from(name));
        effective.default_to("upstream_package_name", Json::from(options.repository));
        let at = entry.at;
        all.push((entry.key.clone(), Package { effective, at }));
    }
    Some(all)
}

/// The values of a table under a package's key; nothing is an empty table.
fn table_of(entry: &Entry, scope: Scope, problems: &mut Problems) -> Option<Layer> {
    if let Some(entries) = entry.node.table() {
        return Some(Layer::read(entries, scope, &[], problems));
    }
    if entry.node.value == Value::Null {
        return Some(Layer::default());
    }
    let found = entry.node.value.kind();
    let message = format!("the package `{}` must be a table, found {found}", entry.key);
    problems.error(entry.node.at, message);
    None
}

/// `specfile_path`, else `<name>.spec` in each path, else the first specfile in the paths,
/// else `<name>.spec`, which something may still make.
fn set_specfile(effective: &mut Effective, name: Option<&str>, tree: Option<&dyn Tree>) {
    if effective.specfile().is_some() {
        return;
    }
    let paths = effective.clean_paths();
    let found = tree.and_then(|tree| find_specfile(&paths, name, tree));
    let made = name.map(|it| format!("{it}.spec"));
    if let Some(path) = found.or(made) {
        effective.default_to("specfile_path", Json::from(path));
    }
}

fn find_specfile(paths: &[String], name: Option<&str>, tree: &dyn Tree) -> Option<String> {
    let named = name.and_then(|name| {
        let candidates = paths.iter().map(|it| clean(&format!("{it}/{name}.spec")));
        candidates.into_iter().find(|it| tree.has_file(it))
    });
    let search = || {
        let all = paths.iter().flat_map(|it| tree.specfiles(it));
        let is_wanted = |it: &String| {
            let is_asked_for = paths.iter().any(|path| is_in(path, NO_SPECFILES_IN));
            is_asked_for || !is_in(it, NO_SPECFILES_IN)
        };
        all.into_iter().find(is_wanted)
    };
    named.or_else(search)
}

fn jobs(node: &Node, packages: &[(String, Package)], problems: &mut Problems) -> Vec<Job> {
    let Some(items) = node.list() else {
        let found = node.value.kind();
        problems.error(node.at, format!("`jobs` must be a list, found {found}"));
        return Vec::new();
    };
    items
        .iter()
        .flat_map(|it| job(it, packages, problems))
        .collect()
}

/// The jobs that one item makes: one for each trigger.
fn job(node: &Node, packages: &[(String, Package)], problems: &mut Problems) -> Vec<Job> {
    let Some(entries) = node.table() else {
        let found = node.value.kind();
        problems.error(node.at, format!("a job must be a table, found {found}"));
        return Vec::new();
    };
    let with_metadata = merge_metadata(entries, problems);
    let entries = with_metadata.as_deref().unwrap_or(entries);
    let kind = word(entries, "job", JOB_KINDS, node, problems);
    let triggers = triggers(entries, node, problems);
    // `null` for one of a job's own keys is as good as nothing to Packit.
    let said: Vec<Entry> = entries
        .iter()
        .filter(|it| !is_silent(it))
        .cloned()
        .collect();
    let layer = Layer::read(&said, Scope::Job, JOB_FRAME, problems);
    let chosen = chosen(entries, packages, &layer, problems);
    let Some(kind) = kind else {
        return Vec::new();
    };
    let of_trigger = |trigger| Job {
        kind,
        trigger,
        packages: chosen.clone(),
        at: node.at,
    };
    triggers.into_iter().map(of_trigger).collect()
}

fn is_silent(entry: &Entry) -> bool {
    entry.node.value == Value::Null
        && super::keys::find(super::keys::JOB_KEYS, &entry.key).is_some()
}

/// A job's keys with those that an old file keeps under `metadata`.
fn merge_metadata(entries: &[Entry], problems: &mut Problems) -> Option<Vec<Entry>> {
    let metadata = entry(entries, "metadata")?;
    if metadata.node.value == Value::Null {
        return None;
    }
    let Some(inner) = metadata.node.table() else {
        let found = metadata.node.value.kind();
        let message = format!("`metadata` must be a table, found {found}");
        problems.error(metadata.node.at, message);
        return None;
    };
    let message = "`metadata` is old: its keys belong to the job itself";
    problems.warning(metadata.at, message);
    let mut all = entries.to_vec();
    for key in inner {
        let mut key = key.clone();
        if matches!(key.key.as_str(), "dist-git-branch" | "dist_git_branch") {
            "dist_git_branches".clone_into(&mut key.key);
        }
        all.retain(|it| it.key != key.key);
        all.push(key);
    }
    Some(all)
}

/// The one of `words` that a needed key says.
fn word(
    entries: &[Entry],
    key: &str,
    words: &[&'static str],
    job: &Node,
    problems: &mut Problems,
) -> Option<&'static str> {
    let Some(entry) = entry(entries, key) else {
        problems.error(job.at, format!("a job has no `{key}`"));
        return None;
    };
    let written = entry.node.text().unwrap_or_default();
    known_word(written, words, key, entry, problems)
}

fn known_word(
    written: &str,
    words: &[&'static str],
    key: &str,
    entry: &Entry,
    problems: &mut Problems,
) -> Option<&'static str> {
    let found = words.iter().find(|it| **it == written).copied();
    if found.is_none() {
        let near = super::near(written, words.iter().copied());
        let hint = if near.is_empty() {
            format!(": one of {}", words.join(", "))
        } else {
            near
        };
        let message = format!("no such {key}: `{}`{hint}", written.escape_debug());
        problems.error(entry.node.at, message);
    }
    found
}

fn triggers(entries: &[Entry], job: &Node, problems: &mut Problems) -> Vec<&'static str> {
    let Some(entry) = entry(entries, "trigger") else {
        problems.error(job.at, "a job has no `trigger`");
        return Vec::new();
    };
    let written = entry.node.text().unwrap_or_default();
    let words = written.split('|').map(str::trim);
    words
        .filter_map(|it| known_word(it, TRIGGERS, "trigger", entry, problems))
        .collect()
}

/// The packages that a job handles, with their values there.
fn chosen(
    entries: &[Entry],
    packages: &[(String, Package)],
    layer: &Layer,
    problems: &mut Problems,
) -> Vec<(String, Effective)> {
    let of = |package: &Package| {
        let mut effective = package.effective.in_job();
        effective.put(layer, Level::Job);
        effective
    };
    let all = || packages.iter().map(|(key, it)| (key.clone(), of(it)));
    let Some(selection) = entry(entries, "packages") else {
        return all().collect();
    };
    let node = &selection.node;
    if let Some(items) = node.list() {
        let names: Vec<&str> = items
            .iter()
            .filter_map(|it| known_package(it.text(), it, packages, problems))
            .collect();
        if items.is_empty() {
            return all().collect();
        }
        return all()
            .filter(|(key, _)| names.contains(&key.as_str()))
            .collect();
    }
    if let Some(items) = node.table() {
        if items.is_empty() {
            return all().collect();
        }
        return overridden(items, packages, of, problems);
    }
    if node.value != Value::Null {
        let found = node.value.kind();
        let message = format!("a job's `packages` must be a list or a table, found {found}");
        problems.error(node.at, message);
    }
    all().collect()
}

/// The packages that a job's table selects, each with what the table says of it.
fn overridden(
    items: &[Entry],
    packages: &[(String, Package)],
    of: impl Fn(&Package) -> Effective,
    problems: &mut Problems,
) -> Vec<(String, Effective)> {
    let mut all = Vec::new();
    for item in items {
        let at = Node {
            value: Value::Null,
            at: item.at,
        };
        let layer = table_of(item, Scope::Job, problems);
        let known = known_package(Some(&item.key), &at, packages, problems);
        let package = packages.iter().find(|(key, _)| Some(key.as_str()) == known);
        let (Some((key, package)), Some(layer)) = (package, layer) else {
            continue;
        };
        let mut effective = of(package);
        effective.put(&layer, Level::JobPackage);
        all.push((key.clone(), effective));
    }
    all
}

fn known_package<'p>(
    name: Option<&str>,
    node: &Node,
    packages: &'p [(String, Package)],
    problems: &mut Problems,
) -> Option<&'p str> {
    let Some(name) = name else {
        let found = node.value.kind();
        let message = format!("an item of `packages` must be text, found {found}");
        problems.error(node.at, message);
        return None;
    };
    let keys = || packages.iter().map(|(key, _)| key.as_str());
    let found = keys().find(|it| *it == name);
    if found.is_none() {
        let near = super::near(name, keys());
        problems.error(node.at, format!("no such package: `{name}`{near}"));
    }
    found
}
