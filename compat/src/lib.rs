//! Do these fit? The compatibility matrix, the solver and its explanations.
//!
//! Everything here is a function of its arguments: no I/O, no clock, no environment. Index
//! entries come through the [`Index`] trait; fetching them is the caller's.
//!
//! | file | noun |
//! | --- | --- |
//! | `versions_toml` | the text of `versions.toml`: rows and bundle drafts, all errors at once |
//! | `matrix` | its rows as data: which versions go together |
//! | `index` | what the registry says about packages, and what is still to be fetched |
//! | `request`, `solution` | what was asked, what was found |
//! | `requirement` | when a version meets a requirement, pre-releases included |
//! | `solver` | the search, on the `pubgrub` crate |
//! | `no_solution` | why there is no answer, as data and as sentences |
//! | `questions` | why, tree, outdated, what-if, verdicts, the matrix as tables |
//! | `lockfile` | `provisioning.lock` |
//! | `fit` | whether one fixed set of versions fits, and whether the matrix makes sense |

mod fit;
mod index;
mod lockfile;
mod matrix;
mod no_solution;
mod questions;
mod request;
mod requirement;
mod solution;
mod solver;
mod versions_toml;

pub use fit::{Lint, Misfit, lint, misfits};
pub use index::{Index, MemoryIndex, Names, Survey, Surveyed, nearest_names, needed};
pub use lockfile::{
    Disagreement, InvalidLockfile, LOCK_SCHEMA, LockedPackage, LockedRegistry, Lockfile,
    MissingElsewhere,
};
pub use matrix::{Bound, BoundOn, Matrix, Row};
pub use no_solution::{
    Cause, CauseKind, Derivation, Excluded, NoSolution, NoSolutionKind, ProofNode, ProofStep,
};
pub use questions::Versions;
pub use questions::compare::{Change, WhatIf, changes, what_if};
pub use questions::fitting::{FitFor, Fitting, fittings, newest_fitting};
pub use questions::grid::{Grid, GridRow, grids};
pub use questions::outdated::{Outdated, as_earlier, outdated};
pub use questions::tree::{Tree, TreeLine, inverted_tree, tree};
pub use questions::verdict::{Verdict, verdict};
pub use questions::why::{Step, WAYS_MAX, Way, Why, is_asked_for, why};
pub use request::{Hold, Owner, Reach, Request, Shortage, Wanted};
pub use solution::{Chosen, Move, Solution, Warning};
pub use solver::{Budget, solve, solve_until, solve_within};
pub use versions_toml::{BundleDraft, MatrixErrors, Note, VersionsToml};
