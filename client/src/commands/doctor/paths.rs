//! Does typing a command start what is installed here?

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use provisioning_installers::{Generation, Prefix};

use super::{Problem, Report};
use crate::context::Context;
use crate::transaction::Commands;

/// The client's command.
const CLIENT: &str = "provisioning";

pub(super) fn check(
    prefix: &Prefix,
    current: Option<&Generation>,
    report: &mut Report,
    context: &Context,
) {
    let commands = Commands::of_path(&context.env);
    let bin = prefix.bin();
    let mut wanted: BTreeSet<&str> = current.map(Generation::commands).unwrap_or_default();
    if bin.join(CLIENT).symlink_metadata().is_ok() {
        wanted.insert(CLIENT);
    }
    let mut problems = Vec::new();
    if wanted.is_empty() {
        let clean = "no command is installed";
        report.add("PATH", clean, Vec::new());
    } else {
        if commands.has_folder(&bin) {
            problems.extend(shadowed(&wanted, &bin, &commands));
        } else {
            problems.push(Problem::new(
                "not-on-path",
                format!("`{}` is not on PATH", bin.display()),
                format!("export PATH=\"{}:$PATH\"", bin.display()),
            ));
        }
        let clean = format!("`{}` is on it, and nothing is in front", bin.display());
        report.add("PATH", clean, problems);
    }
    let others = others(prefix, &commands, context);
    report.add("prefixes", "this is the only installation", others);
}

/// Commands of ours for which another folder answers first.
fn shadowed(wanted: &BTreeSet<&str>, bin: &Path, commands: &Commands) -> Vec<Problem> {
    let mut problems = Vec::new();
    for command in wanted {
        let ours = bin.join(command);
        let Some(first) = commands.find(command).filter(|it| *it != ours) else {
            continue;
        };
        let is_same = match (first.canonicalize(), ours.canonicalize()) {
            (Ok(first), Ok(ours)) => first == ours,
            _ => false,
        };
        if !is_same {
            problems.push(Problem::new(
                "shadowed-command",
                format!("`{command}` starts `{}`, not ours", first.display()),
                format!(
                    "put `{}` first: export PATH=\"{}:$PATH\"",
                    bin.display(),
                    bin.display()
                ),
            ));
        }
    }
    problems
}

/// Other prefixes with an installation: the usual ones, and those whose commands are found.
fn others(prefix: &Prefix, commands: &Commands, context: &Context) -> Vec<Problem> {
    let usual = [
        Some(PathBuf::from("/usr/local")),
        context.env.home().map(|it| it.join(".provisioning")),
    ];
    let found = commands.folders().iter();
    let found = found.filter_map(|it| it.parent().map(Path::to_path_buf));
    let ours = prefix.root().canonicalize();
    let ours = ours.unwrap_or_else(|_| prefix.root().to_owned());
    let mut seen = BTreeSet::from([ours]);
    let mut problems = Vec::new();
    for root in usual.into_iter().flatten().chain(found) {
        let other = Prefix::new(&root);
        let has_something = other.current().symlink_metadata().is_ok()
            || other.base().join("client").symlink_metadata().is_ok();
        let Ok(real) = root.canonicalize() else {
            continue;
        };
        if !has_something || !seen.insert(real) {
            continue;
        }
        let what = match other.current_generation() {
            Ok(Some(it)) => format!("{} packages", it.packages.len()),
            Ok(None) => "a client".to_owned(),
            Err(_) => "something that this client cannot read".to_owned(),
        };
        let shown = root.display();
        problems.push(Problem::new(
            "other-prefix",
            format!("another installation is in `{shown}`: {what}"),
            format!(
                "`provisioning --prefix {shown} list` shows it; set `PROVISIONING_PREFIX` to the \
                 one that you mean"
            ),
        ));
    }
    problems
}
