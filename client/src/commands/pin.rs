//! `provisioning pin`: tie packages to their versions.

use crate::commands::install::parse;
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::planning::Intent;
use crate::transaction::{Mode, carry_out};

/// Tie packages to versions, whatever `upgrade` would do
///
/// `NAME` is tied to the version that is installed, `NAME@V` to what `V` names: an exact
/// version, or a requirement such as `~1.2`. Where what is installed does not meet it, the
/// package moves at once. A pin is a new generation: `rollback` takes it back too.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  provisioning pin mongodb\n  provisioning pin core@~3.2")]
pub(crate) struct Args {
    /// What to pin: `core`, `core@3.2.1`, `mongodb@~1.2`
    #[arg(required = true, value_name = "NAME[@V]")]
    specs: Vec<String>,
    /// Say what would change, and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let intent = Intent::Pin {
        specs: parse(&args.specs)?,
    };
    carry_out(&intent, Mode::of(args.dry_run), context).await
}
