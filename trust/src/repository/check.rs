//! What a proposed role may say: the shape of our roles, whoever signed it.
//!
//! A key that is stolen or a person who errs must not be able to widen what a role may
//! speak about: `targets` hands paths to `release` and `extensions` in that order and lists
//! nothing, `extensions` hands them to the 256 bins and lists nothing, `release` lists
//! first-party paths alone and hands nothing on.

use jiff::{SignedDuration, Timestamp};

use super::{Digest, check_path};
use crate::error::SignError;
use crate::layout::{BINS, EXTENSION_PATHS, Lifetime, RELEASE_PATHS, bin_name, covers};
use crate::metadata::{DelegatedRole, Delegations, Root, Targets, whole_seconds};
use crate::proposal::Proposal;
use crate::roster::Roster;

/// How far a signer's clock may be ahead of ours.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_hours(24);

/// Refuses a role that says more than it may or holds longer than it may.
pub(crate) fn proposal(proposal: &Proposal, now: Timestamp) -> Result<(), SignError> {
    if proposal.role() == "root" {
        root(proposal, &proposal.read()?)?;
    } else {
        targets(proposal, &proposal.read()?)?;
    }
    expiry(proposal, proposal.expires()?, now)
}

/// Refuses an expiry that has passed, or that lies beyond the role's life.
pub(super) fn expiry(
    proposal: &Proposal,
    expires: Timestamp,
    now: Timestamp,
) -> Result<(), SignError> {
    if expires <= now {
        return Err(proposal.refused(format!("expired on {expires}")));
    }
    if expires > now + Lifetime::of(proposal.role()).lives + CLOCK_SLACK {
        return Err(proposal.refused(format!(
            "would hold until {expires}, longer than such a role may"
        )));
    }
    if expires != whole_seconds(expires) {
        return Err(proposal.refused("expires at a fraction of a second"));
    }
    Ok(())
}

/// Refuses a root that could not be followed or that leaves a role without keys.
pub(super) fn root(proposal: &Proposal, root: &Root) -> Result<(), SignError> {
    if root.kind != "root" || !root.consistent_snapshot {
        return Err(proposal.refused("is no root of a registry with consistent snapshots"));
    }
    for (id, key) in &root.keys {
        if key.id() != *id {
            return Err(proposal.refused(format!("names a key `{id}` that has another id")));
        }
    }
    for name in ["root", "targets", "snapshot", "timestamp"] {
        let role = root.roles.get(name);
        let role = role.ok_or_else(|| proposal.refused(format!("has no role `{name}`")))?;
        if !Roster::new(role, &root.keys).is_possible() {
            return Err(proposal.refused(format!("gives `{name}` fewer keys than must sign")));
        }
    }
    if root.roles.len() != 4 {
        return Err(proposal.refused("names roles beside root, targets, snapshot, timestamp"));
    }
    Ok(())
}

/// Refuses a targets role that says more than it may.
pub(super) fn targets(proposal: &Proposal, signed: &Targets) -> Result<(), SignError> {
    if signed.kind != "targets" {
        return Err(proposal.refused("is no targets role"));
    }
    if proposal.role() == "release" {
        return release(proposal, signed);
    }
    if !signed.files.is_empty() {
        return Err(proposal.refused("lists files itself"));
    }
    let wanted = if proposal.role() == "targets" {
        first_party(signed.delegations.as_ref())
    } else {
        bins(signed.delegations.as_ref())
    };
    if !wanted {
        return Err(proposal.refused("delegates otherwise than a registry's roles do"));
    }
    let delegations = signed.delegations.iter();
    for role in delegations.flat_map(|it| it.roles.iter().map(move |role| (it, role))) {
        if !delegation_roster(role.0, role.1).is_possible() {
            return Err(
                proposal.refused(format!("gives `{}` fewer keys than must sign", role.1.name))
            );
        }
    }
    Ok(())
}

fn release(proposal: &Proposal, signed: &Targets) -> Result<(), SignError> {
    if signed.delegations.is_some() {
        return Err(proposal.refused("hands its paths on, which `release` never does"));
    }
    for (path, file) in &signed.files {
        check_path(path)?;
        if !RELEASE_PATHS.iter().any(|pattern| covers(pattern, path)) {
            return Err(SignError::ForeignPath { path: path.clone() });
        }
        if Digest::from_hex(&file.hashes.sha256).is_err() {
            return Err(proposal.refused(format!("gives `{path}` no sha256")));
        }
    }
    Ok(())
}

/// Whether exactly `release` and `extensions`, in this order, get exactly their paths.
fn first_party(delegations: Option<&Delegations>) -> bool {
    let wanted = [
        ("release", &RELEASE_PATHS[..]),
        ("extensions", &EXTENSION_PATHS[..]),
    ];
    let roles = delegations.map_or(&[][..], |it| &it.roles);
    roles.len() == wanted.len()
        && roles.iter().zip(wanted).all(|(role, (name, paths))| {
            role.name == name
                && role.terminating
                && role.path_hash_prefixes.is_none()
                && role.paths.as_deref().is_some_and(|it| it == paths)
        })
}

/// Whether exactly the 256 bins get exactly their prefixes.
fn bins(delegations: Option<&Delegations>) -> bool {
    let roles = delegations.map_or(&[][..], |it| &it.roles);
    roles.len() == BINS
        && roles.iter().enumerate().all(|(index, role)| {
            role.name == bin_name(index)
                && role.terminating
                && role.paths.is_none()
                && role.path_hash_prefixes.as_deref() == Some(&[format!("{index:02x}")])
        })
}

/// The keys of a delegated role.
pub(crate) fn delegation_roster(delegations: &Delegations, role: &DelegatedRole) -> Roster {
    let keys = crate::metadata::RoleKeys {
        keyids: role.keyids.clone(),
        threshold: role.threshold,
    };
    Roster::new(&keys, &delegations.keys)
}
