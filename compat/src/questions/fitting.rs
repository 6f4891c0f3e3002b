//! Which versions of one package go with a given core and machine, without a search.

use std::fmt;

use provisioning_package::{Kind, PackageName, Target, Version};
use provisioning_registry_api::index::{IndexEntry, IndexVersion, PackageState};
use serde::Serialize;

use crate::matrix::{BoundOn, Matrix};
use crate::requirement::{PreReleases, meets};

/// What versions are to go with.
#[derive(Debug, Clone, Default)]
pub struct FitFor {
    /// The core that they are to run with.
    pub core: Option<Version>,
    /// The machine that they are to run on.
    pub target: Option<Target>,
    /// Let pre-releases in.
    pub pre: bool,
}

/// One version, and whether it fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fitting {
    /// The version.
    pub version: Version,
    /// Why it does not fit, as a sentence; `None` where it does.
    pub why_not: Option<String>,
}

/// The newest version of `entry` that goes with `asked`.
pub fn newest_fitting<'e>(
    entry: &'e IndexEntry,
    matrix: &Matrix,
    asked: &FitFor,
) -> Option<&'e IndexVersion> {
    let fitting = entry
        .versions
        .iter()
        .filter(|it| why_not(entry, it, matrix, asked).is_none());
    fitting.max_by(|left, right| left.version.cmp(&right.version))
}

/// Every version of `entry`, newest first, and whether it goes with `asked`. What the
/// versions need of packages other than the core is not looked at: that takes a search.
pub fn fittings(entry: &IndexEntry, matrix: &Matrix, asked: &FitFor) -> Vec<Fitting> {
    let mut found: Vec<Fitting> = entry
        .versions
        .iter()
        .map(|it| Fitting {
            version: it.version.clone(),
            why_not: why_not(entry, it, matrix, asked).map(|it| it.to_string()),
        })
        .collect();
    found.sort_by(|left, right| right.version.cmp(&left.version));
    found
}

enum WhyNot<'e> {
    Quarantined,
    Yanked(Option<&'e str>),
    PreRelease,
    Target(Target),
    Needs(String),
    Row(String),
    CoreRow(String),
    Api(String, &'e Version),
}

fn why_not<'e>(
    entry: &IndexEntry,
    version: &'e IndexVersion,
    matrix: &Matrix,
    asked: &FitFor,
) -> Option<WhyNot<'e>> {
    if entry.status.state == PackageState::Quarantined {
        return Some(WhyNot::Quarantined);
    }
    if let Some(yanked) = &version.yanked {
        return Some(WhyNot::Yanked(yanked.reason.as_deref()));
    }
    if !version.version.pre.is_empty() && !asked.pre {
        return Some(WhyNot::PreRelease);
    }
    if let Some(target) = asked.target.filter(|it| version.archive_for(*it).is_none()) {
        return Some(WhyNot::Target(target));
    }
    let core = asked.core.as_ref()?;
    against_core(entry, version, matrix, core, asked.pre)
}

fn against_core<'e>(
    entry: &IndexEntry,
    version: &'e IndexVersion,
    matrix: &Matrix,
    core: &Version,
    pre: bool,
) -> Option<WhyNot<'e>> {
    let pre = if pre {
        PreReleases::Everywhere
    } else {
        PreReleases::WhereNamed
    };
    let is_core = |it: &PackageName| it.kind() == Kind::Core;
    let own = version.dependencies.iter().find(|it| is_core(it.0));
    if let Some((_, it)) = own.filter(|it| !meets(&it.1.req, core, pre)) {
        return Some(WhyNot::Needs(it.req.to_string()));
    }
    let row = matrix.row(&entry.name, &version.version);
    for bound in row.map_or(&[][..], |it| &it.bounds) {
        if matches!(&bound.on, BoundOn::Package(it) if is_core(it)) && !meets(&bound.req, core, pre)
        {
            return Some(WhyNot::Row(bound.req.to_string()));
        }
    }
    let core_rows = matrix.rows().filter(|it| is_core(it.0) && same(it.1, core));
    for bound in core_rows.flat_map(|it| &it.2.bounds) {
        match &bound.on {
            BoundOn::Package(it) if *it == entry.name => {
                if !meets(&bound.req, &version.version, pre) {
                    return Some(WhyNot::CoreRow(bound.req.to_string()));
                }
            }
            BoundOn::ExtensionApi if entry.kind == Kind::Extension => {
                let api = version.api.as_ref();
                if let Some(api) = api.filter(|it| !meets(&bound.req, it, pre)) {
                    return Some(WhyNot::Api(bound.req.to_string(), api));
                }
            }
            BoundOn::Package(_) | BoundOn::ExtensionApi => {}
        }
    }
    None
}

/// Rows are written without build metadata.
fn same(row: &Version, version: &Version) -> bool {
    row.cmp_precedence(version).is_eq()
}

impl fmt::Display for WhyNot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quarantined => write!(f, "the package is held by a moderator"),
            Self::Yanked(None) => write!(f, "yanked"),
            Self::Yanked(Some(reason)) => write!(f, "yanked: {reason}"),
            Self::PreRelease => write!(f, "a pre-release"),
            Self::Target(target) => write!(f, "no archive for {target}"),
            Self::Needs(req) => write!(f, "it needs core `{req}`"),
            Self::Row(req) => write!(f, "the matrix lets it go only with core `{req}`"),
            Self::CoreRow(req) => write!(f, "the matrix lets that core go only with `{req}`"),
            Self::Api(req, api) => write!(
                f,
                "the matrix lets that core go only with extensions of API `{req}`, and it is \
                 written for {api}"
            ),
        }
    }
}
