//! `provisioning source update-source`: what was changed downstream comes back.

use provisioning_sources::downstream::DownstreamError;
use provisioning_sources::downstream::branches::{Move, move_all, ready};
use provisioning_sources::downstream::update::Pair;
use serde::Serialize;

use super::RepositoryArgs;
use super::downstream::{Downstreams, Typed};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};

/// Bring the commits of a downstream repository into the source repository
///
/// Each becomes a source commit with its author, time and message, and trailers that pair the
/// two; only files that go downstream come back. Without a RANGE, the commits since the two
/// agreed. A conflict, or a change to what is made from the source, refuses the whole.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning source update-source rpms/copr-cli src/copr")]
pub(crate) struct Args {
    /// The downstream repository, whose folder is called as the package
    #[arg(value_name = "DOWNSTREAM")]
    downstream: String,
    /// The source repository (unless `-C` names it), then the downstream commits: a range as
    /// git has it, or one commit
    #[arg(value_name = "SOURCE|RANGE", num_args = 0..=2)]
    words: Vec<String>,
    /// Say what would be done, and change no branch
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Document {
    package: String,
    repository: String,
    from: String,
    to: String,
    commits: Vec<ReturnedDocument>,
}

#[derive(Serialize)]
struct ReturnedDocument {
    downstream: String,
    source: String,
    subject: String,
    has_effect: bool,
}

/// Runs it.
pub(crate) fn run(args: &Args, repository: &RepositoryArgs, context: &Context) -> Outcome<Exit> {
    let split = Typed::with_source(repository, &args.words)?;
    let range = match split.rest {
        [] => None,
        [range] => Some(range.as_str()),
        _ => return Err(Failure::usage("more than one range is named")),
    };
    let typed = Typed {
        repository: split.repository,
        rest: std::slice::from_ref(&args.downstream),
    };
    let downstreams = Downstreams::open(&typed, None, context)?;
    if downstreams.repository.is_clone() {
        return Err(
            Failure::usage("the source repository is a URL, which is not changed")
                .with_hint("clone it, and name the folder"),
        );
    }
    let pairs = downstreams.pairs();
    let pair = pairs.first().expect("one repository was named");
    let head = ready(&downstreams.source)?
        .head
        .ok_or_else(|| Failure::new("no-commit", "the source repository has no commit"))?;
    let pending = pending(pair, range, &head)?;
    context
        .output
        .status(&format!("Updating {}", pair.source.folder().display()));
    let plan = pair.take(&pending, &head)?;
    let to = plan.to.clone().unwrap_or_else(|| head.clone());
    if !args.dry_run && to != head {
        move_all(&[Move {
            git: downstreams.source.clone(),
            from: Some(head.clone()),
            to: to.clone(),
        }])?;
    }
    let returned = |it: &provisioning_sources::downstream::back::Returned| ReturnedDocument {
        downstream: it.downstream.clone(),
        source: it.source.clone(),
        subject: it.subject.clone(),
        has_effect: it.has_effect,
    };
    let document = Document {
        package: pair.package.to_owned(),
        repository: pair.source.folder().display().to_string(),
        from: head,
        to,
        commits: plan.commits.iter().map(returned).collect(),
    };
    context.output.result(&document, |out| {
        if document.commits.is_empty() {
            return writeln!(out, "{}: up to date", document.package);
        }
        let plural = if document.commits.len() == 1 { "" } else { "s" };
        let count = document.commits.len();
        writeln!(out, "{}: {count} commit{plural}", document.package)?;
        for it in &document.commits {
            let effect = if it.has_effect {
                ""
            } else {
                " (changes nothing here)"
            };
            let short = it.source.get(..12).unwrap_or(&it.source);
            writeln!(out, "  {short} {}{effect}", it.subject)?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

/// The commits to bring; the source may have none of its own that go first.
fn pending(pair: &Pair<'_>, range: Option<&str>, head: &str) -> Outcome<Vec<String>> {
    if range.is_some() {
        return Ok(pair.pending(range)?);
    }
    let repository = || pair.downstream.folder().display().to_string();
    if pair.point()?.is_none() {
        return Err(DownstreamError::Unpaired {
            package: pair.package.to_owned(),
            repository: repository(),
        }
        .into());
    }
    let ahead = pair.ahead(head)?;
    let pending = pair.pending(None)?;
    if ahead.is_empty() || pending.is_empty() {
        return Ok(pending);
    }
    Err(DownstreamError::Ahead {
        package: pair.package.to_owned(),
        ahead: pair.source.folder().display().to_string(),
        behind: repository(),
        commits: ahead.len(),
    }
    .into())
}
