//! `provisioning tree`: what needs what.

use std::collections::BTreeSet;

use provisioning_compat::{Tree, inverted_tree, tree};
use provisioning_package::PackageName;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::planning::{installed, installed_set, standing};
use crate::transaction::installed_now;

/// Show what is installed as a tree: what was asked for, and what that needs
///
/// The requirement stands in parentheses. `(*)` marks a package whose needs were shown
/// further up.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning tree --invert core")]
pub(crate) struct Args {
    /// Begin with these packages
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Turn it round: below each package, who needs it
    #[arg(short, long)]
    invert: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    generation: Option<u64>,
    tree: &'a [provisioning_compat::TreeLine],
}

/// Runs it.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let current = installed_now(context)?;
    let Some(current) = current else {
        let document = Document {
            generation: None,
            tree: &[],
        };
        context
            .output
            .result(&document, |out| writeln!(out, "nothing is installed"))?;
        return Ok(Exit::Done);
    };
    let mut names: BTreeSet<PackageName> = BTreeSet::new();
    for name in &args.names {
        names.insert(installed(&current, name)?);
    }
    let set = installed_set::versions(&current);
    let index = installed_set::recorded(&current);
    let mut wanted = standing(context, &current).wanted;
    let grown: Tree = if args.invert {
        let all = set.keys().cloned().collect();
        let roots = if names.is_empty() { all } else { names };
        inverted_tree(&set, &roots.into_iter().collect::<Vec<_>>(), &index)
    } else {
        if !names.is_empty() {
            wanted = names
                .into_iter()
                .map(|it| {
                    let spec = it.to_string();
                    let any = provisioning_package::Selector::Any;
                    provisioning_compat::Wanted::by_you(it, any, spec)
                })
                .collect();
        }
        tree(&set, &wanted, &index)
    };
    let document = Document {
        generation: Some(current.generation),
        tree: &grown.lines,
    };
    context
        .output
        .long_result(&document, |out| writeln!(out, "{grown}"))?;
    Ok(Exit::Done)
}
