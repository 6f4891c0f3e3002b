//! Downstream repositories that lie elsewhere: cloned for the time of a command, given
//! branches, and changes where a forge is configured.

use std::path::PathBuf;

use provisioning_sources::config::Effective;
use provisioning_sources::downstream::propose::Proposal;
use provisioning_sources::downstream::remote::{Remote, forge, location};
use provisioning_sources::forge::{Change, ChangeText, Check};
use tempfile::TempDir;

use super::forge::ForgeClient;
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Where downstream repositories are.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ElsewhereArgs {
    /// A folder that has a repository for each package, called by its downstream name;
    /// otherwise `dist_git_base_url`, `dist_git_namespace` and the name make a URL
    #[arg(long, value_name = "DIR")]
    downstream_store: Option<PathBuf>,
    /// The downstream branches; otherwise those of the configuration, else the repository's own
    #[arg(long = "branch", value_name = "BRANCH")]
    branches: Vec<String>,
}

/// The clones of a command.
pub(crate) struct Elsewhere<'e> {
    args: &'e ElsewhereArgs,
    folder: TempDir,
    context: &'e Context,
}

impl<'e> Elsewhere<'e> {
    /// A place for clones.
    pub(crate) fn new(args: &'e ElsewhereArgs, context: &'e Context) -> Outcome<Self> {
        let folder = tempfile::tempdir().map_err(|problem| {
            Failure::io(
                "create",
                std::path::Path::new("a temporary folder"),
                &problem,
            )
        })?;
        Ok(Self {
            args,
            folder,
            context,
        })
    }

    /// Clones the downstream repository of a package.
    pub(crate) fn clone(&self, package: &str, values: &Effective) -> Outcome<Remote> {
        let store = &self.args.downstream_store;
        let store = store.as_ref().map(|it| self.context.env.absolute(it));
        let url = location(values, store.as_deref());
        self.context.output.status(&format!("Cloning {url}"));
        Remote::clone(&url, &self.folder.path().join(package)).map_err(|problem| {
            Failure::from(problem).with_hint(format!(
                "`{url}` is the downstream repository of `{package}`: name a folder of \
                 repositories with `--downstream-store DIR`, or set `dist_git_base_url`"
            ))
        })
    }

    /// The branches that something is for: those typed; those configured, where the
    /// repository has them; else its own.
    pub(crate) fn targets(&self, remote: &Remote, configured: &[String]) -> Outcome<Vec<String>> {
        if !self.args.branches.is_empty() {
            return Ok(self.args.branches.clone());
        }
        // `fedora-all` is a name for branches that only the distribution can tell.
        let there = configured
            .iter()
            .filter(|it| remote.commit_of(it).is_some());
        let there: Vec<String> = there.cloned().collect();
        if there.is_empty() {
            Ok(vec![remote.own_branch()?])
        } else {
            Ok(there)
        }
    }

    /// The client of the forge of a repository, if one is configured.
    pub(crate) fn forge(
        &self,
        values: &Effective,
        remote: &Remote,
    ) -> Outcome<Option<ForgeClient>> {
        let found = forge(values, &remote.url);
        found
            .map(|it| ForgeClient::new(it, self.context))
            .transpose()
    }
}

/// Where a proposal is now.
pub(crate) struct Sent {
    /// The change, where a forge has one.
    pub(crate) change: Option<Change>,
    /// The checks of its commit, where a forge was asked.
    pub(crate) checks: Vec<Check>,
    /// Whether the branch was moved.
    pub(crate) is_new: bool,
}

/// Gives the repository a proposal's branch, and the forge its change.
pub(crate) fn send(
    remote: &Remote,
    forge: Option<&ForgeClient>,
    proposal: &Proposal,
    body: &str,
) -> Outcome<Option<Sent>> {
    let Some(commit) = &proposal.commit else {
        return Ok(None);
    };
    let is_new = remote.commit_of(&proposal.branch).as_ref() != Some(commit);
    if is_new {
        remote.push(&proposal.branch, commit)?;
    }
    let Some(forge) = forge else {
        return Ok(Some(Sent {
            change: None,
            checks: Vec::new(),
            is_new,
        }));
    };
    let change = forge.put(&ChangeText {
        title: &proposal.title,
        body,
        branch: &proposal.branch,
        target: &proposal.target,
    })?;
    Ok(Some(Sent {
        change: Some(change),
        checks: forge.checks(commit)?,
        is_new,
    }))
}

/// The branches that a package's jobs or its own values name.
pub(crate) fn configured_branches(
    config: &provisioning_sources::config::SourceConfig,
    package: &str,
    kinds: &[&str],
) -> Vec<String> {
    let of_jobs = config
        .jobs
        .iter()
        .filter(|it| kinds.contains(&it.kind))
        .flat_map(|it| it.packages.iter())
        .filter(|(key, _)| key == package)
        .map(|(_, values)| values);
    let mut found = Vec::new();
    for values in of_jobs.chain(config.package(package)) {
        let value = values.value("dist_git_branches");
        let names: Vec<String> = match (value.as_object(), value.as_array()) {
            (Some(table), _) => table.keys().cloned().collect(),
            (None, Some(list)) => list
                .iter()
                .filter_map(|it| it.as_str().map(str::to_owned))
                .collect(),
            (None, None) => Vec::new(),
        };
        for name in names {
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }
    found
}
