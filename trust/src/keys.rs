//! Ed25519 keys, and the folder that keeps them.
//!
//! One PKCS#8 PEM file a key, mode 0600, named for its label (`root-1.pem`, `release.pem`).
//! A folder may hold only some of the keys: what is missing is offline, and the roles that
//! need it are left alone. Secret bytes never reach `Debug`, errors or logs.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use ed25519_dalek::Signer as _;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, KeypairBytes};

use crate::durable;
use crate::error::SignError;
use crate::layout::ROOT_KEYS;
use crate::metadata::{PublicKey, RoleKeys, Signature};

mod protected;

pub use protected::PAPER_WORDS;

/// The labels of the keys that a fresh registry makes beside its root keys.
const LABELS: [&str; 6] = [
    "targets",
    "release",
    "extensions",
    "bins",
    "snapshot",
    "timestamp",
];

/// A private Ed25519 key.
#[derive(Clone)]
pub struct SigningKey {
    secret: ed25519_dalek::SigningKey,
    id: String,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A new key from the operating system's randomness.
    pub fn generate() -> Result<Self, SignError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|source| SignError::Random { source })?;
        Ok(Self::new(ed25519_dalek::SigningKey::from_bytes(&seed)))
    }

    /// Reads a PKCS#8 PEM text.
    pub fn from_pem(pem: &str) -> Result<Self, SignError> {
        let secret = ed25519_dalek::SigningKey::from_pkcs8_pem(pem)
            .map_err(|source| SignError::Pem { source })?;
        Ok(Self::new(secret))
    }

    /// The key as PKCS#8 PEM, in the first version of the format, which every tool reads.
    pub fn to_pem(&self) -> Result<String, SignError> {
        let pair = KeypairBytes {
            secret_key: self.secret.to_bytes(),
            public_key: None,
        };
        let pem = pair
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(|source| SignError::Pem { source })?;
        Ok(pem.to_string())
    }

    /// The TUF key id: sha256 of the canonical JSON of the public key, as
    /// python-securesystemslib computes it.
    pub fn key_id(&self) -> &str {
        &self.id
    }

    /// The 32 bytes of the public key.
    pub fn public(&self) -> [u8; 32] {
        self.secret.verifying_key().to_bytes()
    }

    fn new(secret: ed25519_dalek::SigningKey) -> Self {
        let id = PublicKey::of(secret.verifying_key().as_bytes()).id();
        Self { secret, id }
    }

    pub(crate) fn dalek_public(&self) -> ed25519_dalek::VerifyingKey {
        self.secret.verifying_key()
    }

    /// The public key.
    pub fn public_key(&self) -> PublicKey {
        PublicKey::of(self.secret.verifying_key().as_bytes())
    }

    /// Signs the canonical bytes of something.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature {
            keyid: self.id.clone(),
            sig: hex::encode(self.secret.sign(message).to_bytes()),
        }
    }
}

/// The private keys that are at hand, each with its label.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    keys: BTreeMap<String, SigningKey>,
}

impl KeySet {
    /// Every key that a fresh registry needs: three root keys and one for each other role,
    /// where the 256 bins share one.
    pub fn generate() -> Result<Self, SignError> {
        let roots = (1..=ROOT_KEYS).map(|number| format!("root-{number}"));
        let labels = roots.chain(LABELS.map(str::to_owned));
        let keys = labels
            .map(|label| Ok((label, SigningKey::generate()?)))
            .collect::<Result<_, SignError>>()?;
        Ok(Self { keys })
    }

    /// The keys of a registry that has no metadata yet: what an interrupted first start left
    /// in `folder` is kept, what is missing is made, and all are durable when this returns.
    pub fn generate_in(folder: &Path) -> Result<Self, SignError> {
        let mut keys = Self::generate()?;
        durable::create_private_folder(folder).map_err(|source| SignError::file(folder, source))?;
        keys.keys.extend(Self::load(folder)?.keys);
        keys.save(folder)?;
        Ok(keys)
    }

    /// Reads every `<label>.pem` of `folder`.
    pub fn load(folder: &Path) -> Result<Self, SignError> {
        let entries = fs::read_dir(folder).map_err(|source| SignError::file(folder, source))?;
        let mut keys = BTreeMap::new();
        for entry in entries {
            let path = entry
                .map_err(|source| SignError::file(folder, source))?
                .path();
            let label = path.file_stem().and_then(|stem| stem.to_str());
            let (Some("pem"), Some(label)) = (path.extension().and_then(|x| x.to_str()), label)
            else {
                continue;
            };
            let pem = fs::read_to_string(&path).map_err(|source| SignError::file(&path, source))?;
            let key = SigningKey::from_pem(&pem)
                .map_err(|_| SignError::BadKeyFile { path: path.clone() })?;
            keys.insert(label.to_owned(), key);
        }
        Ok(Self { keys })
    }

    /// Writes every key to `folder` (made with mode 0700 if it is missing): each file whole
    /// or not at all, mode 0600, durable when this returns.
    pub fn save(&self, folder: &Path) -> Result<(), SignError> {
        durable::create_private_folder(folder).map_err(|source| SignError::file(folder, source))?;
        for (label, key) in &self.keys {
            let path = folder.join(format!("{label}.pem"));
            durable::write_file(&path, key.to_pem()?.as_bytes())
                .map_err(|source| SignError::file(&path, source))?;
        }
        Ok(())
    }

    /// Deletes the file of one key: overwritten first, gone when this returns. What a disk or
    /// a backup keeps of it is beyond reach.
    pub fn delete(folder: &Path, label: &str) -> Result<(), SignError> {
        let path = folder.join(format!("{label}.pem"));
        durable::delete_secret(&path).map_err(|source| SignError::file(&path, source))
    }

    /// The labels of the keys at hand, sorted.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// The key with this label.
    pub fn key(&self, label: &str) -> Option<&SigningKey> {
        self.keys.get(label)
    }

    /// Takes a key in, replacing the one with the same label.
    pub fn insert(&mut self, label: &str, key: SigningKey) {
        self.keys.insert(label.to_owned(), key);
    }

    /// The keys at hand, each with its label, sorted by it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &SigningKey)> {
        self.keys.iter().map(|(label, key)| (label.as_str(), key))
    }

    /// The label of the key called `id`.
    pub fn label_of(&self, id: &str) -> Option<&str> {
        let mut all = self.keys.iter();
        all.find(|(_, key)| key.id == id)
            .map(|(label, _)| label.as_str())
    }

    /// Takes a key out: what a registry does with keys that move offline.
    pub fn remove(&mut self, label: &str) -> Option<SigningKey> {
        self.keys.remove(label)
    }

    /// The key with this label, or words about its absence.
    pub(crate) fn need(&self, label: &str) -> Result<&SigningKey, SignError> {
        self.key(label).ok_or_else(|| SignError::MissingKey {
            role: label.to_owned(),
            present: 0,
            threshold: 1,
        })
    }

    /// Whether enough keys are at hand to sign a role.
    pub(crate) fn can_sign(&self, role: &RoleKeys) -> bool {
        self.holding(role).count() >= role.threshold
    }

    /// Signs `message` with every key at hand that `role` names.
    pub(crate) fn sign(
        &self,
        name: &str,
        role: &RoleKeys,
        message: &[u8],
    ) -> Result<Vec<Signature>, SignError> {
        let signatures: Vec<_> = self.holding(role).map(|key| key.sign(message)).collect();
        if signatures.len() < role.threshold {
            return Err(SignError::MissingKey {
                role: name.to_owned(),
                present: signatures.len(),
                threshold: role.threshold,
            });
        }
        Ok(signatures)
    }

    fn holding<'a>(&'a self, role: &'a RoleKeys) -> impl Iterator<Item = &'a SigningKey> {
        self.keys
            .values()
            .filter(|key| role.keyids.contains(&key.id))
    }
}
