//! `provisioning export`: one file with everything that an install needs.

use std::path::PathBuf;

use jiff::Timestamp;
use provisioning_package::{Digest, Target};
use serde::Serialize;

use crate::context::Context;
use crate::copying::{Machines, export};
use crate::failure::{Exit, Outcome};
use crate::output::bytes;
use crate::planning::SolveOptions;
use crate::registry::age_text;

/// Write bundles and packages, with everything that they need, into one file
///
/// The file is for a machine without a network: `provisioning import FILE` or `provisioning
/// install --from FILE` there. It carries the registry's signatures, which are checked when
/// it is read. The same specs of the same registry give the same bytes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  provisioning export stable-3.2 -o stable-3.2.export
  provisioning export stable lts mongodb@1.2.0 --target linux-arm64 -o both.export")]
pub(crate) struct Args {
    /// What to export: bundles, channels and packages
    #[arg(required = true, value_name = "SPEC")]
    specs: Vec<String>,
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The machines to export for, in place of this one; may be given several times
    #[arg(long)]
    target: Vec<Target>,
}

#[derive(Serialize)]
struct Document {
    file: String,
    digest: Digest,
    size: u64,
    archives: usize,
    expires: Timestamp,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let output = context.env.absolute(&args.output);
    let targets = if args.target.is_empty() {
        vec![SolveOptions::of_this_machine().target]
    } else {
        args.target.clone()
    };
    let machines = Machines::Only(targets);
    let exported = export(&output, &args.specs, &machines, context).await?;
    let document = Document {
        file: output.display().to_string(),
        digest: exported.digest,
        size: exported.size,
        archives: exported.archives,
        expires: exported.expires,
    };
    context.output.result(&document, |out| {
        writeln!(
            out,
            "{} archives in `{}`, {}",
            document.archives,
            document.file,
            bytes(document.size)
        )?;
        writeln!(out, "{}", document.digest.prefixed())?;
        writeln!(out, "{}", lasts(document.expires, context.now()))?;
        let days = context.settings.max_offline_age.as_hours() / 24;
        writeln!(
            out,
            "`import` takes it for {days} days after it was signed, and shows its age"
        )
    })?;
    Ok(Exit::Done)
}

/// Until when a copy is good, for people.
pub(super) fn lasts(expires: Timestamp, now: Timestamp) -> String {
    if expires > now {
        let left = age_text(expires.duration_since(now));
        format!("the copy is good until {expires} ({left})")
    } else {
        let ago = age_text(now.duration_since(expires));
        format!("the copy was good until {expires} ({ago} ago)")
    }
}
