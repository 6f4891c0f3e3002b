//! `provisioning rollback`: back to an older generation.

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::planning::Intent;
use crate::transaction::{Mode, carry_out};

/// Brings back what an older generation had, configuration files included.
///
/// The result is a new generation, so a rollback can be undone like everything else. No
/// registry is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The generation, as `history` numbers them; the one before the current if left out
    #[arg(value_name = "N")]
    generation: Option<u64>,
    /// Say what would change, and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let intent = Intent::Rollback {
        to: args.generation,
    };
    carry_out(&intent, Mode::of(args.dry_run), context).await
}
