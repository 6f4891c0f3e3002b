//! `provisioning extension`: start, install, uninstall, list and find extensions.

use clap::Subcommand;
use provisioning_package::{Kind, PackageName, Spec};

use crate::commands::{install, list, search, uninstall};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};

mod new;

/// What to do with extensions.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Install extensions
    ///
    /// The same as `provisioning install`, for extensions alone: `mongodb`,
    /// `mongodb@1.2.0`, `azure-provider`.
    Install {
        /// What to install
        #[arg(required = true, value_name = "SPEC")]
        specs: Vec<String>,
        /// How to
        #[command(flatten)]
        how: install::How,
    },
    /// Take extensions away
    Uninstall(uninstall::Args),
    New(new::Args),
    /// List the installed extensions
    List,
    /// Find extensions in the registry
    Search {
        /// What to look for; everything where left out
        #[arg(default_value = "")]
        text: String,
        #[command(flatten)]
        filters: search::Filters,
    },
}

/// Runs it.
pub(crate) async fn run(action: &Action, context: &Context) -> Outcome<Exit> {
    match action {
        Action::Install { specs, how } => {
            let specs = install::parse(specs)?;
            for spec in &specs {
                check_spec(spec)?;
            }
            install::install(&specs, how, context).await
        }
        Action::Uninstall(args) => {
            for name in &args.names {
                check_name(name)?;
            }
            uninstall::run(args, context).await
        }
        Action::New(args) => new::run(args, context),
        Action::List => list::show(Some(Kind::Extension), context),
        Action::Search { text, filters } => {
            search::find(text, Some(Kind::Extension), filters, context).await
        }
    }
}

fn check_spec(spec: &Spec) -> Outcome<()> {
    check_name(spec.name())?;
    if spec.is_explicit_bundle() {
        return Err(no_extension(spec.name(), "a bundle"));
    }
    Ok(())
}

fn check_name(text: &str) -> Outcome<()> {
    let name = PackageName::from_user(text)?;
    match name.kind() {
        Kind::Extension => Ok(()),
        Kind::Core | Kind::Platform | Kind::Workspace | Kind::Client => {
            Err(no_extension(text, "a package of another kind"))
        }
    }
}

fn no_extension(name: &str, what: &str) -> Failure {
    Failure::usage(format!("`{name}` is no extension but {what}"))
        .with_hint(format!("`provisioning install {name}` installs it"))
}
