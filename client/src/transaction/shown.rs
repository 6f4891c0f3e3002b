//! A plan as people and programs see it.

use std::collections::BTreeMap;

use provisioning_installers::{Action, Change, Generation, Plan};
use provisioning_package::Kind;
use serde::Serialize;

use super::Mode;
use super::requirements::Commands;
use crate::context::Context;
use crate::failure::Outcome;
use crate::output::bytes;

#[derive(Serialize)]
struct Document<'a> {
    plan: PlanDocument<'a>,
    generation: Option<u64>,
}

#[derive(Serialize)]
struct PlanDocument<'a> {
    changes: &'a [Change],
    warnings: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pins: BTreeMap<&'a str, Option<&'a str>>,
}

/// What there is to show of a plan.
pub(super) struct Shown<'a> {
    /// The plan.
    pub(super) plan: &'a Plan,
    /// What it started from.
    pub(super) before: Option<&'a Generation>,
    /// The generation that is current now.
    pub(super) generation: Option<u64>,
    /// Whether it was done.
    pub(super) mode: Mode,
    /// Whether the changes were shown already, for somebody to agree to.
    pub(super) was_agreed: bool,
}

/// Prints a plan, and the generation that it became.
pub(super) fn show(shown: &Shown<'_>, context: &Context) -> Outcome<()> {
    let output = &context.output;
    for warning in &shown.plan.warnings {
        output.warning(warning);
    }
    let document = Document {
        plan: PlanDocument {
            changes: &shown.plan.changes,
            warnings: &shown.plan.warnings,
            pins: changed_pins(shown.plan, shown.before),
        },
        generation: shown.generation,
    };
    output.result(&document, |out| {
        if !(shown.was_agreed && context.env.stdout_is_terminal) {
            let strong = |text: &str| output.strong(text);
            let faint = |text: &str| output.faint(text);
            for line in lines(shown.plan, shown.before, strong, faint) {
                writeln!(out, "{line}")?;
            }
        }
        writeln!(out, "{}", closing(shown))
    })?;
    if shown.mode == Mode::Do {
        note_path(shown.plan, context)?;
    }
    Ok(())
}

/// A line for each package that moves and each pin that comes or goes; the columns align.
pub(super) fn lines(
    plan: &Plan,
    before: Option<&Generation>,
    strong: impl Fn(&str) -> String,
    faint: impl Fn(&str) -> String,
) -> Vec<String> {
    let mut rows: Vec<[String; 4]> = Vec::new();
    let moving = plan.changes.iter();
    for change in moving.filter(|it| it.action != Action::Keep) {
        rows.push([
            word(change.action).to_owned(),
            change.name.to_string(),
            versions(change),
            size(change),
        ]);
    }
    for (name, pin) in changed_pins(plan, before) {
        let word = if pin.is_some() { "pin" } else { "unpin" };
        rows.push([
            word.to_owned(),
            name.to_owned(),
            pin.unwrap_or_default().to_owned(),
            String::new(),
        ]);
    }
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let (names, versions) = (width(1), width(2));
    rows.iter()
        .map(|[word, name, version, size]| {
            let name = strong(&format!("{name:names$}"));
            if size.is_empty() {
                format!("{word:9}  {name}  {version}").trim_end().to_owned()
            } else {
                format!("{word:9}  {name}  {version:versions$}{}", faint(size))
            }
        })
        .collect()
}

/// The last line: how it stands now.
fn closing(shown: &Shown<'_>) -> String {
    let plan = shown.plan;
    let is_still = plan.changes.iter().all(|it| it.action == Action::Keep)
        && changed_pins(plan, shown.before).is_empty();
    match (shown.mode, shown.generation) {
        (Mode::DryRun, _) if is_still => "nothing would change".to_owned(),
        (Mode::DryRun, _) => "nothing was changed: this was a dry run".to_owned(),
        (Mode::Do, Some(generation)) if !plan.is_empty() => {
            format!("generation {generation} is current; `provisioning rollback` goes back")
        }
        (Mode::Do, _) => "nothing to do: everything is as asked".to_owned(),
    }
}

/// The pins that the plan makes, and those that it takes away.
fn changed_pins<'a>(
    plan: &'a Plan,
    before: Option<&'a Generation>,
) -> BTreeMap<&'a str, Option<&'a str>> {
    let old = before.map(|it| &it.requests.pins);
    let new = &plan.requests.pins;
    let gone = old.into_iter().flat_map(BTreeMap::keys);
    let gone = gone.filter(|it| !new.contains_key(*it));
    let gone = gone.map(|it| (it.as_str(), None));
    let made = new
        .iter()
        .filter(|(name, text)| old.and_then(|it| it.get(*name)) != Some(*text));
    gone.chain(made.map(|(name, text)| (name.as_str(), Some(text.as_str()))))
        .collect()
}

fn versions(change: &Change) -> String {
    match (&change.from, &change.to) {
        (Some(from), Some(to)) => format!("{from} -> {to}"),
        (Some(version), None) | (None, Some(version)) => version.to_string(),
        (None, None) => String::new(),
    }
}

fn size(change: &Change) -> String {
    match change.action {
        Action::Install | Action::Upgrade | Action::Downgrade => {
            format!("  ({}, {})", change.target, bytes(change.size))
        }
        Action::Remove | Action::Keep => String::new(),
    }
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
