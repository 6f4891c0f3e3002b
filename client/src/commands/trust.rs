//! `provisioning trust`: what is believed of the registry.

use clap::Subcommand;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::registry::RegistryReader;

/// What to do with the trust in the registry.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Show the fingerprint of the registry's root, and until when what was seen holds
    ///
    /// Compare the fingerprint with the one that the registry's operator gives you on
    /// another way.
    Show,
}

#[derive(Serialize)]
struct Shown {
    registry: String,
    name: Option<String>,
    root_version: Option<u64>,
    root_fingerprint: String,
    expires: Option<String>,
    state: String,
}

/// Runs it.
pub(crate) async fn run(action: &Action, context: &Context) -> Outcome<Exit> {
    match action {
        Action::Show => show(context).await?,
    }
    Ok(Exit::Done)
}

async fn show(context: &Context) -> Outcome<()> {
    let location = context.settings.registry()?;
    let registry = RegistryReader::open(context).await?;
    let document = Shown {
        registry: location.to_string(),
        name: registry.discovery().map(|it| it.name.clone()),
        root_version: registry.discovery().map(|it| it.root_version),
        root_fingerprint: registry.trusted().root_fingerprint().prefixed(),
        expires: registry.trusted().expires().map(|it| it.to_string()),
        state: context
            .settings
            .trust_state(location)?
            .display()
            .to_string(),
    };
    context.output.result(&document, |out| {
        writeln!(out, "registry          {}", document.registry)?;
        writeln!(out, "root fingerprint  {}", document.root_fingerprint)?;
        if let Some(expires) = &document.expires {
            writeln!(out, "holds until       {expires}")?;
        }
        writeln!(out, "kept in           {}", document.state)
    })
}
