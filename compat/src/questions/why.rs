//! Why a package is there: every way from the request to it, and what bounds it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use provisioning_package::{Kind, PackageName};
use serde::Serialize;

use super::{Versions, known, needs};
use crate::index::Index;
use crate::matrix::{BoundOn, Matrix};
use crate::no_solution::{selector_text, wanted_sentence};
use crate::request::{Owner, Wanted};

/// How many ways are listed; a package that everything needs has more than anyone reads.
pub const WAYS_MAX: usize = 200;

/// Why a package is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Why {
    /// The package.
    pub name: PackageName,
    /// Its version; `None` when it is not in the set.
    pub version: Option<String>,
    /// Every way from the request to it, shortest first, at most [`WAYS_MAX`].
    pub ways: Vec<Way>,
    /// Whether there are more ways than are listed.
    pub has_more: bool,
    /// What bounds its version without bringing it: rows, optional dependencies.
    pub bounds: Vec<String>,
}

/// One way from the request to a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Way {
    /// Who asked for its first package, as a sentence.
    pub asked: String,
    /// The packages on it, the one in question last.
    pub steps: Vec<Step>,
}

/// One package on a [`Way`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The package.
    pub name: PackageName,
    /// Its version.
    pub version: String,
    /// What the step before it requires of it.
    pub requirement: String,
}

/// Every way from `wanted` to `name` among the chosen versions.
pub fn why(
    name: &PackageName,
    set: &Versions,
    wanted: &[Wanted],
    matrix: &Matrix,
    index: &dyn Index,
) -> Why {
    let (ways, has_more) = if set.contains_key(name) {
        ways(name, set, wanted, index)
    } else {
        (Vec::new(), false)
    };
    Why {
        name: name.clone(),
        version: set.get(name).map(ToString::to_string),
        ways,
        has_more,
        bounds: bounds(name, set, matrix, index),
    }
}

/// Walks from the package back to the request, shortest ways first. A way never meets a
/// package twice, so circles end.
fn ways(
    name: &PackageName,
    set: &Versions,
    wanted: &[Wanted],
    index: &dyn Index,
) -> (Vec<Way>, bool) {
    let askers = askers(set, index);
    let reachable = reachable(set, wanted, index);
    let mut open = std::collections::VecDeque::from([vec![(name, String::new())]]);
    let mut ways = Vec::new();
    while let Some(way) = open.pop_front() {
        let (first, _) = &way[way.len() - 1];
        let mut askings: Vec<&Wanted> = wanted
            .iter()
            .filter(|it| it.name == **first && !it.optional)
            .collect();
        askings.sort_by_cached_key(|it| (it.owner.clone(), selector_text(&it.selector)));
        for asking in askings {
            if ways.len() == WAYS_MAX {
                return (ways, true);
            }
            ways.push(finished(set, asking, &way));
        }
        let on_way: BTreeSet<&PackageName> = way.iter().map(|it| it.0).collect();
        for (asker, req) in askers.get(*first).into_iter().flatten() {
            if on_way.contains(asker) || !reachable.contains(*asker) {
                continue;
            }
            if open.len() > WAYS_MAX * 4 {
                return (ways, true);
            }
            let mut longer = way.clone();
            let last = longer.len() - 1;
            longer[last].1.clone_from(req);
            longer.push((asker, String::new()));
            open.push_back(longer);
        }
    }
    (ways, false)
}

fn finished(set: &Versions, asking: &Wanted, way: &[(&PackageName, String)]) -> Way {
    let mut steps: Vec<Step> = way
        .iter()
        .rev()
        .map(|(name, requirement)| Step {
            name: (*name).clone(),
            version: set.get(*name).map(ToString::to_string).unwrap_or_default(),
            requirement: requirement.clone(),
        })
        .collect();
    if let Some(first) = steps.first_mut() {
        first.requirement = selector_text(&asking.selector);
    }
    Way {
        asked: wanted_sentence(asking),
        steps,
    }
}

/// Who needs each package of the set, and what they require of it.
fn askers<'s>(
    set: &'s Versions,
    index: &dyn Index,
) -> BTreeMap<&'s PackageName, Vec<(&'s PackageName, String)>> {
    let mut askers: BTreeMap<&PackageName, Vec<_>> = BTreeMap::new();
    for asker in set.keys() {
        for (needed, dependency) in needs(set, index, asker) {
            if let Some((needed, _)) = set.get_key_value(needed) {
                let of_needed = askers.entry(needed).or_default();
                of_needed.push((asker, dependency.req.to_string()));
            }
        }
    }
    askers
}

/// What the request brings, directly or not.
fn reachable(set: &Versions, wanted: &[Wanted], index: &dyn Index) -> BTreeSet<PackageName> {
    let asked = wanted.iter().filter(|it| !it.optional);
    let mut open: Vec<PackageName> = asked.map(|it| it.name.clone()).collect();
    let mut reachable = BTreeSet::new();
    while let Some(name) = open.pop() {
        if set.contains_key(&name) && reachable.insert(name.clone()) {
            let needed = needs(set, index, &name).into_iter();
            open.extend(needed.map(|(it, _)| it.clone()));
        }
    }
    reachable
}

fn bounds(name: &PackageName, set: &Versions, matrix: &Matrix, index: &dyn Index) -> Vec<String> {
    let mut bounds = Vec::new();
    for (owner, version) in set.iter().filter(|it| it.0 != name) {
        let dependencies = known(set, index, owner).map(|it| &it.dependencies);
        let optional = dependencies.and_then(|it| it.get(name));
        if let Some(dependency) = optional.filter(|it| it.optional) {
            let req = &dependency.req;
            bounds.push(format!("{owner} {version} works only with {name} `{req}`"));
        }
        let row = matrix.row(owner, version);
        for bound in row.map_or(&[][..], |it| &it.bounds) {
            let is_meant = match &bound.on {
                BoundOn::Package(other) => other == name,
                BoundOn::ExtensionApi => {
                    let api = known(set, index, name).and_then(|it| it.api.as_ref());
                    name.kind() == Kind::Extension && api.is_some()
                }
            };
            if is_meant {
                let what = match &bound.on {
                    BoundOn::Package(other) => other.to_string(),
                    BoundOn::ExtensionApi => "extensions of API".to_owned(),
                };
                let (req, line) = (&bound.req, bound.line);
                bounds.push(format!(
                    "the matrix lets {owner} {version} go only with {what} `{req}` (line {line})"
                ));
            }
        }
    }
    bounds
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(version) = &self.version else {
            return write!(f, "{} is not there, and nothing brings it", self.name);
        };
        write!(f, "{} {version}", self.name)?;
        if self.ways.is_empty() {
            write!(f, "\n  nothing that was asked for needs it")?;
        }
        for way in &self.ways {
            write!(f, "\n  {way}")?;
        }
        if self.has_more {
            write!(f, "\n  … and by more ways than are listed here")?;
        }
        for bound in &self.bounds {
            write!(f, "\n  bounded: {bound}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.asked)?;
        for pair in self.steps.windows(2) {
            let [from, to] = pair else { continue };
            let (owner, version) = (&from.name, &from.version);
            write!(
                f,
                "; {owner} {version} needs {} `{}`",
                to.name, to.requirement
            )?;
        }
        Ok(())
    }
}

/// Whether the user, rather than another package, wants `name` there.
pub fn is_asked_for(name: &PackageName, wanted: &[Wanted]) -> bool {
    wanted.iter().any(|it| {
        let by_user = matches!(
            it.owner,
            Owner::You { .. } | Owner::Earlier { .. } | Owner::Bundle { .. }
        );
        it.name == *name && !it.optional && by_user
    })
}
