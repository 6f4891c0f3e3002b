//! `provisioning source sync-from-downstream`: files of downstream branches, taken back whole.

use provisioning_sources::config::Purpose;
use provisioning_sources::downstream::remote::forge;
use provisioning_sources::downstream::update::Pair;
use provisioning_sources::forge::{ChangeText, Forge, project_of};
use provisioning_sources::git::Git;
use provisioning_sources::objects::{list, write_commit, write_tree};
use provisioning_sources::trailers::{FROM_DOWNSTREAM, PACKAGE, with};
use serde::Serialize;

use super::elsewhere::{Elsewhere, ElsewhereArgs};
use super::forge::ForgeClient;
use super::{Repository, RepositoryArgs};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};

/// Take the files that go downstream back from there, as they are, on a branch of their own
///
/// Each package with other content downstream becomes one commit. No checkout is touched.
/// `update-source` brings commits instead, one by one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning source sync-from-downstream copr-cli --branch main")]
pub(crate) struct Args {
    /// Packages, by key or by downstream name; all if none is named
    #[arg(value_name = "PACKAGE")]
    packages: Vec<String>,
    #[command(flatten)]
    elsewhere: ElsewhereArgs,
    /// The source branch that gets the commits
    #[arg(long, value_name = "NAME", default_value = "downstream-sync")]
    to: String,
    /// Push it to `origin`, and open a change for it where a forge is configured
    #[arg(long)]
    push: bool,
}

#[derive(Serialize)]
struct Document {
    branch: Option<String>,
    change: Option<String>,
    packages: Vec<Synced>,
}

#[derive(Serialize)]
struct Synced {
    package: String,
    repository: String,
    downstream: String,
    commit: Option<String>,
    files: Vec<String>,
}

/// Runs it.
pub(crate) fn run(args: &Args, repository: &RepositoryArgs, context: &Context) -> Outcome<Exit> {
    let repository = Repository::open(repository, Purpose::Downstream, context)?;
    let config = repository.config(context)?;
    let keys = config.select(&args.packages)?;
    if repository.is_clone() && !args.push {
        return Err(
            Failure::usage("the source repository is a URL: nothing would be left")
                .with_hint("`--push` sends the branch there"),
        );
    }
    let source = Git::new(&repository.root);
    let full = branch(&args.to, &source)?;
    let elsewhere = Elsewhere::new(&args.elsewhere, context)?;
    let base = source.commit("HEAD")?;
    let mut tip = base.clone();
    let mut packages = Vec::new();
    for key in keys {
        let values = config
            .package(key)
            .expect("the key was selected from these");
        let remote = elsewhere.clone(key, values)?;
        for target in elsewhere.targets(&remote, &[])? {
            let commit = remote.enter(&target)?;
            let pair = Pair {
                package: key,
                values,
                source: &source,
                downstream: &remote.git,
                is_only: config.packages.len() == 1,
                config_file: None,
            };
            let synced = pull(&pair, &commit, &target, &tip)?;
            tip = synced.commit.clone().unwrap_or(tip);
            packages.push(Synced {
                repository: remote.url.clone(),
                ..synced
            });
        }
    }
    let is_changed = tip != base;
    let change = if is_changed {
        source.run(&["update-ref", &full, &tip])?;
        push(args, &source, &config, context)?
    } else {
        None
    };
    let document = Document {
        branch: is_changed.then(|| args.to.clone()),
        change,
        packages,
    };
    context.output.result(&document, |out| {
        for it in &document.packages {
            match it.files.len() {
                0 => writeln!(out, "{}: the same downstream", it.package)?,
                count => writeln!(out, "{}: {count} files differ", it.package)?,
            }
        }
        match (&document.change, &document.branch) {
            (Some(url), _) => writeln!(out, "{url}"),
            (None, Some(branch)) => writeln!(out, "on the branch {branch}"),
            (None, None) => Ok(()),
        }
    })?;
    Ok(Exit::Done)
}

/// The branch that gets the commits: a name for one, and not what is checked out.
fn branch(name: &str, source: &Git) -> Outcome<String> {
    let full = format!("refs/heads/{name}");
    source
        .run(&["check-ref-format", &full])
        .map_err(|_| Failure::usage(format!("`--to {name}` is no name for a branch")))?;
    let head = source
        .text(&["symbolic-ref", "--quiet", "HEAD"])
        .unwrap_or_default();
    if head == full {
        return Err(Failure::usage(format!("`{name}` is checked out"))
            .with_hint("name another branch with `--to NAME`"));
    }
    Ok(full)
}

fn pull(pair: &Pair<'_>, commit: &str, target: &str, tip: &str) -> Outcome<Synced> {
    let prefix = pair.source.text(&["rev-parse", "--show-prefix"])?;
    let top = Git::new(std::path::Path::new(
        &pair.source.text(&["rev-parse", "--show-toplevel"])?,
    ));
    let before = list(pair.source, tip)?;
    let after = pair.pulled(commit, &before)?;
    let all = before.keys().chain(after.keys());
    let mut files: Vec<String> = all
        .filter(|it| before.get(*it) != after.get(*it))
        .cloned()
        .collect();
    files.sort();
    files.dedup();
    let mut synced = Synced {
        package: pair.package.to_owned(),
        repository: String::new(),
        downstream: commit.to_owned(),
        commit: None,
        files,
    };
    if synced.files.is_empty() {
        return Ok(synced);
    }
    let mut whole = list(&top, tip)?;
    for path in &synced.files {
        let full = format!("{prefix}{path}");
        match after.get(path) {
            Some(entry) => whole.insert(full, entry.clone()),
            None => whole.remove(&full),
        };
    }
    let tree = write_tree(&top, &whole)?;
    let message = format!(
        "{}: sync from the downstream branch `{target}`",
        pair.package
    );
    let message = with(
        &message,
        &[(FROM_DOWNSTREAM, commit), (PACKAGE, pair.package)],
    );
    synced.commit = Some(write_commit(&top, &tree, &[tip], None, &message)?);
    Ok(synced)
}

/// Pushes the branch, and opens its change.
fn push(
    args: &Args,
    source: &Git,
    config: &provisioning_sources::config::SourceConfig,
    context: &Context,
) -> Outcome<Option<String>> {
    if !args.push {
        return Ok(None);
    }
    let what = format!("+refs/heads/{0}:refs/heads/{0}", args.to);
    source.run(&["push", "--quiet", "origin", &what])?;
    let remote = source.text(&["remote", "get-url", "origin"])?;
    let values = config.packages.first().map(|(_, it)| &it.effective);
    let found = values.and_then(|it| forge(it, &remote));
    let Some((found, project)) = found.zip(project_of(&remote)) else {
        return Ok(None);
    };
    let target = source
        .text(&["symbolic-ref", "--short", "refs/remotes/origin/HEAD"])
        .map_or_else(
            |_| "main".to_owned(),
            |it| it.trim_start_matches("origin/").to_owned(),
        );
    let client = ForgeClient::new(Forge { project, ..found }, context)?;
    let change = client.put(&ChangeText {
        title: "Sync from downstream",
        body: "What goes downstream, as it is there.",
        branch: &args.to,
        target: &target,
    })?;
    Ok(Some(change.url))
}
