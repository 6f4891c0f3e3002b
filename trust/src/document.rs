//! Signed documents that are no TUF metadata: evidence of tests.
//!
//! The form is TUF's own: an Ed25519 signature over the canonical JSON of what is signed.

use serde::Serialize;

use crate::error::SignError;
use crate::keys::SigningKey;
use crate::metadata::{PublicKey, canonical_json};

/// A public Ed25519 key and the id that signatures name it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    key: ed25519_dalek::VerifyingKey,
    id: String,
}

/// The text is no Ed25519 public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 public key: 64 hexadecimal digits are expected")]
pub struct NoPublicKey;

impl VerifyingKey {
    /// Reads the 32 bytes of a key from hexadecimal digits, with or without `ed25519:` before
    /// them.
    pub fn from_hex(text: &str) -> Result<Self, NoPublicKey> {
        let mut bytes = [0; 32];
        let text = text.trim();
        let digits = text.strip_prefix("ed25519:").unwrap_or(text);
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| NoPublicKey)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| NoPublicKey)?;
        // A key of small order would verify signatures that nobody made.
        if key.is_weak() {
            return Err(NoPublicKey);
        }
        let id = PublicKey::of(&bytes).id();
        Ok(Self { key, id })
    }

    /// The TUF key id.
    pub fn key_id(&self) -> &str {
        &self.id
    }

    /// The key in hexadecimal digits.
    pub fn to_hex(&self) -> String {
        hex::encode(self.key.to_bytes())
    }

    /// Whether `signature` (hexadecimal digits) is this key's over `document`.
    pub fn has_signed(&self, document: &impl Serialize, signature: &str) -> bool {
        let Ok(bytes) = canonical_json(document) else {
            return false;
        };
        let mut raw = [0; 64];
        if hex::decode_to_slice(signature, &mut raw).is_err() {
            return false;
        }
        let signature = ed25519_dalek::Signature::from_bytes(&raw);
        self.key.verify_strict(&bytes, &signature).is_ok()
    }
}

impl SigningKey {
    /// Signs the canonical JSON of a document: the key's id and the signature in hexadecimal
    /// digits. Fails on numbers that are no integers.
    pub fn sign_document(&self, document: &impl Serialize) -> Result<(String, String), SignError> {
        let signature = self.sign(&canonical_json(document)?);
        Ok((signature.keyid, signature.sig))
    }

    /// The public half.
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey {
            key: self.dalek_public(),
            id: self.key_id().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_signature_holds_for_the_document_and_for_nothing_else() {
        let key = SigningKey::generate().unwrap();
        let document = json!({"b": 1, "a": ["x", null, true]});
        let (id, signature) = key.sign_document(&document).unwrap();
        let public = key.verifying_key();
        assert_eq!(public.key_id(), id);
        // The order of keys is no part of what is signed.
        assert!(public.has_signed(&json!({"a": ["x", null, true], "b": 1}), &signature));
        assert!(!public.has_signed(&json!({"a": ["x", null, true], "b": 2}), &signature));
        assert!(!public.has_signed(&document, "00"));
        let other = SigningKey::generate().unwrap().verifying_key();
        assert!(!other.has_signed(&document, &signature));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "00", &"0".repeat(64), &"g".repeat(64)] {
            assert_eq!(VerifyingKey::from_hex(text), Err(NoPublicKey), "{text}");
        }
        let key = SigningKey::generate().unwrap().verifying_key();
        assert_eq!(VerifyingKey::from_hex(&key.to_hex()), Ok(key));
    }

    #[test]
    fn numbers_that_are_no_integers_cannot_be_signed() {
        let key = SigningKey::generate().unwrap();
        assert!(key.sign_document(&json!({"a": 1.5})).is_err());
    }
}
