//! `provisioning uninstall`: take packages away.

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::planning::Intent;
use crate::transaction::{Mode, carry_out};

/// Takes packages away, or everything that only the followed bundle asked for.
///
/// A package that another one needs is not taken away alone. Configuration files that you
/// edited stay. No registry is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to take away
    #[arg(required = true, value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Say what would change, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let intent = Intent::Uninstall {
        names: args.names.clone(),
    };
    carry_out(&intent, Mode::of(args.dry_run), context).await
}
