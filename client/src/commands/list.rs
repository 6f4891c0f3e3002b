//! `provisioning list`: what is installed.

use std::path::Path;

use provisioning_installers::{Generation, InstalledPackage, Linked};
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
    /// Its archive; `None` where there is only a working copy.
    digest: Option<&'a Digest>,
    requested_by: &'a [String],
    /// The working copy that stands in its place.
    linked: Option<&'a Path>,
    pinned: Option<&'a str>,
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
    let copies: Vec<&Linked> = current
        .iter()
        .flat_map(|it| &it.linked)
        .filter(|it| kind.is_none_or(|kind| it.kind == kind))
        .collect();
    let alone = |it: &&&Linked| !packages.iter().any(|other| other.name == it.name);
    let mut rows: Vec<Listed<'_>> = packages
        .iter()
        .map(|it| {
            let pins = current.as_ref().map(|all| &all.requests.pins);
            let pinned = pins.and_then(|pins| pins.get(&it.name));
            let linked = current.as_ref().and_then(|all| all.linked(&it.name));
            listed(it, linked, pinned.map(String::as_str))
        })
        .chain(copies.iter().filter(alone).map(|it| linked_alone(it)))
        .collect();
    rows.sort_by_key(|it| (it.kind, it.name));
    let document = Document {
        generation: current.as_ref().map(|it| it.generation),
        bundle: current.as_ref().and_then(followed),
        packages: rows,
    };
    context.output.long_result(&document, |out| {
        if document.packages.is_empty() {
            let what = kind.map_or_else(|| "package".to_owned(), |it| it.to_string());
            return writeln!(out, "no {what} is installed");
        }
        let mut table = Table::new(["KIND", "NAME", "VERSION", "TARGET", "ASKED FOR BY"]);
        for it in &document.packages {
            table.row([
                it.kind.to_string(),
                it.name.to_string(),
                match it.pinned {
                    Some(_) => format!("{} (pinned)", it.version),
                    None => it.version.to_string(),
                },
                it.target.to_string(),
                it.requested_by.join(", "),
            ]);
        }
        table.write(out)?;
        for it in &document.packages {
            if let Some(path) = it.linked {
                writeln!(out, "{} is linked to {}", it.name, path.display())?;
            }
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

fn listed<'a>(
    package: &'a InstalledPackage,
    linked: Option<&'a Linked>,
    pinned: Option<&'a str>,
) -> Listed<'a> {
    Listed {
        kind: package.kind,
        name: &package.name,
        version: linked.map_or(&package.version, |it| &it.version),
        target: package.target,
        digest: Some(&package.digest),
        requested_by: &package.requested_by,
        linked: linked.map(|it| it.path.as_path()),
        pinned,
    }
}

/// A working copy of a package that is not installed.
fn linked_alone(linked: &Linked) -> Listed<'_> {
    Listed {
        kind: linked.kind,
        name: &linked.name,
        version: &linked.version,
        target: Target::Any,
        digest: None,
        requested_by: &[],
        linked: Some(&linked.path),
        pinned: None,
    }
}

fn followed(current: &Generation) -> Option<String> {
    current
        .requests
        .bundle
        .as_ref()
        .map(|it| it.name.to_string())
}
