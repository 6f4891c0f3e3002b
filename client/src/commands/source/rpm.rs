//! `provisioning source srpm`, `local-build` and `prepare-sources`: RPMs with `rpmbuild`.

use std::path::{Path, PathBuf};

use provisioning_sources::build::{BuildError, BuildInput};
use provisioning_sources::srpm::{build_rpms, build_srpm, prepare_sources};
use serde::Serialize;

use super::RepositoryArgs;
use super::making::{Making, MakingArgs};
use crate::context::Context;
use crate::failure::{Exit, Outcome};

/// Build source RPMs of packages
///
/// Version, release and changelog follow Packit's rules; one commit gives one source RPM.
/// Needs `rpmbuild`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning source srpm copr-backend -o dist")]
pub(crate) struct SrpmArgs {
    #[command(flatten)]
    making: MakingArgs,
}

/// Build binary RPMs of packages on this machine
///
/// Needs `rpmbuild` and what the specfile's `BuildRequires` name.
#[derive(Debug, clap::Args)]
pub(crate) struct LocalBuildArgs {
    #[command(flatten)]
    making: MakingArgs,
}

/// Prepare specfiles and sources of packages, as a source RPM would have them
///
/// Each package gets a folder of its own in the output.
#[derive(Debug, clap::Args)]
pub(crate) struct PrepareSourcesArgs {
    #[command(flatten)]
    making: MakingArgs,
}

#[derive(Debug, Serialize)]
struct FilesDocument {
    package: String,
    files: Vec<String>,
}

/// Runs `srpm`.
pub(crate) fn run_srpm(
    args: &SrpmArgs,
    repository: &RepositoryArgs,
    context: &Context,
) -> Outcome<Exit> {
    make(&args.making, repository, context, |input, output| {
        build_srpm(input, output).map(|it| vec![it])
    })
}

/// Runs `local-build`.
pub(crate) fn run_local_build(
    args: &LocalBuildArgs,
    repository: &RepositoryArgs,
    context: &Context,
) -> Outcome<Exit> {
    make(&args.making, repository, context, build_rpms)
}

/// Runs `prepare-sources`.
pub(crate) fn run_prepare_sources(
    args: &PrepareSourcesArgs,
    repository: &RepositoryArgs,
    context: &Context,
) -> Outcome<Exit> {
    make(&args.making, repository, context, |input, output| {
        let prepared = prepare_sources(input)?;
        let sources = prepared.specfile.parent().unwrap_or(Path::new("."));
        copy_files(sources, &output.join(input.package))
    })
}

fn make(
    args: &MakingArgs,
    repository: &RepositoryArgs,
    context: &Context,
    run: impl Fn(&BuildInput<'_>, &Path) -> Result<Vec<PathBuf>, BuildError>,
) -> Outcome<Exit> {
    let making = Making::open(args, repository, context)?;
    let made = making.each(context, |input, output| {
        let files = run(input, output)?;
        Ok(FilesDocument {
            package: input.package.to_owned(),
            files: files
                .iter()
                .map(|it| it.to_string_lossy().into_owned())
                .collect(),
        })
    })?;
    context.output.result(&made, |out| {
        for file in made.packages().iter().flat_map(|it| &it.files) {
            writeln!(out, "{file}")?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

/// Copies the files of a folder, which is where specfiles keep their sources.
fn copy_files(from: &Path, to: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let failed = |source| BuildError::Io {
        path: to.to_owned(),
        source,
    };
    std::fs::create_dir_all(to).map_err(failed)?;
    let mut files = Vec::new();
    for entry in std::fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_file() {
            let target = to.join(entry.file_name());
            std::fs::copy(entry.path(), &target).map_err(failed)?;
            files.push(target);
        }
    }
    files.sort();
    Ok(files)
}
