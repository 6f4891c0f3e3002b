//! `provisioning package inspect`: check an archive and show what is in it.

use std::path::PathBuf;

use provisioning_package::inspect_archive;

use super::{ArchiveDocument, readable_manifest, refused};
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::{Table, bytes};

/// Check an archive and show what is in it, writing nothing
///
/// Neither a manifest nor a special file name is needed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The archive
    file: PathBuf,
}

/// Runs it.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let file = context.env.absolute(&args.file);
    let report = inspect_archive(&file).map_err(|it| refused(&args.file, it))?;
    let manifest = readable_manifest(&report, context);
    let document = ArchiveDocument::new(&file, report, manifest.as_ref());
    context.output.result(&document, |out| {
        if let Some(manifest) = &manifest {
            writeln!(out, "{} {}", manifest.name, manifest.version)?;
        }
        writeln!(out, "{}", document.digest)?;
        writeln!(
            out,
            "{} in {} entries, {} packed as {}",
            bytes(document.unpacked),
            document.entries.len(),
            bytes(document.size),
            document.format
        )?;
        let mut table = Table::new(["KIND", "SIZE", "PATH"]);
        for it in &document.entries {
            let path = match &it.target {
                Some(target) => format!("{} -> {target}", it.path),
                None => it.path.clone(),
            };
            table.row([it.kind.to_owned(), it.size.to_string(), path]);
        }
        writeln!(out)?;
        table.write(out)
    })?;
    Ok(Exit::Done)
}
