//! Words that are no command of ours: they are the installed core's.
//!
//! The core's `cli` takes our place in the process, so that signals, terminals and exit
//! status are its own. It never sees our token.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use provisioning_installers::{Generation, current_if_whole};
use provisioning_package::{Kind, PackageName, VersionReq};

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::transaction::{Commands, Mode, missing_commands, open_prefix};

/// Variables of ours that are nobody else's business.
const SECRETS: [&str; 1] = ["PROVISIONING_TOKEN"];

/// The least likeness of a command that is offered instead.
const LIKENESS_MIN: f64 = 0.7;

/// Hands words to the installed core, also ones that are commands of this client.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The words
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "WORDS"
    )]
    words: Vec<OsString>,
}

/// Runs `provisioning core -- …`.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    match installed_core(context)? {
        Some(core) => hand_over(&core, &args.words, context),
        None => Err(no_core().with_exit(Exit::Usage)),
    }
}

/// Runs a word that we do not know; `known` are the commands that we do.
pub(crate) fn run_unknown(
    words: &[OsString],
    known: &clap::Command,
    context: &Context,
) -> Outcome<Exit> {
    if let Some(core) = installed_core(context)? {
        return hand_over(&core, words, context);
    }
    let word = words
        .first()
        .map(|it| it.to_string_lossy())
        .unwrap_or_default();
    let failure = Failure::new("unknown-command", format!("no such command: `{word}`"))
        .with_exit(Exit::Usage);
    let failure = match nearest(&word, known) {
        Some(near) => failure.with_hint(format!("did you mean `{near}`?")),
        None => failure,
    };
    Err(failure.with_hint(
        "other words are handed to the core, and none is installed: `provisioning install core`",
    ))
}

/// A core that can be run.
struct Core {
    program: PathBuf,
    name: PackageName,
    requires: BTreeMap<String, VersionReq>,
}

fn installed_core(context: &Context) -> Outcome<Option<Core>> {
    let prefix = open_prefix(context, Mode::Do)?;
    let current: Option<Generation> = current_if_whole(&prefix)?;
    let Some(current) = current else {
        return Ok(None);
    };
    let linked = current.linked.iter().find(|it| it.kind == Kind::Core);
    let installed = current.packages.iter().find(|it| it.kind == Kind::Core);
    let found = match (linked, installed) {
        (Some(it), _) => (&it.name, &it.cli, &it.requires),
        (None, Some(it)) => (&it.name, &it.cli, &it.requires),
        (None, None) => return Ok(None),
    };
    let (name, cli, requires) = found;
    Ok(cli.as_ref().map(|cli| Core {
        program: prefix.package_tree(Kind::Core, name).join(cli),
        name: name.clone(),
        requires: requires.clone(),
    }))
}

fn hand_over(core: &Core, words: &[OsString], context: &Context) -> Outcome<Exit> {
    let requires: Vec<(&PackageName, &str, _)> = core
        .requires
        .iter()
        .map(|(command, req)| (&core.name, command.as_str(), req))
        .collect();
    let commands = Commands::of_path(&context.env);
    let absent: Vec<_> = requires
        .into_iter()
        .filter(|(_, command, _)| commands.find(command).is_none())
        .collect();
    for warning in missing_commands(&absent, &commands) {
        context.output.warning(&warning.to_string());
    }
    let mut command = Command::new(&core.program);
    command.args(words).env_clear();
    let variables = context
        .env
        .variables
        .iter()
        .filter(|(name, _)| !SECRETS.iter().any(|it| OsStr::new(it) == name.as_os_str()));
    command.envs(variables);
    command.env("PROVISIONING_PREFIX", context.settings.prefix()?);
    // Only comes back when it could not start.
    let problem = command.exec();
    Err(Failure::io("run", &core.program, &problem)
        .with_hint("check what it needs: `provisioning list`, `provisioning verify`"))
}

fn no_core() -> Failure {
    Failure::new("no-core", "no core is installed")
        .with_hint("`provisioning install core` installs one")
}

fn nearest<'a>(word: &str, known: &'a clap::Command) -> Option<&'a str> {
    known
        .get_subcommands()
        .map(clap::Command::get_name)
        .map(|it| (strsim::jaro_winkler(word, it), it))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, it)| it)
}
