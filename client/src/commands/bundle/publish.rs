//! `provisioning bundle publish`: publish a bundle of `versions.toml`.

use clap::ValueEnum;
use provisioning_compat::BundleDraft;
use provisioning_installers::{Prefix, current_if_whole};
use provisioning_package::{BundleName, PackageName};
use provisioning_registry_api::bundle::BundleState;

use super::draft;
use crate::commands::compat::{FileArgs, MatrixFile};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::write_api::WriteClient;

/// Publish a bundle of `versions.toml` as its next sequence
///
/// The registry refuses one
/// that names something missing, yanked, quarantined or incompatible; an equal one again is
/// no new sequence.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning bundle publish stable-3.2")]
pub(crate) struct Args {
    /// The bundle, as `versions.toml` names it
    #[arg(value_parser = BundleName::parse)]
    name: BundleName,
    #[command(flatten)]
    file: FileArgs,
    /// How far it has come [default: `testing` where the registry has testers; else `lts` with
    /// an `lts-until`, `stable` without]
    #[arg(long)]
    state: Option<State>,
}

/// The states that a bundle can be published in.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    Draft,
    Testing,
    Candidate,
    Stable,
    Lts,
}

impl From<State> for BundleState {
    fn from(state: State) -> Self {
        match state {
            State::Draft => Self::Draft,
            State::Testing => Self::Testing,
            State::Candidate => Self::Candidate,
            State::Stable => Self::Stable,
            State::Lts => Self::Lts,
        }
    }
}

/// What was tried with a working copy was not what would be published.
fn refuse_linked(draft: &BundleDraft, context: &Context) -> Outcome<()> {
    let members = draft.members.iter().chain(&draft.optional);
    let names: Vec<PackageName> = members.map(|(name, _)| name.clone()).collect();
    refuse_linked_names(&names, context)
}

/// The same for any packages.
pub(crate) fn refuse_linked_names(names: &[PackageName], context: &Context) -> Outcome<()> {
    let Ok(prefix) = context.settings.prefix() else {
        return Ok(());
    };
    let current = current_if_whole(&Prefix::new(prefix))?;
    let linked: Vec<_> = names
        .iter()
        .filter_map(|name| current.as_ref()?.linked(name))
        .collect();
    let Some(first) = linked.first() else {
        return Ok(());
    };
    let causes = linked
        .iter()
        .map(|it| format!("`{}` is linked to `{}`", it.name, it.path.display()));
    Err(Failure::new(
        "linked",
        format!(
            "members of the bundle are linked in `{}`, so what was tried there is not what would be published",
            prefix.display()
        ),
    )
    .with_causes(causes)
    .with_hint(format!(
        "publish them, then `provisioning unlink {}`; nothing was published",
        first.name
    )))
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let file = MatrixFile::read(&args.file.file, context)?;
    let draft = draft(&file, &args.name)?;
    let state = args.state.map(BundleState::from);
    refuse_linked(draft, context)?;
    let api = WriteClient::open(context).await?;
    let request = provisioning_bundles::from_draft(draft, state);
    let published = api.publish_bundle(&args.name, &request).await?;
    for warning in &published.warnings {
        context.output.warning(warning);
    }
    if published.awaiting_signature {
        context.output.note(crate::signing::AWAITING_SIGNATURE);
    }
    context.output.result(&published, |out| {
        let state = published.state.as_str();
        write!(
            out,
            "published {} #{} as {state}",
            published.name, published.sequence
        )?;
        let channels: Vec<&str> = published.channels.iter().map(BundleName::as_str).collect();
        match channels.as_slice() {
            [] => writeln!(out),
            [one] => writeln!(out, "; the channel `{one}` points at it"),
            several => writeln!(out, "; the channels {} point at it", several.join(", ")),
        }
    })?;
    Ok(Exit::Done)
}
