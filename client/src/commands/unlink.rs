//! `provisioning unlink`: what was installed stands in its own place again.

use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::planning::Intent;
use crate::transaction::{ensure, installed_now};

/// Take linked working copies away; what is installed below comes back
///
/// The folders themselves are left alone.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The packages whose place they take
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    unlinked: &'a [String],
    generation: Option<u64>,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let intent = Intent::Unlink {
        names: args.names.clone(),
    };
    ensure(&intent, context).await?;
    let document = Document {
        unlinked: &args.names,
        generation: installed_now(context)?.map(|it| it.generation),
    };
    context.output.result(&document, |out| {
        writeln!(out, "unlinked {}", document.unlinked.join(", "))
    })?;
    Ok(Exit::Done)
}
