//! Releasing packages from their repositories: what git tells, and the run that carries a
//! plan out, step by step, each once.
//!
//! Deciding is `provisioning-bundles`' (`release`): this reads repositories and acts.
//!
//! | file | noun |
//! | --- | --- |
//! | `workplace` | `release.toml`, and the repositories that it names |
//! | `history` | tags and commits of one package |
//! | `journal` | what a run has done, on disk |
//! | `steps` | what a run does, in order |
//! | `version_files` | the files that state a version |

mod history;
mod journal;
mod steps;
mod version_files;
mod workplace;

pub(crate) use history::{changes_between, last_before, web_address};
pub(crate) use journal::{Journal, Record, abandon};
pub(crate) use steps::{Runner, steps_of};
pub(crate) use workplace::{Workplace, parse_bump};
