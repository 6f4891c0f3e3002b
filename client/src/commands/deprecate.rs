//! `provisioning deprecate`: say that a package should not be used any more.

use provisioning_package::PackageName;
use provisioning_registry_api::index::PackageState;
use provisioning_registry_api::life::SetStatus;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::write_api::WriteClient;

/// Say that a package should not be used any more
///
/// It still installs, with a warning that gives your reason and what to use instead. `--archive` also closes it
/// to new versions; `--undo` takes either back.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: provisioning deprecate redis --reason 'no maintainer' --replacement valkey"
)]
pub(crate) struct Args {
    /// The package
    name: String,
    /// Why; everybody who has it will read this
    #[arg(long, required_unless_present = "undo")]
    reason: Option<String>,
    /// The package to use instead
    #[arg(long)]
    replacement: Option<String>,
    /// Close it to new versions too
    #[arg(long)]
    archive: bool,
    /// It is to be used again
    #[arg(long, conflicts_with_all = ["reason", "replacement", "archive"])]
    undo: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let name = PackageName::from_user(&args.name)?;
    let reason = args.reason.as_deref().map(str::trim);
    if reason.is_some_and(str::is_empty) {
        return Err(Failure::usage("`--reason` is empty"));
    }
    let (state, word) = match (args.undo, args.archive) {
        (true, _) => (PackageState::Active, "active"),
        (false, true) => (PackageState::Archived, "archived"),
        (false, false) => (PackageState::Deprecated, "deprecated"),
    };
    let wanted = SetStatus {
        state,
        reason: reason.map(str::to_owned),
        replacement: args.replacement.clone(),
    };
    let api = WriteClient::open(context).await?;
    let changed = api.set_status(&name, &wanted).await?;
    context
        .output
        .result(&changed, |out| writeln!(out, "{} is {word}", changed.name))?;
    Ok(Exit::Done)
}
