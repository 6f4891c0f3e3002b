//! `provisioning mirror`: a copy of the registry in a folder.

use std::path::PathBuf;

use jiff::Timestamp;
use provisioning_package::Target;
use serde::Serialize;

use crate::commands::export::lasts;
use crate::context::Context;
use crate::copying::{Machines, mirror};
use crate::failure::{Exit, Outcome};
use crate::output::bytes;

/// Copy the registry, or what some bundles need, into a folder
///
/// Any web server can serve the folder, and `--registry file:///DIR` reads it. Run again, it
/// fetches only what is new, and with specs also keeps what earlier runs were asked for.
/// Nothing is ever removed. The copy carries the registry's signatures, and is good until
/// the time that is printed: run this again before then.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  provisioning mirror /srv/mirror
  provisioning mirror /srv/mirror --bundle stable-3.2 --bundle lts-3.1
  provisioning mirror /srv/mirror core@3.1.0 mongodb --target linux-arm64")]
pub(crate) struct Args {
    /// The folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// What to copy: bundles, channels and packages; everything where nothing is named
    #[arg(value_name = "SPEC")]
    specs: Vec<String>,
    /// A bundle or channel to copy; may be given several times
    #[arg(long, value_name = "NAME")]
    bundle: Vec<String>,
    /// Copy archives for these machines alone; may be given several times
    #[arg(long)]
    target: Vec<Target>,
}

#[derive(Serialize)]
struct Document {
    dir: String,
    expires: Timestamp,
    archives: usize,
    fetched: usize,
    fetched_bytes: u64,
    files: usize,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let folder = context.env.absolute(&args.folder);
    let bundles = args.bundle.iter().map(|it| format!("bundle:{it}"));
    let specs: Vec<String> = args.specs.iter().cloned().chain(bundles).collect();
    let machines = if args.target.is_empty() {
        Machines::All
    } else {
        Machines::Only(args.target.clone())
    };
    let mirrored = mirror(&folder, &specs, &machines, context).await?;
    let document = Document {
        dir: folder.display().to_string(),
        expires: mirrored.expires,
        archives: mirrored.archives,
        fetched: mirrored.fetched,
        fetched_bytes: mirrored.fetched_bytes,
        files: mirrored.files,
    };
    context.output.result(&document, |out| {
        writeln!(
            out,
            "{} archives in `{}`: {} fetched ({}), {} other files written",
            document.archives,
            document.dir,
            document.fetched,
            bytes(document.fetched_bytes),
            document.files
        )?;
        writeln!(out, "{}", lasts(document.expires, context.now()))
    })?;
    Ok(Exit::Done)
}
