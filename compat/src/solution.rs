//! What the solver found.

use std::collections::BTreeMap;
use std::fmt;

use provisioning_package::{Kind, PackageName, Version};
use provisioning_registry_api::index::IndexArchive;

use crate::no_solution::owner_phrase;
use crate::request::Owner;

/// One version for each package, and what to tell the user about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Solution {
    /// What was chosen.
    pub packages: BTreeMap<PackageName, Chosen>,
    /// What the user should know, in a fixed order.
    pub warnings: Vec<Warning>,
    /// Installed packages that could not stay where they were.
    pub moved: Vec<Move>,
    pub(crate) bringers: Bringers,
}

/// Who brought each package, by places in [`Solution::packages`]. Few answers are asked for
/// it, so it is put into words when one is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bringers {
    /// Packages that were asked for, with who asked.
    pub(crate) request: Vec<(u32, Owner)>,
    /// Packages that another one needs, with that one.
    pub(crate) packages: Vec<(u32, u32)>,
}

/// One chosen version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The package's kind.
    pub kind: Kind,
    /// The version.
    pub version: Version,
    /// The archive to install.
    pub archive: IndexArchive,
}

/// An installed package that moved although nothing was asked of it directly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The package.
    pub name: PackageName,
    /// The version that is installed.
    pub from: Version,
    /// The version that was chosen.
    pub to: Version,
    /// Why it could not stay, as a sentence.
    pub why: String,
}

/// Something that the user should know about a solution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The matrix has rows for the package but none for this version.
    Unlisted {
        /// The package and version that have no row.
        packages: Vec<(PackageName, Version)>,
    },
    /// The version was yanked, and something pins it.
    Yanked {
        /// The package.
        name: PackageName,
        /// The version.
        version: Version,
        /// Why it was yanked.
        reason: Option<String>,
        /// What to use instead.
        replacement: Option<String>,
    },
    /// The package is deprecated or archived.
    Retired {
        /// The package.
        name: PackageName,
        /// `deprecated` or `archived`.
        state: &'static str,
        /// Why.
        reason: Option<String>,
        /// What to use instead.
        replacement: Option<String>,
    },
    /// A newer version is younger than the least age.
    PassedOver {
        /// The package.
        name: PackageName,
        /// The version that was not taken.
        version: Version,
        /// The version that was.
        chosen: Version,
    },
    /// Newer versions cannot be had here.
    LeftOut {
        /// The package.
        name: PackageName,
        /// The versions that were not looked at, newest first.
        versions: Vec<Version>,
        /// Why, as a phrase.
        because: &'static str,
    },
}

/// How many versions that were left out are named before the rest is counted.
const LEFT_OUT_NAMED_MAX: usize = 4;

impl Solution {
    /// Who brought each package, as sentences would name them: `you`, `bundle stable-3.2`,
    /// `platform 2.5.3`; the request first, then other packages by name.
    pub fn brought_by(&self) -> BTreeMap<&PackageName, Vec<String>> {
        let chosen: Vec<(&PackageName, &Chosen)> = self.packages.iter().collect();
        let mut all: BTreeMap<&PackageName, Vec<String>> =
            chosen.iter().map(|it| (it.0, Vec::new())).collect();
        let mut add = |place: u32, owner: String| {
            let of_package = all.entry(chosen[place as usize].0).or_default();
            if !of_package.contains(&owner) {
                of_package.push(owner);
            }
        };
        let asked = self.bringers.request.iter();
        let mut asked: Vec<(u32, String)> = asked.map(|(it, by)| (*it, owner_phrase(by))).collect();
        asked.sort_unstable();
        for (place, owner) in asked {
            add(place, owner);
        }
        for (place, owner) in &self.bringers.packages {
            let (name, owner) = chosen[*owner as usize];
            add(*place, format!("{name} {}", owner.version));
        }
        all
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlisted { packages } => {
                let names: Vec<String> = packages
                    .iter()
                    .map(|(name, version)| format!("{name} {version}"))
                    .collect();
                let (verb, them) = if names.len() == 1 {
                    ("is", "it")
                } else {
                    ("are", "them")
                };
                write!(
                    f,
                    "{} {verb} unlisted: the compatibility matrix has no row for {them}, so nothing \
                     was said about what goes with {them}",
                    names.join(", ")
                )
            }
            Self::Yanked {
                name,
                version,
                reason,
                replacement,
            } => {
                write!(f, "{name} {version} is yanked")?;
                because(f, reason.as_deref(), replacement.as_deref())
            }
            Self::Retired {
                name,
                state,
                reason,
                replacement,
            } => {
                write!(f, "{name} is {state}")?;
                because(f, reason.as_deref(), replacement.as_deref())
            }
            Self::PassedOver {
                name,
                version,
                chosen,
            } => write!(
                f,
                "{name} {version} was passed over for {chosen}: it is younger than the least age"
            ),
            Self::LeftOut {
                name,
                versions,
                because,
            } => {
                let named: Vec<String> = versions
                    .iter()
                    .take(LEFT_OUT_NAMED_MAX)
                    .map(ToString::to_string)
                    .collect();
                write!(f, "left out {name} {}", named.join(", "))?;
                if versions.len() > named.len() {
                    write!(f, " and {} more", versions.len() - named.len())?;
                }
                write!(f, ": {because}")
            }
        }
    }
}

fn because(
    f: &mut fmt::Formatter<'_>,
    reason: Option<&str>,
    replacement: Option<&str>,
) -> fmt::Result {
    if let Some(reason) = reason {
        write!(f, ": {reason}")?;
    }
    if let Some(replacement) = replacement {
        write!(f, " (use {replacement} instead)")?;
    }
    Ok(())
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} moves from {} to {}: {}",
            self.name, self.from, self.to, self.why
        )
    }
}
