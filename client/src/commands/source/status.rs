//! `provisioning source status`: how packages and their downstream repositories stand.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use provisioning_sources::downstream::update::Pair;
use provisioning_sources::git::Git;
use provisioning_sources::objects::read_commit;
use provisioning_sources::version::last_tag;
use serde::Serialize;

use super::downstream::{Downstreams, Typed};
use super::{Repository, RepositoryArgs};
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use provisioning_sources::config::Purpose;

/// How many commits the text form names.
const COMMITS_SHOWN: usize = 5;

/// Show how packages and their downstream repositories stand
///
/// Which commits either end has that the other has not, where the two last agreed, and the
/// newest release. Without downstream repositories, only what the source says.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    provisioning source status --downstream-store rpms\n  \
    provisioning source status src/copr rpms/copr-cli")]
pub(crate) struct Args {
    /// Packages by key or downstream name, all if none is named; or the source repository and
    /// downstream repositories by their folders
    #[arg(value_name = "PACKAGE|SOURCE|DOWNSTREAM")]
    words: Vec<String>,
    /// A folder that has a repository for each package, called by its downstream name
    #[arg(long, value_name = "DIR")]
    downstream_store: Option<PathBuf>,
}

#[derive(Serialize)]
struct Document {
    packages: Vec<Standing>,
}

#[derive(Serialize)]
struct Standing {
    package: String,
    downstream: String,
    release: Option<String>,
    repository: Option<String>,
    state: &'static str,
    agreed: Option<Agreed>,
    ahead: Vec<CommitDocument>,
    behind: Vec<CommitDocument>,
}

#[derive(Serialize)]
struct Agreed {
    source: String,
    downstream: String,
}

#[derive(Serialize)]
struct CommitDocument {
    commit: String,
    author: String,
    subject: String,
}

/// Runs it.
pub(crate) fn run(args: &Args, repository: &RepositoryArgs, context: &Context) -> Outcome<Exit> {
    let packages = if let Some(typed) = folders(args, repository, context) {
        let store = args.downstream_store.as_deref();
        let downstreams = Downstreams::open(&typed, store, context)?;
        let pairs = downstreams.pairs();
        let standings: Outcome<Vec<Standing>> = pairs.iter().map(standing).collect();
        standings?
    } else {
        of_source(&args.words, repository, context)?
    };
    let document = Document { packages };
    context.output.result(&document, |out| {
        document.packages.iter().try_for_each(|it| write(it, out))
    })?;
    Ok(Exit::Done)
}

/// What was typed, where it is about downstream repositories.
fn folders<'a>(
    args: &'a Args,
    repository: &RepositoryArgs,
    context: &Context,
) -> Option<Typed<'a>> {
    let is_folder = |it: &String| context.env.absolute(Path::new(it)).is_dir();
    let whole = || Typed {
        repository: repository.clone(),
        rest: &args.words,
    };
    if args.downstream_store.is_some() {
        return Some(whole());
    }
    let has_separator = |it: &String| it.contains('/') || it == "." || it == "..";
    let are_folders = !args.words.is_empty() && args.words.iter().all(is_folder);
    if !are_folders {
        return None;
    }
    match (&repository.repository, args.words.len()) {
        (Some(_), _) if args.words.iter().any(has_separator) => Some(whole()),
        (None, 2..) => Typed::with_source(repository, &args.words).ok(),
        _ => None,
    }
}

fn of_source(
    names: &[String],
    repository: &RepositoryArgs,
    context: &Context,
) -> Outcome<Vec<Standing>> {
    let repository = Repository::open(repository, Purpose::Downstream, context)?;
    let config = repository.config(context)?;
    let git = Git::new(&repository.root);
    let mut standings = Vec::new();
    for key in config.select(names)? {
        let values = config
            .package(key)
            .expect("the key was selected from these");
        let tag = last_tag(&git, "HEAD", values)?;
        standings.push(Standing {
            package: key.to_owned(),
            downstream: values.downstream_name().to_owned(),
            release: tag.map(|(_, version)| version),
            repository: None,
            state: "unknown",
            agreed: None,
            ahead: Vec::new(),
            behind: Vec::new(),
        });
    }
    Ok(standings)
}

fn standing(pair: &Pair<'_>) -> Outcome<Standing> {
    let head = pair.source.commit("HEAD")?;
    let point = pair.point()?;
    let (ahead, behind) = match point {
        Some(_) => (pair.ahead(&head)?, pair.behind(&head)?),
        None => (Vec::new(), Vec::new()),
    };
    let state = match (&point, ahead.is_empty(), behind.is_empty()) {
        (None, _, _) => "unpaired",
        (Some(_), true, true) => "in-sync",
        (Some(_), false, true) => "ahead",
        (Some(_), true, false) => "behind",
        (Some(_), false, false) => "diverged",
    };
    let tag = last_tag(pair.source, "HEAD", pair.values)?;
    Ok(Standing {
        package: pair.package.to_owned(),
        downstream: pair.values.downstream_name().to_owned(),
        release: tag.map(|(_, version)| version),
        repository: Some(pair.downstream.folder().display().to_string()),
        state,
        agreed: point.map(|it| Agreed {
            source: it.source,
            downstream: it.downstream,
        }),
        ahead: documents(pair.source, &ahead)?,
        behind: documents(pair.downstream, &behind)?,
    })
}

fn documents(git: &Git, commits: &[String]) -> Outcome<Vec<CommitDocument>> {
    let document = |commit: &String| {
        let text = read_commit(git, commit)?;
        Ok(CommitDocument {
            commit: commit.clone(),
            author: format!("{} <{}>", text.name, text.email),
            subject: text.message.lines().next().unwrap_or_default().to_owned(),
        })
    };
    commits.iter().map(document).collect()
}

fn write(it: &Standing, out: &mut dyn Write) -> io::Result<()> {
    let said = match it.state {
        "in-sync" => "in sync".to_owned(),
        "ahead" => format!("the source is ahead by {}", it.ahead.len()),
        "behind" => format!("downstream is ahead by {}", it.behind.len()),
        "diverged" => format!(
            "diverged: the source is ahead by {}, downstream by {}",
            it.ahead.len(),
            it.behind.len()
        ),
        "unpaired" => "no commit pairs them yet".to_owned(),
        _ => match &it.release {
            Some(version) => format!("newest release {version}"),
            None => "no release".to_owned(),
        },
    };
    writeln!(out, "{}: {said}", it.package)?;
    for (end, commits) in [("source", &it.ahead), ("downstream", &it.behind)] {
        for commit in commits.iter().take(COMMITS_SHOWN) {
            let short = commit.commit.get(..12).unwrap_or(&commit.commit);
            writeln!(
                out,
                "  {end} {short} {} ({})",
                commit.subject, commit.author
            )?;
        }
        if let Some(more) = commits
            .len()
            .checked_sub(COMMITS_SHOWN)
            .filter(|it| *it > 0)
        {
            writeln!(out, "  and {more} more")?;
        }
    }
    Ok(())
}
