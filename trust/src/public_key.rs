//! Public keys as people exchange them: `ed25519:<64 hexadecimal digits>`.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature as Ed25519, VerifyingKey};
use provisioning_package::Digest;

use crate::error::SignError;
use crate::metadata::{KeyValue, PublicKey, Signature, canonical_json};

/// What the text of a public key begins with.
const SCHEME: &str = "ed25519";

impl PublicKey {
    /// The key of these 32 bytes.
    pub(crate) fn of(bytes: &[u8; 32]) -> Self {
        Self {
            keytype: SCHEME.to_owned(),
            keyval: KeyValue {
                public: hex::encode(bytes),
            },
            scheme: SCHEME.to_owned(),
        }
    }

    /// The TUF key id: sha256 of the canonical JSON of the key.
    ///
    /// # Panics
    ///
    /// Never: three texts are JSON.
    pub fn id(&self) -> String {
        let bytes = canonical_json(self).expect("a public key is three texts");
        Digest::of(&bytes).hex()
    }

    /// Whether `signature` is this key's over `message`. Keys that other schemes made are
    /// never satisfied here.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &Signature) -> bool {
        let checked = || {
            let bytes: [u8; 32] = hex::decode(&self.keyval.public).ok()?.try_into().ok()?;
            let key = VerifyingKey::from_bytes(&bytes).ok()?;
            let bytes: [u8; 64] = hex::decode(&signature.sig).ok()?.try_into().ok()?;
            key.verify_strict(message, &Ed25519::from_bytes(&bytes))
                .ok()
        };
        self.scheme == SCHEME && self.keytype == SCHEME && checked().is_some()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.scheme, self.keyval.public)
    }
}

impl FromStr for PublicKey {
    type Err = SignError;

    fn from_str(text: &str) -> Result<Self, SignError> {
        let bad = || SignError::BadPublicKey {
            text: text.chars().take(100).collect(),
        };
        let (scheme, digits) = text.trim().split_once(':').ok_or_else(bad)?;
        let bytes = hex::decode(digits).map_err(|_| bad())?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| bad())?;
        if scheme != SCHEME || VerifyingKey::from_bytes(&bytes).is_err() {
            return Err(bad());
        }
        Ok(Self::of(&bytes))
    }
}
