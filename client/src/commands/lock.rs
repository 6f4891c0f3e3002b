//! `provisioning lock`: resolve what a workspace requires, and write it down.

use provisioning_compat::{Change, Lockfile};
use provisioning_package::{Digest, Kind, PackageName, Target, Version};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::planning::{Moves, Registry, Workspace};

/// Resolve what the workspace requires into `provisioning.lock`
///
/// `[requires]` of `provisioning.toml` holds specs: `core = "^3.2"`, `mongodb = "1.2.0"`,
/// `stable-3.2 = "*"` for a bundle. What is locked already stays where it is, as far as what
/// is required lets it; `provisioning upgrade` moves it. Commit the lockfile.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Say what would change, and write nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    lockfile: String,
    changes: &'a [Change],
    packages: Vec<Locked<'a>>,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Locked<'a> {
    kind: Kind,
    name: &'a PackageName,
    version: &'a Version,
    digests: std::collections::BTreeMap<Target, Digest>,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let workspace = Workspace::find(context)?;
    let mut registry = if args.dry_run {
        Registry::without_traces()
    } else {
        Registry::new()
    };
    let old = workspace.lockfile()?;
    let relocked = workspace
        .lock(old.as_ref(), &Moves::Asked, context, &mut registry)
        .await?;
    if !args.dry_run {
        workspace.write(&relocked.lockfile)?;
    }
    for warning in &relocked.warnings {
        context.output.warning(warning);
    }
    let document = Document {
        lockfile: workspace.lock_path().display().to_string(),
        changes: &relocked.changes,
        packages: locked(&relocked.lockfile),
        warnings: &relocked.warnings,
    };
    context.output.result(&document, |out| {
        for change in &relocked.changes {
            writeln!(out, "{change}")?;
        }
        let count = document.packages.len();
        match (args.dry_run, relocked.changes.is_empty()) {
            (_, true) => writeln!(out, "{count} packages are locked, as before"),
            (true, false) => writeln!(out, "nothing was changed: this was a dry run"),
            (false, false) => writeln!(out, "{count} packages are locked"),
        }
    })?;
    Ok(Exit::Done)
}

fn locked(lockfile: &Lockfile) -> Vec<Locked<'_>> {
    let packages = lockfile.packages.iter();
    packages
        .map(|(name, it)| Locked {
            kind: name.kind(),
            name,
            version: &it.version,
            digests: it.digests.clone(),
        })
        .collect()
}
