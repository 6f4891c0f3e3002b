//! `provisioning.lock`: what a workspace resolved to, so that everybody gets the same.
//!
//! One line for each package, with an empty line between any two, and nothing that counts,
//! dates or digests the whole: two people who change different packages merge without a
//! conflict, and two who change the same one conflict on its line alone.

mod elsewhere;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use provisioning_package::{Digest, PackageName, Target, Version};
use serde::{Deserialize, Serialize};

use crate::index::Index;
use crate::questions::Versions;

pub use elsewhere::MissingElsewhere;

/// The newest form of lockfile that this code writes and reads.
pub const LOCK_SCHEMA: u32 = 1;

/// What a workspace resolved to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lockfile {
    /// Where the packages come from.
    pub registry: LockedRegistry,
    /// What the workspace's `[requires]` said when it was resolved: specs by name.
    pub requires: BTreeMap<String, String>,
    /// Every package.
    pub packages: BTreeMap<PackageName, LockedPackage>,
}

/// The registry that a lockfile was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedRegistry {
    /// Its address.
    pub url: String,
    /// The digest of its first root of trust.
    pub root: Digest,
}

/// One package of a lockfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedPackage {
    /// The version.
    pub version: Version,
    /// The digest of its archive for each target that it has.
    pub digests: BTreeMap<Target, Digest>,
}

/// Why a text is no lockfile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLockfile {
    /// Git left both sides of a merge in it.
    #[error(
        "line {line} of the lockfile is a merge's conflict marker: keep either side of each, then \
         run `provisioning lock`"
    )]
    Conflict {
        /// The marker's line, 1 for the first.
        line: usize,
    },
    /// It was written by a newer client.
    #[error(
        "the lockfile has schema {0}, and this client reads up to {LOCK_SCHEMA}: run \
         `provisioning self update`"
    )]
    Newer(u32),
    /// Something else is wrong with it.
    #[error("the lockfile cannot be read: {0}")]
    Malformed(String),
}

/// What `sync --frozen` finds: the lockfile does not answer the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Disagreement {
    /// The workspace requires something that the lockfile was not made for.
    Required {
        /// What is required.
        name: String,
        /// How.
        spec: String,
    },
    /// The lockfile was made for something that is no longer required.
    NoLongerRequired {
        /// What was required.
        name: String,
    },
    /// What is required changed.
    Changed {
        /// What is required.
        name: String,
        /// What the lockfile was made for.
        locked: String,
        /// What is required now.
        spec: String,
    },
    /// The registry has another root of trust.
    OtherRegistry {
        /// What the lockfile was made from.
        locked: String,
        /// What is used now.
        used: String,
    },
}

impl Lockfile {
    /// Its name in a workspace.
    pub const FILE: &str = "provisioning.lock";

    /// A lockfile for chosen versions; digests come from the index, for every target.
    ///
    /// A version that the index does not have is left out: a solution has none.
    pub fn of(
        registry: LockedRegistry,
        requires: BTreeMap<String, String>,
        versions: &Versions,
        index: &dyn Index,
    ) -> Self {
        let packages = versions
            .iter()
            .filter_map(|(name, version)| {
                let known = index.entry(name)?.version(version)?;
                let archives = known.archives.iter();
                let locked = LockedPackage {
                    version: version.clone(),
                    digests: archives.map(|it| (it.target, it.digest)).collect(),
                };
                Some((name.clone(), locked))
            })
            .collect();
        Self {
            registry,
            requires,
            packages,
        }
    }

    /// Reads a lockfile.
    pub fn parse(text: &str) -> Result<Self, InvalidLockfile> {
        let markers = ["<<<<<<<", "=======", ">>>>>>>", "|||||||"];
        let is_marker = |line: &str| markers.iter().any(|it| line.starts_with(it));
        if let Some(place) = text.lines().position(is_marker) {
            return Err(InvalidLockfile::Conflict { line: place + 1 });
        }
        let malformed = |it: toml::de::Error| {
            InvalidLockfile::Malformed(it.to_string().trim_end().replace('\n', " "))
        };
        let schema: Schema = toml::from_str(text).map_err(malformed)?;
        if schema.schema > LOCK_SCHEMA {
            return Err(InvalidLockfile::Newer(schema.schema));
        }
        let raw: Raw = toml::from_str(text).map_err(malformed)?;
        let packages = raw.packages.into_iter().map(|(name, it)| {
            let mut digests = BTreeMap::new();
            for (target, digest) in it.digests {
                digests.insert(target, digest);
            }
            let version = it.version;
            (name, LockedPackage { version, digests })
        });
        Ok(Self {
            registry: raw.registry,
            requires: raw.requires,
            packages: packages.collect(),
        })
    }

    /// The locked versions: what stays where it is when something else is solved for.
    pub fn versions(&self) -> Versions {
        let packages = self.packages.iter();
        packages
            .map(|(name, it)| (name.clone(), it.version.clone()))
            .collect()
    }

    /// Where it disagrees with what the workspace requires now; empty when `sync --frozen`
    /// may go on. `root` is the registry's root of trust, where one was pinned.
    pub fn disagreements(
        &self,
        requires: &BTreeMap<String, String>,
        root: Option<&Digest>,
    ) -> Vec<Disagreement> {
        let mut found = Vec::new();
        if let Some(root) = root.filter(|it| **it != self.registry.root) {
            found.push(Disagreement::OtherRegistry {
                locked: self.registry.root.prefixed(),
                used: root.prefixed(),
            });
        }
        let names: BTreeSet<&String> = self.requires.keys().chain(requires.keys()).collect();
        for name in names {
            found.extend(match (self.requires.get(name), requires.get(name)) {
                (Some(locked), Some(spec)) if locked != spec => Some(Disagreement::Changed {
                    name: name.clone(),
                    locked: locked.clone(),
                    spec: spec.clone(),
                }),
                (None, Some(spec)) => Some(Disagreement::Required {
                    name: name.clone(),
                    spec: spec.clone(),
                }),
                (Some(_), None) => Some(Disagreement::NoLongerRequired { name: name.clone() }),
                (Some(_), Some(_)) | (None, None) => None,
            });
        }
        found
    }

    /// The locked archives that the index now gives other bytes for: name, version, target.
    /// A version's bytes never change, so each is to be refused.
    pub fn foreign_digests(&self, index: &dyn Index) -> Vec<(PackageName, Version, Target)> {
        let mut found = Vec::new();
        for (name, locked) in &self.packages {
            let known = index.entry(name).and_then(|it| it.version(&locked.version));
            for archive in known.iter().flat_map(|it| &it.archives) {
                let is_other = locked
                    .digests
                    .get(&archive.target)
                    .is_some_and(|it| *it != archive.digest);
                if is_other {
                    found.push((name.clone(), locked.version.clone(), archive.target));
                }
            }
        }
        found
    }
}

impl fmt::Display for Lockfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |it: &str| toml::Value::from(it).to_string();
        let key = |it: &str| {
            let is_plain = |it: &u8| it.is_ascii_alphanumeric() || *it == b'-' || *it == b'_';
            if !it.is_empty() && it.as_bytes().iter().all(is_plain) {
                it.to_owned()
            } else {
                text(it)
            }
        };
        writeln!(
            f,
            "# Written by `provisioning lock`. Commit it; edit `provisioning.toml` instead."
        )?;
        writeln!(f, "schema = {LOCK_SCHEMA}")?;
        writeln!(f, "\n[registry]")?;
        writeln!(f, "url = {}", text(&self.registry.url))?;
        writeln!(f, "root = {}", text(&self.registry.root.prefixed()))?;
        writeln!(f, "\n[requires]")?;
        for (name, spec) in &self.requires {
            writeln!(f, "\n{} = {}", key(name), text(spec))?;
        }
        writeln!(f, "\n[packages]")?;
        for (name, locked) in &self.packages {
            let mut line = format!("version = {}", text(&locked.version.to_string()));
            for (target, digest) in &locked.digests {
                line = format!("{line}, {target} = {}", text(&digest.prefixed()));
            }
            writeln!(f, "\n{name} = {{ {line} }}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Required { name, spec } => {
                write!(f, "`{name} = \"{spec}\"` is required and not locked")
            }
            Self::NoLongerRequired { name } => {
                write!(f, "`{name}` is locked and no longer required")
            }
            Self::Changed { name, locked, spec } => {
                write!(
                    f,
                    "`{name}` is locked for `{locked}` and required as `{spec}`"
                )
            }
            Self::OtherRegistry { locked, used } => write!(
                f,
                "it was made from a registry with the root {locked}, and the one in use has {used}"
            ),
        }
    }
}

#[derive(Deserialize)]
struct Schema {
    schema: u32,
}

#[derive(Deserialize)]
struct Raw {
    registry: LockedRegistry,
    #[serde(default)]
    requires: BTreeMap<String, String>,
    #[serde(default)]
    packages: BTreeMap<PackageName, RawPackage>,
}

#[derive(Deserialize)]
struct RawPackage {
    version: Version,
    #[serde(flatten)]
    digests: BTreeMap<Target, Digest>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    fn lockfile() -> Lockfile {
        let package = |version: &str, targets: &[Target]| LockedPackage {
            version: Version::parse(version).unwrap(),
            digests: targets
                .iter()
                .map(|it| (*it, digest(it.as_str())))
                .collect(),
        };
        let name = |it: &str| PackageName::parse(it).unwrap();
        Lockfile {
            registry: LockedRegistry {
                url: "https://registry.example.org/\"odd\"".to_owned(),
                root: digest("root"),
            },
            requires: BTreeMap::from([
                ("core".to_owned(), "^3.2".to_owned()),
                ("stable-3.2".to_owned(), "*".to_owned()),
            ]),
            packages: BTreeMap::from([
                (name("core"), package("3.2.1", &[Target::Any])),
                (
                    name("platform"),
                    package("2.5.3-rc.1+b", &[Target::LinuxX86_64, Target::MacosArm64]),
                ),
            ]),
        }
    }

    #[test]
    fn what_is_printed_reads_back_the_same() {
        let lockfile = lockfile();
        let text = lockfile.to_string();
        assert_eq!(Lockfile::parse(&text).unwrap(), lockfile, "{text}");
        assert_eq!(Lockfile::parse(&text).unwrap().to_string(), text);
    }

    #[test]
    fn each_package_is_one_line_between_empty_ones() {
        let text = lockfile().to_string();
        let lines: Vec<&str> = text.lines().collect();
        for (place, line) in lines.iter().enumerate() {
            if line.contains("version =") {
                assert_eq!(lines[place - 1], "", "{text}");
            }
        }
        assert_eq!(lines.iter().filter(|it| it.contains("sha256:")).count(), 3);
    }

    #[test]
    fn a_frozen_lockfile_names_each_disagreement_with_the_request() {
        let lockfile = lockfile();
        assert!(
            lockfile
                .disagreements(&lockfile.requires, Some(&digest("root")))
                .is_empty()
        );
        let requires = BTreeMap::from([
            ("core".to_owned(), "^3.3".to_owned()),
            ("redis".to_owned(), "*".to_owned()),
        ]);
        let found = lockfile.disagreements(&requires, Some(&digest("other")));
        let texts: Vec<String> = found.iter().skip(1).map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "`core` is locked for `^3.2` and required as `^3.3`",
                "`redis = \"*\"` is required and not locked",
                "`stable-3.2` is locked and no longer required",
            ]
        );
        assert!(found[0].to_string().contains("root"));
    }

    #[test]
    fn a_conflict_marker_and_a_newer_schema_are_told_apart_from_nonsense() {
        let text = lockfile().to_string();
        let conflicted = text.replacen("core =", "<<<<<<< ours\ncore =", 1);
        assert!(matches!(
            Lockfile::parse(&conflicted),
            Err(InvalidLockfile::Conflict { .. })
        ));
        let newer = text.replacen("schema = 1", "schema = 2\nanything = true", 1);
        assert_eq!(Lockfile::parse(&newer), Err(InvalidLockfile::Newer(2)));
        assert!(matches!(
            Lockfile::parse("schema = 1"),
            Err(InvalidLockfile::Malformed(_))
        ));
    }
}
