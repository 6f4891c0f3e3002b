//! Evidence: what testing a set of versions on one machine gave, signed by its tester.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provisioning_package::{BundleName, Digest, PackageName, Target};
use semver::Version;
use serde::{Deserialize, Serialize};

/// The newest form of evidence that this code writes.
pub const EVIDENCE_SCHEMA: u32 = 1;

/// Evidence with its signature: body of `POST evidence`.
///
/// `signed` stays JSON, so that what a newer client adds is still under its signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignedEvidence {
    /// The [`Evidence`]; signed over its canonical JSON (OLPC's form, as in TUF).
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub signed: serde_json::Value,
    /// Who vouches for it.
    pub signatures: Vec<EvidenceSignature>,
}

/// One Ed25519 signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvidenceSignature {
    /// The TUF key id of the tester's key.
    pub keyid: String,
    /// The signature in hexadecimal digits.
    pub sig: String,
}

/// What was tested, how, where, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// [`EVIDENCE_SCHEMA`] when it was written.
    pub schema: u32,
    /// What it is about.
    pub subject: EvidenceSubject,
    /// The target whose archives were installed.
    pub target: Target,
    /// Every version that was installed together, with its archive.
    pub members: Vec<EvidenceMember>,
    /// What was run, in order.
    pub runs: Vec<EvidenceRun>,
    /// Where.
    pub machine: EvidenceMachine,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Whether every run passed.
    pub passed: bool,
}

/// What evidence is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EvidenceSubject {
    /// A bundle, by name; its members say which sequence.
    Bundle(BundleName),
    /// Packages that were proved to go together: `core@3.3.0`, `platform@2.6.0`.
    Packages(Vec<String>),
}

/// A version that was installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceMember {
    /// The package.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// The archive that was installed.
    pub digest: Digest,
}

/// One command of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceRun {
    /// What it tries.
    pub what: RunKind,
    /// The member, the bundle's check, or the bundle that it is about.
    pub name: String,
    /// The bundle that was installed before; `None` from an empty prefix.
    #[serde(default)]
    pub from: Option<BundleName>,
    /// The command line.
    pub command: Vec<String>,
    /// Its exit status; `None` where it was killed or did not start.
    #[serde(default)]
    pub exit: Option<i32>,
    /// The digest of what it printed, stdout and then stderr.
    pub output: Digest,
    /// How long it ran.
    pub milliseconds: u64,
    /// Whether it did what it ought to.
    pub passed: bool,
}

/// What a run tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunKind {
    /// An install.
    Install,
    /// That everything is as it was installed.
    Verify,
    /// A member's `[test] smoke`.
    Smoke,
    /// One of the bundle's own tests.
    Check,
    /// An upgrade from another bundle.
    Upgrade,
    /// The way back to it.
    Rollback,
}

/// The machine of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceMachine {
    /// The operating system: `linux`.
    pub system: String,
    /// The processor: `x86_64`.
    pub processor: String,
    /// What the system calls itself, where it tells: `Debian GNU/Linux 12`.
    #[serde(default)]
    pub release: Option<String>,
    /// The version of the client that tested.
    pub client: Version,
}

/// Answer of `POST evidence`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvidenceAccepted {
    /// The digest of its canonical bytes, signatures included; gates name it.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::DigestText))]
    pub digest: Digest,
    /// Who signed it.
    pub tester: String,
    /// Whether every run passed.
    pub passed: bool,
    /// Sequences that it counts for.
    #[serde(default)]
    pub sequences: Vec<u64>,
    /// The registry's serial after it.
    pub serial: u64,
}

/// Body of `PUT testers/{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AddTester {
    /// The 32 bytes of the Ed25519 public key, in hexadecimal digits.
    pub public_key: String,
}

/// Answer of `GET testers`: whose evidence counts, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Testers {
    /// Each tester.
    pub testers: BTreeMap<String, Tester>,
}

/// Somebody whose evidence counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Tester {
    /// The TUF key id.
    pub key_id: String,
    /// The public key, in hexadecimal digits.
    pub public_key: String,
    /// Since when.
    pub added_at: Timestamp,
    /// Since when no more; `None` while it counts.
    #[serde(default)]
    pub removed_at: Option<Timestamp>,
}

impl RunKind {
    /// The word for it, as JSON writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Verify => "verify",
            Self::Smoke => "smoke",
            Self::Check => "check",
            Self::Upgrade => "upgrade",
            Self::Rollback => "rollback",
        }
    }
}

impl SignedEvidence {
    /// What was signed, as far as this program understands it.
    pub fn read(&self) -> Result<Evidence, serde_json::Error> {
        serde_json::from_value(self.signed.clone())
    }
}
