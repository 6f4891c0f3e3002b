//! `provisioning-registry switch`: what an operator holds back, beside a running server.

use std::io::Write as _;

use clap::Subcommand;
use provisioning_registry_server::{Place, Upkeep};

use super::RegistryArgs;
use crate::env::Environment;

/// Who threw a switch from the command line.
const OPERATOR: &str = "operator";

#[derive(Debug, Subcommand)]
pub(crate) enum SwitchCommand {
    /// Lists what is held back now
    List {
        #[command(flatten)]
        registry: RegistryArgs,
    },
    /// Holds something back; running servers see it within a second
    Throw {
        /// `read-only`, `publishing`, `new-names`, `package:NAME` or `actor:NAME`
        switch: String,
        /// Why, for those whom it stops
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        registry: RegistryArgs,
    },
    /// Lets something go on again
    Clear {
        /// What `throw` named
        switch: String,
        #[command(flatten)]
        registry: RegistryArgs,
    },
}

impl SwitchCommand {
    pub(super) async fn run(self, environment: Environment) -> anyhow::Result<()> {
        let (Self::List { registry } | Self::Throw { registry, .. } | Self::Clear { registry, .. }) =
            &self;
        let place = Place {
            data: registry.data.clone(),
            database: registry.database.clone(),
            storage: registry.storage.clone(),
            storage_options: environment.storage_options.clone(),
        };
        let upkeep = Upkeep::open(&place, environment.clock).await?;
        let outcome = self.act(&upkeep).await;
        upkeep.close().await;
        outcome
    }

    async fn act(&self, upkeep: &Upkeep) -> anyhow::Result<()> {
        let mut stdout = std::io::stdout();
        match self {
            Self::List { .. } => {
                for switch in upkeep.switches().await? {
                    writeln!(
                        stdout,
                        "{}\tsince {} by {}: {}",
                        switch.name, switch.since, switch.by, switch.reason
                    )?;
                }
            }
            Self::Throw { switch, reason, .. } => {
                upkeep.throw_switch(switch, reason, OPERATOR).await?;
                writeln!(stdout, "`{switch}` is held back")?;
            }
            Self::Clear { switch, .. } => {
                let text = if upkeep.clear_switch(switch, OPERATOR).await? {
                    "goes on again"
                } else {
                    "was not held back"
                };
                writeln!(stdout, "`{switch}` {text}")?;
            }
        }
        Ok(())
    }
}
