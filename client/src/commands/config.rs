//! `provisioning config`: settings, and where each comes from.

use clap::Subcommand;
use serde::Serialize;

use crate::context::Context;
use crate::credentials::Credentials;
use crate::failure::{Exit, Outcome};
use crate::output::Table;
use crate::settings::keys::KEYS;

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Show every setting, its value and where it comes from
    ///
    /// Flags win over variables, then come the workspace's `provisioning.toml`, the user's
    /// `config.toml`, `/etc/provisioning/config.toml` and the defaults.
    Show,
}

#[derive(Serialize)]
struct Shown {
    settings: Vec<Setting>,
    config_file: Option<String>,
    token: Option<&'static str>,
}

#[derive(Serialize)]
struct Setting {
    name: &'static str,
    value: Option<String>,
    origin: String,
    variable: &'static str,
}

/// Runs it.
pub(crate) fn run(action: &Action, context: &Context) -> Outcome<Exit> {
    match action {
        Action::Show => show(context)?,
    }
    Ok(Exit::Done)
}

fn show(context: &Context) -> Outcome<()> {
    let settings = context.settings.rows();
    let document = Shown {
        settings: settings
            .into_iter()
            .zip(&KEYS)
            .map(|((name, value, origin), key)| Setting {
                name,
                value,
                origin: origin.to_string(),
                variable: key.variable,
            })
            .collect(),
        config_file: context
            .settings
            .config_file
            .as_ref()
            .map(|it| it.display().to_string()),
        token: token_origin(context)?,
    };
    context.output.result(&document, |out| {
        let mut table = Table::new(["SETTING", "VALUE", "FROM", "VARIABLE"]);
        for it in &document.settings {
            table.row([
                it.name.to_owned(),
                it.value.clone().unwrap_or_default(),
                it.origin.clone(),
                it.variable.to_owned(),
            ]);
        }
        let held = document.token.map_or("", |_| "(hidden)");
        table.row([
            "token".to_owned(),
            held.to_owned(),
            document.token.unwrap_or("default").to_owned(),
            "PROVISIONING_TOKEN".to_owned(),
        ]);
        table.write(out)
    })
}

/// Where the token comes from, never what it is.
fn token_origin(context: &Context) -> Outcome<Option<&'static str>> {
    if context.env.variable("PROVISIONING_TOKEN").is_some() {
        return Ok(Some("variable `PROVISIONING_TOKEN`"));
    }
    let Some(registry) = context.settings.registry_if_set() else {
        return Ok(None);
    };
    let stored = Credentials::open(&context.env)?.token(registry)?;
    Ok(stored.map(|_| "`provisioning login`"))
}
