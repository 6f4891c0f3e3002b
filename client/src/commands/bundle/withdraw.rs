//! `provisioning bundle withdraw`: take a published bundle back.

use provisioning_package::BundleName;
use provisioning_registry_api::command::WithdrawBundle;

use super::promote::show;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::write_api::WriteClient;

/// Take a published bundle back, and tell everyone who has it why
///
/// Nobody installs it any more and no channel points at it. Whoever has it installed is told
/// by `outdated`, `doctor`, `install` and `upgrade`; whoever follows a channel moves to what
/// it points at now with the next `upgrade`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: provisioning bundle withdraw stable-3.3 --reason \"loses workflows\" --replacement stable-3.2"
)]
pub(crate) struct Args {
    /// The bundle
    #[arg(value_parser = BundleName::parse)]
    name: BundleName,
    /// Why
    #[arg(long, value_name = "WHY")]
    reason: String,
    /// The bundle to use instead
    #[arg(long, value_name = "BUNDLE", value_parser = BundleName::parse)]
    replacement: Option<BundleName>,
    /// Only this sequence [default: all of them]
    #[arg(long, value_name = "N")]
    sequence: Option<u64>,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    if args.reason.trim().is_empty() {
        return Err(Failure::usage("a withdrawal says why: `--reason` is empty"));
    }
    let asked = WithdrawBundle {
        sequence: args.sequence,
        reason: args.reason.clone(),
        replacement: args.replacement.clone(),
    };
    let api = WriteClient::open(context).await?;
    let moved = api.withdraw_bundle(&args.name, &asked).await?;
    show(&moved, context)?;
    Ok(Exit::Done)
}
