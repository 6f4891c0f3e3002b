//! The newest pair of commits at which a package and its downstream repository agree.

use super::DownstreamError;
use crate::git::Git;
use crate::trailers::{FROM_DOWNSTREAM, FROM_SOURCE, PACKAGE, values};

/// A pair of commits with the same content of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncPoint {
    /// In the source repository.
    pub source: String,
    /// In the downstream repository.
    pub downstream: String,
    /// The newest source commit that was sent downstream, where that is another: between the
    /// two, downstream commits came back.
    pub sent: Option<String>,
}

/// The newest pair of a package, if there is any. `is_only` says that the source repository
/// has no other package, so that Packit's trailers, which name none, are meant for this one.
pub fn sync_point(
    source: &Git,
    downstream: &Git,
    package: &str,
    is_only: bool,
) -> Result<Option<SyncPoint>, DownstreamError> {
    let sent = newest(downstream, FROM_SOURCE, package, true)?;
    let returned = newest(source, FROM_DOWNSTREAM, package, is_only)?;
    let sent = match sent {
        Some((commit, named)) => Some(SyncPoint {
            source: known(source, downstream, FROM_SOURCE, &named)?,
            downstream: commit,
            sent: None,
        }),
        None => None,
    };
    let returned = match returned {
        Some((commit, named)) => Some(SyncPoint {
            source: commit,
            downstream: known(downstream, source, FROM_DOWNSTREAM, &named)?,
            sent: None,
        }),
        None => None,
    };
    Ok(match (sent, returned) {
        (Some(sent), Some(returned)) => {
            let is_older = is_ancestor(source, &returned.source, &sent.source)?
                && is_ancestor(downstream, &returned.downstream, &sent.downstream)?;
            Some(if is_older {
                sent
            } else {
                SyncPoint {
                    sent: Some(sent.source),
                    ..returned
                }
            })
        }
        (sent, returned) => sent.or(returned),
    })
}

/// The newest commit with this trailer for the package, and the commit that it names.
fn newest(
    git: &Git,
    trailer: &'static str,
    package: &str,
    takes_nameless: bool,
) -> Result<Option<(String, String)>, DownstreamError> {
    if !git.succeeds(&["rev-parse", "--verify", "--quiet", "HEAD"])? {
        return Ok(None);
    }
    let pattern = format!("--grep=^{trailer}: ");
    let said = git.text(&["log", "--topo-order", "-z", "--format=%H%n%B", &pattern])?;
    Ok(said.split('\0').find_map(|it| {
        let (commit, message) = it.split_once('\n')?;
        let packages = values(message, PACKAGE);
        let is_ours = packages.contains(&package) || (packages.is_empty() && takes_nameless);
        let named = values(message, trailer).last().copied()?;
        is_ours.then(|| (commit.to_owned(), named.to_owned()))
    }))
}

fn known(
    git: &Git,
    other: &Git,
    trailer: &'static str,
    commit: &str,
) -> Result<String, DownstreamError> {
    git.commit(commit).map_err(|_| DownstreamError::Unknown {
        repository: other.folder().display().to_string(),
        trailer,
        commit: commit.to_owned(),
    })
}

/// Whether one commit is another or comes before it.
pub fn is_ancestor(git: &Git, older: &str, newer: &str) -> Result<bool, DownstreamError> {
    Ok(git.succeeds(&["merge-base", "--is-ancestor", older, newer])?)
}
