//! `provisioning source`: one repository, many packages.

use std::path::PathBuf;

use clap::Subcommand;

use crate::context::Context;
use crate::failure::{Exit, Outcome};

mod affected;
mod build;
mod copr_build;
mod downstream;
mod elsewhere;
mod forge;
mod init;
mod making;
mod mirror;
mod propose;
mod repository;
mod rpm;
mod run;
mod show;
mod split;
mod status;
mod sync_from_downstream;
mod test;
mod update_downstream;
mod update_source;
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
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct RepositoryArgs {
    /// The repository: a folder, or a URL that git can clone [default: .]
    #[arg(
        short = 'C',
        long = "repository",
        global = true,
        value_name = "PATH_OR_URL"
    )]
    repository: Option<String>,
    /// The source configuration, if not the one in the repository's root
    #[arg(long, global = true, value_name = "FILE")]
    source_config: Option<PathBuf>,
}

impl RepositoryArgs {
    /// The repository that is meant.
    fn repository(&self) -> &str {
        self.repository.as_deref().unwrap_or(".")
    }
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
    CoprBuild(copr_build::Args),
    Split(split::Args),
    Init(init::Args),
    UpdateDownstream(update_downstream::Args),
    UpdateSource(update_source::Args),
    Status(status::Args),
    Propose(propose::Args),
    SyncFromDownstream(sync_from_downstream::Args),
    Mirror(mirror::Args),
    Test(test::Args),
    Run(run::Args),
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
        Action::UpdateDownstream(args) => update_downstream::run(args, repository, context),
        Action::UpdateSource(args) => update_source::run(args, repository, context),
        Action::Status(args) => status::run(args, repository, context),
        Action::CoprBuild(args) => copr_build::run(args, repository, context),
        Action::Init(args) => init::run(args, repository, context),
        Action::Propose(args) => propose::run(args, repository, context),
        Action::SyncFromDownstream(args) => sync_from_downstream::run(args, repository, context),
        Action::Mirror(args) => mirror::run(args, repository, context),
        Action::Test(args) => test::run(args, repository, context),
        Action::Run(args) => run::run(args, repository, context),
        Action::Split(args) => split::run(args, repository, context),
        Action::PrepareSources(args) => rpm::run_prepare_sources(args, repository, context),
    }
}
