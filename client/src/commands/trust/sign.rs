//! `provisioning trust sign`: sign what waits for it, or a change of keys in a file.

use std::path::PathBuf;

use provisioning_registry_api::trust::SignatureAdded;
use provisioning_trust::Change;
use serde::Serialize;

use super::change::{self, ChangeJson};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::registry::RegistryReader;
use crate::signing::keys::KeyArgs;
use crate::signing::local::LocalFiles;
use crate::signing::{Shown, Signed, show_release, sign_release};

/// Sign the release that waits for signatures, or a change of keys in a file
///
/// What would be signed is shown first. Every archive in it must be among the files given
/// here, whose digests are taken on this machine, unless another engineer has signed already.
/// The key stays here; the signature alone is sent.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provisioning trust sign --key release.pem dist/\n  \
                        provisioning trust sign --dry-run\n  \
                        provisioning trust sign --key root-1.pem change.json"
)]
pub(crate) struct Args {
    /// Archives, or folders of them, that are to be signed; or one file that `trust propose`
    /// wrote
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    keys: KeyArgs,
    /// Show what waits, and sign nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Document {
    state: &'static str,
    #[serde(flatten)]
    added: Option<SignatureAdded>,
    waiting: Option<Shown>,
    change: Option<ChangeJson>,
}

/// Runs it.
pub(super) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    if let [file] = &args.files[..]
        && let Some(change) = change::read_if_change(&context.env.absolute(file))?
    {
        return sign_change(args, &context.env.absolute(file), change, context).await;
    }
    let local = LocalFiles::read(&args.files, context)?;
    if args.dry_run {
        return show(&local, context).await;
    }
    let keys = args.keys.load(context)?;
    match sign_release(&keys, &local, context).await? {
        Signed::Nothing => nothing(context),
        Signed::Added(added) => report(added, context),
    }
}

/// Says how a signature was taken in; also for `publish --key`.
pub(crate) fn report(added: SignatureAdded, context: &Context) -> Outcome<Exit> {
    let document = Document {
        state: if added.visible {
            "visible"
        } else {
            "awaiting-signature"
        },
        added: Some(added),
        waiting: None,
        change: None,
    };
    context.output.result(&document, |out| {
        let Some(added) = &document.added else {
            return Ok(());
        };
        if added.visible {
            return writeln!(out, "release {} is signed and visible", added.version);
        }
        let threshold = usize::try_from(added.threshold).unwrap_or(usize::MAX);
        writeln!(
            out,
            "release {} has {} of the {threshold} signatures that it needs; it still waits for {} \
             of:",
            added.version,
            added.signed.len(),
            threshold.saturating_sub(added.signed.len())
        )?;
        for id in &added.missing {
            writeln!(out, "  {id}")?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

fn nothing(context: &Context) -> Outcome<Exit> {
    let document = Document {
        state: "nothing",
        added: None,
        waiting: None,
        change: None,
    };
    context.output.result(&document, |out| {
        writeln!(out, "nothing waits for a signature")
    })?;
    Ok(Exit::Done)
}

async fn show(local: &LocalFiles, context: &Context) -> Outcome<Exit> {
    let Some(waiting) = show_release(local, context).await? else {
        return nothing(context);
    };
    let document = Document {
        state: "awaiting-signature",
        added: None,
        waiting: Some(waiting),
        change: None,
    };
    context.output.result(&document, |out| {
        let Some(waiting) = &document.waiting else {
            return Ok(());
        };
        writeln!(out, "release {} waits for signatures", waiting.version)?;
        for line in &waiting.lines {
            writeln!(out, "{line}")?;
        }
        for line in &waiting.refusals {
            writeln!(out, "must not be signed: {line}")?;
        }
        for line in &waiting.unseen {
            writeln!(out, "not hashed here: {line}")?;
        }
        writeln!(
            out,
            "{} of {} have signed; these could: {}",
            waiting.signed.len(),
            waiting.threshold,
            waiting.missing.join(", ")
        )
    })?;
    Ok(Exit::Done)
}

async fn sign_change(
    args: &Args,
    file: &std::path::Path,
    mut change: Change,
    context: &Context,
) -> Outcome<Exit> {
    let mut registry = RegistryReader::open(context).await?;
    let files = registry.role_files().await?;
    let lines = change.describe(&files)?;
    if change.moves_targets(&files)? {
        return Err(Failure::new(
            "release-refused",
            "this change of keys would also change what the release lists; nothing was signed",
        )
        .with_causes(lines)
        .with_exit(Exit::Verification));
    }
    for proposal in &change.proposals {
        proposal.check(context.now())?;
    }
    for line in &lines {
        context.output.status(line);
    }
    if args.dry_run {
        return change::report(&change, &files, Vec::new(), context);
    }
    let keys = args.keys.load(context)?;
    change::agree(context)?;
    let mut signed = Vec::new();
    for key in &keys {
        let roles = change.sign(key, &files)?;
        if roles.is_empty() {
            return Err(Failure::new(
                "foreign-key",
                format!("the key {} may sign nothing of this change", key.key_id()),
            ));
        }
        signed.extend(roles);
    }
    change::write(file, &change)?;
    change::report(&change, &files, signed, context)
}
