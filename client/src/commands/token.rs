//! `provisioning token`: your tokens in the registry.

use clap::Subcommand;
use jiff::Span;
use jiff::tz::TimeZone;
use provisioning_registry_api::identity::{NewToken, Token, TokenList, TokenMade};

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::write_api::WriteClient;

#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// List your tokens: what they are good for, until when, and when they were last used
    List,
    /// Make a token and print it; it is never shown again
    Create(CreateArgs),
    /// End a token at once
    Revoke {
        /// The token, as `token list` shows it; `current` is the one that is sent
        id: String,
    },
}

/// What the new token is good for.
#[derive(Debug, clap::Args)]
pub(crate) struct CreateArgs {
    /// What it is for
    #[arg(long)]
    name: String,
    /// What it is good for; may be given several times, and limited to packages
    /// (`publish:mongodb*`)
    #[arg(
        long = "scope",
        value_name = "SCOPE",
        required = true,
        value_delimiter = ','
    )]
    scopes: Vec<String>,
    /// How long it lives: `30d`, `12h`; at most a year
    #[arg(long, value_name = "SPAN", default_value = "90d")]
    expires: String,
}

/// Runs it.
pub(crate) async fn run(action: &Action, context: &Context) -> Outcome<Exit> {
    let api = WriteClient::open(context).await?;
    match action {
        Action::List => show_list(&api.tokens().await?, context),
        Action::Create(args) => {
            let span: Span = args.expires.parse().map_err(|_| {
                Failure::usage(format!("`{}` is no span such as `30d`", args.expires))
            })?;
            let end = context
                .now()
                .to_zoned(TimeZone::UTC)
                .checked_add(span)
                .map_err(|_| Failure::usage(format!("`{}` is too long", args.expires)))?;
            let new = NewToken {
                name: args.name.clone(),
                scopes: args.scopes.clone(),
                expires_at: Some(end.timestamp()),
                bound: None,
            };
            show_made(&api.make_token(&new).await?, context)
        }
        Action::Revoke { id } => show_revoked(&api.revoke_token(id).await?, context),
    }
}

fn show_list(tokens: &TokenList, context: &Context) -> Outcome<Exit> {
    context.output.result(tokens, |out| {
        for token in &tokens.tokens {
            let state = match (token.revoked_at, token.expires_at) {
                (Some(at), _) => format!("ended {at}"),
                (None, Some(at)) => format!("until {at}"),
                (None, None) => "never ends".to_owned(),
            };
            let last = token
                .last_used_at
                .map_or_else(|| "never used".to_owned(), |it| format!("last used {it}"));
            writeln!(
                out,
                "{}  {}  {}  {state}  {last}",
                token.id,
                token.name,
                token.scopes.join(",")
            )?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

fn show_made(made: &TokenMade, context: &Context) -> Outcome<Exit> {
    context
        .output
        .result(made, |out| writeln!(out, "{}", made.secret))?;
    Ok(Exit::Done)
}

fn show_revoked(token: &Token, context: &Context) -> Outcome<Exit> {
    context.output.result(token, |out| {
        writeln!(out, "`{}` ({}) has ended", token.name, token.id)
    })?;
    Ok(Exit::Done)
}
