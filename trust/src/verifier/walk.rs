//! The way from `targets` through the delegations to the role that lists a file.
//!
//! `sigstore-tuf` walks it for each file and checks every signature on the way each time,
//! though nothing has changed: half a millisecond for each of thousands of index entries. So
//! what it has checked is remembered, as long as the same metadata is judged at the same
//! instant, and a file whose whole way is known is found without asking again. Nothing here
//! checks or believes anything: whatever was not walked before is left to `sigstore-tuf`.

use std::collections::{BTreeSet, HashSet};

use jiff::Timestamp;
use sigstore_tuf::{TargetFile, TrustedMetadataSet};

/// No way that is remembered visits more roles: `sigstore-tuf` gives up at more.
const ROLES_MAX: usize = 32;

/// A role, and the role that delegates to it.
type Edge = (String, String);

/// Something on the way was not checked before: `sigstore-tuf` has to walk.
#[derive(Debug, Clone, Copy)]
pub(super) struct NotWalked;

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
    ) -> Result<Option<TargetFile>, NotWalked> {
        if self.at != Some(now) {
            return Err(NotWalked);
        }
        let found = walk(trusted, path, |edge| self.edges.contains(edge))?;
        Ok(found.cloned())
    }

    /// Remembers the way to `path`, which `sigstore-tuf` has walked at `now` without an error.
    pub(super) fn note(&mut self, trusted: &TrustedMetadataSet, path: &str, now: Timestamp) {
        if self.at != Some(now) {
            self.edges.clear();
            self.at = Some(now);
        }
        let edges = &mut self.edges;
        // Where it stops early, less is remembered.
        let _ = walk(trusted, path, |edge| {
            edges.insert(edge.clone());
            true
        });
    }
}

/// Walks as `sigstore-tuf` does, over roles that are loaded and edges that `may_go` lets pass.
fn walk<'t>(
    trusted: &'t TrustedMetadataSet,
    path: &str,
    mut may_go: impl FnMut(&Edge) -> bool,
) -> Result<Option<&'t TargetFile>, NotWalked> {
    let mut open: Vec<Edge> = vec![("targets".to_owned(), "root".to_owned())];
    let mut seen = BTreeSet::new();
    while let Some(edge) = open.pop() {
        if seen.contains(&edge.0) {
            continue;
        }
        let role = trusted.targets_role(&edge.0).ok_or(NotWalked)?;
        if seen.len() >= ROLES_MAX || !may_go(&edge) {
            return Err(NotWalked);
        }
        seen.insert(edge.0.clone());
        if let Some(found) = role.target(path) {
            return Ok(Some(found));
        }
        let mut children = Vec::new();
        for child in role.delegations.iter().flat_map(|it| &it.roles) {
            let is_reserved = ["root", "targets", "snapshot", "timestamp"];
            if is_reserved.contains(&child.name.as_str()) {
                return Err(NotWalked);
            }
            if child.matches_path(path).map_err(|_| NotWalked)? {
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
