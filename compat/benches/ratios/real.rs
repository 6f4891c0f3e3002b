//! A real slice: the packages of this repository's `Cargo.lock`, with every version and
//! requirement that the local cargo index cache has for them.
//!
//! Cargo allows several incompatible versions of one crate, we do not; so each range of
//! compatible versions is a package of its own here. Optional and development
//! dependencies are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use provisioning_compat::MemoryIndex;
use provisioning_package::{PackageName, Selector, Version, VersionReq};
use provisioning_registry_api::index::{Dependency, IndexEntry};
use serde::Deserialize;

use super::Case;
use super::families::version;

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: Version,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Release {
    vers: Version,
    deps: Vec<Need>,
    #[serde(default)]
    yanked: bool,
}

#[derive(Deserialize)]
struct Need {
    name: String,
    req: String,
    #[serde(default)]
    optional: bool,
    kind: Option<String>,
    package: Option<String>,
}

/// The case, and how long reading and parsing the cache took.
pub(crate) fn read() -> Result<(Case, Duration), String> {
    let cache = cache_folder()?;
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    let text = std::fs::read_to_string(lock).map_err(|it| it.to_string())?;
    let lock: Lock = toml::from_str(&text).map_err(|it| it.to_string())?;
    let locked: Vec<Locked> = lock
        .package
        .into_iter()
        .filter(|it| it.source.is_some())
        .collect();
    let start = Instant::now();
    let names: BTreeSet<&str> = locked.iter().map(|it| it.name.as_str()).collect();
    let mut releases: BTreeMap<String, Vec<Release>> = BTreeMap::new();
    for name in names {
        releases.insert(name.to_owned(), releases_of(&cache, name)?);
    }
    let reading = start.elapsed();
    let index = index(&releases);
    let wanted = locked
        .iter()
        .map(|it| (lane(&it.name, &it.version), Selector::Any));
    let wanted: BTreeMap<PackageName, Selector> = wanted.collect();
    let case = Case {
        name: "a Cargo.lock's crates",
        index,
        wanted: wanted.into_iter().collect(),
    };
    Ok((case, reading))
}

fn cache_folder() -> Result<PathBuf, String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a bench finds cargo's home by itself"
    )]
    let home = std::env::var("CARGO_HOME")
        .or_else(|_| std::env::var("HOME").map(|it| format!("{it}/.cargo")))
        .map_err(|_| "neither CARGO_HOME nor HOME is set".to_owned())?;
    let index = Path::new(&home).join("registry/index");
    let folders = std::fs::read_dir(&index).map_err(|it| format!("{}: {it}", index.display()))?;
    let caches = folders
        .filter_map(Result::ok)
        .map(|it| it.path().join(".cache"));
    caches
        .into_iter()
        .find(|it| it.is_dir())
        .ok_or_else(|| format!("{} has no index cache", index.display()))
}

/// Cargo's cache: a header, then each version's number and its JSON, all ended by zeros.
fn releases_of(cache: &Path, name: &str) -> Result<Vec<Release>, String> {
    let name = name.to_lowercase();
    let path = match name.len() {
        1 => format!("1/{name}"),
        2 => format!("2/{name}"),
        3 => format!("3/{}/{name}", &name[..1]),
        _ => format!("{}/{}/{name}", &name[..2], &name[2..4]),
    };
    let path = cache.join(path);
    let bytes = std::fs::read(&path).map_err(|it| format!("{}: {it}", path.display()))?;
    let lines = bytes
        .split(|it| *it == 0)
        .filter(|it| it.first() == Some(&b'{'));
    lines
        .map(|it| serde_json::from_slice(it).map_err(|it| format!("{}: {it}", path.display())))
        .collect()
}

fn index(releases: &BTreeMap<String, Vec<Release>>) -> MemoryIndex {
    let mut entries: BTreeMap<PackageName, IndexEntry> = BTreeMap::new();
    for (name, releases_of_it) in releases {
        for release in releases_of_it.iter().filter(|it| !it.yanked) {
            let package = lane(name, &release.vers);
            let entry = entries
                .entry(package.clone())
                .or_insert_with(|| IndexEntry::new(package));
            let mut known = version(release.vers.clone());
            for need in &release.deps {
                if need.optional || need.kind.as_deref() == Some("dev") {
                    continue;
                }
                let needed = need.package.as_deref().unwrap_or(&need.name);
                let Ok(req) = VersionReq::parse(&need.req) else {
                    continue;
                };
                if let Some(needed) = newest_lane(releases, needed, &req) {
                    let optional = false;
                    known
                        .dependencies
                        .insert(needed, Dependency { req, optional });
                }
            }
            entry.versions.push(known);
        }
    }
    entries.into_values().collect()
}

/// The package of the newest version that meets `req`; none for what was never locked,
/// such as another system's crates.
fn newest_lane(
    releases: &BTreeMap<String, Vec<Release>>,
    name: &str,
    req: &VersionReq,
) -> Option<PackageName> {
    let meeting = releases
        .get(name)?
        .iter()
        .filter(|it| req.matches(&it.vers));
    let newest = meeting.filter(|it| !it.yanked).map(|it| &it.vers).max()?;
    Some(lane(name, newest))
}

/// A name for the versions that are compatible with `version`.
fn lane(name: &str, version: &Version) -> PackageName {
    let lane = match (version.major, version.minor) {
        (0, 0) => format!("0-0-{}", version.patch),
        (0, minor) => format!("0-{minor}"),
        (major, _) => major.to_string(),
    };
    let name = name.to_lowercase().replace('_', "-");
    let name = format!("c-{name}-{lane}").replace("--", "-");
    PackageName::parse(&name).expect("a letter in front makes a crate's name ours")
}
