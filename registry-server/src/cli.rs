//! The command line: `serve`, and what an operator does beside it.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use provisioning_registry_server::{Administration, ServerError};

use crate::env::Environment;
use crate::observe::ObserveArgs;

mod issuer;
mod keys;
mod people;
mod serve;
mod switch;
mod token;
mod upkeep;

/// A registry of versioned packages, a signed compatibility matrix and tested bundles.
#[derive(Debug, Parser)]
#[command(name = "provisioning-registry", version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one of it, for as long as the process lives"
)]
enum Command {
    /// Serves a registry; a fresh folder is set up with everything it needs
    Serve(serve::ServeArgs),
    /// Makes, lists and ends tokens that clients publish with
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Adds users, says what they may do, makes their tokens
    #[command(subcommand)]
    User(people::UserCommand),
    /// Adds teams, says who belongs to them and which kinds are theirs
    #[command(subcommand)]
    Team(people::TeamCommand),
    /// Gives a user or team a role in a package
    Owner(people::OwnerArgs),
    /// Names the issuers whose tokens of CI jobs are taken
    #[command(subcommand)]
    Issuer(issuer::IssuerCommand),
    /// Shows and changes the registry's settings
    #[command(subcommand)]
    Settings(people::SettingsCommand),
    /// Shows who signs what, and which keys ought to move
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Holds changes back while the registry runs: all, publishing, new names, a package, a user
    #[command(subcommand)]
    Switch(switch::SwitchCommand),
    /// Checks that database, archives and signed files are whole; exits 1 on a finding
    Fsck(upkeep::FsckArgs),
    /// Takes away archives and signed files that nothing refers to any more
    Gc(upkeep::GcArgs),
    /// Copies the read side to a folder or bucket that any web server can serve
    Export(upkeep::ExportArgs),
    /// Writes all of a registry into one file
    Backup(upkeep::BackupArgs),
    /// Makes a registry from a backup
    Restore(upkeep::RestoreArgs),
    /// Moves a registry's rows to another database
    #[command(subcommand)]
    Db(upkeep::DbCommand),
}

/// Which registry a command is about.
#[derive(Debug, Args)]
struct RegistryArgs {
    /// Folder of the registry: keys, admin token and, by default, database and archives
    #[arg(
        long,
        value_name = "DIR",
        default_value = "registry-data",
        env = "PROVISIONING_REGISTRY_DATA"
    )]
    data: PathBuf,
    /// Database: `postgres://…` or `sqlite://…` [default: an SQLite file in the folder]
    #[arg(
        long,
        value_name = "URL",
        env = "PROVISIONING_REGISTRY_DATABASE",
        hide_env_values = true
    )]
    database: Option<String>,
    /// Where archives and metadata lie: `s3://bucket/prefix` or a folder [default:
    /// `public` in the folder]
    #[arg(long, value_name = "URL", env = "PROVISIONING_REGISTRY_STORAGE")]
    storage: Option<String>,
}

impl RegistryArgs {
    /// The registry's people and tokens.
    async fn open(&self, environment: &Environment) -> anyhow::Result<Administration> {
        let now = (environment.clock)();
        let now = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now);
        Ok(Administration::open(&self.data, self.database.as_deref(), now).await?)
    }
}

/// What was refused, with what to do about it.
fn refused(error: ServerError) -> anyhow::Error {
    let ServerError::Refused(refusal) = error else {
        return error.into();
    };
    let mut text = refusal.detail;
    for hint in refusal.hints {
        text.push_str("\n  help: ");
        text.push_str(&hint);
    }
    anyhow::anyhow!(text)
}

/// Prints one JSON document.
fn print_document(document: &serde_json::Value) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(document)?;
    writeln!(std::io::stdout(), "{text}").context("stdout is closed")
}

impl Cli {
    /// How what happens is told.
    pub(crate) fn observe(&self) -> ObserveArgs {
        if let Command::Serve(args) = &self.command {
            args.observe.clone()
        } else {
            ObserveArgs::default()
        }
    }

    /// Does what was asked.
    pub(crate) async fn run(self, environment: Environment) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Serve(args) => args.run(environment).await.map(|()| ExitCode::SUCCESS),
            Command::Token(command) => command.run(environment).await.map(|()| ExitCode::SUCCESS),
            Command::User(command) => command.run(environment).await.map(|()| ExitCode::SUCCESS),
            Command::Team(command) => command.run(environment).await.map(|()| ExitCode::SUCCESS),
            Command::Owner(args) => args.run(environment).await.map(|()| ExitCode::SUCCESS),
            Command::Issuer(command) => command.run(environment).await.map(|()| ExitCode::SUCCESS),
            Command::Settings(command) => {
                command.run(environment).await.map(|()| ExitCode::SUCCESS)
            }
            Command::Keys(command) => command.run(environment).await.map(|()| ExitCode::SUCCESS),
            Command::Switch(command) => command.run(environment).await.map(|()| ExitCode::SUCCESS),
            Command::Fsck(args) => args.run(environment).await,
            Command::Gc(args) => args.run(environment).await,
            Command::Export(args) => args.run(environment).await,
            Command::Backup(args) => args.run(environment).await,
            Command::Restore(args) => args.run(environment).await,
            Command::Db(command) => command.run().await,
        }
    }
}
