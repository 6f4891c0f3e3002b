//! `provisioning cache`: where downloads are kept.

use clap::Subcommand;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Outcome};

/// What to do with the cache.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Print the folder that downloads are kept in
    ///
    /// Everything in it can be fetched again; removing it while no `provisioning` runs is
    /// safe.
    Dir,
}

#[derive(Serialize)]
struct Dir {
    dir: String,
}

/// Runs it.
pub(crate) fn run(action: &Action, context: &Context) -> Outcome<Exit> {
    match action {
        Action::Dir => {
            let document = Dir {
                dir: context.settings.cache()?.display().to_string(),
            };
            context
                .output
                .result(&document, |out| writeln!(out, "{}", document.dir))?;
        }
    }
    Ok(Exit::Done)
}
