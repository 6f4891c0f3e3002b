//! `provisioning source show`: what a configuration comes to.

use std::io::{self, Write};

use provisioning_sources::config::{Effective, Purpose, SourceConfig};

use super::{Repository, RepositoryArgs};
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::Table;

/// Show packages and jobs with the values that count for each
///
/// Values are inherited: built in, the top level, the package, the job, the job's package.
/// `--json` prints every value; nothing needs to exist but the configuration.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning source show --json | jq '.packages'")]
pub(crate) struct Args {
    /// Packages, by key or by downstream name; all if none is named
    #[arg(value_name = "PACKAGE")]
    packages: Vec<String>,
}

/// Runs it.
pub(crate) fn run(args: &Args, repository: &RepositoryArgs, context: &Context) -> Outcome<Exit> {
    let repository = Repository::open(repository, Purpose::Source, context)?;
    let mut config = repository.config(context)?;
    let chosen: Vec<String> = config
        .select(&args.packages)?
        .into_iter()
        .map(str::to_owned)
        .collect();
    if !args.packages.is_empty() {
        config.packages.retain(|(key, _)| chosen.contains(key));
        for job in &mut config.jobs {
            job.packages.retain(|(key, _)| chosen.contains(key));
        }
        config.jobs.retain(|it| !it.packages.is_empty());
    }
    context.output.result(&config, |out| write(&config, out))?;
    Ok(Exit::Done)
}

fn write(config: &SourceConfig, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(["PACKAGE", "DOWNSTREAM", "PATHS", "SPECFILE"]);
    for (key, package) in &config.packages {
        let values: &Effective = &package.effective;
        table.row([
            key.clone(),
            values.downstream_name().to_owned(),
            values.paths().join(" "),
            values.specfile().unwrap_or_default().to_owned(),
        ]);
    }
    table.write(out)?;
    if config.jobs.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let mut table = Table::new(["JOB", "TRIGGER", "PACKAGES", "TARGETS"]);
    for job in &config.jobs {
        let keys: Vec<&str> = job.packages.iter().map(|(key, _)| key.as_str()).collect();
        let mut targets: Vec<&str> = Vec::new();
        for (_, values) in &job.packages {
            targets.extend(values.targets());
        }
        targets.sort_unstable();
        targets.dedup();
        table.row([
            job.kind.to_owned(),
            job.trigger.to_owned(),
            keys.join(" "),
            targets.join(" "),
        ]);
    }
    table.write(out)
}
