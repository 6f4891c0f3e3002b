//! The tree of commands.
//!
//! To add a command: a file `commands/<verb>.rs` with `#[derive(clap::Args)] pub(crate)
//! struct Args` (its doc comments are the help: a line for the list, a blank line, the rest) and `pub(crate) async fn run(args: &Args,
//! context: &Context) -> Outcome<Exit>`; `mod <verb>;`, a variant of [`Command`] and an arm
//! of [`dispatch`] here. `run` returns `Ok(Exit::Done)`, prints its result with
//! `context.output.result(&document, |out| …)`, and fails with `?`. A command that talks to
//! a registry opens it with `RegistryReader::open(context).await?`.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};

use crate::context::Context;
use crate::env::Env;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::settings::{GlobalArgs, Settings};

mod adopt;
mod bundle;
mod cache;
mod compat;
mod completions;
mod config;
mod core;
mod deprecate;
mod doctor;
mod export;
mod extension;
mod gc;
mod history;
mod import;
mod info;
mod install;
mod link;
mod list;
mod lock;
mod login;
mod logout;
mod man;
mod mirror;
mod outdated;
mod owner;
mod package;
mod pin;
mod publish;
mod registry_command;
mod release;
mod resolve;
mod rollback;
mod search;
mod self_command;
mod source;
mod sync;
mod token;
mod tree;
mod trust;
mod uninstall;
mod unlink;
mod unpin;
mod update;
mod upgrade;
mod verify;
mod why;
mod workspace;
mod yank;

pub(crate) use compat::MatrixFile;
pub(crate) use package::{place, refused};
pub(crate) use publish::target_of;

/// Install, upgrade and roll back a product that is built in many repositories, as one.
///
/// `provisioning install stable-3.2` installs a tested combination of packages;
/// `provisioning rollback` undoes it. Any word that is not a command below is handed to the
/// installed core.
#[derive(Debug, Parser)]
#[command(
    name = "provisioning",
    version,
    propagate_version = false,
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = 100,
    after_help = "Exit status: 0 done, 1 refused or failed, 2 usage, 3 no versions fit, \
                  4 verification failed, 5 registry unreachable, 6 lock held, \
                  100 something newer was found by `outdated --exit-code` or a `--check`."
)]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install packages, or follow a bundle or channel
    Install(install::Args),
    /// Take packages away
    Uninstall(uninstall::Args),
    /// Move to newer versions
    Upgrade(upgrade::Args),
    /// Go back to an older generation
    Rollback(rollback::Args),
    /// List what is installed
    List(list::Args),
    /// List the generations
    History(history::Args),
    /// Show which versions an install would choose
    Resolve(resolve::Args),
    Outdated(outdated::Args),
    Pin(pin::Args),
    Unpin(unpin::Args),
    Why(why::Args),
    Tree(tree::Args),
    Lock(lock::Args),
    Sync(sync::Args),
    /// Check that everything is as it was installed
    Verify(verify::Args),
    /// Remove old generations and what only they needed
    Gc(gc::Args),
    /// Take over what was unpacked by hand
    Adopt(adopt::Args),
    Doctor(doctor::Args),
    /// Start, install, list and find extensions
    #[command(subcommand)]
    Extension(extension::Action),
    /// Make workspaces from templates, and update them
    #[command(subcommand)]
    Workspace(workspace::Action),
    /// Hand words to the installed core
    Core(core::Args),
    Info(info::Args),
    Search(search::Args),
    /// Make and read archives
    #[command(subcommand)]
    Package(package::Action),
    Publish(publish::Args),
    Source(source::Args),
    Yank(yank::Args),
    Unyank(yank::UnyankArgs),
    Deprecate(deprecate::Args),
    /// Say who has which role in a package, and which CI may publish it
    #[command(subcommand)]
    Owner(owner::Action),
    /// Ask, check, push and show the compatibility matrix
    #[command(subcommand)]
    Compat(compat::Action),
    /// Move bundles from testing to stable together
    #[command(subcommand)]
    Update(update::Action),
    /// Plan and run releases, write their notes and pipelines
    #[command(subcommand)]
    Release(release::Action),
    /// Create, test, publish, promote and compare bundles
    #[command(subcommand)]
    Bundle(bundle::Action),
    /// Show what is believed of the registry, and sign for it
    #[command(subcommand)]
    Trust(trust::Action),
    /// Remember, list and forget registries
    #[command(subcommand)]
    Registry(registry_command::Action),
    Login(login::Args),
    Logout(logout::Args),
    /// Make, list and end your tokens
    #[command(subcommand)]
    Token(token::Action),
    Link(link::Args),
    Unlink(unlink::Args),
    /// Show settings, and where each comes from
    #[command(subcommand)]
    Config(config::Action),
    /// Show where downloads are kept and how many, and remove some
    #[command(subcommand)]
    Cache(cache::Action),
    Export(export::Args),
    Import(import::Args),
    Mirror(mirror::Args),
    Completions(completions::Args),
    Man(man::Args),
    /// Update this client, or remove it
    #[command(subcommand, name = "self")]
    Itself(self_command::Action),
    /// Everything else is the core's
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// Runs the command line of `env` and returns the exit status.
pub fn run(env: &Env) -> u8 {
    let cli = match Cli::try_parse_from(&env.args) {
        Ok(cli) => cli,
        Err(problem) => return report_usage(env, &problem),
    };
    let settings = match Settings::read(env, &cli.global) {
        Ok(settings) => settings,
        Err(failure) => {
            let failure = failure.closed(cli.command.is_question());
            Output::plain(env, wants_json(env)).failure(&failure);
            return failure.exit().status();
        }
    };
    let context = Context {
        output: Output::new(env, &settings),
        env: env.clone(),
        settings,
    };
    log_to_stderr(&context);
    for key in &context.settings.unknown {
        context.output.warning(&format!("no such setting: {key}"));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(dispatch(&cli.command, &context)),
        Err(problem) => {
            Err(Failure::new("io", "cannot start the event loop").with_cause(problem.to_string()))
        }
    };
    match outcome {
        Ok(exit) => exit.status(),
        Err(failure) => {
            let failure = failure.closed(cli.command.is_question());
            context.output.failure(&failure);
            failure.exit().status()
        }
    }
}

impl Command {
    /// Whether it only asks: then nobody wonders what a refusal has changed.
    fn is_question(&self) -> bool {
        if let Self::Trust(action) = self {
            return action.is_question();
        }
        matches!(
            self,
            Self::List(_)
                | Self::History(_)
                | Self::Resolve(_)
                | Self::Outdated(_)
                | Self::Why(_)
                | Self::Tree(_)
                | Self::Core(_)
                | Self::Doctor(_)
                | Self::Info(_)
                | Self::Search(_)
                | Self::Owner(
                    owner::Action::List { .. }
                        | owner::Action::Invitations
                        | owner::Action::Trusted { .. }
                )
                | Self::Token(token::Action::List)
                | Self::Config(config::Action::Show | config::Action::Get { .. })
                | Self::Cache(cache::Action::Dir)
                | Self::Completions(_)
                | Self::Other(_)
        )
    }
}

async fn dispatch(command: &Command, context: &Context) -> Outcome<Exit> {
    match command {
        Command::Install(args) => install::run(args, context).await,
        Command::Uninstall(args) => uninstall::run(args, context).await,
        Command::Upgrade(args) => upgrade::run(args, context).await,
        Command::Rollback(args) => rollback::run(args, context).await,
        Command::List(args) => list::run(args, context),
        Command::History(args) => history::run(args, context),
        Command::Resolve(args) => resolve::run(args, context).await,
        Command::Outdated(args) => outdated::run(args, context).await,
        Command::Pin(args) => pin::run(args, context).await,
        Command::Unpin(args) => unpin::run(args, context).await,
        Command::Why(args) => why::run(args, context).await,
        Command::Tree(args) => tree::run(args, context),
        Command::Lock(args) => lock::run(args, context).await,
        Command::Sync(args) => sync::run(args, context).await,
        Command::Verify(args) => verify::run(args, context).await,
        Command::Gc(args) => gc::run(args, context),
        Command::Adopt(args) => adopt::run(args, context).await,
        Command::Doctor(args) => doctor::run(args, context).await,
        Command::Extension(action) => extension::run(action, context).await,
        Command::Workspace(action) => workspace::run(action, context).await,
        Command::Core(args) => core::run(args, context),
        Command::Info(args) => info::run(args, context).await,
        Command::Search(args) => search::run(args, context).await,
        Command::Package(action) => package::run(action, context),
        Command::Publish(args) => publish::run(args, context).await,
        Command::Source(args) => source::run(args, context),
        Command::Yank(args) => yank::run(args, context).await,
        Command::Unyank(args) => yank::run_unyank(args, context).await,
        Command::Deprecate(args) => deprecate::run(args, context).await,
        Command::Owner(action) => owner::run(action, context).await,
        Command::Compat(action) => compat::run(action, context).await,
        Command::Update(action) => update::run(action, context).await,
        Command::Release(action) => release::run(action, context).await,
        Command::Bundle(action) => bundle::run(action, context).await,
        Command::Trust(action) => trust::run(action, context).await,
        Command::Registry(action) => registry_command::run(action, context),
        Command::Login(args) => login::run(args, context),
        Command::Logout(args) => logout::run(args, context),
        Command::Token(action) => token::run(action, context).await,
        Command::Link(args) => link::run(args, context).await,
        Command::Unlink(args) => unlink::run(args, context).await,
        Command::Config(action) => config::run(action, context),
        Command::Cache(action) => cache::run(action, context),
        Command::Export(args) => export::run(args, context).await,
        Command::Import(args) => import::run(args, context).await,
        Command::Mirror(args) => mirror::run(args, context).await,
        Command::Completions(args) => completions::run(args, context),
        Command::Man(args) => man::run(args, context),
        Command::Itself(action) => self_command::run(action, context).await,
        Command::Other(words) => core::run_unknown(words, &tree(), context),
    }
}

/// The tree as clap sees it, for completions and manual pages.
fn tree() -> clap::Command {
    Cli::command()
}

/// Help and `--version` go to stdout and succeed; everything else is a usage error.
fn report_usage(env: &Env, problem: &clap::Error) -> u8 {
    let kind = problem.kind();
    if matches!(kind, ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // A reader that went away (`--help | head`) is no error.
        let _ = problem.print();
        return Exit::Done.status();
    }
    if wants_json(env) {
        let text = problem.render().to_string();
        let (message, rest) = text.split_once("\n\n").unwrap_or((&text, ""));
        let message = message.strip_prefix("error: ").unwrap_or(message);
        let failure = Failure::usage(message.trim());
        let hints = rest.lines().map(str::trim).filter(|it| !it.is_empty());
        Output::plain(env, true).failure(&failure.with_hints(hints.map(str::to_owned)));
    } else {
        let _ = problem.print();
    }
    Exit::Usage.status()
}

/// Whether JSON was asked for, as far as that can be told without a parsed command line.
fn wants_json(env: &Env) -> bool {
    let on = |it: &str| matches!(it, "1" | "true" | "yes" | "on");
    let ours = env.args.iter().take_while(|it| *it != "--");
    ours.into_iter().any(|it| it == &OsString::from("--json"))
        || env.variable("PROVISIONING_JSON").is_some_and(on)
}

/// `-v` shows what the client does, `-vv` also what its libraries say.
fn log_to_stderr(context: &Context) {
    let filter = match context.settings.verbose {
        0 => return,
        1 => "provisioning_client=debug,provisioning_trust=debug",
        _ => "debug",
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .without_time()
        .with_ansi(false)
        .finish();
    // A second run in one process (tests) keeps the first one's subscriber.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_of_commands_holds_together() {
        super::tree().debug_assert();
    }
}
