//! `provisioning compat show`: the matrix that the registry serves.

use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::registry::RegistryReader;

/// Print the `versions.toml` that the registry serves
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

#[derive(Serialize)]
struct Shown {
    digest: Option<String>,
    text: String,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    version: String,
    bounds: std::collections::BTreeMap<String, String>,
}

/// Runs it.
pub(crate) async fn run(_: &Args, context: &Context) -> Outcome<Exit> {
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
        text: served.text,
    };
    if document.digest.is_none() {
        context
            .output
            .note("no matrix was pushed to this registry yet");
    }
    context
        .output
        .result(&document, |out| out.write_all(document.text.as_bytes()))?;
    Ok(Exit::Done)
}
