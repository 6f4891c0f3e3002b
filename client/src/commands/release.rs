//! `provisioning release`: packages, from their repositories to a bundle.

use std::path::PathBuf;

use clap::Subcommand;

use crate::context::Context;
use crate::failure::{Exit, Outcome};

mod ci;
mod notes;
mod plan;
mod run;

/// What to do about a release.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    Plan(plan::Args),
    Notes(notes::Args),
    Run(run::Args),
    Ci(ci::Args),
}

/// Where `release.toml` is.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct WorkplaceArgs {
    /// The file that says which repository makes which package [default: `release.toml`]
    #[arg(long, value_name = "FILE")]
    release: Option<PathBuf>,
}

/// Runs it.
pub(crate) async fn run(action: &Action, context: &Context) -> Outcome<Exit> {
    match action {
        Action::Plan(args) => plan::run(args, context),
        Action::Notes(args) => notes::run(args, context).await,
        Action::Run(args) => run::run(args, context).await,
        Action::Ci(args) => ci::run(args, context),
    }
}
