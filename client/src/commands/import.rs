//! `provisioning import`: an exported file, taken over.

use std::path::PathBuf;

use jiff::Timestamp;
use provisioning_package::Digest;
use serde::Serialize;

use crate::context::Context;
use crate::copying::{Imported, import};
use crate::failure::{Exit, Outcome};
use crate::registry::age_text;

/// Take over what `export` wrote, without a network
///
/// Archives go into the cache, signatures into the trusted state. Every byte is checked first, and a file in which anything is wrong changes nothing (exit
/// status 4). Afterwards `install`, `upgrade` and `verify --repair` find there what they need,
/// without a network. A file is usable for 30 days after it was signed (`max-offline-age`);
/// longer-lived signatures must hold on the day of use.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Serialize)]
struct Document {
    registry: String,
    origin: String,
    specs: Vec<String>,
    archives: usize,
    root_fingerprint: Digest,
    signed: Option<Timestamp>,
    expires: Option<Timestamp>,
    usable_until: Option<Timestamp>,
    local: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let file = context.env.absolute(&args.file);
    let imported = import(&file, context).await?;
    let age_max = context.settings.max_offline_age;
    let usable_until = imported
        .signed
        .and_then(|it| it.checked_add(age_max).ok())
        .max(imported.expires);
    let document = Document {
        registry: imported.registry.to_string(),
        origin: imported.origin.to_string(),
        specs: imported.specs.clone(),
        archives: imported.archives,
        root_fingerprint: imported.root_fingerprint,
        signed: imported.signed,
        expires: imported.expires,
        usable_until,
        local: imported.is_local,
    };
    context.output.result(&document, |out| {
        writeln!(
            out,
            "{} archives of `{}`, made for {}",
            document.archives,
            document.origin,
            document.specs.join(", ")
        )?;
        writeln!(
            out,
            "root fingerprint {}",
            document.root_fingerprint.prefixed()
        )?;
        if let (Some(signed), Some(until)) = (document.signed, document.usable_until) {
            let age = age_text(context.now().duration_since(signed));
            writeln!(out, "{age} old, usable without the registry until {until}")?;
        }
        Ok(())
    })?;
    say_how_to_use(&imported, context);
    Ok(Exit::Done)
}

/// Tells what the import changed besides the cache.
pub(super) fn say_how_to_use(imported: &Imported, context: &Context) {
    let registry = &imported.registry;
    if imported.is_default_now {
        context.output.note(&format!(
            "`{registry}` is the registry from now on, known from this import alone; \
             `provisioning registry add {registry}` asks it over the network again"
        ));
    } else if !imported.is_local && !context.settings.offline {
        context.output.note(&format!(
            "`{registry}` was met over a network before: add `--offline` where there is none"
        ));
    }
}
