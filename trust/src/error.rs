//! What can go wrong: [`SignError`] in the registry, [`TrustError`] on the machine that installs.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use provisioning_package::Digest;

/// Metadata could not be signed, written or read back by the registry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes for a new key")]
    Random {
        /// What it said.
        source: getrandom::Error,
    },
    /// A text is no PKCS#8 Ed25519 key. It is not repeated: it may hold a secret.
    #[error("the text is not an Ed25519 key in PKCS#8 PEM form")]
    Pem {
        /// What the parser said.
        source: ed25519_dalek::pkcs8::Error,
    },
    /// A key file holds something else.
    #[error("`{path}` is not an Ed25519 key in PKCS#8 PEM form; restore it from a backup")]
    BadKeyFile {
        /// The file.
        path: PathBuf,
    },
    /// A file or folder could not be read or written.
    #[error("cannot use `{path}`")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A protected key did not open.
    #[error("the passphrase is wrong, or the key file is damaged")]
    Passphrase,
    /// Words from paper spell no key. They are not repeated: they hold a secret.
    #[error("the words spell no key: {problem}")]
    Words {
        /// What is wrong with them.
        problem: String,
    },
    /// A text is no public key.
    #[error("`{text}` is no public key: expected `ed25519:` and 64 hexadecimal digits")]
    BadPublicKey {
        /// What was given, cut short.
        text: String,
    },
    /// A proposal cannot become metadata.
    #[error("the proposed `{role}` {problem}")]
    BadProposal {
        /// The role.
        role: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Something else was signed since the proposal was made.
    #[error(
        "the proposed `{role}` is version {proposed}, but version {current} is in force: it was \
         made over an older state; make it again and sign that"
    )]
    BaseMoved {
        /// The role.
        role: String,
        /// The version in force.
        current: u64,
        /// The version that was proposed.
        proposed: u64,
    },
    /// A proposal lacks signatures.
    #[error(
        "the proposed `{role}` has {present} of the {threshold} signatures that it needs; still \
         missing: {} of {}",
        .threshold.saturating_sub(*.present), .missing.join(", ")
    )]
    Unsigned {
        /// The role.
        role: String,
        /// Valid signatures that it has.
        present: usize,
        /// How many it needs.
        threshold: usize,
        /// The key ids that could sign.
        missing: Vec<String>,
    },
    /// Too few keys of a role are at hand.
    #[error(
        "`{role}` needs {threshold} signatures, and {present} of its keys are here; \
         sign where its keys are, or restore them from a backup"
    )]
    MissingKey {
        /// The role, or the label of the key.
        role: String,
        /// How many of its keys are at hand.
        present: usize,
        /// How many must sign.
        threshold: usize,
    },
    /// No role may sign this path.
    #[error("no role may sign the target `{path}`")]
    ForeignPath {
        /// The target's path.
        path: String,
    },
    /// The path cannot be a target.
    #[error(
        "`{path}` cannot be a target: use plain components without `..`, `\\`, `\"` and control characters"
    )]
    BadPath {
        /// The target's path.
        path: String,
    },
    /// A number in metadata is not an integer; canonical JSON knows no others.
    #[error("canonical JSON has no numbers but integers")]
    NotAnInteger,
    /// A value could not be spelled as JSON.
    #[error("cannot spell the metadata as JSON")]
    Json {
        /// What the serialiser said.
        source: serde_json::Error,
    },
    /// A metadata file that the registry itself wrote is missing or damaged.
    #[error(
        "metadata file `{file}` {problem}; restore the registry's `metadata` folder from a backup"
    )]
    Damaged {
        /// The file's name.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A metadata file could not be read.
    #[error("cannot read metadata file `{file}`")]
    Unreadable {
        /// The file's name.
        file: String,
        /// What the reader said.
        source: io::Error,
    },
}

impl SignError {
    /// A stable name for the kind of error, for JSON output.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Random { .. } => "no-randomness",
            Self::Pem { .. } | Self::BadKeyFile { .. } | Self::BadPublicKey { .. } => "bad-key",
            Self::Passphrase => "wrong-passphrase",
            Self::Words { .. } => "bad-words",
            Self::BadProposal { .. } | Self::NotAnInteger | Self::Json { .. } => "bad-proposal",
            Self::BaseMoved { .. } => "base-moved",
            Self::Unsigned { .. } | Self::MissingKey { .. } => "unsigned",
            Self::ForeignPath { .. } | Self::BadPath { .. } => "foreign-path",
            Self::File { .. } | Self::Unreadable { .. } => "io",
            Self::Damaged { .. } => "damaged-metadata",
        }
    }

    pub(crate) fn file(path: &Path, source: io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn json(source: serde_json::Error) -> Self {
        Self::Json { source }
    }

    pub(crate) fn damaged(file: &str, problem: impl Into<String>) -> Self {
        Self::Damaged {
            file: file.to_owned(),
            problem: problem.into(),
        }
    }
}

/// The rehearsal did not go as it must.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DrillError {
    /// Something could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A client refused what it must follow.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A client did something else than it must.
    #[error("at `{step}`, {problem}")]
    Failed {
        /// The step.
        step: String,
        /// What happened.
        problem: String,
    },
}

/// The registry, or whoever stands between, cannot be believed, or cannot be reached.
///
/// Every message says what was seen and what to do. [`TrustError::is_unreachable`] tells the
/// second kind from the first.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The root is not the one that was expected.
    #[error(
        "the registry's root is `{}`, but {origin} says `{}`: this is another registry, or \
         somebody stands between; ask its operator for the fingerprint and compare",
        .seen.prefixed(), .expected.prefixed()
    )]
    WrongRoot {
        /// sha256 of the root that was served, or that is pinned here.
        seen: Digest,
        /// sha256 that it ought to have.
        expected: Digest,
        /// Who said so: `--root-fingerprint`, or the discovery document.
        origin: &'static str,
    },
    /// The discovery document names another root than the one pinned here.
    #[error(
        "root {version} of this registry was `{}` when this machine first met it, and is now \
         said to be `{}`: it was set up anew, or somebody pretends to be it; if its operator \
         confirms the new fingerprint, remove `{}` and give it with `--root-fingerprint`",
        .pinned.prefixed(), .announced.prefixed(), .state.display()
    )]
    RootChanged {
        /// The root's version.
        version: u64,
        /// What is pinned.
        pinned: Digest,
        /// What is announced now.
        announced: Digest,
        /// The folder that holds the pin.
        state: PathBuf,
    },
    /// Something older than what this machine has already seen was served.
    #[error(
        "the registry served version {offered} of `{role}`, but this machine has already seen \
         version {trusted}: an old copy is being replayed; try again, or use another mirror"
    )]
    Rollback {
        /// The role, as the verifier names it.
        role: String,
        /// The version that was seen before.
        trusted: u64,
        /// The version that was offered.
        offered: u64,
    },
    /// A root did not follow the one before it.
    #[error(
        "root {offered} was served where root {wanted} must come next: the chain of roots is broken; \
         nothing was believed"
    )]
    BrokenRootChain {
        /// The version that must come next.
        wanted: u64,
        /// The version that was offered.
        offered: u64,
    },
    /// Metadata is too old to be believed.
    #[error(
        "`{role}` of the registry expired on {expires} (this machine's clock says {now}): the \
         registry or mirror has stopped, an old copy is being replayed, or the clock is wrong; \
         check `date`, then try again"
    )]
    Expired {
        /// The role.
        role: String,
        /// When it ended.
        expires: Timestamp,
        /// The clock that it was judged by.
        now: Timestamp,
    },
    /// The trusted state is older than offline use allows.
    #[error(
        "the registry was last asked on {fetched}, {days} days ago, and offline use is allowed \
         for {days_max} days; run the command once without `--offline`"
    )]
    TooLongOffline {
        /// When metadata was last fetched and verified.
        fetched: Timestamp,
        /// How many days ago that was.
        days: i64,
        /// How many are allowed.
        days_max: i64,
    },
    /// The clock lies before what was verified by it.
    #[error(
        "this machine's clock says {now}, but it verified this registry on {seen}: the clock was set \
         back, or was wrong then; set it, then run the command once without `--offline`"
    )]
    ClockBehind {
        /// The clock.
        now: Timestamp,
        /// When metadata was last fetched and verified.
        seen: Timestamp,
    },
    /// A copy is older than an import allows.
    #[error(
        "this copy of the registry was signed on {signed} or before, {days} days ago, and a copy is \
         usable for {days_max} days; make a new one where the registry can be reached"
    )]
    CopyTooOld {
        /// When it can last have been signed.
        signed: Timestamp,
        /// How many days ago that was.
        days: i64,
        /// How many are allowed.
        days_max: i64,
    },
    /// There is nothing to work with offline.
    #[error(
        "nothing of this registry is trusted on this machine yet; run the command once \
         without `--offline`"
    )]
    NeverMet,
    /// Too few valid signatures.
    #[error(
        "`{role}` carries {found} valid signatures of the {threshold} that it needs: it was \
         changed or made by somebody else; nothing was believed"
    )]
    BadSignature {
        /// The role.
        role: String,
        /// How many valid signatures it has.
        found: usize,
        /// How many it needs.
        threshold: usize,
    },
    /// Bytes differ from what signed metadata says of them.
    #[error("{what}: the bytes are not what the registry signed; try again, or use another mirror")]
    Mismatch {
        /// What differs, and how.
        what: String,
    },
    /// A file that must exist does not.
    #[error(
        "`{file}` is missing from the registry, though it must be there: the copy is incomplete \
         or something is being hidden; try again, or use another mirror"
    )]
    Missing {
        /// The file.
        file: String,
    },
    /// The way to a target goes through a role that the snapshot does not list.
    #[error(
        "the registry's snapshot does not list `{role}`, the role that must be asked for `{path}`: \
         something is being hidden, or the registry is damaged; nothing was believed; try again, \
         or use another mirror"
    )]
    Unlisted {
        /// The role.
        role: String,
        /// The target that was looked for.
        path: String,
    },
    /// More bytes were sent than can be right.
    #[error(
        "`{file}` is longer than the {bytes_max} bytes that it may have; the rest was not read"
    )]
    TooLarge {
        /// The file.
        file: String,
        /// The limit.
        bytes_max: u64,
    },
    /// Metadata that cannot be understood.
    #[error(
        "the registry's metadata cannot be understood: {problem}; it was cut short, changed, \
         or is made for a newer client"
    )]
    Malformed {
        /// What the verifier said.
        problem: String,
    },
    /// The registry did not answer.
    #[error("cannot fetch `{file}` from the registry")]
    Unreachable {
        /// The file.
        file: String,
        /// What the transport said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The registry answered that we may not read.
    #[error("the registry refused to give `{file}`: {reason}")]
    Refused {
        /// The file.
        file: String,
        /// What it said.
        reason: String,
    },
    /// The trusted state on this machine cannot be used.
    #[error("cannot use the trusted state in `{path}`")]
    State {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl TrustError {
    /// Whether the registry could not be asked at all (exit code 5), rather than having given
    /// an answer that cannot be believed (exit code 4).
    pub const fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// A stable name for the kind of error, for JSON output.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::WrongRoot { .. } => "wrong-root",
            Self::RootChanged { .. } => "root-changed",
            Self::Rollback { .. } => "rollback",
            Self::BrokenRootChain { .. } => "broken-root-chain",
            Self::Expired { .. } => "metadata-expired",
            Self::TooLongOffline { .. } => "too-long-offline",
            Self::ClockBehind { .. } => "clock-behind",
            Self::CopyTooOld { .. } => "copy-too-old",
            Self::NeverMet => "never-met",
            Self::BadSignature { .. } => "bad-signature",
            Self::Mismatch { .. } => "digest-mismatch",
            Self::Missing { .. } | Self::Unlisted { .. } => "metadata-missing",
            Self::TooLarge { .. } => "too-large",
            Self::Malformed { .. } => "malformed-metadata",
            Self::Unreachable { .. } => "registry-unreachable",
            Self::Refused { .. } => "registry-refused",
            Self::State { .. } => "trust-state",
        }
    }

    pub(crate) fn state(path: &Path, source: io::Error) -> Self {
        Self::State {
            path: path.to_owned(),
            source,
        }
    }
}
