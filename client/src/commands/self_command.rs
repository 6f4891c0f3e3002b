//! `provisioning self`: the client itself, which is in no bundle and no generation.
//!
//! It moves by its own command alone, and only where the bootstrap script or this command
//! put it (`P/lib/provisioning/client/<version>`). What another package manager installed
//! is that manager's to change.

use clap::Subcommand;

use crate::context::Context;
use crate::failure::{Exit, Outcome};

mod installation;
mod manager;
mod switch;
mod uninstall;
mod update;

/// What to do with this client.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    Update(update::Args),
    Uninstall(uninstall::Args),
}

/// Runs it.
pub(crate) async fn run(action: &Action, context: &Context) -> Outcome<Exit> {
    match action {
        Action::Update(args) => update::run(args, context).await,
        Action::Uninstall(args) => uninstall::run(args, context),
    }
}
