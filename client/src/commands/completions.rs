//! `provisioning completions`: a completion script for a shell.

use clap::ValueEnum;
use clap_complete::Shell;

use crate::commands::tree;
use crate::context::Context;
use crate::failure::{Exit, Outcome};

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: provisioning completions bash > ~/.local/share/bash-completion/completions/provisioning"
)]
pub(crate) struct Args {
    /// The shell to complete in
    shell: CompletedShell,
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

/// Runs it.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let mut tree = tree();
    let mut script = Vec::new();
    let mut write = |shell| clap_complete::generate(shell, &mut tree, "provisioning", &mut script);
    match args.shell {
        CompletedShell::Bash => write(Shell::Bash),
        CompletedShell::Elvish => write(Shell::Elvish),
        CompletedShell::Fish => write(Shell::Fish),
        CompletedShell::Powershell => write(Shell::PowerShell),
        CompletedShell::Zsh => write(Shell::Zsh),
        CompletedShell::Nushell => clap_complete::generate(
            clap_complete_nushell::Nushell,
            &mut tree,
            "provisioning",
            &mut script,
        ),
    }
    context.output.raw(&script)?;
    Ok(Exit::Done)
}
