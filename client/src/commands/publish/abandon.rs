//! `provisioning publish abandon`: give a publish session up.

use super::report::write_report;
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::write_api::WriteClient;

/// Give up a publish that is not visible yet
///
/// The names and versions that it reserved are free again. What is visible already stays: see
/// `provisioning yank`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The session, as `publish` printed it
    id: String,
}

/// Runs it.
pub(super) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let api = WriteClient::open(context).await?;
    let status = api.abandon_session(&args.id).await?;
    write_report(&status, context)
}
