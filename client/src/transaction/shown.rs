//! A plan as people and programs see it.

use std::io::{self, Write};

use provisioning_installers::{Action, Change, Plan};
use provisioning_package::Kind;
use serde::Serialize;

use super::Mode;
use super::requirements::Commands;
use crate::context::Context;
use crate::failure::Outcome;
use crate::output::{Output, bytes};

#[derive(Serialize)]
struct Document<'a> {
    plan: PlanDocument<'a>,
    generation: Option<u64>,
}

#[derive(Serialize)]
struct PlanDocument<'a> {
    changes: &'a [Change],
    warnings: &'a [String],
}

/// Prints a plan, and the generation that it became.
pub(super) fn show(
    plan: &Plan,
    generation: Option<u64>,
    mode: Mode,
    context: &Context,
) -> Outcome<()> {
    let output = &context.output;
    for warning in &plan.warnings {
        output.warning(warning);
    }
    let document = Document {
        plan: PlanDocument {
            changes: &plan.changes,
            warnings: &plan.warnings,
        },
        generation,
    };
    output.result(&document, |out| write(plan, generation, mode, output, out))?;
    if mode == Mode::Do {
        note_path(plan, context)?;
    }
    Ok(())
}

fn write(
    plan: &Plan,
    generation: Option<u64>,
    mode: Mode,
    output: &Output,
    out: &mut dyn Write,
) -> io::Result<()> {
    let moving: Vec<_> = plan
        .changes
        .iter()
        .filter(|it| it.action != Action::Keep)
        .collect();
    let width = moving
        .iter()
        .map(|it| it.name.as_str().len())
        .max()
        .unwrap_or(0);
    for change in &moving {
        writeln!(out, "{}", line(change, width, output))?;
    }
    match (mode, generation) {
        (Mode::DryRun, _) if moving.is_empty() => writeln!(out, "nothing would change"),
        (Mode::DryRun, _) => writeln!(out, "nothing was changed: this was a dry run"),
        (Mode::Do, Some(generation)) if !plan.is_empty() => writeln!(
            out,
            "generation {generation} is current; `provisioning rollback` goes back"
        ),
        (Mode::Do, _) => writeln!(out, "nothing to do: everything is as asked"),
    }
}

fn line(change: &Change, width: usize, output: &Output) -> String {
    let name = format!("{:width$}", change.name.as_str());
    let (word, versions) = match (change.action, &change.from, &change.to) {
        (action, Some(from), Some(to)) => (word(action), format!("{from} -> {to}")),
        (action, Some(version), None) | (action, None, Some(version)) => {
            (word(action), version.to_string())
        }
        (action, None, None) => (word(action), String::new()),
    };
    let size = match change.action {
        Action::Install | Action::Upgrade | Action::Downgrade => {
            output.faint(&format!("  ({}, {})", change.target, bytes(change.size)))
        }
        Action::Remove | Action::Keep => String::new(),
    };
    format!("{word:9}  {}  {versions}{size}", output.strong(&name))
}

const fn word(action: Action) -> &'static str {
    match action {
        Action::Install => "install",
        Action::Upgrade => "upgrade",
        Action::Downgrade => "downgrade",
        Action::Remove => "remove",
        Action::Keep => "keep",
    }
}

/// Commands in a folder that the shell does not look into would puzzle people.
fn note_path(plan: &Plan, context: &Context) -> Outcome<()> {
    let bin = context.settings.prefix()?.join("bin");
    let arrived = plan
        .changes
        .iter()
        .any(|it| it.action == Action::Install && matches!(it.kind, Kind::Core | Kind::Platform));
    if arrived && bin.is_dir() && !Commands::of_path(&context.env).has_folder(&bin) {
        context.output.note(&format!(
            "`{}` is not on PATH; add it to run the installed commands",
            bin.display()
        ));
    }
    Ok(())
}
