//! The downstream repositories that a command is about, found and checked before anything is
//! changed.

use std::path::{Path, PathBuf};

use provisioning_sources::config::{Purpose, SourceConfig};
use provisioning_sources::downstream::DownstreamError;
use provisioning_sources::downstream::branches::is_repository;
use provisioning_sources::downstream::update::Pair;
use provisioning_sources::git::Git;

use super::{Repository, RepositoryArgs};
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// A source repository with the downstream repositories of some of its packages.
pub(crate) struct Downstreams {
    pub(crate) repository: Repository,
    pub(crate) config: SourceConfig,
    /// Git at the configuration's root.
    pub(crate) source: Git,
    found: Vec<Found>,
}

/// One package's downstream repository.
struct Found {
    package: String,
    git: Git,
}

/// What was typed.
pub(crate) struct Typed<'t> {
    /// Which repository has the sources.
    pub(crate) repository: RepositoryArgs,
    /// The folders, or the packages where there is a store.
    pub(crate) rest: &'t [String],
}

impl<'t> Typed<'t> {
    /// The words of a command whose first names the source repository, unless `-C` does.
    pub(crate) fn with_source(repository: &RepositoryArgs, words: &'t [String]) -> Outcome<Self> {
        if repository.repository.is_some() {
            return Ok(Self {
                repository: repository.clone(),
                rest: words,
            });
        }
        let Some((source, rest)) = words.split_first() else {
            return Err(
                Failure::usage("nothing says which repository has the sources")
                    .with_hint("name its folder first: `provisioning source … SOURCE DOWNSTREAM`"),
            );
        };
        let mut repository = repository.clone();
        repository.repository = Some(source.clone());
        Ok(Self { repository, rest })
    }
}

impl Downstreams {
    /// Finds the repositories: those named, or, with a store, those of the packages named.
    pub(crate) fn open(
        typed: &Typed<'_>,
        store: Option<&Path>,
        context: &Context,
    ) -> Outcome<Self> {
        let repository = Repository::open(&typed.repository, Purpose::Downstream, context)?;
        let config = repository.config(context)?;
        let found = match store {
            Some(store) => in_store(&config, &context.env.absolute(store), typed.rest)?,
            None => named(&config, typed.rest, context)?,
        };
        Ok(Self {
            source: Git::new(&repository.root),
            repository,
            config,
            found,
        })
    }

    /// The pairs, in the order of the configuration.
    pub(crate) fn pairs(&self) -> Vec<Pair<'_>> {
        let pair = |it: &'_ Found| Pair {
            package: self.key(&it.package),
            values: self
                .config
                .package(&it.package)
                .expect("the key was selected from these"),
            source: &self.source,
            downstream: self.git(&it.package),
            is_only: self.config.packages.len() == 1,
            config_file: self.config_file(),
        };
        self.found.iter().map(pair).collect()
    }

    /// What goes along with a specfile: the configuration of a repository of one package.
    fn config_file(&self) -> Option<&str> {
        let is_inside = !Path::new(&self.repository.file).is_absolute();
        (!self.config.is_monorepo && is_inside).then_some(self.repository.file.as_str())
    }

    fn key(&self, package: &str) -> &str {
        let found = self.found.iter().find(|it| it.package == package);
        found.map_or("", |it| it.package.as_str())
    }

    fn git(&self, package: &str) -> &Git {
        let found = self.found.iter().find(|it| it.package == package);
        &found.expect("the package has a repository").git
    }
}

/// The repositories of packages in a folder of repositories; one that is missing is refused.
fn in_store(config: &SourceConfig, store: &Path, names: &[String]) -> Outcome<Vec<Found>> {
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for key in config.select(names)? {
        let name = config.package(key).map_or(key, |it| it.downstream_name());
        let folder = store.join(name);
        if is_repository(&folder) {
            found.push(Found {
                package: key.to_owned(),
                git: Git::new(&folder),
            });
        } else {
            missing.push(format!("no git repository `{}`", folder.display()));
        }
    }
    if missing.is_empty() {
        return Ok(found);
    }
    let message = match missing.len() {
        1 => "a downstream repository is missing".to_owned(),
        count => format!("{count} downstream repositories are missing"),
    };
    Err(Failure::new("no-downstream-repository", message)
        .with_causes(missing)
        .with_hint("clone them there, or name the packages that are there"))
}

/// Repositories by their folders, whose names are packages.
fn named(config: &SourceConfig, folders: &[String], context: &Context) -> Outcome<Vec<Found>> {
    if folders.is_empty() {
        return Err(Failure::usage("no downstream repository is named")
            .with_hint("name their folders, or `--downstream-store DIR`"));
    }
    let mut found: Vec<Found> = Vec::new();
    for written in folders {
        let one = of_folder(config, written, context)?;
        if found.iter().any(|it| it.package == one.package) {
            return Err(Failure::usage(format!("`{}` is named twice", one.package)));
        }
        found.push(one);
    }
    let order = |key: &str| config.packages.iter().position(|(it, _)| it == key);
    found.sort_by_key(|it| order(&it.package));
    Ok(found)
}

fn of_folder(config: &SourceConfig, written: &str, context: &Context) -> Outcome<Found> {
    let folder: PathBuf = context.env.absolute(Path::new(written));
    let folder = folder.canonicalize().unwrap_or(folder);
    let name = folder.file_name().map(|it| it.to_string_lossy());
    let name = name.unwrap_or_default();
    let name = name.strip_suffix(".git").unwrap_or(&name);
    let package = config.select_one(name)?.to_owned();
    if !is_repository(&folder) {
        let message = format!("`{written}` is no git repository");
        return Err(Failure::new("no-downstream-repository", message)
            .with_hint(format!("`git init {written}` makes an empty one")));
    }
    Ok(Found {
        package,
        git: Git::new(&folder),
    })
}

impl From<DownstreamError> for Failure {
    fn from(problem: DownstreamError) -> Self {
        let message = problem.to_string();
        match problem {
            DownstreamError::Git(problem) => problem.into(),
            DownstreamError::Patches(problem) => Self::new("source-patches", problem.to_string()),
            DownstreamError::Sync { .. } => Self::new("files-to-sync", message)
                .with_hint("nothing outside of either repository is read or written"),
            DownstreamError::Dirty(_) => {
                Self::new("dirty-repository", message).with_hint("commit or stash them first")
            }
            DownstreamError::NoBranch(_) => {
                Self::new("no-branch", message).with_hint("`git switch BRANCH` there first")
            }
            DownstreamError::Unknown { .. } => Self::new("unknown-commit", message)
                .with_hint("fetch the whole history of that repository"),
            DownstreamError::Unpaired { .. } => Self::new("unpaired", message)
                .with_hint("`provisioning source update-downstream` pairs them"),
            DownstreamError::Ahead { .. } => Self::new("diverged", message).with_hint(
                "`provisioning source status` lists them; bring them over first, with \
                 `update-source` or `update-downstream`",
            ),
            DownstreamError::Made { .. } => Self::new("made-from-source", message)
                .with_hint("make that change in the source repository"),
            DownstreamError::Conflict { .. } => Self::new("conflict", message)
                .with_hint("make that change in the source repository by hand, with both trailers"),
            DownstreamError::NoTarget { .. } => Self::new("no-branch", message)
                .with_hint("`git ls-remote --heads` lists its branches; `--branch` names others"),
            DownstreamError::Action(problem) => {
                let failure = Self::new("source-action", problem.to_string());
                match std::error::Error::source(&problem) {
                    Some(source) => failure.with_chain(source),
                    None => failure,
                }
            }
            DownstreamError::Nothing(_) => Self::new("nothing-to-sync", message)
                .with_hint("set `files_to_sync`, `specfile_path` or `paths`"),
        }
    }
}
