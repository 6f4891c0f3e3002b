//! `provisioning verify`: is everything still as it was installed?

use provisioning_installers::{Finding, verify};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::Table;
use crate::transaction::{Mode, open_prefix};

/// Reads every installed file again and compares it with the digests recorded when it was
/// unpacked. A configuration file that you edited is named, and is no fault.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

#[derive(Serialize)]
struct Document<'a> {
    problems: Vec<&'a Finding>,
    edited: Vec<&'a Finding>,
}

/// Runs it.
pub(crate) fn run(_args: &Args, context: &Context) -> Outcome<Exit> {
    let prefix = open_prefix(context, Mode::Do)?;
    let findings = tokio::task::block_in_place(|| verify(&prefix))?;
    let (problems, edited): (Vec<_>, Vec<_>) = findings.iter().partition(|it| it.is_fault());
    let document = Document { problems, edited };
    context.output.result(&document, |out| {
        if document.problems.is_empty() {
            writeln!(out, "everything is as it was installed")?;
        }
        if findings.is_empty() {
            return Ok(());
        }
        let mut table = Table::new(["FINDING", "PACKAGE", "PATH"]);
        for it in &findings {
            let package = it.package.as_ref().map(ToString::to_string);
            table.row([
                it.code.clone(),
                package.unwrap_or_default(),
                it.path.display().to_string(),
            ]);
        }
        table.write(out)
    })?;
    if document.problems.is_empty() {
        Ok(Exit::Done)
    } else {
        Ok(Exit::Verification)
    }
}
