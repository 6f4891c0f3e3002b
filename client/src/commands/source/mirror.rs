//! `provisioning source mirror`: a change of the source repository, mirrored downstream.

use std::fmt::Write as _;

use provisioning_sources::affected::{Affected, Alteration};
use provisioning_sources::config::{Purpose, SourceConfig};
use provisioning_sources::downstream::propose::{Proposal, mirror_change};
use provisioning_sources::downstream::remote::{Remote, forge};
use provisioning_sources::downstream::update::Pair;
use provisioning_sources::forge::{Check, Verdict, overall};
use provisioning_sources::git::{Git, changed_files};
use serde::Serialize;

use super::affected::touched;
use super::elsewhere::{Elsewhere, ElsewhereArgs, configured_branches, send};
use super::forge::ForgeClient;
use super::{Repository, RepositoryArgs};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};

/// What marks our comment in the source change.
const MARK: &str = "<!-- provisioning source mirror -->";

/// Mirror a change of the source repository to the downstream repositories that it affects
///
/// Each affected package's repository gets a branch, and a change where a forge is configured.
/// Run again, it brings them up to date; the results of their checks come back as one report.
/// A changed file outside of all paths that still alters a package is named.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: provisioning source mirror --base origin/main --name pr-12 --comment-on 12"
)]
pub(crate) struct Args {
    /// Packages to mirror if they are affected, by key or by downstream name; all if none
    #[arg(value_name = "PACKAGE")]
    packages: Vec<String>,
    /// The revision that the change started from
    #[arg(long, value_name = "REV")]
    base: String,
    /// The revision that has the change
    #[arg(long, value_name = "REV", default_value = "HEAD")]
    head: String,
    /// What the change is called: the mirrored branches are `mirror/NAME/BRANCH`
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Write the report as a comment of this change of the source repository
    #[arg(long, value_name = "NUMBER")]
    comment_on: Option<u64>,
    /// Exit 1 unless every check of every mirrored change is fine
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    elsewhere: ElsewhereArgs,
    /// Say what would be mirrored, and send nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Document {
    state: &'static str,
    packages: Vec<Mirrored>,
    alterations: Vec<Alteration>,
}

#[derive(Serialize)]
struct Mirrored {
    package: String,
    repository: String,
    target: String,
    branch: Option<String>,
    commit: Option<String>,
    state: &'static str,
    change: Option<String>,
    checks: Vec<Check>,
}

/// Runs it.
pub(crate) fn run(args: &Args, repository: &RepositoryArgs, context: &Context) -> Outcome<Exit> {
    let repository = Repository::open(repository, Purpose::Downstream, context)?;
    let config = repository.config(context)?;
    let chosen = config.select(&args.packages)?;
    check_name(&args.name)?;
    let source = Git::new(&repository.root);
    let head = source.commit(&args.head)?;
    let changed = changed_files(&source, &args.base, &args.head)?;
    let found = touched(&config, &changed, false, &repository)?;
    let elsewhere = Elsewhere::new(&args.elsewhere, context)?;
    let mut made = Vec::new();
    for key in chosen.iter().filter(|it| is_affected(&found, it)) {
        let values = config
            .package(key)
            .expect("the key was selected from these");
        let remote = elsewhere.clone(key, values)?;
        let pair = pair(key, &config, &source, &remote);
        let configured = configured_branches(&config, key, &["propose_downstream", "propose"]);
        for target in elsewhere.targets(&remote, &configured)? {
            let proposal = mirror_change(&pair, &remote, &head, &args.name, &target)?;
            made.push((*key, remote.clone(), proposal));
        }
    }
    let mut packages = Vec::new();
    for (key, remote, proposal) in &made {
        let values = config
            .package(key)
            .expect("the key was selected from these");
        let forge = elsewhere.forge(values, remote)?;
        packages.push(mirrored(key, remote, proposal, forge.as_ref(), args)?);
    }
    let alterations = found.alterations;
    let alterations = alterations
        .into_iter()
        .filter(|it| chosen.contains(&it.package.as_str()));
    let document = Document {
        state: state_of(&packages),
        alterations: alterations.collect(),
        packages,
    };
    if let Some(number) = args.comment_on.filter(|_| !args.dry_run) {
        let text = markdown(&document);
        source_forge(&config, &source, context)?.comment(number, MARK, &text)?;
    }
    context
        .output
        .result(&document, |out| write(&document, out))?;
    let is_fine = matches!(document.state, "success" | "nothing");
    Ok(if args.exit_code && !is_fine {
        Exit::Failed
    } else {
        Exit::Done
    })
}

fn check_name(name: &str) -> Outcome<()> {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
    // What git refuses in a branch's name beside other characters: `..`, and a name that ends
    // as its lock files do.
    let is_refused = name.starts_with(['-', '.']) || name.contains("..") || name.ends_with('.');
    let is_lock = std::path::Path::new(name)
        .extension()
        .is_some_and(|it| it == "lock");
    if !name.is_empty() && name.chars().all(is_plain) && !is_refused && !is_lock {
        return Ok(());
    }
    Err(
        Failure::usage(format!("`--name {name}` is no part of a branch's name"))
            .with_hint("letters, digits, `-`, `_` and `.`: `--name pr-12`"),
    )
}

fn is_affected(found: &Affected, key: &str) -> bool {
    found.packages.iter().any(|it| it.package == key)
        || found.alterations.iter().any(|it| it.package == key)
}

fn pair<'p>(
    key: &'p str,
    config: &'p SourceConfig,
    source: &'p Git,
    remote: &'p Remote,
) -> Pair<'p> {
    Pair {
        package: key,
        values: config
            .package(key)
            .expect("the key was selected from these"),
        source,
        downstream: &remote.git,
        is_only: config.packages.len() == 1,
        config_file: None,
    }
}

fn mirrored(
    key: &str,
    remote: &Remote,
    proposal: &Proposal,
    forge: Option<&ForgeClient>,
    args: &Args,
) -> Outcome<Mirrored> {
    let body = format!(
        "{}\n\nThis mirrors the change `{}` of the source repository.",
        proposal.body, args.name
    );
    let sent = if args.dry_run {
        None
    } else {
        send(remote, forge, proposal, body.trim())?
    };
    let checks = sent
        .as_ref()
        .map(|it| it.checks.clone())
        .unwrap_or_default();
    let state = match (&proposal.commit, &sent) {
        (None, _) => "unchanged",
        (Some(_), None) => "planned",
        (Some(_), Some(sent)) if sent.change.is_none() => "sent",
        (Some(_), Some(_)) => match overall(&checks) {
            Some(Verdict::Success) => "success",
            Some(Verdict::Failure) => "failure",
            Some(Verdict::Pending) | None => "pending",
        },
    };
    Ok(Mirrored {
        package: key.to_owned(),
        repository: remote.url.clone(),
        target: proposal.target.clone(),
        branch: proposal.commit.as_ref().map(|_| proposal.branch.clone()),
        commit: proposal.commit.clone(),
        state,
        change: sent.and_then(|it| it.change).map(|it| it.url),
        checks,
    })
}

/// One word for all: the worst of them.
fn state_of(packages: &[Mirrored]) -> &'static str {
    let order = ["failure", "pending", "planned", "sent", "success"];
    let has = |state: &&&str| packages.iter().any(|it| it.state == **state);
    order.iter().find(has).copied().unwrap_or("nothing")
}

/// The forge of the source repository, for the report.
fn source_forge(config: &SourceConfig, source: &Git, context: &Context) -> Outcome<ForgeClient> {
    let values = config.packages.first().map(|(_, it)| &it.effective);
    let url = values
        .and_then(|it| it.text("upstream_project_url"))
        .map(str::to_owned);
    let origin = || source.text(&["remote", "get-url", "origin"]).ok();
    let remote = url.or_else(origin).unwrap_or_default();
    let found = values.and_then(|it| forge(it, &remote));
    let project = provisioning_sources::forge::project_of(&remote);
    match (found, project) {
        (Some(found), Some(project)) => ForgeClient::new(
            provisioning_sources::forge::Forge { project, ..found },
            context,
        ),
        _ => Err(
            Failure::usage("nothing says which change to comment on").with_hint(
                "`forge.url` and `upstream_project_url` name the source's forge and project",
            ),
        ),
    }
}

fn markdown(document: &Document) -> String {
    let mut text = format!("{MARK}\n**Downstream: {}**\n\n", document.state);
    text.push_str("| package | branch | result | checks |\n| --- | --- | --- | --- |\n");
    for it in &document.packages {
        let place = it.change.as_ref().map_or_else(
            || it.state.to_owned(),
            |url| format!("[{}]({url})", it.state),
        );
        let checks: Vec<String> = it.checks.iter().map(shown).collect();
        let _ = writeln!(
            text,
            "| {} | {} | {place} | {} |",
            it.package,
            it.target,
            checks.join(", ")
        );
    }
    for it in &document.alterations {
        let _ = writeln!(
            text,
            "\n`{}` lies outside of `{}` but alters it downstream, through `{}`.",
            it.file, it.package, it.through
        );
    }
    text
}

fn shown(check: &Check) -> String {
    let verdict = match check.verdict {
        Verdict::Success => "success",
        Verdict::Pending => "pending",
        Verdict::Failure => "failure",
    };
    match &check.url {
        Some(url) => format!("[{}]({url}) {verdict}", check.name),
        None => format!("{} {verdict}", check.name),
    }
}

fn write(document: &Document, out: &mut dyn std::io::Write) -> std::io::Result<()> {
    if document.packages.is_empty() {
        writeln!(out, "the change alters no package downstream")?;
    }
    for it in &document.packages {
        let place = it.change.as_ref().or(it.branch.as_ref());
        let place = place.map(|it| format!(": {it}")).unwrap_or_default();
        writeln!(out, "{} for {}: {}{place}", it.package, it.target, it.state)?;
        for check in &it.checks {
            writeln!(out, "  {}", shown(check))?;
        }
    }
    for it in &document.alterations {
        writeln!(
            out,
            "`{}` lies outside of `{}` but alters it downstream, through `{}`",
            it.file, it.package, it.through
        )?;
    }
    Ok(())
}
