//! `provisioning source affected`: what a change touches.

use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use provisioning_sources::affected::{Affected, AffectedPackage, Reason, add_dependents, affected};
use provisioning_sources::config::{Purpose, SourceConfig};
use provisioning_sources::dependencies::{SourceTexts, dependencies};
use provisioning_sources::git::Git;
use serde::Serialize;

use super::{Repository, RepositoryArgs};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};

mod bundles;

/// How many reasons the text form gives for one package.
const REASONS_SHOWN: usize = 3;

/// Longest list of changed files that is read, in bytes.
const CHANGED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Show the packages and jobs that a change touches, and why
///
/// The change is what a branch adds since it left `--base`, or a list of files.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provisioning source affected --base origin/main\n  \
                        git diff --name-only HEAD~1 | provisioning source affected \
                        --changed-files -"
)]
pub(crate) struct Args {
    /// Packages to ask about, by key or by downstream name; all if none is named
    #[arg(value_name = "PACKAGE")]
    packages: Vec<String>,
    #[command(flatten)]
    change: ChangeArgs,
    /// Also the packages of the repository that depend on touched ones
    #[arg(long)]
    dependents: bool,
    /// Also the published bundles of the registry that have touched packages
    #[arg(long)]
    bundles: bool,
    /// Print one line of JSON for a CI matrix: `{"include": [{"package": …}]}`
    #[arg(long)]
    matrix: bool,
}

/// What changed.
#[derive(Debug, clap::Args)]
#[group(id = "change")]
pub(crate) struct ChangeArgs {
    /// The revision that the change started from
    #[arg(long, value_name = "REV", conflicts_with = "changed_files")]
    pub(crate) base: Option<String>,
    /// The revision that has the change
    #[arg(
        long,
        value_name = "REV",
        default_value = "HEAD",
        conflicts_with = "changed_files"
    )]
    pub(crate) head: String,
    /// A file of changed paths, one a line or NUL-separated; `-` is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) changed_files: Option<PathBuf>,
}

impl ChangeArgs {
    /// The changed files, from the repository's root.
    pub(crate) fn files(&self, repository: &Repository, context: &Context) -> Outcome<Vec<String>> {
        if let Some(file) = &self.changed_files {
            return listed(file, context);
        }
        let Some(base) = &self.base else {
            return Err(Failure::usage("nothing says what changed")
                .with_hint("`--base REV` names where the change started")
                .with_hint("`--changed-files -` reads the changed paths from stdin"));
        };
        Ok(provisioning_sources::git::changed_files(
            &Git::new(&repository.root),
            base,
            &self.head,
        )?)
    }
}

/// Runs it.
pub(crate) fn run(args: &Args, repository: &RepositoryArgs, context: &Context) -> Outcome<Exit> {
    let repository = Repository::open(repository, Purpose::Source, context)?;
    let config = repository.config(context)?;
    let chosen: Vec<String> = config
        .select(&args.packages)?
        .into_iter()
        .map(str::to_owned)
        .collect();
    let changed = args.change.files(&repository, context)?;
    let mut found = touched(&config, &changed, args.dependents, &repository)?;
    keep(&mut found, &chosen);
    let bundles = if args.bundles {
        bundles::containing(&found, &config, &repository, context)?
    } else {
        Vec::new()
    };
    let document = Document {
        affected: found,
        bundles,
    };
    if args.matrix {
        let line = matrix(&document, &config);
        context.output.raw(format!("{line}\n").as_bytes())?;
        return Ok(Exit::Done);
    }
    context.output.result(&document, |out| {
        write(&document.affected, out)?;
        for it in &document.bundles {
            writeln!(out, "{} is in {} #{}", it.package, it.bundle, it.sequence)?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    affected: Affected,
    /// Bundles that have touched packages, where they were asked for.
    bundles: Vec<bundles::Containing>,
}

/// What these files touch.
pub(crate) fn touched(
    config: &SourceConfig,
    changed: &[String],
    with_dependents: bool,
    repository: &Repository,
) -> Outcome<Affected> {
    let mut found = affected(config, changed)
        .map_err(|problem| Failure::new("invalid-source-configuration", problem.to_string()))?;
    if with_dependents {
        let read = |path: &str| std::fs::read_to_string(repository.root.join(path)).ok();
        let texts = SourceTexts { read: &read };
        add_dependents(&mut found, config, &dependencies(config, &texts));
    }
    Ok(found)
}

fn keep(found: &mut Affected, chosen: &[String]) {
    let is_chosen = |it: &AffectedPackage| chosen.contains(&it.package);
    found.packages.retain(is_chosen);
    for job in &mut found.jobs {
        job.packages.retain(is_chosen);
    }
    found.jobs.retain(|it| !it.packages.is_empty());
    found.alterations.retain(|it| chosen.contains(&it.package));
}

/// A matrix as GitHub's and Forgejo's workflows take it.
fn matrix(document: &Document, config: &SourceConfig) -> String {
    let bundles = |package: &str| -> Vec<&str> {
        let found = document.bundles.iter().filter(|it| it.package == package);
        found.map(|it| it.bundle.as_str()).collect()
    };
    let include: Vec<serde_json::Value> = document
        .affected
        .packages
        .iter()
        .map(|it| {
            let values = config.package(&it.package);
            serde_json::json!({
                "package": it.package,
                "downstream": values.map(provisioning_sources::config::Effective::downstream_name),
                "paths": values.map(provisioning_sources::config::Effective::paths),
                "bundles": bundles(&it.package),
            })
        })
        .collect();
    serde_json::json!({ "include": include }).to_string()
}

fn listed(file: &Path, context: &Context) -> Outcome<Vec<String>> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().take(CHANGED_BYTES_MAX).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(context.env.absolute(file))
            .and_then(|it| it.take(CHANGED_BYTES_MAX).read_to_end(&mut bytes))
    };
    read.map_err(|problem| Failure::io("read", file, &problem))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::new("no-text", format!("`{}` is no UTF-8 text", file.display())))?;
    let separator = if text.contains('\0') { '\0' } else { '\n' };
    let lines = text.split(separator).map(|it| it.trim_end_matches('\r'));
    Ok(lines
        .filter(|it| !it.is_empty())
        .map(str::to_owned)
        .collect())
}

fn write(found: &Affected, out: &mut dyn Write) -> io::Result<()> {
    if found.packages.is_empty() {
        writeln!(out, "no package is touched")?;
    }
    for package in &found.packages {
        writeln!(out, "{}", package.package)?;
        write_reasons(&package.reasons, out)?;
    }
    if !found.jobs.is_empty() {
        writeln!(out)?;
    }
    for job in &found.jobs {
        let keys: Vec<&str> = job.packages.iter().map(|it| it.package.as_str()).collect();
        writeln!(
            out,
            "job {} on {}: {}",
            job.job,
            job.trigger,
            keys.join(" ")
        )?;
    }
    for it in &found.alterations {
        writeln!(
            out,
            "`{}` lies outside of `{}` but alters it downstream, through `{}`",
            it.file, it.package, it.through
        )?;
    }
    Ok(())
}

fn write_reasons(reasons: &[Reason], out: &mut dyn Write) -> io::Result<()> {
    for reason in reasons.iter().take(REASONS_SHOWN) {
        match (&reason.file, &reason.pattern, &reason.depends_on) {
            (Some(file), Some(pattern), _) => writeln!(out, "  {file} (in `{pattern}`)")?,
            (Some(file), None, _) => writeln!(out, "  {file}")?,
            (None, _, Some(package)) => writeln!(out, "  depends on {package}")?,
            (None, _, None) => {}
        }
    }
    if let Some(more) = reasons
        .len()
        .checked_sub(REASONS_SHOWN)
        .filter(|it| *it > 0)
    {
        writeln!(out, "  and {more} more")?;
    }
    Ok(())
}
