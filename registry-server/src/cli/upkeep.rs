//! `provisioning-registry fsck`, `gc`, `export`, `backup`, `restore` and `db copy`: each works beside a running
//! server.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use jiff::{SignedDuration, Span, SpanRelativeTo};
use provisioning_registry_server::{FsckOptions, GcOptions, Place, Upkeep, copy_database, restore};
use serde::Serialize;

use super::RegistryArgs;
use crate::env::Environment;

#[derive(Debug, Args)]
pub(crate) struct FsckArgs {
    #[command(flatten)]
    registry: RegistryArgs,
    /// Mends what can be mended
    #[arg(long)]
    repair: bool,
    /// Compares sizes instead of reading every archive
    #[arg(long)]
    quick: bool,
    /// Folder or `s3://bucket/prefix` with an export of this registry, to mend archives from
    #[arg(long, value_name = "COPY", requires = "repair")]
    from: Option<String>,
    /// For how long an archive may lie there without a version that uses it
    #[arg(long, value_name = "SPAN", default_value = "7d", value_parser = span)]
    grace: SignedDuration,
    /// Prints one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GcArgs {
    #[command(flatten)]
    registry: RegistryArgs,
    /// Says what would go, and leaves it
    #[arg(long)]
    dry_run: bool,
    /// For how long something may lie there unused
    #[arg(long, value_name = "SPAN", default_value = "7d", value_parser = span)]
    grace: SignedDuration,
    /// Prints one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    registry: RegistryArgs,
    /// Folder, or `s3://bucket/prefix`, that becomes a static copy of the read side
    #[arg(value_name = "DIR")]
    to: String,
    /// Goes on copying, this often, until it is told to stop
    #[arg(long, value_name = "SPAN", value_parser = span)]
    every: Option<SignedDuration>,
    /// Prints one JSON document for each copy
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    #[command(flatten)]
    registry: RegistryArgs,
    /// File to write; it must not exist
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Leaves the signing keys out: they must then be kept elsewhere
    #[arg(long)]
    without_keys: bool,
    /// Prints one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    registry: RegistryArgs,
    /// File that `backup` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Prints one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Copies every row into an empty database, and compares each afterwards
    Copy(CopyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    /// Database to read: `sqlite://FILE` or `postgres://…`
    #[arg(value_name = "FROM")]
    from: String,
    /// Empty database to fill: `postgres://…` or `sqlite://FILE?mode=rwc`
    #[arg(value_name = "TO")]
    to: String,
    /// Prints one JSON document
    #[arg(long)]
    json: bool,
}

impl FsckArgs {
    pub(super) async fn run(self, environment: Environment) -> anyhow::Result<ExitCode> {
        let clock = environment.clock;
        let place = self.registry.place(environment);
        let upkeep = Upkeep::open(&place, clock).await?;
        let options = FsckOptions {
            repair: self.repair,
            quick: self.quick,
            from: self.from,
            grace: self.grace,
        };
        let findings = upkeep.fsck(&place, &options).await?;
        upkeep.close().await;
        let is_clean = findings.iter().all(|it| it.repaired);
        if self.json {
            print_json(&serde_json::json!({"schema": 1, "findings": findings}))?;
        } else {
            for finding in &findings {
                let mended = if finding.repaired { "mended: " } else { "" };
                print(&format!(
                    "{mended}{}: {}: {}",
                    finding.code, finding.subject, finding.detail
                ))?;
            }
            let left = findings.iter().filter(|it| !it.repaired).count();
            match (findings.len(), left) {
                (0, _) => print("clean")?,
                (all, 0) => print(&format!("{all} mended, nothing left"))?,
                (_, left) => print(&format!("{left} left to mend"))?,
            }
        }
        Ok(if is_clean {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

impl GcArgs {
    pub(super) async fn run(self, environment: Environment) -> anyhow::Result<ExitCode> {
        let clock = environment.clock;
        let place = self.registry.place(environment);
        let upkeep = Upkeep::open(&place, clock).await?;
        let options = GcOptions {
            grace: self.grace,
            dry_run: self.dry_run,
        };
        let collected = upkeep.gc(options).await?;
        upkeep.close().await;
        if self.json {
            let dry_run = self.dry_run;
            print_json(&serde_json::json!({
                "schema": 1, "dry_run": dry_run, "paths": collected.paths, "bytes": collected.bytes,
            }))?;
        } else {
            let did = if self.dry_run {
                "would remove"
            } else {
                "removed"
            };
            for path in &collected.paths {
                print(&format!("{did} {path}"))?;
            }
            let (files, bytes) = (collected.paths.len(), collected.bytes);
            print(&format!("{did} {files} files, {bytes} bytes"))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl ExportArgs {
    pub(super) async fn run(self, environment: Environment) -> anyhow::Result<ExitCode> {
        let clock = environment.clock;
        let place = self.registry.place(environment);
        let upkeep = Upkeep::open(&place, clock).await?;
        loop {
            let done = upkeep.export(&place, &self.to).await;
            match (done, self.every) {
                (Ok(done), _) if self.json => {
                    print_json(&serde_json::json!({"schema": 1, "export": done}))?;
                }
                (Ok(done), _) => print(&format!(
                    "{}: {} files copied ({} bytes), {} there already; good until {}",
                    self.to, done.copied, done.bytes, done.kept, done.good_until
                ))?,
                (Err(error), None) => return Err(error.into()),
                // A bucket that is away for a while must not end the copying.
                (Err(error), Some(_)) => {
                    let error = anyhow::Error::from(error);
                    tracing::warn!("this copy failed, another follows: {error:#}");
                }
            }
            let Some(pause) = self.every else {
                upkeep.close().await;
                return Ok(ExitCode::SUCCESS);
            };
            tokio::time::sleep(pause.unsigned_abs()).await;
        }
    }
}

impl BackupArgs {
    pub(super) async fn run(self, environment: Environment) -> anyhow::Result<ExitCode> {
        let clock = environment.clock;
        let place = self.registry.place(environment);
        let upkeep = Upkeep::open(&place, clock).await?;
        let done = upkeep
            .backup(&place, &self.file, !self.without_keys)
            .await
            .context("no backup was made")?;
        upkeep.close().await;
        if self.json {
            print_json(&serde_json::json!({"schema": 1, "backup": done}))?;
        } else {
            let rows: u64 = done.rows.values().sum();
            let keys = if done.has_keys {
                "; it holds the signing keys, so keep it as you keep them"
            } else {
                "; without the signing keys"
            };
            print(&format!(
                "{}: {} archives and {rows} rows at serial {}{keys}",
                self.file.display(),
                done.archives,
                done.serial
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl RestoreArgs {
    pub(super) async fn run(self, environment: Environment) -> anyhow::Result<ExitCode> {
        let place = self.registry.place(environment);
        let done = restore(&place, &self.file)
            .await
            .context("nothing was restored")?;
        if self.json {
            print_json(&serde_json::json!({"schema": 1, "restored": done}))?;
        } else {
            let rows: u64 = done.rows.values().sum();
            print(&format!(
                "restored {} archives and {rows} rows, as of {}",
                done.archives, done.taken_at
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl DbCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let Self::Copy(args) = self;
        let tables = copy_database(&args.from, &args.to)
            .await
            .context("nothing was copied")?;
        if args.json {
            print_json(&serde_json::json!({"schema": 1, "tables": tables}))?;
        } else {
            for table in &tables {
                print(&format!("{:>10}  {}", table.rows, table.table))?;
            }
            let rows: u64 = tables.iter().map(|it| it.rows).sum();
            print(&format!("{rows:>10}  rows copied and compared"))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl RegistryArgs {
    fn place(self, environment: Environment) -> Place {
        Place {
            data: self.data,
            database: self.database,
            storage: self.storage,
            storage_options: environment.storage_options,
        }
    }
}

/// Reads `7d`, `12h`, `30s`.
fn span(text: &str) -> Result<SignedDuration, String> {
    let span: Span = text
        .parse()
        .map_err(|_| format!("`{text}` is no span such as `7d` or `12h`"))?;
    let duration = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| format!("`{text}` is no span in days, hours, minutes and seconds"))?;
    if duration.is_negative() {
        return Err(format!("`{text}` is negative"));
    }
    Ok(duration)
}

fn print(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("stdout is closed")
}

fn print_json(document: &impl Serialize) -> anyhow::Result<()> {
    print(&serde_json::to_string_pretty(document)?)
}
