//! `provisioning release ci`: pipelines for each kind of repository.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;

use crate::context::Context;
use crate::durable::{Readers, replace_file};
use crate::failure::{Exit, Failure, Outcome};

/// Write a pipeline for a repository
///
/// core: Nushell tests and KCL checks; platform: build, test, bench, and archives for four
/// targets; extensions: tests, and the packages that changed; workspace: templates;
/// distribution: a nightly bundle test with the upgrade from the bundle before it. They
/// publish with the identity that the provider gives the job, so there is no token to store;
/// the registry must trust the repository for it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provisioning release ci --provider github --kind core --write\n  \
                  provisioning release ci --provider gitlab --kind distribution"
)]
pub(crate) struct Args {
    /// Where the repository is
    #[arg(long)]
    provider: Provider,
    /// What the repository makes
    #[arg(long)]
    kind: Repository,
    /// Write it to the place where the provider looks for it, below this folder
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = ".")]
    write: Option<PathBuf>,
    /// Write it although a file is there that is not the same
    #[arg(long, requires = "write")]
    force: bool,
}

/// Whose pipelines they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Provider {
    Github,
    Gitlab,
    Jenkins,
}

/// What a repository makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Repository {
    Core,
    Platform,
    Extensions,
    Workspace,
    Distribution,
}

#[derive(Serialize)]
struct Document {
    provider: &'static str,
    kind: &'static str,
    path: &'static str,
    text: &'static str,
    written: Option<PathBuf>,
}

/// Runs it.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let path = args.provider.place();
    let text = pipeline(args.provider, args.kind);
    let written = match &args.write {
        None => None,
        Some(folder) => {
            let file = context.env.absolute(folder).join(path);
            let there = std::fs::read_to_string(&file).ok();
            if !args.force && there.is_some_and(|it| it != text) {
                return Err(Failure::new(
                    "file-exists",
                    format!("`{}` is there and is another one", file.display()),
                )
                .with_hint("compare them, then write it with `--force`; nothing was changed"));
            }
            replace_file(&file, text.as_bytes(), Readers::Everyone)?;
            Some(file)
        }
    };
    let document = Document {
        provider: args.provider.word(),
        kind: args.kind.word(),
        path,
        text,
        written,
    };
    context
        .output
        .result(&document, |out| match &document.written {
            Some(file) => writeln!(out, "written to {}", file.display()),
            None => out.write_all(text.as_bytes()),
        })?;
    Ok(Exit::Done)
}

impl Provider {
    const fn word(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Jenkins => "jenkins",
        }
    }

    /// Where the provider looks for a pipeline.
    const fn place(self) -> &'static str {
        match self {
            Self::Github => ".github/workflows/provisioning.yml",
            Self::Gitlab => ".gitlab-ci.yml",
            Self::Jenkins => "Jenkinsfile",
        }
    }
}

impl Repository {
    const fn word(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Platform => "platform",
            Self::Extensions => "extensions",
            Self::Workspace => "workspace",
            Self::Distribution => "distribution",
        }
    }
}

const fn pipeline(provider: Provider, kind: Repository) -> &'static str {
    match (provider, kind) {
        (Provider::Github, Repository::Core) => {
            include_str!("../../../templates/ci/github-core.yml")
        }
        (Provider::Github, Repository::Platform) => {
            include_str!("../../../templates/ci/github-platform.yml")
        }
        (Provider::Github, Repository::Extensions) => {
            include_str!("../../../templates/ci/github-extensions.yml")
        }
        (Provider::Github, Repository::Workspace) => {
            include_str!("../../../templates/ci/github-workspace.yml")
        }
        (Provider::Github, Repository::Distribution) => {
            include_str!("../../../templates/ci/github-distribution.yml")
        }
        (Provider::Gitlab, Repository::Core) => {
            include_str!("../../../templates/ci/gitlab-core.yml")
        }
        (Provider::Gitlab, Repository::Platform) => {
            include_str!("../../../templates/ci/gitlab-platform.yml")
        }
        (Provider::Gitlab, Repository::Extensions) => {
            include_str!("../../../templates/ci/gitlab-extensions.yml")
        }
        (Provider::Gitlab, Repository::Workspace) => {
            include_str!("../../../templates/ci/gitlab-workspace.yml")
        }
        (Provider::Gitlab, Repository::Distribution) => {
            include_str!("../../../templates/ci/gitlab-distribution.yml")
        }
        (Provider::Jenkins, Repository::Core) => {
            include_str!("../../../templates/ci/core.Jenkinsfile")
        }
        (Provider::Jenkins, Repository::Platform) => {
            include_str!("../../../templates/ci/platform.Jenkinsfile")
        }
        (Provider::Jenkins, Repository::Extensions) => {
            include_str!("../../../templates/ci/extensions.Jenkinsfile")
        }
        (Provider::Jenkins, Repository::Workspace) => {
            include_str!("../../../templates/ci/workspace.Jenkinsfile")
        }
        (Provider::Jenkins, Repository::Distribution) => {
            include_str!("../../../templates/ci/distribution.Jenkinsfile")
        }
    }
}
