//! `provisioning uninstall`: take packages away.

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::planning::{Intent, unneeded_without};
use crate::prompt::{Answer, confirm, is_interactive};
use crate::transaction::{Mode, carry_out, installed_now};

/// Takes packages away, or everything that only the followed bundle asked for.
///
/// A package that another one needs is not taken away alone. What nothing needs any more
/// afterwards stays, unless `--prune` takes it too; at a terminal you are asked. Configuration
/// files that you edited stay. No registry is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to take away
    #[arg(required = true, value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Take away too what nobody asked for and nothing needs afterwards
    #[arg(long, visible_alias = "autoremove")]
    pub(crate) prune: bool,
    /// Say what would change, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let mode = Mode::of(args.dry_run);
    let mut prune = args.prune;
    if !prune && mode == Mode::Do && is_interactive(context) && !context.settings.yes {
        prune = offer_to_prune(&args.names, context)?;
    }
    let intent = Intent::Uninstall {
        names: args.names.clone(),
        prune,
    };
    carry_out(&intent, mode, context).await
}

/// Asks about what nothing would need any more.
fn offer_to_prune(names: &[String], context: &Context) -> Outcome<bool> {
    let Some(current) = installed_now(context)? else {
        return Ok(false);
    };
    let unneeded = unneeded_without(&current, names)?;
    if unneeded.is_empty() {
        return Ok(false);
    }
    let listed: Vec<String> = unneeded
        .iter()
        .map(|it| format!("{} {}", it.name, it.version))
        .collect();
    let question = format!(
        "Nothing would need {} any more. Take away too?",
        listed.join(", ")
    );
    confirm(context, &question, Answer::No)
}
