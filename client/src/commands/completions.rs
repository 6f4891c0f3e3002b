//! `provisioning completions`: completion scripts for shells.

use std::io::Write;

use clap::ValueEnum;
use clap_complete::Shell;
use serde::Serialize;

use crate::commands::tree;
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::shell_files::{Script, place, script};
use crate::transaction::{Mode, open_prefix};

/// Print a completion script for a shell, or install all of them with the manual pages
///
/// `--install` puts them below the prefix, where shells and `man` look: `share/man/man1`,
/// `share/bash-completion/completions`, `share/zsh/site-functions`,
/// `share/fish/vendor_completions.d`, `share/nushell/vendor/autoload` and
/// `share/powershell`. The installer has done so already.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: provisioning completions bash > ~/.local/share/bash-completion/completions/provisioning"
)]
pub(crate) struct Args {
    /// The shell to complete in
    #[arg(required_unless_present = "install")]
    shell: Option<CompletedShell>,
    /// Install the scripts of every shell, and the manual pages, below the prefix
    #[arg(long, conflicts_with = "shell")]
    install: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum CompletedShell {
    Bash,
    Elvish,
    Fish,
    Nushell,
    Powershell,
    Zsh,
}

impl From<CompletedShell> for Script {
    fn from(shell: CompletedShell) -> Self {
        match shell {
            CompletedShell::Bash => Self::Of(Shell::Bash),
            CompletedShell::Elvish => Self::Of(Shell::Elvish),
            CompletedShell::Fish => Self::Of(Shell::Fish),
            CompletedShell::Powershell => Self::Of(Shell::PowerShell),
            CompletedShell::Zsh => Self::Of(Shell::Zsh),
            CompletedShell::Nushell => Self::OfNushell,
        }
    }
}

#[derive(Serialize)]
struct Printed<'a> {
    shell: &'a str,
    script: &'a str,
}

#[derive(Serialize)]
struct Installed {
    installed: Vec<String>,
    taken: Vec<String>,
}

/// Runs it.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    match args.shell {
        Some(shell) => print(shell, context)?,
        None => install(context)?,
    }
    Ok(Exit::Done)
}

fn print(shell: CompletedShell, context: &Context) -> Outcome<()> {
    let script = script(shell.into(), &mut tree());
    let script = String::from_utf8_lossy(&script);
    let value = shell.to_possible_value();
    let document = Printed {
        shell: value.as_ref().map_or("", |it| it.get_name()),
        script: &script,
    };
    let write = |out: &mut dyn Write| out.write_all(script.as_bytes());
    context.output.result(&document, write)
}

fn install(context: &Context) -> Outcome<()> {
    let prefix = open_prefix(context, Mode::Do)?;
    let placed = place(&prefix, &tree())?;
    for path in &placed.taken {
        context.output.warning(&format!(
            "`{}` is not ours and stays as it is",
            path.display()
        ));
    }
    let texts = |paths: &[std::path::PathBuf]| {
        let texts = paths.iter().map(|it| it.display().to_string());
        texts.collect::<Vec<_>>()
    };
    let document = Installed {
        installed: texts(&placed.links),
        taken: texts(&placed.taken),
    };
    let share = prefix.root().join("share");
    context.output.result(&document, |out| {
        writeln!(
            out,
            "{} completions and manual pages are in `{}`",
            placed.links.len(),
            share.display()
        )
    })
}
