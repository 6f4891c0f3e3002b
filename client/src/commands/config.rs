//! `provisioning config`: settings, and where each comes from.

use clap::Subcommand;
use serde::Serialize;

use crate::context::Context;
use crate::credentials::Credentials;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Table;
use crate::settings::check_value;
use crate::settings::keys::{KEYS, Key, nearest_key};

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Show every setting, its value and where it comes from
    ///
    /// Flags win over variables, then come the workspace's `provisioning.toml`, the user's
    /// `config.toml`, `/etc/provisioning/config.toml` and the defaults. The variable of a
    /// setting is `PROVISIONING_` and its name in capitals.
    Show,
    /// Print the value of one setting
    Get {
        /// The setting, as `config show` names it
        #[arg(value_name = "SETTING")]
        name: String,
    },
    /// Write a setting into the user's `config.toml`
    Set {
        /// The setting, as `config show` names it
        #[arg(value_name = "SETTING")]
        name: String,
        /// Its value
        value: String,
    },
    /// Take a setting out of the user's `config.toml`
    Unset {
        /// The setting, as `config show` names it
        #[arg(value_name = "SETTING")]
        name: String,
    },
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

#[derive(Serialize)]
struct Written<'a> {
    name: &'static str,
    value: Option<&'a str>,
    config_file: &'a str,
}

/// Runs it.
pub(crate) fn run(action: &Action, context: &Context) -> Outcome<Exit> {
    match action {
        Action::Show => show(context)?,
        Action::Get { name } => get(known(name)?, context)?,
        Action::Set { name, value } => set(known(name)?, Some(value), context)?,
        Action::Unset { name } => set(known(name)?, None, context)?,
    }
    Ok(Exit::Done)
}

/// A setting by its name.
fn known(name: &str) -> Outcome<&'static Key> {
    KEYS.iter().find(|it| it.name == name).ok_or_else(|| {
        let failure = Failure::usage(format!("there is no setting `{name}`"));
        match nearest_key(name) {
            Some(near) => failure.with_hint(format!("did you mean `{near}`?")),
            None => failure.with_hint("`provisioning config show` lists them"),
        }
    })
}

fn get(key: &Key, context: &Context) -> Outcome<()> {
    let row = context.settings.rows().into_iter().zip(&KEYS);
    let row = row.into_iter().find(|(_, it)| it.name == key.name);
    let ((name, value, origin), _) = row.expect("every key has a row");
    let document = Setting {
        name,
        value,
        origin: origin.to_string(),
        variable: key.variable,
    };
    context.output.result(&document, |out| {
        writeln!(out, "{}", document.value.as_deref().unwrap_or_default())
    })
}

/// Writes a value, or takes it out, and says where it does not count.
fn set(key: &Key, value: Option<&str>, context: &Context) -> Outcome<()> {
    if let Some(value) = value {
        check_value(key.name, value, &context.env).map_err(|it| {
            Failure::usage(format!("`{value}` is no value for `{}`: {it}", key.name))
        })?;
    }
    let mut config = context.settings.user_config()?;
    let was_there = config.set(key, value);
    if value.is_some() || was_there {
        config.save()?;
    }
    let path = config.path().display().to_string();
    if let Some((_, _, origin)) = context
        .settings
        .rows()
        .into_iter()
        .find(|it| it.0 == key.name)
        && origin.is_stronger_than(config.path())
    {
        let note = format!("{origin} says otherwise, and holds where it is set");
        context.output.warning(&note);
    }
    let document = Written {
        name: key.name,
        value,
        config_file: &path,
    };
    context.output.result(&document, |out| match value {
        Some(value) => writeln!(out, "`{}` is `{value}` from now on (`{path}`)", key.name),
        None if was_there => writeln!(out, "`{}` is no longer set in `{path}`", key.name),
        None => writeln!(out, "`{}` was not set in `{path}`", key.name),
    })
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
    context.output.long_result(&document, |out| {
        let mut table = Table::new(["SETTING", "VALUE", "FROM"]);
        for it in &document.settings {
            table.row([
                it.name.to_owned(),
                it.value.clone().unwrap_or_default(),
                it.origin.clone(),
            ]);
        }
        let held = document.token.map_or("", |_| "(hidden)");
        table.row([
            "token".to_owned(),
            held.to_owned(),
            document.token.unwrap_or("default").to_owned(),
        ]);
        table.write(out)?;
        writeln!(
            out,
            "\nThe variable of each is its name in capitals, such as `PROVISIONING_LOCK_TIMEOUT`."
        )
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
