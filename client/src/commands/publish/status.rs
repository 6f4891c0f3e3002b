//! `provisioning publish status`: where a publish session stands.

use super::report::report;
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::write_api::WriteClient;

/// Show where a publish session stands, why, and what can be done next
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The session, as `publish` printed it
    id: String,
}

/// Runs it.
pub(super) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let api = WriteClient::open(context).await?;
    report(&api.session(&args.id).await?, context)
}
