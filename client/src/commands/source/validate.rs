//! `provisioning source validate`: everything that is wrong with a configuration.

use std::path::PathBuf;

use provisioning_package::PackageName;
use provisioning_sources::config::{Purpose, SourceConfig, check_tree};
use provisioning_sources::dependencies::{SourceTexts, find_manifest, registry_name};
use provisioning_sources::problem::Problems;
use provisioning_sources::tree::FolderTree;
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::repository::ProblemDocument;
use super::{Repository, RepositoryArgs};
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::registry::RegistryReader;

/// Report everything that is wrong with the source configuration
///
/// Unknown keys, wrong types, unknown packages, paths that do not exist: each with its line
/// and column. Exits 1 if something must be mended.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Packages whose values are checked, by key or by downstream name; all if none is named
    #[arg(value_name = "PACKAGE")]
    packages: Vec<String>,
    /// A folder of downstream repositories, which must hold every package's
    #[arg(long, value_name = "DIR")]
    downstream_store: Option<PathBuf>,
    /// Also ask the registry, which must have every package that has a manifest
    #[arg(long)]
    in_registry: bool,
}

#[derive(Serialize)]
struct Validated {
    file: String,
    packages: usize,
    jobs: usize,
    problems: Vec<ProblemDocument>,
}

/// Runs it.
pub(crate) fn run(args: &Args, repository: &RepositoryArgs, context: &Context) -> Outcome<Exit> {
    let repository = Repository::open(repository, Purpose::Source, context)?;
    let (config, mut problems) = repository.read();
    let Some(config) = config else {
        return Err(repository.refusal(&problems));
    };
    let config = only(config, &args.packages)?;
    check_tree(&config, &FolderTree::new(&repository.root), &mut problems);
    check_store(args, &config, context, &mut problems);
    if args.in_registry {
        let work = check_registry(&config, &repository, context, &mut problems);
        block_in_place(|| Handle::current().block_on(work))?;
    }
    if problems.has_errors() {
        return Err(repository.refusal(&problems));
    }
    repository.warn(&problems, context);
    let document = Validated {
        file: repository.file.clone(),
        packages: config.packages.len(),
        jobs: config.jobs.len(),
        problems: repository.documents(&problems),
    };
    context.output.result(&document, |out| {
        let packages = count(document.packages, "package");
        let jobs = count(document.jobs, "job");
        writeln!(out, "{}: {packages}, {jobs}", document.file)
    })?;
    Ok(Exit::Done)
}

/// The configuration of the packages that were named.
fn only(mut config: SourceConfig, names: &[String]) -> Outcome<SourceConfig> {
    let keys: Vec<String> = config
        .select(names)?
        .into_iter()
        .map(str::to_owned)
        .collect();
    config.packages.retain(|(key, _)| keys.contains(key));
    for job in &mut config.jobs {
        job.packages.retain(|(key, _)| keys.contains(key));
    }
    Ok(config)
}

fn check_store(args: &Args, config: &SourceConfig, context: &Context, problems: &mut Problems) {
    let Some(store) = &args.downstream_store else {
        return;
    };
    let folder = context.env.absolute(store);
    for (_, package) in &config.packages {
        let values = &package.effective;
        let name = values.downstream_name();
        if !folder.join(name).is_dir() {
            let at = values
                .place("downstream_package_name")
                .unwrap_or(package.at);
            let message = format!("the downstream store `{}` has no `{name}`", store.display());
            problems.error(at, message);
        }
    }
}

/// Names that the registry does not have.
async fn check_registry(
    config: &SourceConfig,
    repository: &Repository,
    context: &Context,
    problems: &mut Problems,
) -> Outcome<()> {
    let read = |path: &str| std::fs::read_to_string(repository.root.join(path)).ok();
    let texts = SourceTexts { read: &read };
    let mut registry = RegistryReader::open(context).await?;
    for (_, package) in &config.packages {
        let values = &package.effective;
        if find_manifest(values, &texts).is_none() {
            continue;
        }
        let name = registry_name(values, &texts);
        let is_there = match PackageName::parse(&name) {
            Ok(parsed) => registry.entry(&parsed).await?.is_some(),
            Err(_) => false,
        };
        if !is_there {
            problems.error(package.at, format!("the registry has no package `{name}`"));
        }
    }
    Ok(())
}

fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
