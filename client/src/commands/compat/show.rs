//! `provisioning compat show`: the matrix that the registry serves.

use std::collections::BTreeMap;
use std::io::{self, Write};

use provisioning_compat::{BundleDraft, Grid, grids};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::registry::RegistryReader;

/// Show the compatibility matrix that the registry serves, as tables
///
/// One table for each package that has rows, newest version first; a cell is what the version
/// goes with. `extensions` bounds the API that extensions are written for.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print the `versions.toml` itself
    #[arg(long)]
    toml: bool,
}

#[derive(Serialize)]
struct Shown {
    digest: Option<String>,
    text: String,
    rows: Vec<Row>,
    tables: Vec<Grid>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    version: String,
    bounds: BTreeMap<String, String>,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let served = RegistryReader::open(context).await?.matrix().await?;
    let rows = served.read.matrix.rows().map(|(name, version, row)| Row {
        name: name.to_string(),
        version: version.to_string(),
        bounds: row
            .bounds
            .iter()
            .map(|it| (it.key.clone(), it.req.to_string()))
            .collect(),
    });
    let document = Shown {
        digest: served.digest.map(|it| it.prefixed()),
        rows: rows.collect(),
        tables: grids(&served.read.matrix),
        text: served.text,
    };
    if document.digest.is_none() {
        context
            .output
            .note("no matrix was pushed to this registry yet");
    }
    context.output.long_result(&document, |out| {
        if args.toml {
            return out.write_all(document.text.as_bytes());
        }
        for (place, table) in document.tables.iter().enumerate() {
            if place > 0 {
                writeln!(out)?;
            }
            writeln!(out, "{table}")?;
        }
        let drafts = &served.read.bundles;
        drafts
            .iter()
            .try_for_each(|(name, draft)| write_draft(out, name.as_str(), draft))
    })?;
    Ok(Exit::Done)
}

/// A draft as the specs that it pins.
fn write_draft(out: &mut dyn Write, name: &str, draft: &BundleDraft) -> io::Result<()> {
    let members = draft.members.iter().chain(&draft.optional);
    let members: Vec<String> = members
        .map(|(name, version)| format!("{name}@{version}"))
        .collect();
    writeln!(out, "\nbundle {name}: {}", members.join(" "))
}
