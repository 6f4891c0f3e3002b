//! `provisioning bundle show`: a published bundle.

use std::io::{self, Write};

use provisioning_package::BundleName;
use provisioning_registry_api::bundle::{BundleDocument, BundleSequence, BundleState, Gate};

use super::find;
use crate::commands::info::printable;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Table;
use crate::registry::RegistryReader;

/// Show a published bundle: its sequences, and the members of the newest
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A bundle or a channel
    #[arg(value_parser = BundleName::parse)]
    name: BundleName,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let mut registry = RegistryReader::open(context).await?;
    let document = find(&mut registry, &args.name).await?.ok_or_else(|| {
        Failure::new(
            "unknown-bundle",
            format!("the registry has no bundle and no channel `{}`", args.name),
        )
        .with_exit(Exit::NoSolution)
        .with_hint("`provisioning bundle list` shows the ones that there are")
    })?;
    show_document(&document, context)?;
    Ok(Exit::Done)
}

/// Prints a bundle.
pub(crate) fn show_document(document: &BundleDocument, context: &Context) -> Outcome<()> {
    let mut json = serde_json::to_value(document).expect("a bundle has text keys");
    if let Some(fields) = json.as_object_mut() {
        fields.remove("schema");
    }
    context.output.long_result(&json, |out| {
        writeln!(out, "{}", context.output.strong(document.name.as_str()))?;
        for sequence in &document.sequences {
            write_head(sequence, out)?;
        }
        match document.current() {
            Some(current) => write_members(current, out),
            None => Ok(()),
        }
    })
}

fn write_head(sequence: &BundleSequence, out: &mut dyn Write) -> io::Result<()> {
    write!(
        out,
        "#{} {} ({})",
        sequence.sequence,
        printable(&sequence.title),
        state_word(sequence.state)
    )?;
    if let Some(date) = sequence.release_date {
        write!(out, ", released {date}")?;
    }
    if let Some(date) = sequence.lts_until {
        write!(out, ", supported until {date}")?;
    }
    if let Some(withdrawn) = &sequence.withdrawn {
        write!(out, ", withdrawn: {}", printable(&withdrawn.reason))?;
        if let Some(replacement) = &withdrawn.replacement {
            write!(out, "; use {replacement}")?;
        }
    }
    writeln!(out)?;
    for gate in &sequence.gates {
        writeln!(out, "   {}", gate_line(gate))?;
    }
    Ok(())
}

/// What a gate said, in one line.
pub(super) fn gate_line(gate: &Gate) -> String {
    let mut line = format!("gate {}: {}", gate.name, gate.verdict);
    let by = gate.by.as_deref().map(printable);
    let reason = gate.reason.as_deref().map(printable);
    let parts = [
        gate.target.map(|it| format!(" for {it}")),
        by.map(|it| format!(", by {it}")),
        gate.when.map(|it| format!(", {it}")),
        reason.map(|it| format!(": {it}")),
        gate.evidence.map(|it| format!(" ({})", it.prefixed())),
    ];
    line.extend(parts.into_iter().flatten());
    line
}

fn write_members(sequence: &BundleSequence, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out)?;
    let mut table = Table::new(["KIND", "NAME", "VERSION", "REQUIRED"]);
    for member in &sequence.members {
        table.row([
            member.kind.to_string(),
            member.name.to_string(),
            member.version.to_string(),
            if member.required { "yes" } else { "no" }.to_owned(),
        ]);
    }
    table.write(out)
}

/// The word for a state, as JSON writes it.
pub(super) const fn state_word(state: BundleState) -> &'static str {
    state.as_str()
}
