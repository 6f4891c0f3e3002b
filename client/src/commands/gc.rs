//! `provisioning gc`: generations that nobody goes back to, and what only they needed.

use std::io::Write;
use std::num::NonZeroUsize;

use jiff::{SignedDuration, Timestamp};
use provisioning_installers::{Garbage, GcPolicy, collect, garbage};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::settings::parse_duration;
use crate::transaction::{Mode, lock, open_prefix};

/// How many generations stay when nothing else is said.
const KEEP_DEFAULT: usize = 5;

/// Removes old generations, and everything that only they needed.
///
/// The current generation always stays, and so does whatever a generation that stays needs.
/// Without `--keep` and `--older-than` the newest 5 stay. With both, a generation goes only
/// where both let it. Downloads are not touched: `provisioning cache` looks after those.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Keep the newest N generations, the current one counted
    #[arg(long, value_name = "N")]
    keep: Option<NonZeroUsize>,
    /// Remove only generations that were replaced longer ago than this, such as `30d`
    #[arg(long, value_name = "AGE", value_parser = parse_duration)]
    older_than: Option<SignedDuration>,
    /// Remove also what `verify --repair` and `adopt` kept of files that you had changed; with
    /// `--older-than` only what was kept longer ago
    #[arg(long)]
    saved: bool,
    /// Say what would go, and remove nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    dry_run: bool,
    #[serde(flatten)]
    garbage: &'a Garbage,
}

/// Runs it.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let policy = policy(args, context.now());
    let found = if args.dry_run {
        let prefix = open_prefix(context, Mode::DryRun)?;
        tokio::task::block_in_place(|| garbage(&prefix, &policy))?
    } else {
        let prefix = open_prefix(context, Mode::Do)?;
        if !prefix.base().exists() {
            // Nothing was ever installed, so there is nothing to lock either.
            return show(&Garbage::default(), args, context);
        }
        let lock = lock(&prefix, "gc", context)?;
        let collected = tokio::task::block_in_place(|| collect(&prefix, &lock, &policy));
        collected.map_err(|it| {
            Failure::from(it).with_changed("what is gone stays gone; what stays is whole")
        })?
    };
    show(&found, args, context)
}

fn policy(args: &Args, now: Timestamp) -> GcPolicy {
    let keep = match (args.keep, args.older_than) {
        (Some(keep), _) => keep.get(),
        (None, Some(_)) => 1,
        (None, None) => KEEP_DEFAULT,
    };
    GcPolicy {
        keep,
        takes_saved: args.saved,
        // What is older than time itself is nothing.
        replaced_before: args
            .older_than
            .map(|it| now.checked_sub(it).unwrap_or(Timestamp::MIN)),
    }
}

fn show(found: &Garbage, args: &Args, context: &Context) -> Outcome<Exit> {
    let document = Document {
        dry_run: args.dry_run,
        garbage: found,
    };
    context.output.result(&document, |out| {
        let (remove, free) = if args.dry_run {
            ("would remove", "would free")
        } else {
            ("removed", "freed")
        };
        if found.is_empty() {
            let kept = counted(found.kept.len(), "generation");
            writeln!(out, "nothing to remove: {kept} kept")?;
            return tell_saved(found, out);
        }
        for it in &found.removed {
            writeln!(out, "{remove} generation {it}")?;
        }
        for it in &found.packages {
            match (&it.name, &it.version) {
                (Some(name), Some(version)) => writeln!(out, "{remove} {name} {version}")?,
                _ => writeln!(out, "{remove} store folder {}", it.folder)?,
            }
        }
        if found.leftovers > 0 {
            let what = counted(found.leftovers, "leftover");
            writeln!(out, "{remove} {what} of runs that were killed")?;
        }
        if found.saved.removed > 0 {
            let what = counted(found.saved.removed, "file");
            writeln!(
                out,
                "{remove} {what} that you had changed and that were kept"
            )?;
        }
        let kept = counted(found.kept.len(), "generation");
        let bytes = indicatif::HumanBytes(found.bytes);
        writeln!(out, "{free} {bytes}; {kept} kept")?;
        tell_saved(found, out)
    })?;
    Ok(Exit::Done)
}

/// Names what stays although no generation needs it.
fn tell_saved(found: &Garbage, out: &mut dyn Write) -> std::io::Result<()> {
    let staying = found.saved.found - found.saved.removed;
    if staying == 0 {
        return Ok(());
    }
    let what = counted(staying, "file");
    writeln!(
        out,
        "{what} that `verify --repair` or `adopt` kept for you: `provisioning gc --saved` removes them"
    )
}

fn counted(count: usize, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {what}{ending}")
}
