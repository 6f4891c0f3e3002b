//! `provisioning logout`: forget the token for the registry.

use serde::Serialize;

use crate::context::Context;
use crate::credentials::Credentials;
use crate::failure::{Exit, Outcome};

/// Forget the token for the registry
///
/// The token itself stays valid
/// until the registry's operator revokes it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

#[derive(Serialize)]
struct LoggedOut {
    registry: String,
    forgotten: bool,
}

/// Runs it.
pub(crate) fn run(_: &Args, context: &Context) -> Outcome<Exit> {
    let registry = context.settings.registry()?;
    let document = LoggedOut {
        registry: registry.to_string(),
        forgotten: Credentials::open(&context.env)?.forget(registry)?,
    };
    context.output.result(&document, |out| {
        if document.forgotten {
            writeln!(out, "the token for `{}` is forgotten", document.registry)
        } else {
            writeln!(out, "no token for `{}` was stored", document.registry)
        }
    })?;
    Ok(Exit::Done)
}
