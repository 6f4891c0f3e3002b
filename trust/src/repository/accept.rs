//! Taking in what people have signed: releases, delegations and roots.
//!
//! Nothing is taken that the rosters in force do not vouch for, and nothing that would leave
//! a role without a valid signature. What the online keys sign (bins, snapshot, timestamp)
//! is signed again where its keys changed.

use std::sync::Arc;

use jiff::Timestamp;
use provisioning_package::Digest;

use super::sign::pin;
use super::{MetadataFile, Repository, Role, check};
use crate::error::SignError;
use crate::keys::KeySet;
use crate::metadata::{Root, Targets, canonical_json};
use crate::proposal::{OFFLINE_ROLES, Proposal};
use crate::roster::{Roster, Standing};

impl Repository {
    /// Takes in signed proposals, all or none: a root first, then `targets`, `extensions` and
    /// `release`; then signs snapshot and timestamp with the keys at hand. One that is in
    /// force already is passed over, so that taking the same in again does no harm.
    ///
    /// On an error nothing has changed.
    pub fn accept(
        &mut self,
        keys: &KeySet,
        proposals: &[Proposal],
        now: Timestamp,
    ) -> Result<Vec<MetadataFile>, SignError> {
        self.advance(keys, proposals, &[], now)
    }

    /// Takes proposals in, without snapshot and timestamp.
    pub(super) fn take_in(
        &mut self,
        keys: &KeySet,
        proposals: &[Proposal],
        now: Timestamp,
    ) -> Result<Vec<MetadataFile>, SignError> {
        let mut files = Vec::new();
        if proposals.is_empty() {
            return Ok(files);
        }
        let strange = |it: &&Proposal| !OFFLINE_ROLES.contains(&it.role());
        if let Some(stranger) = proposals.iter().find(strange) {
            return Err(stranger.refused("is no role that people sign"));
        }
        let before = self.clone();
        for name in OFFLINE_ROLES {
            for proposal in proposals.iter().filter(|it| it.role() == name) {
                let file = if name == "root" {
                    self.accept_root(proposal, now)?
                } else {
                    self.accept_role(proposal, now)?
                };
                files.extend(file);
            }
        }
        self.resign_changed(&before, keys, now, &mut files)?;
        Ok(files)
    }

    /// Who has signed a proposal, and who has not; for a root by the old keys and by its own.
    pub fn standings(&self, proposal: &Proposal) -> Result<Vec<Standing>, SignError> {
        let mut rosters = vec![self.roster(proposal.role())?];
        if proposal.role() == "root" {
            rosters.push(root_roster(proposal)?);
        }
        rosters.iter().map(|it| proposal.standing(it)).collect()
    }

    /// Signs a proposed root with the root keys at hand, for the registry that gives them up.
    pub fn countersign(&self, keys: &KeySet, proposal: &mut Proposal) -> Result<(), SignError> {
        let roster = self.roster(proposal.role())?;
        for (_, key) in keys.iter().filter(|(_, key)| roster.has(key.key_id())) {
            proposal.sign(key)?;
        }
        Ok(())
    }

    /// The labels of those keys at hand that no role signs with here once they have moved:
    /// everything but the keys of the bins, the snapshot and the timestamp.
    pub fn superfluous(&self, keys: &KeySet) -> Result<Vec<String>, SignError> {
        let mut needed = Vec::new();
        for role in ["snapshot", "timestamp", self.bins[0].as_str()] {
            needed.extend(self.keys_of(role)?.keyids);
        }
        let unneeded = keys
            .iter()
            .filter(|(_, key)| !needed.iter().any(|id| id == key.key_id()));
        Ok(unneeded.map(|(label, _)| label.to_owned()).collect())
    }

    fn accept_root(
        &mut self,
        proposal: &Proposal,
        now: Timestamp,
    ) -> Result<Option<MetadataFile>, SignError> {
        let root: Root = proposal.read()?;
        if canonical_json(&*self.root)? == proposal.message()? {
            return Ok(None);
        }
        follows(proposal, self.root.version)?;
        check::root(proposal, &root)?;
        check::expiry(proposal, root.expires, now)?;
        let (old, new) = (self.roster("root")?, root_roster(proposal)?);
        met(proposal, &old)?;
        met(proposal, &new)?;
        let bytes = proposal.file(&[&old, &new])?;
        self.root_fingerprint = Digest::of(&bytes);
        let name = format!("{}.root.json", root.version);
        self.root = Arc::new(root);
        Ok(Some(MetadataFile { name, bytes }))
    }

    fn accept_role(
        &mut self,
        proposal: &Proposal,
        now: Timestamp,
    ) -> Result<Option<MetadataFile>, SignError> {
        let name = proposal.role().to_owned();
        let signed: Targets = proposal.read()?;
        let current = &self.roles[&name].signed;
        if canonical_json(&**current)? == proposal.message()? {
            return Ok(None);
        }
        follows(proposal, current.version)?;
        check::targets(proposal, &signed)?;
        check::expiry(proposal, signed.expires, now)?;
        let roster = self.roster(&name)?;
        met(proposal, &roster)?;
        let signatures = proposal.valid_signatures(&proposal.message()?, &[&roster]);
        let bytes = proposal.file(&[&roster])?;
        let version = signed.version;
        let role = Role {
            signed: Arc::new(signed),
            signatures,
            pin: pin(&name, version, &bytes),
        };
        self.roles.insert(name.clone(), role);
        Ok(Some(MetadataFile {
            name: format!("{version}.{name}.json"),
            bytes,
        }))
    }

    /// Signs every role whose keys are others than before, if its signatures do not hold any
    /// more.
    fn resign_changed(
        &mut self,
        before: &Self,
        keys: &KeySet,
        now: Timestamp,
        files: &mut Vec<MetadataFile>,
    ) -> Result<(), SignError> {
        let names: Vec<String> = self.roles.keys().cloned().collect();
        for name in names {
            let roster = self.roster(&name)?;
            if roster == before.roster(&name)? {
                continue;
            }
            let role = &self.roles[&name];
            let standing = roster.standing(&canonical_json(&*role.signed)?, &role.signatures);
            if standing.is_met() {
                continue;
            }
            if !keys.can_sign(&self.keys_of(&name)?) {
                return Err(unsigned(&name, standing));
            }
            files.push(self.sign_role(keys, &name, now)?);
        }
        Ok(())
    }
}

/// Each role has its versions without gaps where people sign it.
fn follows(proposal: &Proposal, current: u64) -> Result<(), SignError> {
    if proposal.version() == current + 1 {
        return Ok(());
    }
    Err(SignError::BaseMoved {
        role: proposal.role().to_owned(),
        current,
        proposed: proposal.version(),
    })
}

/// The keys that a proposed root gives to itself.
fn root_roster(proposal: &Proposal) -> Result<Roster, SignError> {
    let root: Root = proposal.read()?;
    let role = root.roles.get("root");
    let role = role.ok_or_else(|| proposal.refused("has no role `root`"))?;
    Ok(Roster::new(role, &root.keys))
}

fn met(proposal: &Proposal, roster: &Roster) -> Result<(), SignError> {
    let standing = proposal.standing(roster)?;
    if standing.is_met() {
        return Ok(());
    }
    Err(unsigned(proposal.role(), standing))
}

fn unsigned(role: &str, standing: Standing) -> SignError {
    SignError::Unsigned {
        role: role.to_owned(),
        present: standing.signed.len(),
        threshold: standing.threshold,
        missing: standing.missing,
    }
}
