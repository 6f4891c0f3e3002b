//! `provisioning publish status`: where a publish session stands.

use super::report::report;
use super::run::{Whom, wait};
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::write_api::WriteClient;

/// Show where a publish session stands, why, and what can be done next
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The session, as `publish` printed it
    id: String,
    /// Wait until it is visible or refused
    #[arg(long)]
    wait: bool,
}

/// Runs it.
pub(super) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let api = WriteClient::open(context).await?;
    let mut status = api.session(&args.id).await?;
    if args.wait {
        status = wait(&api, status, Whom::Everyone, context).await?;
    }
    report(&status, context)
}
