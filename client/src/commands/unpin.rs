//! `provisioning unpin`: let pinned packages move again.

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::planning::Intent;
use crate::transaction::{Mode, carry_out};

/// Let pinned packages move again
///
/// Nothing moves by this: `provisioning upgrade` does that. No registry is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to unpin
    #[arg(required_unless_present = "all", value_name = "NAME")]
    names: Vec<String>,
    /// Everything that is pinned
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Say what would change, and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let intent = Intent::Unpin {
        names: args.names.clone(),
    };
    carry_out(&intent, Mode::of(args.dry_run), context).await
}
