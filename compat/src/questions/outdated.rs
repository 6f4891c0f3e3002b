//! What is newer than what is installed, and what holds it back.

use std::fmt;

use provisioning_package::{Kind, PackageName, Selector, Version};
use serde::Serialize;

use crate::index::Index;
use crate::matrix::Matrix;
use crate::no_solution::CauseKind;
use crate::request::{Hold, Owner, Request, Wanted};
use crate::solver::solve_until;
use crate::solver::universe::{Holding, Universe};

/// How many newer versions are tried before the search for one that fits ends.
const TRIES_MAX: usize = 24;

/// How far one installed package is behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outdated {
    /// The package.
    pub name: PackageName,
    /// Its kind.
    pub kind: Kind,
    /// What is installed.
    pub installed: Version,
    /// The newest version that this machine could take; `None` when the registry has none.
    pub newest: Option<Version>,
    /// The newest that fits what was asked for; others may move for it.
    pub fits: Option<Version>,
    /// What keeps `newest` out, as sentences; empty where it fits.
    pub held_back_by: Vec<String>,
}

/// Every package of `request.installed`, by name, with what is newer. `request.wanted` is
/// what was asked for before.
pub fn outdated(
    request: &Request,
    matrix: &Matrix,
    index: &dyn Index,
    cancelled: &dyn Fn() -> bool,
) -> Vec<Outdated> {
    let mut free = request.clone();
    free.hold = Hold::Preferred;
    request
        .installed
        .iter()
        .map(|(name, installed)| of_package(&free, matrix, index, cancelled, name, installed))
        .collect()
}

impl Outdated {
    /// Whether something newer exists.
    pub fn is_behind(&self) -> bool {
        self.newest.as_ref().is_some_and(|it| *it > self.installed)
    }
}

fn of_package(
    request: &Request,
    matrix: &Matrix,
    index: &dyn Index,
    cancelled: &dyn Fn() -> bool,
    name: &PackageName,
    installed: &Version,
) -> Outdated {
    let universe = Universe::new(request, matrix, index, Holding::Free);
    let view = universe.view(universe.id(name));
    let names_pre = !installed.pre.is_empty();
    let newer: Vec<&Version> = view
        .usable
        .iter()
        .rev()
        .map(|it| &it.version)
        .filter(|it| *it > installed && (universe.selects(&Selector::Any, it) || names_pre))
        .collect();
    let mut found = Outdated {
        name: name.clone(),
        kind: name.kind(),
        installed: installed.clone(),
        newest: newer.first().map(|it| (*it).clone()).or_else(|| {
            let known = view.usable.iter().any(|it| it.version == *installed);
            known.then(|| installed.clone())
        }),
        fits: Some(installed.clone()),
        held_back_by: Vec::new(),
    };
    for (place, version) in newer.into_iter().take(TRIES_MAX).enumerate() {
        let mut with = request.clone();
        with.installed.remove(name);
        let spec = format!("{name}@{version}");
        let mut wanted = Wanted::by_you(name.clone(), Selector::Exact(version.clone()), &spec);
        wanted.optional = true;
        with.wanted.push(wanted);
        match solve_until(&with, matrix, index, cancelled) {
            Ok(_) => {
                found.fits = Some(version.clone());
                break;
            }
            Err(refusal) if place == 0 => {
                let this = |it: &&crate::Cause| {
                    let is_ours = it.text == format!("you asked for `{spec}`");
                    !(it.kind == CauseKind::Asked && is_ours)
                };
                let causes = refusal.causes.iter().filter(this);
                found.held_back_by = causes.map(|it| it.text.clone()).collect();
            }
            Err(_) => {}
        }
    }
    found
}

impl fmt::Display for Outdated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, installed) = (&self.name, &self.installed);
        write!(f, "{name} {installed}")?;
        match &self.newest {
            None => return write!(f, ": this registry has no version of it"),
            Some(newest) if newest <= installed => return write!(f, " is the newest"),
            Some(newest) => write!(f, " -> {newest}")?,
        }
        if !self.held_back_by.is_empty() {
            match &self.fits {
                Some(fits) if fits > installed => write!(f, " (up to {fits} fits)")?,
                _ => write!(f, " (nothing newer fits)")?,
            }
            write!(f, ": {}", self.held_back_by.join("; "))?;
        }
        Ok(())
    }
}

/// What was asked for earlier, as the user of this command sees it.
pub fn as_earlier(wanted: &[Wanted]) -> Vec<Wanted> {
    wanted
        .iter()
        .cloned()
        .map(|mut it| {
            if let Owner::You { spec } = it.owner {
                it.owner = Owner::Earlier { spec };
            }
            it
        })
        .collect()
}
