//! `provisioning source split`: each package's history as a repository of its own.

use std::path::PathBuf;

use provisioning_sources::config::Purpose;
use provisioning_sources::git::Git;
use provisioning_sources::split::{SplitError, check_target, left_over, split};
use serde::Serialize;

use super::{Repository, RepositoryArgs};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};

/// How many files without a package the text form names.
const LEFT_OVER_SHOWN: usize = 10;

/// Extract each package's history into a repository of its own
///
/// Commits that touch nothing of a package fall away; authors, merges and the package's tags
/// stay. Run again, it adds what is new. Files that belong to no package are named.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning source split --to ../packages")]
pub(crate) struct Args {
    /// Packages, by key or by downstream name; all if none is named
    #[arg(value_name = "PACKAGE")]
    packages: Vec<String>,
    /// The folder that gets a repository for each package, named by its key
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

#[derive(Serialize)]
struct Split {
    packages: Vec<SplitDocument>,
    left_over: Vec<String>,
}

#[derive(Serialize)]
struct SplitDocument {
    package: String,
    repository: String,
    commits: u64,
    added: u64,
}

/// Runs it.
pub(crate) fn run(args: &Args, repository: &RepositoryArgs, context: &Context) -> Outcome<Exit> {
    let repository = Repository::open(repository, Purpose::Source, context)?;
    let config = repository.config(context)?;
    let keys = config.select(&args.packages)?;
    let folder = context.env.absolute(&args.to);
    for key in &keys {
        check_target(&folder.join(key))?;
    }
    let git = Git::new(&repository.root);
    let mut packages = Vec::new();
    for key in keys {
        context.output.status(&format!("Splitting {key}"));
        let values = config
            .package(key)
            .expect("the key was selected from these");
        let done = split(&git, key, values, &folder.join(key))?;
        packages.push(SplitDocument {
            package: done.package,
            repository: done.folder.to_string_lossy().into_owned(),
            commits: done.commits,
            added: done.added,
        });
    }
    let document = Split {
        packages,
        left_over: left_over(&git, &config)?,
    };
    context.output.result(&document, |out| {
        for it in &document.packages {
            writeln!(
                out,
                "{}: {} commits, {} new",
                it.repository, it.commits, it.added
            )?;
        }
        if !document.left_over.is_empty() {
            writeln!(
                out,
                "{} files belong to no package:",
                document.left_over.len()
            )?;
        }
        for file in document.left_over.iter().take(LEFT_OVER_SHOWN) {
            writeln!(out, "  {file}")?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

impl From<SplitError> for Failure {
    fn from(problem: SplitError) -> Self {
        let failure = Self::new("source-split", problem.to_string());
        let failure = match std::error::Error::source(&problem) {
            Some(source) => failure.with_chain(source),
            None => failure,
        };
        match problem {
            SplitError::Occupied(_) => failure.with_hint("name another folder with `--to DIR`"),
            SplitError::Dirty(_) => failure.with_hint("commit or stash them there first"),
            SplitError::NoBranch(_) => failure.with_hint("`git switch BRANCH` first"),
            SplitError::Git(_) | SplitError::Stream { .. } | SplitError::Io { .. } => failure,
        }
    }
}
