//! `provisioning source`: one repository, many packages.

use std::path::PathBuf;

use clap::Subcommand;

use crate::context::Context;
use crate::failure::{Exit, Outcome};

mod affected;
mod build;
mod making;
mod repository;
mod rpm;
mod show;
mod split;
mod validate;

pub(crate) use repository::Repository;

/// One repository, many packages: check, build and sync them
///
/// A source configuration (`.provisioning.yaml`, or Packit's `.packit.yaml` as it is) says
/// which paths of a repository make which packages.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    repository: RepositoryArgs,
    #[command(subcommand)]
    action: Action,
}

/// Which repository, and which configuration.
#[derive(Debug, clap::Args)]
pub(crate) struct RepositoryArgs {
    /// The repository: a folder, or a URL that git can clone
    #[arg(
        short = 'C',
        long = "repository",
        global = true,
        default_value = ".",
        value_name = "PATH_OR_URL"
    )]
    repository: String,
    /// The source configuration, if not the one in the repository's root
    #[arg(long, global = true, value_name = "FILE")]
    source_config: Option<PathBuf>,
}

/// What to do with the packages of a repository.
#[derive(Debug, Subcommand)]
enum Action {
    Validate(validate::Args),
    Show(show::Args),
    Affected(affected::Args),
    Build(build::Args),
    LocalBuild(rpm::LocalBuildArgs),
    Srpm(rpm::SrpmArgs),
    PrepareSources(rpm::PrepareSourcesArgs),
    Split(split::Args),
}

/// Runs it.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let repository = &args.repository;
    match &args.action {
        Action::Validate(args) => validate::run(args, repository, context),
        Action::Show(args) => show::run(args, repository, context),
        Action::Affected(args) => affected::run(args, repository, context),
        Action::Build(args) => build::run(args, repository, context),
        Action::LocalBuild(args) => rpm::run_local_build(args, repository, context),
        Action::Srpm(args) => rpm::run_srpm(args, repository, context),
        Action::Split(args) => split::run(args, repository, context),
        Action::PrepareSources(args) => rpm::run_prepare_sources(args, repository, context),
    }
}
