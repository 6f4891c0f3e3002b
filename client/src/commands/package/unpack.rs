//! `provisioning package unpack`: unpack an archive, all of it or nothing.

use std::path::PathBuf;

use provisioning_package::unpack_archive;

use super::{ArchiveDocument, readable_manifest, refused};
use crate::context::Context;
use crate::failure::{Exit, Outcome};

/// Check an archive and unpack it, all of it or nothing
///
/// It is read twice: the first time everything is checked and nothing written, so that an
/// archive that breaks a rule leaves no trace.
///
/// The folder may exist; nothing in it is overwritten. Neither a manifest nor a special file
/// name is needed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: provisioning package unpack provisioning-core-3.2.1.tar.zst --to core"
)]
pub(crate) struct Args {
    /// The archive
    file: PathBuf,
    /// The folder to unpack into
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

/// Runs it.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let file = context.env.absolute(&args.file);
    let to = context.env.absolute(&args.to);
    let report = unpack_archive(&file, &to)
        .map_err(|it| refused(&args.file, it))?
        .report;
    let manifest = readable_manifest(&report, context);
    let document = ArchiveDocument::new(&file, report, manifest.as_ref());
    context.output.result(&document, |out| {
        writeln!(
            out,
            "unpacked {} entries into `{}`",
            document.entries.len(),
            args.to.display()
        )
    })?;
    Ok(Exit::Done)
}
