//! Keys that people keep: under a passphrase in a file, and as words on paper.
//!
//! A protected file is encrypted PKCS#8 (scrypt and an AES mode, chosen by the `pkcs8` crate),
//! so that other tools can read it. The words are those of BIP 39: 24 of them spell the 32
//! secret bytes and a checksum that notices a misread word.

use bip39::{Language, Mnemonic};
use ed25519_dalek::pkcs8::KeypairBytes;
use pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, LineEnding};
use zeroize::Zeroizing;

use super::SigningKey;
use crate::error::SignError;

/// How the PEM text of a protected key begins.
const PROTECTED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";

/// Words that spell one key.
pub const PAPER_WORDS: usize = 24;

impl SigningKey {
    /// Whether this PEM text needs a passphrase.
    pub fn is_protected(pem: &str) -> bool {
        pem.trim_start().starts_with(PROTECTED)
    }

    /// Reads an encrypted PKCS#8 PEM text.
    pub fn from_protected_pem(pem: &str, passphrase: &str) -> Result<Self, SignError> {
        let secret = ed25519_dalek::SigningKey::from_pkcs8_encrypted_pem(pem.trim(), passphrase)
            .map_err(|_| SignError::Passphrase)?;
        Ok(Self::new(secret))
    }

    /// The key as encrypted PKCS#8 PEM. Deliberately slow: a guess costs as much.
    pub fn to_protected_pem(&self, passphrase: &str) -> Result<Zeroizing<String>, SignError> {
        let pair = KeypairBytes {
            secret_key: self.secret.to_bytes(),
            public_key: None,
        };
        pair.to_pkcs8_encrypted_pem(passphrase, LineEnding::LF)
            .map_err(|source| SignError::Pem { source })
    }

    /// The words to write on paper.
    ///
    /// # Panics
    ///
    /// Never: 32 bytes are an entropy that BIP 39 knows.
    pub fn paper_words(&self) -> Zeroizing<String> {
        let secret = Zeroizing::new(self.secret.to_bytes());
        let words = Mnemonic::from_entropy_in(Language::English, &*secret)
            .expect("32 bytes are an entropy that BIP 39 knows");
        Zeroizing::new(words.words().collect::<Vec<_>>().join(" "))
    }

    /// The key that words from paper spell; blanks and line ends between them do not matter.
    pub fn from_paper_words(words: &str) -> Result<Self, SignError> {
        let plain = words.split_whitespace().map(str::to_ascii_lowercase);
        let plain = Zeroizing::new(plain.collect::<Vec<_>>().join(" "));
        let count = plain.split(' ').filter(|it| !it.is_empty()).count();
        if count != PAPER_WORDS {
            return Err(SignError::Words {
                problem: format!("a key is {PAPER_WORDS} words, and these are {count}"),
            });
        }
        let read = Mnemonic::parse_in_normalized(Language::English, &plain);
        let read = read.map_err(|error| SignError::Words {
            problem: if let bip39::Error::UnknownWord(at) = error {
                format!("word {} is none of the list", at.saturating_add(1))
            } else {
                "the checksum is wrong: a word is misread or out of order".to_owned()
            },
        })?;
        let (entropy, _) = read.to_entropy_array();
        let entropy = Zeroizing::new(entropy);
        let mut secret = Zeroizing::new([0; 32]);
        secret.copy_from_slice(&entropy[..32]);
        Ok(Self::new(ed25519_dalek::SigningKey::from_bytes(&secret)))
    }
}
