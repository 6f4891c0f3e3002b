//! What a configuration says about files, held against the files that there are.

use std::collections::BTreeMap;

use super::SourceConfig;
use super::effective::{Effective, Level};
use crate::paths::clean;
use crate::problem::Problems;
use crate::tree::Tree;
use crate::yaml::Place;

/// Reports every path that does not exist, and names that two packages share.
pub fn check_tree(config: &SourceConfig, tree: &dyn Tree, problems: &mut Problems) {
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    for (key, package) in &config.packages {
        check_values(&package.effective, package.at, tree, problems);
        let name = package.effective.downstream_name();
        if let Some(other) = names.insert(name, key) {
            let at = package.effective.place("downstream_package_name");
            let message = format!("`{other}` and `{key}` have the same downstream name `{name}`");
            problems.warning(at.unwrap_or(package.at), message);
        }
    }
    for job in &config.jobs {
        for (_, effective) in &job.packages {
            check_values(effective, job.at, tree, problems);
        }
    }
}

fn check_values(effective: &Effective, owner: Place, tree: &dyn Tree, problems: &mut Problems) {
    let at = |key: &str| effective.place(key).unwrap_or(owner);
    for path in effective.paths() {
        let found = clean(path);
        if !tree.has_file(&found) && !tree.has_folder(&found) {
            problems.error(at("paths"), format!("the path `{path}` does not exist"));
        }
    }
    if let Some(specfile) = effective.specfile()
        && effective.level("specfile_path") > Level::BuiltIn
        && !in_tree(effective, specfile, &|it| tree.has_file(it))
    {
        // An action may make it, so this is no error to Packit either.
        let message = format!("the specfile `{specfile}` does not exist: does an action make it?");
        problems.warning(at("specfile_path"), message);
    }
    if let Some(manifest) = effective.text("manifest")
        && !tree.has_file(&clean(manifest))
    {
        let message = format!("the manifest `{manifest}` does not exist");
        problems.error(at("manifest"), message);
    }
    for item in effective.files_to_sync() {
        for source in &item.sources {
            if !in_tree(effective, source, &|it| tree.has_match(it)) {
                let message = format!("`{source}` of `files_to_sync` does not exist");
                problems.error(at("files_to_sync"), message);
            }
        }
    }
}

/// Whether something is there from the root, or, as Packit has it, from one of the paths.
fn in_tree(effective: &Effective, written: &str, is_there: &dyn Fn(&str) -> bool) -> bool {
    let in_paths = effective.clean_paths().into_iter();
    let mut all = in_paths.map(|it| clean(&format!("{it}/{written}")));
    is_there(&clean(written)) || all.any(|it| is_there(&it))
}
