//! `provisioning source run`: what the configuration's jobs say for an event.

use std::path::PathBuf;

use provisioning_sources::config::{Purpose, SourceConfig};
use serde::Serialize;

use super::affected::{ChangeArgs, touched};
use super::{Repository, RepositoryArgs};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};

mod pool;
mod task;

use task::{Setting, Task, Touched, tasks};

/// Run the jobs that the configuration has for an event
///
/// Jobs of packages that the change touches run side by side; what publishes or proposes a
/// package waits for that package's builds and tests, and is left out if one fails. Exits 1 if
/// something failed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    provisioning source run --event pull_request --base origin/main\n  \
    provisioning source run --event release --version 1.2.0 --dry-run")]
pub(crate) struct Args {
    /// Packages, by key or by downstream name; all if none is named
    #[arg(value_name = "PACKAGE")]
    packages: Vec<String>,
    /// What happened
    #[arg(long, value_name = "EVENT", value_parser = ["pull_request", "commit", "release"])]
    event: String,
    #[command(flatten)]
    change: ChangeArgs,
    /// The released version, for jobs that propose it
    #[arg(long, value_name = "V")]
    version: Option<String>,
    /// The branch that the event is on: jobs that name another branch are left out
    #[arg(long, value_name = "BRANCH")]
    on_branch: Option<String>,
    /// The folder to put results into, one for each package
    #[arg(short, long, default_value = "run", value_name = "DIR")]
    output: PathBuf,
    /// A folder of downstream repositories, for jobs that propose
    #[arg(long, value_name = "DIR")]
    downstream_store: Option<PathBuf>,
    /// How many jobs run at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    parallel: u16,
    /// Say what would run, and run nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Document {
    event: String,
    jobs: Vec<JobDocument>,
}

#[derive(Serialize)]
struct JobDocument {
    job: String,
    package: String,
    state: &'static str,
    commands: Vec<String>,
    reason: Option<String>,
    output: String,
}

/// Runs it.
pub(crate) fn run(args: &Args, repository: &RepositoryArgs, context: &Context) -> Outcome<Exit> {
    let opened = Repository::open(repository, Purpose::Source, context)?;
    let config = opened.config(context)?;
    let chosen: Vec<String> = config
        .select(&args.packages)?
        .into_iter()
        .map(str::to_owned)
        .collect();
    let affected = affected_jobs(args, &opened, &config, context)?;
    let setting = Setting {
        event: &args.event,
        on_branch: args.on_branch.as_deref(),
        version: args.version.as_deref(),
        output: context.env.absolute(&args.output),
        store: args
            .downstream_store
            .as_ref()
            .map(|it| context.env.absolute(it)),
        repository: opened.root.clone(),
        revision: args.change.head.clone(),
        source_config: repository
            .source_config
            .as_ref()
            .map(|_| opened.file.clone()),
    };
    let tasks: Vec<Task> = tasks(&config, affected.as_deref(), &setting)
        .into_iter()
        .filter(|it| chosen.contains(&it.package))
        .collect();
    let done = if args.dry_run {
        tasks.iter().map(Task::planned).collect()
    } else {
        let program = context
            .env
            .program
            .clone()
            .ok_or_else(|| Failure::new("no-program", "cannot tell where this program is"))?;
        pool::run_all(&tasks, &program, usize::from(args.parallel), |line| {
            context.output.status(line);
        })
    };
    let jobs: Vec<JobDocument> = tasks
        .iter()
        .zip(done)
        .map(|(task, done)| JobDocument {
            job: task.job.clone(),
            package: task.package.clone(),
            state: done.state,
            commands: task.shown(),
            reason: done.reason,
            output: done.output,
        })
        .collect();
    let has_failed = jobs.iter().any(|it| it.state == "failed");
    let document = Document {
        event: args.event.clone(),
        jobs,
    };
    context
        .output
        .result(&document, |out| write(&document, out))?;
    Ok(if has_failed { Exit::Failed } else { Exit::Done })
}

/// Which jobs the change touches, with which packages; `None` where nothing says what changed.
fn affected_jobs(
    args: &Args,
    repository: &Repository,
    config: &SourceConfig,
    context: &Context,
) -> Outcome<Option<Vec<Touched>>> {
    if args.change.base.is_none() && args.change.changed_files.is_none() {
        return Ok(None);
    }
    let changed = args.change.files(repository, context)?;
    let found = touched(config, &changed, true, repository)?;
    let packages = |it: provisioning_sources::affected::AffectedJob| {
        let keys = it.packages.into_iter().map(|it| it.package).collect();
        (it.index, keys)
    };
    Ok(Some(found.jobs.into_iter().map(packages).collect()))
}

fn write(document: &Document, out: &mut dyn std::io::Write) -> std::io::Result<()> {
    if document.jobs.is_empty() {
        return writeln!(out, "no job is for {} and these packages", document.event);
    }
    for it in &document.jobs {
        let reason = it
            .reason
            .as_ref()
            .map(|it| format!(" ({it})"))
            .unwrap_or_default();
        writeln!(out, "{} {}: {}{reason}", it.job, it.package, it.state)?;
        if it.state == "failed" {
            for line in it.output.lines() {
                writeln!(out, "  {line}")?;
            }
        }
        if it.state == "planned" {
            for line in &it.commands {
                writeln!(out, "  {line}")?;
            }
        }
    }
    let count = |state: &str| document.jobs.iter().filter(|it| it.state == state).count();
    writeln!(
        out,
        "{} done, {} failed, {} left out",
        count("done"),
        count("failed"),
        count("skipped")
    )
}
