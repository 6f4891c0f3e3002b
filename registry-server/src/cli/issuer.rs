//! `provisioning-registry issuer`: whose tokens of CI jobs are taken.

use std::io::Write as _;

use clap::Subcommand;
use provisioning_registry_api::trusted::{IssuerKind, PutIssuer};

use super::people::ListArgs;
use super::{RegistryArgs, print_document, refused};
use crate::env::Environment;

#[derive(Debug, Subcommand)]
pub(crate) enum IssuerCommand {
    /// Lists the issuers that this registry knows; GitHub's and GitLab's from the start
    List(ListArgs),
    /// Adds an issuer, or changes it
    Put {
        #[command(flatten)]
        registry: RegistryArgs,
        /// What the registry calls it
        name: String,
        /// The `iss` of its tokens: `https://…`
        url: String,
        /// How its claims are read: `github`, `gitlab` or `generic`
        #[arg(long, default_value = "generic")]
        kind: IssuerKind,
        /// What the `aud` of a token must be [default: the registry's public URL]
        #[arg(long)]
        audience: Option<String>,
    },
    /// Forgets an issuer: nobody publishes with its tokens any more
    Remove {
        #[command(flatten)]
        registry: RegistryArgs,
        /// What the registry calls it
        name: String,
    },
}

impl IssuerCommand {
    pub(super) async fn run(self, environment: Environment) -> anyhow::Result<()> {
        match self {
            Self::List(args) => {
                let registry = args.registry.open(&environment).await?;
                let issuers = registry.issuers().await;
                registry.close().await;
                let issuers = issuers.map_err(refused)?;
                if args.json {
                    return print_document(&serde_json::json!({"schema": 1, "issuers": issuers}));
                }
                let mut out = std::io::stdout().lock();
                for it in issuers {
                    writeln!(
                        out,
                        "{}  {}  {}  {}",
                        it.name,
                        it.kind.as_str(),
                        it.url,
                        it.audience
                    )?;
                }
                Ok(())
            }
            Self::Put {
                registry,
                name,
                url,
                kind,
                audience,
            } => {
                let registry = registry.open(&environment).await?;
                let issuer = PutIssuer {
                    url,
                    kind,
                    audience,
                };
                let done = registry.put_issuer(&name, &issuer).await;
                registry.close().await;
                done.map_err(refused)
            }
            Self::Remove { registry, name } => {
                let registry = registry.open(&environment).await?;
                let done = registry.remove_issuer(&name).await;
                registry.close().await;
                done.map_err(refused)
            }
        }
    }
}
