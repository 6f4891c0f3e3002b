//! A downstream repository that lies elsewhere: cloned apart, and given branches.

use std::path::Path;

use super::DownstreamError;
use crate::config::Effective;
use crate::forge::{Forge, ForgeKind, project_of};
use crate::git::{Git, GitError};

/// Where the downstream repository of a package is: in a folder of repositories, or where the
/// configuration's `dist_git_…` keys say, as Packit has it.
pub fn location(values: &Effective, store: Option<&Path>) -> String {
    let name = values.downstream_name();
    if let Some(store) = store {
        return store.join(name).display().to_string();
    }
    let text = |key: &str| {
        values
            .text(key)
            .unwrap_or_default()
            .trim_matches('/')
            .to_owned()
    };
    let base = values.text("dist_git_base_url").unwrap_or_default();
    let base = base.trim_end_matches('/');
    let namespace = text("dist_git_namespace");
    if namespace.is_empty() {
        format!("{base}/{name}.git")
    } else {
        format!("{base}/{namespace}/{name}.git")
    }
}

/// The forge of a repository, if one is configured for the package. `remote` is where the
/// repository is.
pub fn forge(values: &Effective, remote: &str) -> Option<Forge> {
    let table = values.value("forge");
    let text = |key: &str| table.get(key)?.as_str().filter(|it| !it.is_empty());
    let url = text("url")?.trim_end_matches('/').to_owned();
    let below = remote.strip_prefix(&format!("{url}/"));
    let project = below
        .map(|it| it.trim_end_matches(".git").to_owned())
        .or_else(|| project_of(remote));
    let named = || {
        let namespace = values.text("dist_git_namespace").unwrap_or_default();
        format!("{namespace}/{}", values.downstream_name())
    };
    let written = text("project").map(|it| it.replace("{name}", values.downstream_name()));
    Some(Forge {
        kind: ForgeKind::parse(text("kind")?)?,
        url,
        project: written.or(project).unwrap_or_else(named),
    })
}

/// A clone of a remote repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Git in the clone, on a branch of its own.
    pub git: Git,
    /// Where the repository is.
    pub url: String,
}

impl Remote {
    /// Clones a repository into a folder that does not exist.
    pub fn clone(url: &str, folder: &Path) -> Result<Self, GitError> {
        let here = Git::new(folder.parent().unwrap_or(Path::new(".")));
        here.run(&[
            "clone".as_ref(),
            "--quiet".as_ref(),
            "--no-checkout".as_ref(),
            "--".as_ref(),
            url.as_ref(),
            folder.as_os_str(),
        ])?;
        Ok(Self {
            git: Git::new(folder),
            url: url.to_owned(),
        })
    }

    /// The branch that the repository calls its own.
    pub fn own_branch(&self) -> Result<String, GitError> {
        let said = self
            .git
            .text(&["symbolic-ref", "--short", "refs/remotes/origin/HEAD"]);
        match said {
            Ok(name) => Ok(name.trim_start_matches("origin/").to_owned()),
            // An empty repository has no such name, and the clone's own is its.
            Err(_) => self.git.text(&["symbolic-ref", "--short", "HEAD"]),
        }
    }

    /// The commit of a branch there, if there is such a branch.
    pub fn commit_of(&self, branch: &str) -> Option<String> {
        self.git
            .commit(&format!("refs/remotes/origin/{branch}"))
            .ok()
    }

    /// Makes the clone's `HEAD` a branch's commit; no file is checked out.
    pub fn enter(&self, branch: &str) -> Result<String, DownstreamError> {
        let commit = self
            .commit_of(branch)
            .ok_or_else(|| DownstreamError::NoTarget {
                repository: self.url.clone(),
                branch: branch.to_owned(),
            })?;
        self.git
            .run(&["update-ref", "--no-deref", "HEAD", &commit])?;
        Ok(commit)
    }

    /// Gives the repository a branch, over the one that was seen there and no other.
    pub fn push(&self, branch: &str, commit: &str) -> Result<(), GitError> {
        let seen = self.commit_of(branch).unwrap_or_default();
        let lease = format!("--force-with-lease=refs/heads/{branch}:{seen}");
        let what = format!("{commit}:refs/heads/{branch}");
        self.git.run(&["push", "--quiet", &lease, "origin", &what])
    }
}
