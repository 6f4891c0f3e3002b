//! `provisioning upgrade`: move to newer versions.

use crate::commands::sync;
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::planning::{Intent, SolveOptions};
use crate::transaction::{Consent, Mode, carry_out_with};

/// Moves what is installed to the newest versions that fit.
///
/// Without names, everything moves, and a followed channel or bundle is looked up again.
/// What you asked for by an exact version stays there: ask for another with `install`; what is
/// pinned stays too. At a terminal the plan is shown first, and you are asked. In a workspace
/// with a lockfile, what is locked moves, and is installed as by `sync`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Packages to move; all where none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Say what would change, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Refuse versions that the compatibility matrix does not list
    #[arg(long)]
    strict: bool,
    /// Let pre-releases in
    #[arg(long)]
    pre: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let mode = Mode::of(args.dry_run);
    if let Some(exit) = sync::upgrade(&args.names, mode, context).await? {
        return Ok(exit);
    }
    let intent = Intent::Upgrade {
        names: args.names.clone(),
        options: SolveOptions {
            strict: args.strict,
            pre: args.pre,
            ..SolveOptions::of_this_machine()
        },
    };
    carry_out_with(&intent, mode, Consent::Asked, context).await
}
