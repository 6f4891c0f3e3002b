//! Whether versions go together, and which row or requirement says no.

use std::collections::BTreeMap;
use std::fmt;

use provisioning_package::{PackageName, Selector};
use provisioning_registry_api::index::IndexVersion;
use serde::Serialize;

use super::Versions;
use crate::fit::misfits_with;
use crate::index::Index;
use crate::matrix::Matrix;
use crate::no_solution::NoSolution;
use crate::request::Request;
use crate::requirement::PreReleases;
use crate::solver::solve_until;

/// Whether a set of specs goes together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether it does.
    pub fits: bool,
    /// What would be installed; empty where nothing fits.
    pub packages: Versions,
    /// What breaks it, as sentences: the rows and requirements between the named versions
    /// where two of them exclude each other directly, all that takes part otherwise.
    pub problems: Vec<String>,
    /// What to know about it although it fits, or to try where it does not.
    pub notes: Vec<String>,
}

/// Judges what `request` wants, together with everything that it needs.
pub fn verdict(
    request: &Request,
    matrix: &Matrix,
    index: &dyn Index,
    cancelled: &dyn Fn() -> bool,
) -> Verdict {
    match solve_until(request, matrix, index, cancelled) {
        Ok(solution) => Verdict {
            fits: true,
            packages: solution.versions(),
            problems: Vec::new(),
            notes: solution.warnings.iter().map(ToString::to_string).collect(),
        },
        Err(refusal) => Verdict {
            fits: false,
            packages: Versions::new(),
            problems: problems(request, matrix, index, &refusal),
            notes: refusal.hints(),
        },
    }
}

/// The direct quarrels between exactly named versions; without any, the whole proof.
fn problems(
    request: &Request,
    matrix: &Matrix,
    index: &dyn Index,
    refusal: &NoSolution,
) -> Vec<String> {
    let mut set: BTreeMap<PackageName, &IndexVersion> = BTreeMap::new();
    for wanted in &request.wanted {
        if let Selector::Exact(version) = &wanted.selector {
            let known = index.entry(&wanted.name).and_then(|it| it.version(version));
            if let Some(known) = known {
                set.insert(wanted.name.clone(), known);
            }
        }
    }
    let pre = if request.pre {
        PreReleases::Everywhere
    } else {
        PreReleases::WhereNamed
    };
    let direct: Vec<String> = misfits_with(matrix, &set, pre)
        .into_iter()
        .filter(|it| set.contains_key(&it.other))
        .map(|it| it.text)
        .collect();
    if direct.is_empty() {
        refusal.causes()
    } else {
        direct
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.fits {
            "these go together"
        } else {
            "these do not go together"
        })?;
        for (name, version) in &self.packages {
            write!(f, "\n  {name} {version}")?;
        }
        for problem in &self.problems {
            write!(f, "\n  - {problem}")?;
        }
        for note in &self.notes {
            write!(f, "\nnote: {note}")?;
        }
        Ok(())
    }
}
