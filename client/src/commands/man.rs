//! `provisioning man`: manual pages.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::commands::tree;
use crate::context::Context;
use crate::durable::{Readers, replace_file};
use crate::failure::{Exit, Outcome};
use crate::shell_files::pages;

/// Print the manual page, or write a page for every command into a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning man | man -l -")]
pub(crate) struct Args {
    /// Write `provisioning.1`, `provisioning-install.1` and so on into this folder
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

#[derive(Serialize)]
struct Page<'a> {
    page: &'a str,
}

#[derive(Serialize)]
struct Written {
    written: Vec<String>,
}

/// Runs it.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    if let Some(folder) = &args.to {
        let folder = context.env.absolute(folder);
        let document = Written {
            written: write_all(&folder)?,
        };
        context.output.result(&document, |out| {
            let count = document.written.len();
            writeln!(out, "{count} manual pages are in `{}`", folder.display())
        })?;
        return Ok(Exit::Done);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(tree())
        .render(&mut page)
        .expect("writing to memory does not fail");
    let page = String::from_utf8_lossy(&page);
    let document = Page { page: &page };
    let write = |out: &mut dyn Write| out.write_all(page.as_bytes());
    context.output.result(&document, write)?;
    Ok(Exit::Done)
}

/// Writes a page for every command into a folder; their names.
fn write_all(folder: &Path) -> Outcome<Vec<String>> {
    let mut written = Vec::new();
    for (name, bytes) in pages(&tree())? {
        replace_file(&folder.join(&name), &bytes, Readers::Everyone)?;
        written.push(name);
    }
    Ok(written)
}
