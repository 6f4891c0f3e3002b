//! `provisioning list`: what is installed.

use provisioning_installers::{Generation, InstalledPackage};
use provisioning_package::{Digest, Kind, PackageName, Target, Version};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::Table;
use crate::transaction::installed_now;

/// Lists what is installed, and who asked for it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only packages of this kind: `core`, `platform`, `extension`, `workspace`
    #[arg(long)]
    kind: Option<Kind>,
}

#[derive(Serialize)]
struct Document<'a> {
    generation: Option<u64>,
    bundle: Option<String>,
    packages: Vec<Listed<'a>>,
}

#[derive(Serialize)]
struct Listed<'a> {
    kind: Kind,
    name: &'a PackageName,
    version: &'a Version,
    target: Target,
    digest: &'a Digest,
    requested_by: &'a [String],
}

/// Runs it.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    show(args.kind, context)
}

/// Prints the installed packages of one kind, or all.
pub(crate) fn show(kind: Option<Kind>, context: &Context) -> Outcome<Exit> {
    let current = installed_now(context)?;
    let packages: Vec<&InstalledPackage> = current
        .iter()
        .flat_map(|it| &it.packages)
        .filter(|it| kind.is_none_or(|kind| it.kind == kind))
        .collect();
    let document = Document {
        generation: current.as_ref().map(|it| it.generation),
        bundle: current.as_ref().and_then(followed),
        packages: packages.iter().map(|it| listed(it)).collect(),
    };
    context.output.result(&document, |out| {
        if packages.is_empty() {
            let what = kind.map_or_else(|| "package".to_owned(), |it| it.to_string());
            return writeln!(out, "no {what} is installed");
        }
        let mut table = Table::new(["KIND", "NAME", "VERSION", "TARGET", "ASKED FOR BY"]);
        for it in &packages {
            table.row([
                it.kind.to_string(),
                it.name.to_string(),
                it.version.to_string(),
                it.target.to_string(),
                it.requested_by.join(", "),
            ]);
        }
        table.write(out)
    })?;
    Ok(Exit::Done)
}

fn listed(package: &InstalledPackage) -> Listed<'_> {
    Listed {
        kind: package.kind,
        name: &package.name,
        version: &package.version,
        target: package.target,
        digest: &package.digest,
        requested_by: &package.requested_by,
    }
}

fn followed(current: &Generation) -> Option<String> {
    current
        .requests
        .bundle
        .as_ref()
        .map(|it| it.name.to_string())
}
