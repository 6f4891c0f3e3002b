//! `provisioning-registry keys status`: works beside a running server.

use std::io::{self, Write};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use provisioning_registry_server::{KeyState, Place, key_states};

use super::RegistryArgs;
use crate::env::Environment;

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Shows every role: until when it holds, how many must sign, and where its keys are
    Status(StatusArgs),
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    registry: RegistryArgs,
    /// Prints one JSON document
    #[arg(long)]
    json: bool,
}

impl KeysCommand {
    pub(super) async fn run(self, environment: Environment) -> anyhow::Result<()> {
        let Self::Status(args) = self;
        let place = Place {
            data: args.registry.data,
            database: args.registry.database,
            storage: args.registry.storage,
            storage_options: environment.storage_options,
        };
        let now = (environment.clock)();
        let states = key_states(&place).await?;
        if args.json {
            let document = serde_json::json!({"schema": 1, "roles": states});
            return writeln!(io::stdout(), "{document:#}").context("stdout is closed");
        }
        write(&states, now, &mut io::stdout().lock()).context("stdout is closed")
    }
}

fn write(states: &[KeyState], now: jiff::Timestamp, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{:<12}{:>9}{:>11}  {:<12}keys",
        "role", "version", "days left", "signatures"
    )?;
    for state in states {
        let days = state.expires.duration_since(now).as_hours().div_euclid(24);
        let needed = format!("{} of {}", state.threshold, state.keys);
        let place = if state.online { "here" } else { "with people" };
        writeln!(
            out,
            "{:<12}{:>9}{days:>11}  {needed:<12}{place}",
            state.role, state.version
        )?;
    }
    let moving: Vec<&str> = states
        .iter()
        .filter(|it| it.should_move)
        .map(|it| it.role.as_str())
        .collect();
    if moving.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "people ought to hold the keys of {}: `provisioning trust init --threshold 2 --of 3 --out \
         DIR`, with the admin token, moves them",
        moving.join(", ")
    )
}
