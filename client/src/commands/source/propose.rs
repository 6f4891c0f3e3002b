//! `provisioning source propose`: a release, proposed to downstream repositories.

use provisioning_sources::config::{Purpose, SourceConfig};
use provisioning_sources::downstream::propose::{Proposal, Release, propose_release};
use provisioning_sources::downstream::remote::Remote;
use provisioning_sources::downstream::update::Pair;
use provisioning_sources::git::Git;
use provisioning_sources::snapshot::Snapshot;
use provisioning_sources::version::tag_of;
use serde::Serialize;

use super::elsewhere::{Elsewhere, ElsewhereArgs, configured_branches, send};
use super::{Repository, RepositoryArgs};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};

/// Propose a release to downstream repositories
///
/// Each gets a branch with one commit: what goes downstream, the version, a changelog entry.
/// Where a forge is configured, a change is opened for it, or brought up to date. Every branch
/// is made before the first is sent.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning source propose copr-cli --version 1.2.0")]
pub(crate) struct Args {
    /// Packages, by key or by downstream name; all if none is named
    #[arg(value_name = "PACKAGE")]
    packages: Vec<String>,
    /// The version that is released
    #[arg(long, value_name = "V")]
    version: String,
    /// The released commit; otherwise the tag that `upstream_tag_template` makes of the version
    #[arg(long, value_name = "REV")]
    revision: Option<String>,
    #[command(flatten)]
    elsewhere: ElsewhereArgs,
    /// Say what would be proposed, and send nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Document {
    packages: Vec<Proposed>,
}

#[derive(Serialize)]
struct Proposed {
    package: String,
    repository: String,
    target: String,
    branch: Option<String>,
    commit: Option<String>,
    state: &'static str,
    change: Option<String>,
}

struct Ready {
    package: String,
    remote: Remote,
    proposals: Vec<Proposal>,
}

/// Runs it.
pub(crate) fn run(args: &Args, repository: &RepositoryArgs, context: &Context) -> Outcome<Exit> {
    let repository = Repository::open(repository, Purpose::Downstream, context)?;
    let config = repository.config(context)?;
    let keys = config.select(&args.packages)?;
    let source = Git::new(&repository.root);
    let elsewhere = Elsewhere::new(&args.elsewhere, context)?;
    let mut all = Vec::new();
    for key in keys {
        all.push(prepare(key, args, &config, &source, &elsewhere)?);
    }
    let mut packages = Vec::new();
    for ready in &all {
        let values = config.package(&ready.package).expect("it was selected");
        for proposal in &ready.proposals {
            let sent = if args.dry_run {
                None
            } else {
                let forge = elsewhere.forge(values, &ready.remote)?;
                send(&ready.remote, forge.as_ref(), proposal, &proposal.body)
                    .map_err(|it| told(it, &packages))?
            };
            let state = match (&proposal.commit, &sent) {
                (None, _) => "unchanged",
                (Some(_), None) => "planned",
                (Some(_), Some(sent)) if sent.is_new => "proposed",
                (Some(_), Some(_)) => "up-to-date",
            };
            packages.push(Proposed {
                package: ready.package.clone(),
                repository: ready.remote.url.clone(),
                target: proposal.target.clone(),
                branch: proposal.commit.as_ref().map(|_| proposal.branch.clone()),
                commit: proposal.commit.clone(),
                state,
                change: sent.and_then(|it| it.change).map(|it| it.url),
            });
        }
    }
    let document = Document { packages };
    context.output.result(&document, |out| {
        for it in &document.packages {
            let place = it.change.as_ref().or(it.branch.as_ref());
            let place = place.map(|it| format!(": {it}")).unwrap_or_default();
            writeln!(out, "{} for {}: {}{place}", it.package, it.target, it.state)?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

fn prepare(
    key: &str,
    args: &Args,
    config: &SourceConfig,
    source: &Git,
    elsewhere: &Elsewhere<'_>,
) -> Outcome<Ready> {
    let values = config
        .package(key)
        .expect("the key was selected from these");
    let (commit, tag) = released(args, source, values, key)?;
    let remote = elsewhere.clone(key, values)?;
    let configured = configured_branches(config, key, &["propose_downstream", "propose"]);
    let targets = elsewhere.targets(&remote, &configured)?;
    let pair = Pair {
        package: key,
        values,
        source,
        downstream: &remote.git,
        is_only: config.packages.len() == 1,
        config_file: None,
    };
    let work = tempfile::tempdir()
        .map_err(|it| Failure::io("create", std::path::Path::new("a temporary folder"), &it))?;
    let snapshot = Snapshot::take(source.folder(), &commit, &work.path().join("repository"))?;
    let release = Release {
        version: &args.version,
        tag: tag.as_deref(),
        commit: &commit,
    };
    let mut proposals = Vec::new();
    for target in targets {
        proposals.push(propose_release(
            &pair, &remote, &release, &snapshot, &target,
        )?);
    }
    Ok(Ready {
        package: key.to_owned(),
        remote,
        proposals,
    })
}

/// The released commit, and its tag.
fn released(
    args: &Args,
    source: &Git,
    values: &provisioning_sources::config::Effective,
    key: &str,
) -> Outcome<(String, Option<String>)> {
    let tag = tag_of(values, &args.version);
    let tagged = source.commit(&format!("refs/tags/{tag}"));
    match (&args.revision, tagged) {
        (Some(revision), _) => Ok((source.commit(revision)?, None)),
        (None, Ok(commit)) => Ok((commit, Some(tag))),
        (None, Err(_)) => {
            let message = format!("`{key}` {} has no tag `{tag}`", args.version);
            Err(Failure::new("no-tag", message)
                .with_hint(format!(
                    "`git tag {tag}`, or name the commit with `--revision REV`"
                ))
                .with_hint("`upstream_tag_template` says how a version's tag is called"))
        }
    }
}

/// A failure that tells what was sent before it.
fn told(failure: Failure, sent: &[Proposed]) -> Failure {
    let names: Vec<String> = sent
        .iter()
        .filter_map(|it| Some(format!("{} ({})", it.package, it.branch.as_ref()?)))
        .collect();
    if names.is_empty() {
        return failure.with_hint("nothing was sent");
    }
    failure.with_hint(format!(
        "sent before: {}; the same command goes on from there",
        names.join(", ")
    ))
}
