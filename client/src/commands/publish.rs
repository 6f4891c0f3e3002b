//! `provisioning publish`: make archives visible in the registry, all or none.

use std::path::PathBuf;

use clap::Subcommand;
use provisioning_package::Target;

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::signing::keys::KeyArgs;
use crate::write_api::Trusted;

mod abandon;
mod prepare;
mod report;
mod run;
mod status;

pub(crate) use prepare::target_of;

/// Publish archives, all or none
///
/// Several archives become visible together, or none does. Killed or cut off at any instant, the same command run again finishes the work. The same
/// bytes published twice succeed; other bytes under a version that exists are refused.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  provisioning publish dist/*.tar.zst\n  \
                  provisioning publish platform-linux-x86_64.tar.zst --targets linux-x86_64,linux-arm64\n  \
                  provisioning publish status 01JD…"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    publish: Publish,
}

#[derive(Debug, Subcommand)]
enum Action {
    Status(status::Args),
    Abandon(abandon::Args),
}

#[derive(Debug, clap::Args)]
struct Publish {
    /// The archives, as `package build` makes them
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Every target that the versions will have, when some archives come from other machines:
    /// the versions become visible once all have arrived
    #[arg(long, value_delimiter = ',', value_name = "TARGETS")]
    targets: Vec<Target>,
    /// Return once everything is sent, without waiting until it is visible
    #[arg(long)]
    no_wait: bool,
    /// Wait for other machines, a review and signatures too, until it is visible or refused
    #[arg(long, conflicts_with = "no_wait")]
    wait: bool,
    /// Whether a CI job proves who it is instead of sending a stored token
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        env = "PROVISIONING_TRUSTED_PUBLISHING"
    )]
    trusted_publishing: Trusted,
    /// Sign what waits for it, with the archives given here as what was hashed
    #[command(flatten)]
    signing: KeyArgs,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    match &args.action {
        Some(Action::Status(args)) => status::run(args, context).await,
        Some(Action::Abandon(args)) => abandon::run(args, context).await,
        None => run::run(&args.publish, context).await,
    }
}
