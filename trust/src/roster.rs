//! Who may sign a role, and how far a file has come.

use std::collections::{BTreeMap, BTreeSet};

use crate::metadata::{PublicKey, RoleKeys, Signature};

/// The keys of one role, and how many of them must sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    keys: BTreeMap<String, PublicKey>,
    threshold: usize,
}

/// Who has signed something, and who has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Key ids whose signature is valid, sorted.
    pub signed: Vec<String>,
    /// Key ids that could sign and have not.
    pub missing: Vec<String>,
    /// How many must have signed.
    pub threshold: usize,
}

impl Roster {
    /// The keys that `role` names; an id without its key, or under another key's id, counts
    /// for nobody.
    pub(crate) fn new(role: &RoleKeys, keys: &BTreeMap<String, PublicKey>) -> Self {
        let known = role.keyids.iter().filter_map(|id| {
            let key = keys.get(id).filter(|key| key.id() == *id)?;
            Some((id.clone(), key.clone()))
        });
        Self {
            keys: known.collect(),
            threshold: role.threshold,
        }
    }

    /// How many must sign.
    pub const fn threshold(&self) -> usize {
        self.threshold
    }

    /// The ids of the keys, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// The keys, by id.
    pub fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.keys.values()
    }

    /// Whether the key called `id` may sign.
    pub fn has(&self, id: &str) -> bool {
        self.keys.contains_key(id)
    }

    /// The key called `id`.
    pub(crate) fn key(&self, id: &str) -> Option<&PublicKey> {
        self.keys.get(id)
    }

    /// Whether enough keys exist to sign at all.
    pub(crate) fn is_possible(&self) -> bool {
        self.threshold >= 1 && self.keys.len() >= self.threshold
    }

    /// Counts the valid signatures over `message`; each key counts once.
    pub(crate) fn standing(&self, message: &[u8], signatures: &[Signature]) -> Standing {
        let signed: BTreeSet<&String> = signatures
            .iter()
            .filter(|it| {
                let key = self.keys.get(&it.keyid);
                key.is_some_and(|key| key.has_signed(message, it))
            })
            .map(|it| &it.keyid)
            .collect();
        Standing {
            signed: signed.iter().map(|it| (*it).clone()).collect(),
            missing: self
                .keys
                .keys()
                .filter(|id| !signed.contains(id))
                .cloned()
                .collect(),
            threshold: self.threshold,
        }
    }
}

impl Standing {
    /// Whether enough have signed.
    pub const fn is_met(&self) -> bool {
        self.threshold >= 1 && self.signed.len() >= self.threshold
    }

    /// How many signatures are still needed.
    pub const fn needed(&self) -> usize {
        self.threshold.saturating_sub(self.signed.len())
    }
}
