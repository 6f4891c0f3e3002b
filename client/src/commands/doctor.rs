//! `provisioning doctor`: what is wrong with this machine, this prefix and the way to the
//! registry, and how to mend each.
//!
//! A check never ends the run: what cannot be looked at is a problem like any other. Nothing
//! is written but what every command that meets the registry writes.

use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::transaction::{Mode, open_prefix};

mod files;
mod machine;
mod paths;
mod reach;
mod registry;

/// Look for what is wrong, and say how to mend it
///
/// Installed files, PATH and what is in front of it, other installations, the commands that
/// packages need, the client's age, the clock, the way to the registry, what is trusted and
/// until when, the lock, leftovers, disk space, configuration and the file with tokens.
/// The exit status is 0 where nothing is wrong, else 1.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// One thing that is wrong.
#[derive(Debug, Clone, Serialize)]
struct Problem {
    /// The stable word for programs.
    code: String,
    /// What is wrong.
    message: String,
    /// What to do about it: a command where there is one.
    fix: String,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    /// What was looked at.
    name: &'static str,
    /// How many problems were found there.
    problems: usize,
    /// What was found, in a few words.
    summary: String,
}

/// Everything that was found.
#[derive(Debug, Default, Serialize)]
struct Report {
    problems: Vec<Problem>,
    checks: Vec<Check>,
}

impl Problem {
    fn new(code: &str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            fix: fix.into(),
        }
    }

    /// A failure of something that was tried.
    fn of(failure: &Failure) -> Self {
        let mut message = failure.to_string();
        if let Some(cause) = failure.causes().last() {
            message = format!("{message}: {cause}");
        }
        let fix = failure.hints().first();
        let fix = fix.map_or("run it again with `-v` for more", String::as_str);
        Self::new(failure.code(), message, fix)
    }
}

impl Report {
    /// Notes what a check found; `clean` says what is well where nothing is wrong.
    fn add(&mut self, name: &'static str, clean: impl Into<String>, problems: Vec<Problem>) {
        let summary = match problems.as_slice() {
            [] => clean.into(),
            [one] => one.message.clone(),
            several => format!("{} problems", several.len()),
        };
        self.checks.push(Check {
            name,
            problems: problems.len(),
            summary,
        });
        self.problems.extend(problems);
    }
}

/// Runs it.
pub(crate) async fn run(_args: &Args, context: &Context) -> Outcome<Exit> {
    let mut report = Report::default();
    let prefix = open_prefix(context, Mode::DryRun)?;
    let current = match prefix.current_generation() {
        Ok(current) => current,
        Err(problem) => {
            report.add("generation", "", vec![Problem::of(&problem.into())]);
            None
        }
    };
    files::check(&prefix, current.as_ref(), &mut report, context);
    paths::check(&prefix, current.as_ref(), &mut report, context);
    machine::check(&prefix, &mut report, context);
    registry::check(&prefix, current.as_ref(), &mut report, context).await;
    print(&report, context)?;
    Ok(if report.problems.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn print(report: &Report, context: &Context) -> Outcome<()> {
    let output = &context.output;
    output.long_result(report, |out| {
        let checks = report.checks.iter();
        let width = checks.map(|it| it.name.len()).max().unwrap_or(0);
        for it in report.checks.iter().filter(|it| it.problems == 0) {
            let name = format!("{:width$}", it.name);
            writeln!(out, "{}  {name}  {}", output.good("ok"), it.summary)?;
        }
        for it in &report.problems {
            writeln!(out, "\n{}  {}", output.bad(&it.code), it.message)?;
            writeln!(out, "  {}", output.faint(&format!("fix: {}", it.fix)))?;
        }
        match report.problems.len() {
            0 => writeln!(out, "nothing is wrong"),
            1 => writeln!(out, "\n1 problem"),
            count => writeln!(out, "\n{count} problems"),
        }
    })
}
