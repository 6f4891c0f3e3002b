//! `provisioning history`: every generation, and why it was made.

use jiff::Timestamp;
use provisioning_installers::{Generation, Prefix};
use provisioning_package::{Kind, PackageName, Version};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::Table;
use crate::transaction::{Mode, open_prefix};

/// Lists the generations, oldest first, with the command that made each.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

#[derive(Serialize)]
struct Document<'a> {
    generations: Vec<Listed<'a>>,
}

#[derive(Serialize)]
struct Listed<'a> {
    generation: u64,
    current: bool,
    parent: Option<u64>,
    created_at: Timestamp,
    reason: &'a str,
    packages: Vec<ListedPackage<'a>>,
}

#[derive(Serialize)]
struct ListedPackage<'a> {
    kind: Kind,
    name: &'a PackageName,
    version: &'a Version,
}

/// Runs it.
pub(crate) fn run(_args: &Args, context: &Context) -> Outcome<Exit> {
    let prefix: Prefix = open_prefix(context, Mode::Do)?;
    let history = prefix.history()?;
    let current = history.last().map(|it| it.generation);
    let generations: Vec<_> = history.iter().map(|it| listed(it, current)).collect();
    let document = Document { generations };
    context.output.long_result(&document, |out| {
        if document.generations.is_empty() {
            return writeln!(out, "nothing was ever installed here");
        }
        let mut table = Table::new(["GENERATION", "MADE", "PACKAGES", "REASON"]);
        for it in &document.generations {
            let mark = if it.current { " *" } else { "" };
            table.row([
                format!("{}{mark}", it.generation),
                it.created_at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
                it.packages.len().to_string(),
                it.reason.to_owned(),
            ]);
        }
        table.write(out)
    })?;
    Ok(Exit::Done)
}

fn listed(generation: &Generation, current: Option<u64>) -> Listed<'_> {
    Listed {
        generation: generation.generation,
        current: Some(generation.generation) == current,
        parent: generation.parent,
        created_at: generation.created_at,
        reason: &generation.reason,
        packages: generation
            .packages
            .iter()
            .map(|it| ListedPackage {
                kind: it.kind,
                name: &it.name,
                version: &it.version,
            })
            .collect(),
    }
}
