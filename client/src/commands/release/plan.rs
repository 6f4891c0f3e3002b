//! `provisioning release plan`: what would be released, and why.

use std::collections::BTreeMap;

use provisioning_bundles::release::{Bump, Planned};
use provisioning_package::PackageName;

use super::WorkplaceArgs;
use crate::commands::info::printable;
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::Table;
use crate::releasing::{Workplace, parse_bump};

/// Show what would be released: versions by what was committed, and what waits for what
///
/// Reads every repository that `release.toml` names, since the last tag of each package.
/// Conventional commits say what they change; others are read by their first word. A major of
/// one coordinated package waits for a major of all.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning release plan --bump core=minor")]
pub(crate) struct Args {
    #[command(flatten)]
    workplace: WorkplaceArgs,
    /// Move a package this far, whatever was committed: `core=minor`
    #[arg(long = "bump", value_name = "NAME=BUMP", value_parser = parse_bump)]
    bumps: Vec<(PackageName, Bump)>,
}

/// Runs it.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let workplace = Workplace::open(args.workplace.release.as_deref(), context)?;
    let bumps: BTreeMap<PackageName, Bump> = args.bumps.iter().cloned().collect();
    let plan = workplace.plan(&bumps)?;
    context.output.long_result(&plan, |out| {
        let mut table = Table::new(["PACKAGE", "LAST", "NEXT", "CHANGES", "WAITS FOR"]);
        for it in &plan.packages {
            let version = |it: &Option<provisioning_package::Version>| {
                it.as_ref().map(ToString::to_string).unwrap_or_default()
            };
            let waits: Vec<&str> = it.waits_for.iter().map(PackageName::as_str).collect();
            table.row([
                it.name.to_string(),
                version(&it.from),
                version(&it.to),
                it.changes.to_string(),
                waits.join(", "),
            ]);
        }
        table.write(out)?;
        for it in plan.packages.iter().filter(|it| it.to.is_some()) {
            writeln!(out, "\n{} {}:", it.name, target(it))?;
            for reason in &it.reasons {
                writeln!(out, "  - {}", printable(reason))?;
            }
            for doubt in &it.doubts {
                writeln!(out, "  ? {}", printable(doubt))?;
            }
        }
        let word = if plan.ready {
            "`provisioning release run` releases what waits for nothing"
        } else {
            "there is nothing to release now"
        };
        writeln!(out, "\n{word}")
    })?;
    Ok(Exit::Done)
}

fn target(planned: &Planned) -> String {
    planned
        .to
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default()
}
