//! The way from `targets` through the delegations to the role that lists a file.
//!
//! `sigstore-tuf` walks it for each file and checks every signature on the way each time,
//! though nothing has changed: half a millisecond for each of thousands of index entries. So
//! what it has checked is remembered, as long as the same metadata is judged at the same
//! instant, and a file whose whole way is known is found without asking again. Nothing here
//! checks or believes anything: whatever was not walked before is left to `sigstore-tuf`.
//!
//! In one thing it is stricter. `sigstore-tuf` passes over a role that a delegation names and
//! the snapshot does not list, so that whoever holds the snapshot's key could make a whole
//! role's files look as if they had never been. Here such a way is refused, as python-tuf
//! refuses it.

use std::collections::{BTreeSet, HashSet};

use jiff::Timestamp;
use sigstore_tuf::{TargetFile, TrustedMetadataSet};

/// No way that is remembered visits more roles: `sigstore-tuf` gives up at more.
const ROLES_MAX: usize = 32;

/// A role, and the role that delegates to it.
type Edge = (String, String);

/// Why the way was not walked to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// Something on it was not checked before: `sigstore-tuf` has to walk.
    NotWalked,
    /// It leads through this role, and the snapshot does not list it.
    Unlisted(String),
}

/// Delegations that were checked, all at one instant.
#[derive(Debug, Default)]
pub(super) struct Walked {
    at: Option<Timestamp>,
    edges: HashSet<Edge>,
}

impl Walked {
    /// What is listed under `path`, `None` where nothing lists it, if every delegation on the
    /// way was checked at `now`.
    pub(super) fn find(
        &self,
        trusted: &TrustedMetadataSet,
        path: &str,
        now: Timestamp,
    ) -> Result<Option<TargetFile>, Stop> {
        if self.at != Some(now) {
            return Err(Stop::NotWalked);
        }
        let found = walk(trusted, path, |edge| self.edges.contains(edge))?;
        Ok(found.cloned())
    }

    /// Remembers the way to `path`, which `sigstore-tuf` has walked at `now` without an error.
    /// Fails with the role that it passed over because the snapshot does not list it.
    pub(super) fn note(
        &mut self,
        trusted: &TrustedMetadataSet,
        path: &str,
        now: Timestamp,
    ) -> Result<(), String> {
        if self.at != Some(now) {
            self.edges.clear();
            self.at = Some(now);
        }
        let edges = &mut self.edges;
        let walked = walk(trusted, path, |edge| {
            edges.insert(edge.clone());
            true
        });
        match walked {
            Err(Stop::Unlisted(role)) => Err(role),
            // Where it stops early, less is remembered.
            Ok(_) | Err(Stop::NotWalked) => Ok(()),
        }
    }
}

/// Walks as `sigstore-tuf` does, over roles that are loaded and edges that `may_go` lets pass.
fn walk<'t>(
    trusted: &'t TrustedMetadataSet,
    path: &str,
    mut may_go: impl FnMut(&Edge) -> bool,
) -> Result<Option<&'t TargetFile>, Stop> {
    let mut open: Vec<Edge> = vec![("targets".to_owned(), "root".to_owned())];
    let mut seen = BTreeSet::new();
    while let Some(edge) = open.pop() {
        if seen.contains(&edge.0) {
            continue;
        }
        let Some(role) = trusted.targets_role(&edge.0) else {
            return Err(if is_listed(trusted, &edge.0) {
                Stop::NotWalked
            } else {
                Stop::Unlisted(edge.0)
            });
        };
        if seen.len() >= ROLES_MAX || !may_go(&edge) {
            return Err(Stop::NotWalked);
        }
        seen.insert(edge.0.clone());
        if let Some(found) = role.target(path) {
            return Ok(Some(found));
        }
        let mut children = Vec::new();
        for child in role.delegations.iter().flat_map(|it| &it.roles) {
            let is_reserved = ["root", "targets", "snapshot", "timestamp"];
            if is_reserved.contains(&child.name.as_str()) {
                return Err(Stop::NotWalked);
            }
            if child.matches_path(path).map_err(|_| Stop::NotWalked)? {
                children.push((child.name.clone(), edge.0.clone()));
                if child.terminating {
                    open.clear();
                    break;
                }
            }
        }
        // The first child is walked first.
        open.extend(children.into_iter().rev());
    }
    Ok(None)
}

/// Whether the snapshot says which version of `role` there is.
fn is_listed(trusted: &TrustedMetadataSet, role: &str) -> bool {
    let snapshot = trusted.snapshot();
    snapshot.is_some_and(|it| it.meta.contains_key(&format!("{role}.json")))
}
