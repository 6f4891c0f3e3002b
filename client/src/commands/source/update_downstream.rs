//! `provisioning source update-downstream`: what the source has goes to downstream repositories.

use std::path::PathBuf;

use provisioning_sources::downstream::DownstreamError;
use provisioning_sources::downstream::branches::{Move, move_all, ready};
use provisioning_sources::downstream::update::{Carried, Pair, Planned, Wish};
use serde::Serialize;

use super::RepositoryArgs;
use super::downstream::{Downstreams, Typed};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};

/// Bring downstream repositories to what the source repository has
///
/// Each source commit that alters a package becomes a downstream commit with its author, time
/// and message, and trailers that pair the two. Committed content counts; a repository that
/// is not clean, or has changes that the source has not, is refused before anything changes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    provisioning source update-downstream src/copr rpms/copr-backend rpms/copr-cli\n  \
    provisioning source update-downstream --downstream-store rpms src/copr")]
pub(crate) struct Args {
    /// The source repository (unless `-C` names it), then downstream repositories by their
    /// folders; with `--downstream-store`, packages by key or downstream name, all if none
    #[arg(value_name = "SOURCE|DOWNSTREAM|PACKAGE")]
    words: Vec<String>,
    /// A folder that has a repository for each package, called by its downstream name
    #[arg(long, value_name = "DIR")]
    downstream_store: Option<PathBuf>,
    /// Make one commit with this message
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Make one commit that lists what it brings
    #[arg(long)]
    squash: bool,
    /// Say what would be done, and change no branch
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Document {
    packages: Vec<Updated>,
}

#[derive(Serialize)]
struct Updated {
    package: String,
    repository: String,
    from: Option<String>,
    to: Option<String>,
    commits: Vec<CarriedDocument>,
}

#[derive(Serialize)]
struct CarriedDocument {
    source: String,
    downstream: String,
    subject: String,
    has_effect: bool,
}

/// Runs it.
pub(crate) fn run(args: &Args, repository: &RepositoryArgs, context: &Context) -> Outcome<Exit> {
    let typed = Typed::with_source(repository, &args.words)?;
    let downstreams = Downstreams::open(&typed, args.downstream_store.as_deref(), context)?;
    let pairs = downstreams.pairs();
    let head = downstreams.source.commit("HEAD")?;
    let wish = Wish {
        message: args.message.clone(),
        is_squashed: args.squash,
    };
    let mut tips = Vec::new();
    for pair in &pairs {
        let tip = ready(pair.downstream)?.head;
        refuse_pending(pair, &head)?;
        tips.push(tip);
    }
    let mut packages = Vec::new();
    let mut moves = Vec::new();
    for (pair, tip) in pairs.iter().zip(tips) {
        context.output.status(&format!("Updating {}", pair.package));
        let planned = pair.plan(&head, tip.as_deref(), &wish)?;
        moves.extend(planned.to.clone().map(|to| Move {
            git: pair.downstream.clone(),
            from: tip.clone(),
            to,
        }));
        packages.push(updated(pair, tip, planned));
    }
    if !args.dry_run {
        move_all(&moves).map_err(|it| {
            Failure::from(it).with_hint("every downstream repository is as it was")
        })?;
    }
    let document = Document { packages };
    context.output.result(&document, |out| {
        for it in &document.packages {
            write(it, args.dry_run, out)?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

/// Downstream commits that the source has not would be lost under what comes.
fn refuse_pending(pair: &Pair<'_>, head: &str) -> Outcome<()> {
    let behind = pair.behind(head)?;
    if behind.is_empty() {
        return Ok(());
    }
    Err(DownstreamError::Ahead {
        package: pair.package.to_owned(),
        ahead: pair.downstream.folder().display().to_string(),
        behind: pair.source.folder().display().to_string(),
        commits: behind.len(),
    }
    .into())
}

fn updated(pair: &Pair<'_>, from: Option<String>, planned: Planned) -> Updated {
    let document = |it: Carried| CarriedDocument {
        source: it.source,
        downstream: it.downstream,
        subject: it.subject,
        has_effect: it.has_effect,
    };
    Updated {
        package: pair.package.to_owned(),
        repository: pair.downstream.folder().display().to_string(),
        to: planned.to.or_else(|| from.clone()),
        from,
        commits: planned.commits.into_iter().map(document).collect(),
    }
}

fn write(it: &Updated, is_dry: bool, out: &mut dyn std::io::Write) -> std::io::Result<()> {
    let altering = it.commits.iter().filter(|it| it.has_effect).count();
    let would = if is_dry { " would come" } else { "" };
    match (it.commits.len(), altering) {
        (0, _) => writeln!(out, "{}: up to date", it.package),
        (_, 0) => writeln!(out, "{}: nothing changes{would}", it.package),
        (_, 1) => writeln!(out, "{}: 1 commit{would}", it.package),
        (_, count) => writeln!(out, "{}: {count} commits{would}", it.package),
    }?;
    for commit in it.commits.iter().filter(|it| it.has_effect) {
        let short = commit.downstream.get(..12).unwrap_or(&commit.downstream);
        writeln!(out, "  {short} {}", commit.subject)?;
    }
    Ok(())
}
