//! `provisioning outdated`: what is newer than what is installed.

use provisioning_compat::{Outdated, outdated};
use provisioning_package::Version;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::Table;
use crate::planning::{Registry, consult, standing};
use crate::transaction::installed_now;

/// Show what is newer than what is installed, and what holds it back
///
/// For each package that is behind: the newest version that this machine could take, the
/// newest that fits what was asked for, and what keeps the newest out.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Exit with status 100 when something newer exists
    #[arg(long)]
    exit_code: bool,
    /// List the packages that are up to date too
    #[arg(long)]
    all: bool,
    /// Count pre-releases as newer
    #[arg(long)]
    pre: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    packages: &'a [Outdated],
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let mut found = match installed_now(context)? {
        None => Vec::new(),
        Some(current) => {
            let mut request = standing(context, &current);
            request.pre = args.pre;
            let mut registry = Registry::new();
            consult(context, &mut registry, &request, |it| {
                outdated(&request, it.matrix, it.index, it.cancelled)
            })
            .await?
        }
    };
    let is_behind = found.iter().any(Outdated::is_behind);
    if !args.all {
        found.retain(Outdated::is_behind);
    }
    let document = Document { packages: &found };
    context.output.long_result(&document, |out| {
        if found.is_empty() {
            return writeln!(out, "everything is the newest");
        }
        let mut table = Table::new(["NAME", "INSTALLED", "NEWEST", "FITS"]);
        for it in &found {
            let text = |it: &Option<Version>| it.as_ref().map(ToString::to_string);
            table.row([
                it.name.to_string(),
                it.installed.to_string(),
                text(&it.newest).unwrap_or_default(),
                text(&it.fits).unwrap_or_default(),
            ]);
        }
        table.write(out)?;
        for it in found.iter().filter(|it| !it.held_back_by.is_empty()) {
            writeln!(out, "\n{} is held back:", it.name)?;
            for cause in &it.held_back_by {
                writeln!(out, "  - {cause}")?;
            }
        }
        Ok(())
    })?;
    Ok(if args.exit_code && is_behind {
        Exit::Outdated
    } else {
        Exit::Done
    })
}
