//! `provisioning trust publish`: put a signed change of keys in force.

use std::path::PathBuf;

use provisioning_registry_api::trust::{PutRoles, RolesPut};
use provisioning_trust::{Change, RoleFiles};
use serde::Serialize;

use super::change;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::registry::RegistryReader;
use crate::write_api::WriteClient;

/// Put a signed change of keys in force
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning trust publish change.json")]
pub(crate) struct Args {
    /// The change, with enough signatures
    file: PathBuf,
}

#[derive(Serialize)]
struct Document {
    state: &'static str,
    #[serde(flatten)]
    put: RolesPut,
}

/// Runs it.
pub(super) async fn run(args: &Args, context: &Context) -> Outcome<()> {
    let change = change::read(&context.env.absolute(&args.file))?;
    let mut registry = RegistryReader::open(context).await?;
    let files = registry.role_files().await?;
    let put = send(&change, &files, context).await?;
    report(put, context)
}

/// Sends a complete change, and follows it with this machine's own verifier.
pub(super) async fn send(
    change: &Change,
    files: &RoleFiles,
    context: &Context,
) -> Outcome<RolesPut> {
    for it in change.standings(files)? {
        if !it.standing.is_met() {
            return Err(Failure::new(
                "unsigned",
                format!(
                    "{} {} has {} of the {} signatures that it needs",
                    it.role,
                    it.version,
                    it.standing.signed.len(),
                    it.standing.threshold
                ),
            )
            .with_causes(
                it.standing
                    .missing
                    .iter()
                    .map(|id| format!("could sign: {id}")),
            )
            .with_hint("`provisioning trust sign --key KEY FILE` adds one"));
        }
    }
    let api = WriteClient::open(context).await?;
    let put = api.put_roles(&body(change, false)?).await?;
    let registry = RegistryReader::open(context).await?;
    if registry.trusted().root_fingerprint() != put.root_fingerprint {
        return Err(Failure::new(
            "not-in-force",
            "the registry says that the change is in force, and serves another root",
        )
        .with_hint("a cache in between may be slow: run `provisioning trust show` in a while"));
    }
    Ok(put)
}

/// What is sent.
pub(super) fn body(change: &Change, countersign: bool) -> Outcome<PutRoles> {
    let proposals = change.proposals.iter().map(serde_json::to_value);
    Ok(PutRoles {
        proposals: proposals
            .collect::<Result<_, _>>()
            .map_err(|problem| Failure::new("bad-key", problem.to_string()))?,
        countersign,
    })
}

/// Says what is in force.
pub(super) fn report(put: RolesPut, context: &Context) -> Outcome<()> {
    let document = Document {
        state: "in-force",
        put,
    };
    context.output.result(&document, |out| {
        writeln!(
            out,
            "in force; root {} has the fingerprint {}",
            document.put.root_version,
            document.put.root_fingerprint.prefixed()
        )?;
        if !document.put.deleted_keys.is_empty() {
            let names = document.put.deleted_keys.join(", ");
            writeln!(out, "the registry deleted its private keys {names}")?;
        }
        Ok(())
    })
}
