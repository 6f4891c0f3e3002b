//! The command line: `serve`, and what an operator does beside it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::env::Environment;

mod serve;
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
enum Command {
    /// Serves a registry; a fresh folder is set up with everything it needs
    Serve(serve::ServeArgs),
    /// Makes tokens that clients publish with
    #[command(subcommand)]
    Token(token::TokenCommand),
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

impl Cli {
    /// Does what was asked.
    pub(crate) async fn run(self, environment: Environment) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Serve(args) => args.run(environment).await.map(|()| ExitCode::SUCCESS),
            Command::Token(command) => command.run(environment).await.map(|()| ExitCode::SUCCESS),
            Command::Fsck(args) => args.run(environment).await,
            Command::Gc(args) => args.run(environment).await,
            Command::Export(args) => args.run(environment).await,
            Command::Backup(args) => args.run(environment).await,
            Command::Restore(args) => args.run(environment).await,
            Command::Db(command) => command.run().await,
        }
    }
}
