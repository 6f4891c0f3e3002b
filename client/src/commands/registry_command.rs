//! `provisioning registry`: remember, list and forget registries.

use clap::Subcommand;
use provisioning_package::Digest;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Table;
use crate::settings::RegistryLocation;

/// What to do with the registries that the user's configuration knows.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Remember a registry and use it where none is named
    ///
    /// Give the fingerprint of its root with `--root-fingerprint` if you have it from
    /// somewhere else than the registry itself; then nobody between you and the registry
    /// can put another in its place, not even the first time.
    Add {
        /// `https://…`, `http://…` or `file://…`
        url: String,
    },
    /// List the registries that are remembered
    List,
    /// Forget a registry, and what was trusted of it
    Remove {
        /// Its address, as `registry list` shows it
        url: String,
    },
}

#[derive(Serialize)]
struct Listed {
    registries: Vec<ListedRegistry>,
}

#[derive(Serialize)]
struct ListedRegistry {
    url: String,
    root_fingerprint: Option<String>,
    default: bool,
}

#[derive(Serialize)]
struct Removed {
    url: String,
}

/// Runs it.
pub(crate) fn run(action: &Action, context: &Context) -> Outcome<Exit> {
    match action {
        Action::Add { url } => add(&parse(url, context)?, context)?,
        Action::List => list(context)?,
        Action::Remove { url } => remove(&parse(url, context)?, context)?,
    }
    Ok(Exit::Done)
}

fn parse(url: &str, context: &Context) -> Outcome<RegistryLocation> {
    RegistryLocation::parse(url, &context.env).map_err(|problem| {
        Failure::usage(format!(
            "`{url}` is not the address of a registry: {problem}"
        ))
    })
}

fn add(location: &RegistryLocation, context: &Context) -> Outcome<()> {
    let mut config = context.settings.user_config()?;
    let said = context.settings.said_fingerprint();
    config.add(location, said.as_ref());
    config.save()?;
    // Whoever names a registry wants it asked, also where an import was all we knew of it.
    provisioning_trust::forget_import(&context.settings.trust_state(location)?)?;
    let path = config.path().display().to_string();
    let document = ListedRegistry {
        url: location.to_string(),
        root_fingerprint: said.as_ref().map(Digest::prefixed),
        default: true,
    };
    context.output.result(&document, |out| {
        writeln!(out, "`{location}` is the registry from now on (`{path}`)")
    })
}

fn list(context: &Context) -> Outcome<()> {
    let registries: Vec<ListedRegistry> = context
        .settings
        .user_config()?
        .registries()
        .into_iter()
        .map(|it| ListedRegistry {
            url: it.url,
            root_fingerprint: it.root_fingerprint,
            default: it.is_default,
        })
        .collect();
    let document = Listed { registries };
    context.output.result(&document, |out| {
        if document.registries.is_empty() {
            return writeln!(out, "no registry is remembered");
        }
        let mut table = Table::new(["REGISTRY", "DEFAULT", "ROOT FINGERPRINT"]);
        for it in &document.registries {
            table.row([
                it.url.clone(),
                if it.default { "yes" } else { "no" }.to_owned(),
                it.root_fingerprint.clone().unwrap_or_default(),
            ]);
        }
        table.write(out)
    })
}

fn remove(location: &RegistryLocation, context: &Context) -> Outcome<()> {
    let mut config = context.settings.user_config()?;
    let was_known = config.remove(location);
    if was_known {
        config.save()?;
    }
    let state = context.settings.trust_state(location)?;
    let was_trusted = match std::fs::remove_dir_all(&state) {
        Ok(()) => true,
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => false,
        Err(problem) => {
            let failure = Failure::io("remove", &state, &problem);
            return Err(if was_known {
                failure.with_changed("it is out of the configuration, and still trusted")
            } else {
                failure
            });
        }
    };
    if !was_known && !was_trusted {
        return Err(Failure::new(
            "unknown-registry",
            format!("`{location}` is not remembered"),
        )
        .with_hint("`provisioning registry list` shows what is"));
    }
    let document = Removed {
        url: location.to_string(),
    };
    context.output.result(&document, |out| {
        writeln!(
            out,
            "`{location}` is forgotten; its root will be pinned anew when it is used"
        )
    })
}
