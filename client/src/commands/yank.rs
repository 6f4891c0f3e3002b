//! `provisioning yank` and `unyank`: hide a version from new solutions, and back.

use provisioning_package::{InvalidSpec, PackageName, Selector, Spec, Version};
use provisioning_registry_api::command::{Yank, YankAnswer};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::signing::AWAITING_SIGNATURE;
use crate::write_api::WriteClient;

/// Hide a version from new solutions
///
/// Bundles, lockfiles and exact specs that pin it still
/// install it, with a warning that gives the reason.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning yank redis@1.1.0 --reason 'loses data on restart'")]
pub(crate) struct Args {
    /// The version to hide
    #[arg(value_name = "NAME@VERSION")]
    version: String,
    /// Why; everybody who has it will read this
    #[arg(long)]
    reason: String,
    /// What to use instead: a version or a package
    #[arg(long)]
    replacement: Option<String>,
    /// Yank it although a bundle pins it; the bundle is then marked as degraded
    #[arg(long)]
    force: bool,
}

/// Let a yanked version be chosen again
#[derive(Debug, clap::Args)]
pub(crate) struct UnyankArgs {
    /// The version to bring back
    #[arg(value_name = "NAME@VERSION")]
    version: String,
}

#[derive(Serialize)]
struct Done {
    kind: String,
    name: String,
    version: String,
    yanked: bool,
    serial: Option<u64>,
    awaiting_signature: bool,
}

/// Runs `yank`.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let (name, version) = parse(&args.version)?;
    if args.reason.trim().is_empty() {
        return Err(Failure::usage("`--reason` is empty"));
    }
    let yank = Yank {
        reason: args.reason.trim().to_owned(),
        replacement: args.replacement.clone(),
        force: args.force,
    };
    let api = WriteClient::open(context).await?;
    let answer = api.yank(&name, &version, &yank).await?;
    report(&answer, true, context)
}

/// Runs `unyank`.
pub(crate) async fn run_unyank(args: &UnyankArgs, context: &Context) -> Outcome<Exit> {
    let (name, version) = parse(&args.version)?;
    let api = WriteClient::open(context).await?;
    let answer = api.unyank(&name, &version).await?;
    report(&answer, false, context)
}

fn parse(text: &str) -> Outcome<(PackageName, Version)> {
    let spec: Spec = text.parse().map_err(|problem: InvalidSpec| problem)?;
    match (spec.as_package(), spec.selector()) {
        (Some(name), Selector::Exact(version)) => Ok((name, version.clone())),
        _ => Err(
            Failure::usage(format!("`{text}` is not one version of a package"))
                .with_hint("write it as `NAME@X.Y.Z`"),
        ),
    }
}

fn report(answer: &YankAnswer, yanked: bool, context: &Context) -> Outcome<Exit> {
    let (name, version) = (&answer.name, &answer.version);
    let document = Done {
        kind: name.kind().to_string(),
        name: name.to_string(),
        version: version.to_string(),
        yanked,
        serial: Some(answer.serial),
        awaiting_signature: answer.awaiting_signature,
    };
    if answer.awaiting_signature {
        context.output.note(AWAITING_SIGNATURE);
    }
    context.output.result(&document, |out| {
        if yanked {
            writeln!(
                out,
                "{name} {version} is yanked: new solutions leave it out"
            )
        } else {
            writeln!(out, "{name} {version} can be chosen again")
        }
    })?;
    Ok(Exit::Done)
}
