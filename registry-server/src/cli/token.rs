//! `provisioning-registry token create`: works beside a running server.

use std::io::Write as _;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use jiff::{Span, Timestamp, ToSpan as _, tz::TimeZone};
use provisioning_registry_server::{Scope, create_token};

use super::RegistryArgs;
use crate::env::Environment;

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Makes a token and prints it, alone, on stdout
    Create(CreateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    registry: RegistryArgs,
    /// What the token is for; the audit log names it
    #[arg(
        long,
        value_name = "NAME",
        value_parser = clap::builder::NonEmptyStringValueParser::new()
    )]
    name: String,
    /// What the token is good for; may be given several times [possible values:
    /// publish-new, publish, yank, owners, bundles, moderate, admin]
    #[arg(
        long = "scope",
        value_name = "SCOPE",
        required = true,
        value_delimiter = ','
    )]
    scopes: Vec<Scope>,
    /// When it ends: `90d`, `12h`, `2027-01-31` or a full time stamp [default: never]
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
}

impl TokenCommand {
    pub(super) async fn run(self, environment: Environment) -> anyhow::Result<()> {
        let Self::Create(args) = self;
        let now = (environment.clock)();
        let expires = args
            .expires
            .as_deref()
            .map(|it| expiry(it, now))
            .transpose()?;
        let registry = args.registry;
        let mut scopes = args.scopes;
        scopes.sort_unstable();
        scopes.dedup();
        let database = registry.database.as_deref();
        let token = create_token(&registry.data, database, &args.name, scopes, expires, now)
            .await
            .context("the token was not made")?;
        writeln!(std::io::stdout(), "{}", token.reveal()).context("stdout is closed")
    }
}

/// Reads `90d`, a date (its end, UTC) or a time stamp.
fn expiry(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    let end = if let Ok(moment) = text.parse::<Timestamp>() {
        moment
    } else if let Ok(date) = text.parse::<jiff::civil::Date>() {
        date.tomorrow()?.to_zoned(TimeZone::UTC)?.timestamp()
    } else {
        let span: Span = text
            .parse()
            .with_context(|| format!("`{text}` is neither a time nor a span such as `90d`"))?;
        let from = now.to_zoned(TimeZone::UTC);
        from.checked_add(span)?.timestamp()
    };
    anyhow::ensure!(end > now, "`{text}` is not in the future");
    anyhow::ensure!(
        end < now
            .to_zoned(TimeZone::UTC)
            .checked_add(100.years())?
            .timestamp(),
        "`{text}` is more than a hundred years away"
    );
    Ok(end)
}
