//! `provisioning man`: manual pages.

use std::path::PathBuf;

use crate::commands::tree;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};

/// Print the manual page, or write a page for every command into a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning man | man -l -")]
pub(crate) struct Args {
    /// Write `provisioning.1`, `provisioning-install.1` and so on into this folder
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

/// Runs it.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    if let Some(folder) = &args.to {
        let folder = context.env.absolute(folder);
        std::fs::create_dir_all(&folder)
            .and_then(|()| clap_mangen::generate_to(tree(), &folder))
            .map_err(|problem| Failure::io("write manual pages to", &folder, &problem))?;
    } else {
        let mut page = Vec::new();
        clap_mangen::Man::new(tree())
            .render(&mut page)
            .expect("writing to memory does not fail");
        context.output.raw(&page)?;
    }
    Ok(Exit::Done)
}
