//! `provisioning link`: a working copy in the place of an installed package.

use std::path::PathBuf;

use provisioning_installers::Linked;
use provisioning_package::{Kind, Manifest};
use serde::Serialize;

use crate::commands::package::read_manifest;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::planning::Intent;
use crate::transaction::{ensure, installed_now};

/// Put a working copy in the place of a package, to try it before it is published
///
/// Nothing is copied: what you save in the folder is what runs. What is installed stays
/// below and comes back with `provisioning unlink NAME` or `provisioning rollback`. New
/// commands in the folder show after linking it again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning link ~/src/mongodb")]
pub(crate) struct Args {
    /// A package's folder, with its `manifest.toml`
    #[arg(default_value = ".", value_name = "DIR")]
    folder: PathBuf,
}

#[derive(Serialize)]
struct Document<'a> {
    linked: &'a Linked,
    generation: Option<u64>,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let folder = context.env.absolute(&args.folder);
    let (manifest, _) = read_manifest(&folder, context)?;
    if manifest.kind == Kind::Client {
        return Err(Failure::new(
            "client-linked",
            "the client is in no generation, so it cannot be linked",
        )
        .with_hint(format!(
            "run the one that you built; `{}` was not changed",
            Manifest::FILE
        )));
    }
    let linked = Linked::read(&folder, &manifest)?;
    ensure(&Intent::Link(Box::new(linked.clone())), context).await?;
    let document = Document {
        linked: &linked,
        generation: installed_now(context)?.map(|it| it.generation),
    };
    context.output.result(&document, |out| {
        writeln!(
            out,
            "{} {} is linked to {}",
            linked.name,
            linked.version,
            linked.path.display()
        )?;
        writeln!(out, "`provisioning unlink {}` takes it away", linked.name)
    })?;
    Ok(Exit::Done)
}
