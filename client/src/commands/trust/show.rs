//! `provisioning trust show`: what is believed of the registry.

use serde::Serialize;

use crate::context::Context;
use crate::failure::Outcome;
use crate::registry::RegistryReader;

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
pub(super) async fn run(context: &Context) -> Outcome<()> {
    let location = context.settings.registry()?;
    let registry = RegistryReader::open(context).await?;
    let document = Shown {
        registry: location.to_string(),
        name: registry.discovery().map(|it| it.name.clone()),
        root_version: registry.trusted().role("root").map(|(version, _)| version),
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
