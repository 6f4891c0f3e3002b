//! Is what was installed there, whole, and does it have the commands that it needs?

use std::collections::BTreeMap;

use provisioning_installers::{Generation, Prefix, WriterLock, leftovers, verify};

use super::{Problem, Report};
use crate::context::Context;
use crate::transaction::{Commands, missing_commands};

pub(super) fn check(
    prefix: &Prefix,
    current: Option<&Generation>,
    report: &mut Report,
    context: &Context,
) {
    let Some(current) = current else {
        if report.checks.is_empty() {
            // Also where the link to the current generation is lost.
            let (clean, problems) = installed_files(prefix, None);
            report.add("files", clean, problems);
        }
        check_writers(prefix, report);
        return;
    };
    let spinner = context.output.progress().spinner("reading installed files");
    let (clean, problems) = installed_files(prefix, Some(current));
    drop(spinner);
    report.add("files", clean, problems);
    check_writers(prefix, report);
    check_requirements(current, report, context);
}

fn installed_files(prefix: &Prefix, current: Option<&Generation>) -> (String, Vec<Problem>) {
    let findings = match tokio::task::block_in_place(|| verify(prefix)) {
        Ok(findings) => findings,
        Err(problem) => return (String::new(), vec![Problem::of(&problem.into())]),
    };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in findings.iter().filter(|it| it.is_fault()) {
        *counts.entry(finding.code.as_str()).or_default() += 1;
    }
    let clean = match current {
        None => format!("nothing is installed in `{}`", prefix.root().display()),
        Some(current) => format!(
            "generation {}: {} as installed",
            current.generation,
            match current.packages.len() {
                1 => "1 package".to_owned(),
                count => format!("{count} packages"),
            }
        ),
    };
    if counts.is_empty() {
        return (clean, Vec::new());
    }
    let words: Vec<String> = counts
        .iter()
        .map(|(code, count)| format!("{count} {code}"))
        .collect();
    let message = format!(
        "installed files are not as they were installed: {}",
        words.join(", ")
    );
    let fix = "`provisioning verify` lists them, `provisioning verify --repair` mends them";
    (clean, vec![Problem::new("files-changed", message, fix)])
}

fn check_writers(prefix: &Prefix, report: &mut Report) {
    let mut problems = Vec::new();
    if let Some(holder) = WriterLock::holder(prefix) {
        let fix = match holder.pid {
            Some(pid) => format!("wait for it; if it hangs, end it: `kill {pid}`"),
            None => "wait for it".to_owned(),
        };
        let message = format!("the prefix is being changed by {holder}");
        problems.push(Problem::new("lock-held", message, fix));
    } else if let Ok(left) = leftovers(prefix)
        && let Some(first) = left.first()
    {
        let message = format!(
            "a killed run left {} behind, such as `{}`",
            match left.len() {
                1 => "something".to_owned(),
                count => format!("{count} things"),
            },
            first.display()
        );
        problems.push(Problem::new(
            "leftovers",
            message,
            "`provisioning gc` removes them, as does the next install",
        ));
    }
    report.add("writers", "nobody changes the prefix right now", problems);
}

fn check_requirements(current: &Generation, report: &mut Report, context: &Context) {
    let requires: Vec<_> = current
        .packages
        .iter()
        .flat_map(|package| {
            let commands = package.requires.iter();
            commands.map(|(command, req)| (&package.name, command.as_str(), req))
        })
        .collect();
    let commands = Commands::of_path(&context.env);
    let problems: Vec<Problem> = missing_commands(&requires, &commands)
        .into_iter()
        .map(|it| Problem::new(it.code, it.message, it.fix))
        .collect();
    let clean = match requires.len() {
        0 => "no package needs a command of this machine".to_owned(),
        count => format!("{count} needed by packages, all here"),
    };
    report.add("commands", clean, problems);
}
