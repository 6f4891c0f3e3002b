//! `provisioning-registry token`: works beside a running server.

use std::io::Write as _;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use jiff::{Span, Timestamp, ToSpan as _, tz::TimeZone};
use provisioning_package::{PackageName, Version};
use provisioning_registry_api::identity::{Binding, Token};
use provisioning_registry_server::{Administration, Grant, TokenOrder};

use super::{RegistryArgs, print_document, refused};
use crate::env::Environment;

/// How long a token of the operator's lives that does not say.
const EXPIRES_DEFAULT: &str = "365d";

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Makes a token and prints it, alone, on stdout
    Create(CreateArgs),
    /// Lists tokens: whose they are, what they are good for, when they were last used
    List(ListArgs),
    /// Ends a token at once
    Revoke(RevokeArgs),
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
    #[command(flatten)]
    what: TokenArgs,
    /// Whose it is: it then may do what its scopes and that user both may
    #[arg(long, value_name = "USER")]
    user: Option<String>,
}

/// What a new token is good for, and for how long.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// What the token is good for; may be given several times, and limited to packages
    /// (`publish:mongodb*`) [possible values: publish-new, publish, yank, owners, bundles,
    /// moderate, admin]
    #[arg(
        long = "scope",
        value_name = "SCOPE",
        required = true,
        value_delimiter = ','
    )]
    scopes: Vec<Grant>,
    /// When it ends: `90d`, `12h`, `2027-01-31`, a full time stamp, or `never`
    #[arg(long, value_name = "WHEN", default_value = EXPIRES_DEFAULT)]
    expires: String,
    /// The one package, or version of it, that the token may publish
    #[arg(long, value_name = "NAME[@VERSION]")]
    bind: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    registry: RegistryArgs,
    /// This user's tokens alone
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    #[command(flatten)]
    registry: RegistryArgs,
    /// The token's identifier, as `token list` shows it
    id: String,
}

impl TokenCommand {
    pub(super) async fn run(self, environment: Environment) -> anyhow::Result<()> {
        match self {
            Self::Create(args) => {
                let registry = args.registry.open(&environment).await?;
                let order = args.what.order(args.name, args.user, &environment)?;
                print_new(&registry, order).await?;
                registry.close().await;
                Ok(())
            }
            Self::List(args) => {
                let registry = args.registry.open(&environment).await?;
                let tokens = registry.tokens(args.user.as_deref()).await;
                registry.close().await;
                list(&tokens.map_err(refused)?, args.json)
            }
            Self::Revoke(args) => {
                let registry = args.registry.open(&environment).await?;
                let token = registry.revoke_token(&args.id).await;
                registry.close().await;
                let token = token.map_err(refused)?;
                writeln!(
                    std::io::stdout(),
                    "`{}` ({}) has ended",
                    token.name,
                    token.id
                )
                .context("stdout is closed")
            }
        }
    }
}

impl TokenArgs {
    pub(super) fn order(
        self,
        name: String,
        user: Option<String>,
        environment: &Environment,
    ) -> anyhow::Result<TokenOrder> {
        let mut grants = self.scopes;
        grants.sort_unstable();
        grants.dedup();
        let now = (environment.clock)();
        let expires_at = match self.expires.as_str() {
            "never" => None,
            text => Some(expiry(text, now)?),
        };
        Ok(TokenOrder {
            name,
            grants,
            expires_at,
            user,
            bound: self.bind.as_deref().map(binding).transpose()?,
        })
    }
}

/// Makes a token and prints its text.
pub(super) async fn print_new(registry: &Administration, order: TokenOrder) -> anyhow::Result<()> {
    let made = registry.make_token(order).await;
    let made = made.map_err(refused).context("the token was not made")?;
    writeln!(std::io::stdout(), "{}", made.secret).context("stdout is closed")
}

fn list(tokens: &[Token], is_json: bool) -> anyhow::Result<()> {
    if is_json {
        return print_document(&serde_json::json!({"schema": 1, "tokens": tokens}));
    }
    let mut out = std::io::stdout().lock();
    for token in tokens {
        let state = match (token.revoked_at, token.expires_at) {
            (Some(at), _) => format!("ended {at}"),
            (None, Some(at)) => format!("until {at}"),
            (None, None) => "never ends".to_owned(),
        };
        let used = token
            .last_used_at
            .map_or_else(|| "never used".to_owned(), |it| format!("last used {it}"));
        let whose = token.user.as_deref().unwrap_or("operator");
        writeln!(
            out,
            "{}  {}  {whose}  {}  {state}  {used}",
            token.id,
            token.name,
            token.scopes.join(",")
        )?;
    }
    Ok(())
}

fn binding(text: &str) -> anyhow::Result<Binding> {
    let (name, version) = match text.split_once('@') {
        None => (text, None),
        Some((name, version)) => (name, Some(version)),
    };
    let version: Option<Version> = version
        .map(str::parse)
        .transpose()
        .with_context(|| format!("`{text}` is not `NAME` or `NAME@X.Y.Z`"))?;
    Ok(Binding {
        name: PackageName::from_user(name)?,
        version,
        digest: None,
    })
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
