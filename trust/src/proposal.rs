//! The next version of a role while it waits for its signatures.
//!
//! A proposal is the very metadata file that it will become, with the signatures that it has
//! so far. Whoever signs signs the canonical bytes of `signed`, whole; the server that keeps
//! a proposal can lose it, delay it or refuse it, and change nothing in it.

use provisioning_package::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::SignError;
use crate::keys::SigningKey;
use crate::metadata::{Envelope, Signature, canonical_json};
use crate::roster::{Roster, Standing};

/// The roles that people's keys may sign, in the order in which they take effect.
pub const OFFLINE_ROLES: [&str; 4] = ["root", "targets", "extensions", "release"];

/// Longest proposal that is read, in bytes: the limit of clients for such a file.
pub const PROPOSAL_BYTES_MAX: u64 = 5_000_000;

/// A role's next version, and the signatures that it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    role: String,
    signed: serde_json::Value,
    #[serde(default)]
    signatures: Vec<Signature>,
}

impl Proposal {
    pub(crate) fn new(role: &str, signed: &impl Serialize) -> Result<Self, SignError> {
        Ok(Self {
            role: role.to_owned(),
            signed: serde_json::to_value(signed).map_err(SignError::json)?,
            signatures: Vec::new(),
        })
    }

    /// A proposal from the canonical bytes of its signed part, as the database keeps them.
    pub fn from_message(role: &str, message: &[u8]) -> Result<Self, SignError> {
        let signed = serde_json::from_slice(message).map_err(SignError::json)?;
        Ok(Self {
            role: role.to_owned(),
            signed,
            signatures: Vec::new(),
        })
    }

    /// Which role: one of [`OFFLINE_ROLES`], unless somebody made it up.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// The version that it will be.
    pub fn version(&self) -> u64 {
        let version = self.signed.get("version");
        version.and_then(serde_json::Value::as_u64).unwrap_or(0)
    }

    /// The bytes that signatures cover.
    pub fn message(&self) -> Result<Vec<u8>, SignError> {
        canonical_json(&self.signed)
    }

    /// sha256 of those bytes: what names the proposal.
    pub fn digest(&self) -> Result<Digest, SignError> {
        Ok(Digest::of(&self.message()?))
    }

    /// The signatures so far, valid or not.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Signs it; a signature of the same key is replaced.
    pub fn sign(&mut self, key: &SigningKey) -> Result<(), SignError> {
        let signature = key.sign(&self.message()?);
        self.add(signature);
        Ok(())
    }

    /// Adds a signature that was made elsewhere; one of the same key is replaced.
    pub fn add(&mut self, signature: Signature) {
        self.signatures.retain(|it| it.keyid != signature.keyid);
        self.signatures.push(signature);
        self.signatures.sort_by(|a, b| a.keyid.cmp(&b.keyid));
    }

    /// Who has signed, and who has not.
    pub fn standing(&self, roster: &Roster) -> Result<Standing, SignError> {
        Ok(roster.standing(&self.message()?, &self.signatures))
    }

    /// Reads the signed part, and refuses what its shape has no place for: signing it again
    /// later would drop a part that people have signed.
    pub(crate) fn read<T: Serialize + DeserializeOwned>(&self) -> Result<T, SignError> {
        let read = T::deserialize(&self.signed)
            .map_err(|error| self.refused(format!("cannot be read: {error}")))?;
        if canonical_json(&read)? != self.message()? {
            return Err(self.refused("holds fields that this version does not know"));
        }
        Ok(read)
    }

    /// The metadata file, with those signatures that `rosters` know.
    pub(crate) fn file(&self, rosters: &[&Roster]) -> Result<Vec<u8>, SignError> {
        let message = self.message()?;
        let valid = self.valid_signatures(&message, rosters);
        envelope_bytes(&message, valid)
    }

    /// The signatures that are valid under any of `rosters`.
    pub(crate) fn valid_signatures(&self, message: &[u8], rosters: &[&Roster]) -> Vec<Signature> {
        let is_valid = |it: &&Signature| {
            let mut keys = rosters.iter().filter_map(|roster| roster.key(&it.keyid));
            keys.any(|key| key.has_signed(message, it))
        };
        self.signatures.iter().filter(is_valid).cloned().collect()
    }

    pub(crate) fn refused(&self, problem: impl Into<String>) -> SignError {
        SignError::BadProposal {
            role: self.role.clone(),
            problem: problem.into(),
        }
    }
}

/// The envelope in canonical form, without spelling the signed part a second time.
pub(crate) fn envelope_bytes(
    message: &[u8],
    signatures: Vec<Signature>,
) -> Result<Vec<u8>, SignError> {
    let placeholder = Envelope {
        signatures,
        signed: 0,
    };
    let mut bytes = canonical_json(&placeholder)?;
    bytes.truncate(bytes.len() - "0}".len());
    bytes.extend_from_slice(message);
    bytes.push(b'}');
    Ok(bytes)
}
