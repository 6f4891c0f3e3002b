//! What every command that makes files of packages shares: the packages, the snapshot, the
//! folder for work and the list of what was made.

use std::path::{Path, PathBuf};

use provisioning_sources::build::{BuildError, BuildInput};
use provisioning_sources::config::{Purpose, SourceConfig};
use provisioning_sources::snapshot::Snapshot;
use serde::Serialize;

use super::affected::{ChangeArgs, touched};
use super::{Repository, RepositoryArgs};
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// What the folder for work is called, beside what is made.
const WORK_PREFIX: &str = ".provisioning-source-";

/// What is made, from what, and where to.
#[derive(Debug, clap::Args)]
pub(crate) struct MakingArgs {
    /// Packages, by key or by downstream name; all if none is named
    #[arg(value_name = "PACKAGE")]
    packages: Vec<String>,
    /// The revision whose committed content counts
    #[arg(long, value_name = "REV", default_value = "HEAD")]
    revision: String,
    /// The folder to put results into
    #[arg(short, long, default_value = ".", value_name = "DIR")]
    output: PathBuf,
    /// Only the packages that a change touches: see `source affected`
    #[arg(long)]
    affected: bool,
    #[command(flatten)]
    change: ChangeArgs,
}

/// What was made.
#[derive(Debug, Serialize)]
pub(crate) struct Made<T> {
    packages: Vec<T>,
}

/// Packages of a repository, about to be made into something.
pub(crate) struct Making {
    repository: Repository,
    config: SourceConfig,
    keys: Vec<String>,
    revision: String,
    output: PathBuf,
}

impl Making {
    /// Finds the packages; an unknown one is refused before anything is written.
    pub(crate) fn open(
        args: &MakingArgs,
        repository: &RepositoryArgs,
        context: &Context,
    ) -> Outcome<Self> {
        let repository = Repository::open(repository, Purpose::Source, context)?;
        let config = repository.config(context)?;
        let mut keys: Vec<String> = config
            .select(&args.packages)?
            .into_iter()
            .map(str::to_owned)
            .collect();
        if args.affected {
            let changed = args.change.files(&repository, context)?;
            let found = touched(&config, &changed, true, &repository)?;
            keys.retain(|key| found.packages.iter().any(|it| it.package == *key));
        }
        Ok(Self {
            repository,
            config,
            keys,
            revision: args.revision.clone(),
            output: context.env.absolute(&args.output),
        })
    }

    /// Makes each package with `make`, which gets the folder for results.
    pub(crate) fn each<T>(
        &self,
        context: &Context,
        make: impl Fn(&BuildInput<'_>, &Path) -> Result<T, BuildError>,
    ) -> Outcome<Made<T>> {
        std::fs::create_dir_all(&self.output)
            .map_err(|problem| Failure::io("create", &self.output, &problem))?;
        let mut packages = Vec::new();
        for key in &self.keys {
            let work = tempfile::Builder::new()
                .prefix(WORK_PREFIX)
                .tempdir_in(&self.output)
                .map_err(|problem| Failure::io("create", &self.output, &problem))?;
            context.output.status(&format!("Building {key}"));
            let folder = work.path().join("repository");
            let snapshot = Snapshot::take(&self.repository.root, &self.revision, &folder)?;
            let values = self
                .config
                .package(key)
                .expect("the key was selected from these");
            let input = BuildInput {
                package: key,
                values,
                snapshot: &snapshot,
                work: work.path(),
            };
            packages.push(make(&input, &self.output)?);
        }
        Ok(Made { packages })
    }
}

impl<T> Made<T> {
    /// What was made of each package.
    pub(crate) fn packages(&self) -> &[T] {
        &self.packages
    }
}

impl From<BuildError> for Failure {
    fn from(problem: BuildError) -> Self {
        let failure = Self::new("source-build", problem.to_string());
        let failure = match std::error::Error::source(&problem) {
            Some(source) => failure.with_chain(source),
            None => failure,
        };
        match problem {
            BuildError::NoVersion { .. } => failure.with_hint(
                "tag the commit (`git tag VERSION`), or set `upstream_tag_template` or the action \
                 `get-current-version`",
            ),
            BuildError::NoSpecfile { .. } => {
                failure.with_hint("set `specfile_path`, or make it in `post-upstream-clone`")
            }
            BuildError::Program { program, .. } if program.starts_with("rpm") => {
                failure.with_hint("`rpmbuild` and `rpmspec` come with the Debian package `rpm`")
            }
            BuildError::Git(_)
            | BuildError::Action(_)
            | BuildError::Patches(_)
            | BuildError::Facts(_)
            | BuildError::Archive { .. }
            | BuildError::Manifest { .. }
            | BuildError::Empty { .. }
            | BuildError::Program { .. }
            | BuildError::Io { .. } => failure,
        }
    }
}
