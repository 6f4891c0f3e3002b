//! `provisioning compat push`: make a `versions.toml` the matrix.

use std::path::PathBuf;

use provisioning_package::Digest;
use serde::Serialize;

use super::MatrixFile;
use super::changes::changes;
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::registry::RegistryReader;
use crate::write_api::WriteClient;

/// Make a `versions.toml` the matrix that everybody's solutions obey
///
/// What that changes is printed. The registry refuses if the matrix is not the one that the
/// file was based on any more: somebody else changed it in the meantime.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning compat push distribution/versions.toml")]
pub(crate) struct Args {
    /// The file; a `compatibility.toml` beside it is pushed with it
    #[arg(default_value = "versions.toml")]
    file: PathBuf,
    /// The digest of the matrix that the file was made from, as `compat show --json` tells;
    /// without it, of the one that is served now
    #[arg(long, value_name = "DIGEST")]
    base: Option<Digest>,
}

#[derive(Serialize)]
struct Pushed {
    digest: String,
    serial: Option<u64>,
    changes: Vec<String>,
    warnings: Vec<String>,
    awaiting_signature: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let file = MatrixFile::read(&args.file, context)?;
    let api = WriteClient::open(context).await?;
    let served = RegistryReader::open(context).await?.matrix().await?;
    let text = file.merged()?;
    let changes = changes(&served.read, &file.read);
    let digest = Digest::of(text.as_bytes());
    let document = if served.digest == Some(digest) {
        Pushed {
            digest: digest.prefixed(),
            serial: None,
            changes,
            warnings: Vec::new(),
            awaiting_signature: false,
        }
    } else {
        let base = args.base.or(served.digest);
        let pushed = api.push_matrix(base, text).await?;
        for warning in &pushed.warnings {
            context.output.warning(warning);
        }
        Pushed {
            digest: pushed.digest.prefixed(),
            serial: Some(pushed.serial),
            changes,
            warnings: pushed.warnings,
            awaiting_signature: pushed.awaiting_signature,
        }
    };
    if document.awaiting_signature {
        context.output.note(crate::signing::AWAITING_SIGNATURE);
    }
    context.output.result(&document, |out| {
        for change in &document.changes {
            writeln!(out, "{change}")?;
        }
        match (document.serial, document.changes.is_empty()) {
            (None, _) => writeln!(out, "the matrix is this one already"),
            (Some(_), true) => writeln!(out, "the matrix is pushed; no row changed"),
            (Some(_), false) => writeln!(out, "the matrix is pushed"),
        }
    })?;
    Ok(Exit::Done)
}
