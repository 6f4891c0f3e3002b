//! `provisioning cache`: where downloads are kept, how many, and how they go.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use clap::Subcommand;
use jiff::SignedDuration;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::bytes;
use crate::registry::cache_contents::{CachedFile, Keeping, archives_folder, contents, to_remove};
use crate::registry::cache_lock;
use crate::settings::{parse_duration, parse_size};

/// How long what nobody uses is kept where nothing is said.
const AGE_MAX_DEFAULT: Duration = Duration::from_hours(30 * 24);
/// How often the cache's lock is tried.
const LOCK_POLL: Duration = Duration::from_millis(50);

/// What to do with the cache.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Print the folder that downloads are kept in
    ///
    /// Everything in it can be fetched again; removing it while no `provisioning` runs is
    /// safe.
    Dir,
    /// Print how much is kept
    Size,
    Prune(Prune),
}

/// Remove downloads that were not used for long, or do not fit
///
/// What was used last stays. Installs that run meanwhile are waited for. Without a flag, the
/// `cache-max-size` of the configuration holds, else what nobody used for 30 days goes. What
/// is installed is not affected, and what is needed again is fetched again.
#[derive(Debug, clap::Args)]
pub(crate) struct Prune {
    /// Remove what was not used for this long, such as `30d` or `12h`
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    older_than: Option<SignedDuration>,
    /// Keep no more than this, such as `2GiB`
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_size: Option<u64>,
    /// Remove everything
    #[arg(long, conflicts_with_all = ["older_than", "max_size"])]
    all: bool,
    /// Say what would go, and remove nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Dir {
    dir: String,
}

#[derive(Serialize)]
struct Kept {
    dir: String,
    size: u64,
    archives: usize,
    unfinished: usize,
    max_size: Option<u64>,
}

#[derive(Serialize)]
struct Pruned {
    removed: Vec<String>,
    removed_bytes: u64,
    kept: usize,
    kept_bytes: u64,
    dry_run: bool,
}

/// Runs it.
pub(crate) fn run(action: &Action, context: &Context) -> Outcome<Exit> {
    match action {
        Action::Dir => {
            let document = Dir {
                dir: context.settings.cache()?.display().to_string(),
            };
            context
                .output
                .result(&document, |out| writeln!(out, "{}", document.dir))?;
        }
        Action::Size => size(context)?,
        Action::Prune(args) => prune(args, context)?,
    }
    Ok(Exit::Done)
}

fn size(context: &Context) -> Outcome<()> {
    let cache = context.settings.cache()?;
    let files = contents(cache);
    let whole = files.iter().filter(|it| it.is_whole).count();
    let document = Kept {
        dir: cache.display().to_string(),
        size: total(files.iter()),
        archives: whole,
        unfinished: files.len() - whole,
        max_size: context.settings.cache_max_size,
    };
    context.output.result(&document, |out| {
        let cap = document.max_size.map(|it| format!(" of {}", bytes(it)));
        writeln!(
            out,
            "{}{} in {} archives",
            bytes(document.size),
            cap.unwrap_or_default(),
            document.archives
        )
    })
}

fn prune(args: &Prune, context: &Context) -> Outcome<()> {
    let cache = context.settings.cache()?;
    let keeping = keeping(args, context);
    let folder = archives_folder(cache);
    let _lock = if args.dry_run || !folder.is_dir() {
        None
    } else {
        Some(wait_alone(&folder, context)?)
    };
    let files = contents(cache);
    let removed = to_remove(&files, keeping, SystemTime::from(context.now()));
    if !args.dry_run {
        for file in &removed {
            match std::fs::remove_file(&file.path) {
                Err(problem) if problem.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Failure::io("remove", &file.path, &problem));
                }
                _ => {}
            }
        }
    }
    let removed_bytes = total(removed.iter().copied());
    let document = Pruned {
        removed: removed.iter().filter_map(|it| name_of(&it.path)).collect(),
        removed_bytes,
        kept: files.len() - removed.len(),
        kept_bytes: total(files.iter()) - removed_bytes,
        dry_run: args.dry_run,
    };
    context.output.result(&document, |out| {
        let verb = if args.dry_run { "would go" } else { "removed" };
        writeln!(
            out,
            "{} files {verb} ({}), {} stay ({})",
            document.removed.len(),
            bytes(document.removed_bytes),
            document.kept,
            bytes(document.kept_bytes)
        )
    })
}

/// What may stay, as flags and settings say.
fn keeping(args: &Prune, context: &Context) -> Keeping {
    let age_max = args.older_than.map(SignedDuration::unsigned_abs);
    let said_nothing = age_max.is_none() && args.max_size.is_none() && !args.all;
    let cap = context.settings.cache_max_size.filter(|_| said_nothing);
    Keeping {
        age_max: age_max.or((said_nothing && cap.is_none()).then_some(AGE_MAX_DEFAULT)),
        bytes_max: args.max_size.or(cap).or(args.all.then_some(0)),
    }
}

/// Waits until nobody uses the cache.
fn wait_alone(folder: &Path, context: &Context) -> Outcome<std::fs::File> {
    let patience = Duration::try_from(context.settings.lock_timeout).unwrap_or_default();
    let started = Instant::now();
    let mut has_said = false;
    loop {
        let lock = cache_lock::try_alone(folder)
            .map_err(|problem| Failure::io("lock", folder, &problem))?;
        if let Some(lock) = lock {
            return Ok(lock);
        }
        if started.elapsed() >= patience {
            return Err(
                Failure::new("lock-held", "another `provisioning` is using the cache")
                    .with_exit(Exit::Locked)
                    .with_hint("wait until it ends, or give `--lock-timeout`; nothing was removed"),
            );
        }
        if !std::mem::replace(&mut has_said, true) {
            context.output.status("waiting for whoever uses the cache");
        }
        std::thread::sleep(LOCK_POLL);
    }
}

fn total<'a>(files: impl Iterator<Item = &'a CachedFile>) -> u64 {
    files.map(|it| it.size).sum()
}

fn name_of(path: &Path) -> Option<String> {
    path.file_name()?.to_str().map(str::to_owned)
}
