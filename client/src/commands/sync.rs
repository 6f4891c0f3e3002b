//! `provisioning sync`: install exactly what a workspace's lockfile says.

use std::collections::BTreeSet;
use std::path::Path;

use provisioning_compat::{Disagreement, Lockfile};
use provisioning_package::{Digest, PackageName};

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::planning::{Intent, Moves, Registry, Workspace, other_registry};
use crate::transaction::{Mode, carry_out, installed_now};

/// How the reasons of generations begin that `sync` made.
const SYNC: &str = "sync";

/// Install exactly what the workspace's lockfile says
///
/// Into `<workspace>/.provisioning`, unless a prefix is given. Where the lockfile does not
/// answer `[requires]` of `provisioning.toml`, it is brought up to date first, moving as
/// little as can be; under `--frozen` that is refused. What is in the store or the cache is
/// installed without asking the registry.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Fail where the lockfile and `[requires]` disagree, in place of resolving again
    #[arg(long)]
    frozen: bool,
    /// Say what would change, and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let workspace = Workspace::find(context)?;
    let old = workspace.lockfile()?;
    let found = disagreements(old.as_ref(), &workspace, context)?;
    let lockfile = match old {
        Some(lockfile) if found.is_empty() => lockfile,
        old if args.frozen => return Err(frozen(old.is_some(), &found)),
        old => {
            relock(
                &workspace,
                old.as_ref(),
                &Moves::Asked,
                args.dry_run,
                context,
            )
            .await?
        }
    };
    install(
        lockfile,
        &workspace,
        "sync",
        Mode::of(args.dry_run),
        context,
    )
    .await
}

/// `upgrade` where there is a lockfile: moves what it locks, and installs that. `None` where
/// the command is about another prefix.
pub(crate) async fn upgrade(
    names: &[String],
    mode: Mode,
    context: &Context,
) -> Outcome<Option<Exit>> {
    if context.settings.workspace().is_none() || is_of_somebody_else(context)? {
        return Ok(None);
    }
    let workspace = Workspace::find(context)?;
    let Some(old) = workspace.lockfile()? else {
        return Ok(None);
    };
    let moves = if names.is_empty() {
        Moves::Everything
    } else {
        let mut moving = BTreeSet::new();
        for text in names {
            moving.insert(locked(&old, text)?);
        }
        Moves::Only(moving)
    };
    let lockfile = relock(
        &workspace,
        Some(&old),
        &moves,
        mode == Mode::DryRun,
        context,
    )
    .await?;
    let reason = format!("{SYNC}, upgrade {}", names.join(" "));
    let exit = install(lockfile, &workspace, reason.trim_end(), mode, context).await?;
    Ok(Some(exit))
}

/// Whether a prefix was given in which something else than `sync` installed.
fn is_of_somebody_else(context: &Context) -> Outcome<bool> {
    if !context.settings.has_given_prefix() {
        return Ok(false);
    }
    let current = installed_now(context)?;
    Ok(current.is_some_and(|it| !it.reason.starts_with(SYNC)))
}

async fn relock(
    workspace: &Workspace,
    old: Option<&Lockfile>,
    moves: &Moves,
    dry_run: bool,
    context: &Context,
) -> Outcome<Lockfile> {
    let mut registry = if dry_run {
        Registry::without_traces()
    } else {
        Registry::new()
    };
    let relocked = workspace.lock(old, moves, context, &mut registry).await?;
    for warning in &relocked.warnings {
        context.output.warning(warning);
    }
    if !dry_run {
        workspace.write(&relocked.lockfile)?;
    }
    Ok(relocked.lockfile)
}

async fn install(
    lockfile: Lockfile,
    workspace: &Workspace,
    reason: &str,
    mode: Mode,
    context: &Context,
) -> Outcome<Exit> {
    let mut context = context.clone();
    if !context.settings.has_given_prefix() {
        context.settings.use_prefix(workspace.prefix());
    }
    let intent = Intent::Sync {
        lockfile: Box::new(lockfile),
        reason: reason.to_owned(),
    };
    carry_out(&intent, mode, &context).await
}

/// Where the lockfile does not answer what is required, and whether it is from another
/// registry, as far as that is known here.
fn disagreements(
    lockfile: Option<&Lockfile>,
    workspace: &Workspace,
    context: &Context,
) -> Outcome<Vec<Disagreement>> {
    let Some(lockfile) = lockfile else {
        return Ok(Vec::new());
    };
    if let Some(location) = context.settings.registry_if_set() {
        let known = known_roots(&context.settings.trust_state(location)?);
        let other = known
            .first()
            .filter(|_| !known.contains(&lockfile.registry.root));
        if let Some(root) = other {
            return Err(other_registry(
                &lockfile.registry,
                &location.to_string(),
                root,
            ));
        }
    }
    Ok(lockfile.disagreements(&workspace.requires, None))
}

/// The roots that this machine has believed of a registry; none where it never met it.
fn known_roots(state: &Path) -> Vec<Digest> {
    let history = std::fs::read_dir(state.join("root_history"));
    let history = history.into_iter().flatten().flatten().map(|it| it.path());
    std::iter::once(state.join("contact/root.json"))
        .chain(history)
        .filter_map(|it| std::fs::read(it).ok())
        .map(|it| Digest::of(&it))
        .collect()
}

fn frozen(has_lockfile: bool, found: &[Disagreement]) -> Failure {
    let message = if has_lockfile {
        "the lockfile does not answer what the workspace requires"
    } else {
        "the workspace has no `provisioning.lock`"
    };
    Failure::new("frozen", message)
        .with_causes(found.iter().map(ToString::to_string))
        .with_hint("`provisioning lock` writes it; nothing was changed")
}

fn locked(lockfile: &Lockfile, text: &str) -> Outcome<PackageName> {
    let name = PackageName::from_user(text).ok();
    name.filter(|it| lockfile.packages.contains_key(it))
        .ok_or_else(|| {
            Failure::new("not-locked", format!("`{text}` is not in the lockfile"))
                .with_hint("require it in `provisioning.toml`, then `provisioning sync`")
        })
}
