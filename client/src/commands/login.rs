//! `provisioning login`: store a token for the registry.

use std::io::Read as _;

use provisioning_registry_api::token::TokenText;
use serde::Serialize;

use crate::context::Context;
use crate::credentials::{Credentials, Secret};
use crate::failure::{Exit, Failure, Outcome};
use crate::prompt;

/// Most bytes that are read for a token.
const INPUT_BYTES_MAX: u64 = 8192;

/// Store a token for the registry
///
/// The token is read from stdin, or asked for without showing it, and stored in
/// `credentials.toml`, readable by you alone. The registry's operator makes tokens: `provisioning-registry token create --name ada
/// --scope publish`. `PROVISIONING_TOKEN` is used instead of a stored token where it is set.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning login --registry https://example.org < token-file")]
pub(crate) struct Args {}

#[derive(Serialize)]
struct LoggedIn {
    registry: String,
    credentials: String,
}

/// Runs it.
pub(crate) fn run(_: &Args, context: &Context) -> Outcome<Exit> {
    let registry = context.settings.registry()?;
    let token = if context.env.stdin_is_terminal {
        prompt::ask_hidden(&format!("token for {registry}: "))?
    } else {
        read_stdin()?
    };
    check_digits(token.trim())?;
    let path = Credentials::open(&context.env)?.store(registry, &Secret::parse(&token)?)?;
    let document = LoggedIn {
        registry: registry.to_string(),
        credentials: path.display().to_string(),
    };
    context.output.result(&document, |out| {
        writeln!(
            out,
            "the token for `{}` is stored in `{}`",
            document.registry, document.credentials
        )
    })?;
    Ok(Exit::Done)
}

/// A token of a registry ends in check digits: a mistyped one is told at once.
fn check_digits(token: &str) -> Outcome<()> {
    if token.starts_with(TokenText::PREFIX) && TokenText::parse(token).is_none() {
        return Err(
            Failure::usage("the token is mistyped or cut off: its check digits are wrong")
                .with_hint("copy it again, whole"),
        );
    }
    Ok(())
}

fn read_stdin() -> Outcome<String> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(INPUT_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|problem| unreadable(&problem))?;
    Ok(text)
}

fn unreadable(problem: &std::io::Error) -> Failure {
    Failure::new("io", "cannot read the token from stdin").with_cause(problem.to_string())
}
