//! What would change: from what is installed or locked to a solution, and what one change
//! forces on everything else.

use std::fmt;

use provisioning_package::{PackageName, Version};
use serde::Serialize;

use super::Versions;
use crate::index::Index;
use crate::matrix::Matrix;
use crate::no_solution::NoSolution;
use crate::request::{Hold, Request, Wanted};
use crate::solution::Solution;
use crate::solver::solve_until;

/// A package that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The package.
    pub name: PackageName,
    /// What is there now; `None` when it is new.
    pub from: Option<Version>,
    /// What would be there; `None` when it goes.
    pub to: Option<Version>,
    /// Why, as a sentence; empty where it was asked for.
    pub why: String,
}

/// What a change of one package would bring about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhatIf {
    /// Everything that changes, by name; what was asked for is among it.
    pub changes: Vec<Change>,
    /// The solution that would be installed.
    pub solution: Solution,
}

/// What installing `change` would force on what is installed, where `request` has
/// everything that was asked for before. Each spec replaces the earlier one for its package,
/// and nothing moves that need not.
pub fn what_if(
    change: &[Wanted],
    request: &Request,
    matrix: &Matrix,
    index: &dyn Index,
    cancelled: &dyn Fn() -> bool,
) -> Result<WhatIf, NoSolution> {
    let mut request = request.clone();
    request
        .wanted
        .retain(|it| change.iter().all(|new| new.name != it.name));
    request.wanted.extend(change.iter().cloned());
    request.hold = Hold::Held;
    let solution = solve_until(&request, matrix, index, cancelled)?;
    let mut changes = changes(&request.installed, &solution);
    for it in &mut changes {
        if change.iter().any(|new| new.name == it.name) {
            it.why.clear();
        }
    }
    Ok(WhatIf { changes, solution })
}

/// What is different in `solution` from `before`, by name.
pub fn changes(before: &Versions, solution: &Solution) -> Vec<Change> {
    let brought_by = solution.brought_by();
    let mut changes: Vec<Change> = solution
        .packages
        .iter()
        .filter(|(name, it)| before.get(*name) != Some(&it.version))
        .map(|(name, it)| {
            let moved = solution.moved.iter().find(|it| it.name == *name);
            let why = match moved {
                Some(moved) => moved.why.clone(),
                None => format!("brought by {}", brought_by[name].join(", ")),
            };
            Change {
                name: name.clone(),
                from: before.get(name).cloned(),
                to: Some(it.version.clone()),
                why,
            }
        })
        .collect();
    let gone = before
        .iter()
        .filter(|it| !solution.packages.contains_key(it.0));
    changes.extend(gone.map(|(name, version)| Change {
        name: name.clone(),
        from: Some(version.clone()),
        to: None,
        why: "nothing needs it any more".to_owned(),
    }));
    changes.sort_by(|left, right| left.name.cmp(&right.name));
    changes
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => write!(f, "{name} {from} -> {to}")?,
            (None, Some(to)) => write!(f, "{name} {to} is added")?,
            (Some(from), None) => write!(f, "{name} {from} is removed")?,
            (None, None) => write!(f, "{name} stays away")?,
        }
        if !self.why.is_empty() {
            write!(f, ": {}", self.why)?;
        }
        Ok(())
    }
}
