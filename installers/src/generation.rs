//! One complete, immutable view of what is installed: `generation.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use provisioning_package::{Digest, Kind, PackageName, Target, Version, VersionReq};
use serde::{Deserialize, Serialize};

use crate::config_files::ConfigRecord;
use crate::error::InstallError;
use crate::layout;
use crate::linked::Linked;
use crate::request::Requests;

/// The newest form of `generation.json` that this code reads and writes.
pub const GENERATION_SCHEMA: u32 = 2;

/// The form that is written where no working copy is linked, so that older clients read it.
const SCHEMA_WITHOUT_LINKED: u32 = 1;

/// What is installed, who asked for it, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// The form that it was written in, at most [`GENERATION_SCHEMA`].
    pub schema: u32,
    /// Its number; always greater than its parent's.
    pub generation: u64,
    /// The generation that it replaced; `None` for the first.
    pub parent: Option<u64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The command that made it, for people.
    pub reason: String,
    /// The version of the client that wrote it.
    pub client: Version,
    /// What was asked for.
    pub requests: Requests,
    /// What is installed, by kind and name.
    pub packages: Vec<InstalledPackage>,
    /// What was done to each configuration file when it became current.
    #[serde(default)]
    pub config: Vec<ConfigRecord>,
    /// Working copies that stand in the place of packages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub linked: Vec<Linked>,
}

/// One installed package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledPackage {
    /// Its kind.
    pub kind: Kind,
    /// Its short name.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// The target of its archive.
    pub target: Target,
    /// Its archive, which is also its store folder.
    pub digest: Digest,
    /// The archive's size in bytes.
    pub size: u64,
    /// Specs and bundles that asked for it; empty when only other packages need it.
    #[serde(default)]
    pub requested_by: Vec<String>,
    /// Commands in `P/bin`, and the file of the package that each is.
    #[serde(default)]
    pub commands: BTreeMap<String, String>,
    /// The file that gets every subcommand that the client does not know; core only.
    #[serde(default)]
    pub cli: Option<String>,
    /// Its configuration files.
    #[serde(default)]
    pub config: Vec<String>,
    /// Packages that it needs.
    #[serde(default)]
    pub dependencies: BTreeMap<PackageName, VersionReq>,
    /// Commands that it needs at run time.
    #[serde(default)]
    pub requires: BTreeMap<String, VersionReq>,
}

impl Generation {
    /// The file's name in its generation's folder.
    pub const FILE: &str = "generation.json";

    /// Folders that its folder always holds.
    pub(crate) const FOLDERS: [&str; 3] =
        ["bin", "lib/provisioning", "share/provisioning/extensions"];

    /// Reads one; one that a newer client wrote is refused, not misread.
    pub fn read(path: &Path) -> Result<Self, InstallError> {
        let bytes = fs::read(path).map_err(|it| InstallError::io("read", path, it))?;
        let read: Self = crate::durable::from_json(path, &bytes, GENERATION_SCHEMA)?;
        // We write the newer form for working copies alone, so without one it is not ours.
        if read.schema > Self::schema_for(&read.linked) {
            return Err(InstallError::Newer {
                path: path.to_owned(),
                schema: u64::from(read.schema),
            });
        }
        Ok(read)
    }

    /// An installed package by name.
    pub fn package(&self, name: &PackageName) -> Option<&InstalledPackage> {
        self.packages.iter().find(|it| it.name == *name)
    }

    /// Every command that it puts into `P/bin`.
    pub fn commands(&self) -> BTreeSet<&str> {
        let installed = self.standing().flat_map(|it| it.commands.keys());
        let linked = self.linked.iter().flat_map(|it| it.commands.keys());
        installed.chain(linked).map(String::as_str).collect()
    }

    /// The working copy that stands in a package's place.
    pub fn linked(&self, name: &PackageName) -> Option<&Linked> {
        self.linked.iter().find(|it| it.name == *name)
    }

    /// The form to write: older clients read every generation without working copies, and
    /// refuse the others, which they would misread.
    pub(crate) fn schema_for(linked: &[Linked]) -> u32 {
        if linked.is_empty() {
            SCHEMA_WITHOUT_LINKED
        } else {
            GENERATION_SCHEMA
        }
    }

    /// Installed packages whose place no working copy takes.
    fn standing(&self) -> impl Iterator<Item = &InstalledPackage> {
        let linked = |it: &&InstalledPackage| self.linked(&it.name).is_none();
        self.packages.iter().filter(linked)
    }

    /// The links that its folder holds, and where each leads.
    pub(crate) fn links(&self) -> BTreeMap<String, String> {
        let mut links = BTreeMap::new();
        for package in self.standing() {
            let hex = package.digest.hex();
            let tree = layout::place(package.kind, &package.name);
            let commands = package
                .commands
                .iter()
                .map(|(command, path)| (format!("bin/{command}"), format!("{hex}/{path}")));
            for (at, inside) in commands.chain([(tree, hex.clone())]) {
                // One step up for each folder of `at`, one out of the generation, one out
                // of `generations`.
                let up = "../".repeat(at.matches('/').count() + 2);
                links.insert(at, format!("{up}store/{inside}"));
            }
        }
        for linked in &self.linked {
            let tree = layout::place(linked.kind, &linked.name);
            let text = |path: &Path| path.to_string_lossy().into_owned();
            links.insert(tree, text(&linked.path));
            for (command, path) in &linked.commands {
                links.insert(format!("bin/{command}"), text(&linked.path.join(path)));
            }
        }
        links
    }

    /// Packages that need `name`, and which versions of it.
    pub fn dependents(&self, name: &PackageName) -> Vec<(PackageName, VersionReq)> {
        self.packages
            .iter()
            .filter_map(|it| Some((it.name.clone(), it.dependencies.get(name)?.clone())))
            .collect()
    }

    /// These packages and whatever needs them, directly or not, those that were asked for
    /// first.
    pub fn with_dependents(&self, names: &BTreeSet<PackageName>) -> Vec<PackageName> {
        let mut all: Vec<PackageName> = names.iter().cloned().collect();
        let mut next = 0;
        while next < all.len() {
            for (by, _) in self.dependents(&all[next]) {
                if !all.contains(&by) {
                    all.push(by);
                }
            }
            next += 1;
        }
        all
    }

    /// Packages that nobody asked for and nothing needs.
    pub fn unneeded(&self) -> Vec<&InstalledPackage> {
        self.packages
            .iter()
            .filter(|it| it.requested_by.is_empty() && self.dependents(&it.name).is_empty())
            .collect()
    }
}

/// Packages that nobody asked for and that nothing which was asked for needs, directly or not.
pub fn unasked<'a>(packages: &[&'a InstalledPackage]) -> BTreeSet<&'a PackageName> {
    let mut needed = BTreeSet::new();
    let asked = packages.iter().filter(|it| !it.requested_by.is_empty());
    let mut next: Vec<&'a PackageName> = asked.map(|it| &it.name).collect();
    while let Some(name) = next.pop() {
        if needed.insert(name) {
            let found = packages.iter().find(|it| it.name == *name);
            next.extend(found.into_iter().flat_map(|it| it.dependencies.keys()));
        }
    }
    let names = packages.iter().map(|it| &it.name);
    names.filter(|it| !needed.contains(it)).collect()
}
