//! What can go wrong with an archive.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::refusal::Refusal;
use crate::digest::Digest;

/// Longest part of a hostile name that a message repeats, in characters.
const SHOWN_CHARS_MAX: usize = 160;

/// What the archive is called by code that only has it open.
pub(super) const NAMELESS: &str = "the archive";

/// What can go wrong with an archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The archive, or the tree that should become one, breaks a rule.
    #[error("{}{detail}", Shown(entry.as_deref()))]
    Refused {
        /// Which rule.
        refusal: Refusal,
        /// The entry that breaks it, where it is one entry's fault.
        entry: Option<String>,
        /// What exactly is wrong, as a lower-case phrase.
        detail: String,
    },
    /// The folder to unpack into has something where the archive wants to put an entry.
    #[error("`{}` exists already and nothing is overwritten", path.display())]
    Occupied {
        /// What is in the way.
        path: PathBuf,
    },
    /// The tree changed while it was packed, or the archive between the two readings.
    #[error("`{}` changed while it was being read", path.display())]
    Changed {
        /// What changed.
        path: PathBuf,
    },
    /// An exclude pattern is not a glob.
    #[error(transparent)]
    Glob(#[from] super::globs::InvalidGlob),
    /// The operating system refused.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The bytes that arrived are not the promised ones.
    #[error("{size} bytes arrived with the digest `{}`, and others were promised", digest.prefixed())]
    NotPromised {
        /// The digest of what arrived.
        digest: Digest,
        /// How many bytes arrived.
        size: u64,
    },
    /// More bytes arrived than were promised.
    #[error("more bytes arrived than were promised")]
    TooLong,
    /// The archive holds more than was promised for it.
    #[error("{}", beyond(*unpacked, *entries))]
    BeyondPromise {
        /// The bytes that it was to unpack to at most.
        unpacked: Option<u64>,
        /// The entries that it was to list at most.
        entries: Option<u64>,
    },
    /// Whoever gave the archive's bytes stopped before their end.
    #[error("the archive's bytes broke off")]
    BrokenOff {
        /// Why.
        source: io::Error,
    },
    /// The archive could not be written.
    #[error("cannot write the archive")]
    Output {
        /// What the system said.
        source: io::Error,
    },
}

impl ArchiveError {
    /// The stable code, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused { refusal, .. } => refusal.code(),
            Self::Occupied { .. } => "unpack-target-occupied",
            Self::Changed { .. } => "changed-while-read",
            Self::NotPromised { .. } | Self::TooLong => "archive-digest",
            Self::BeyondPromise { .. } => "archive-beyond-promise",
            Self::BrokenOff { .. } => "archive-broken-off",
            Self::Glob(_) => "invalid-glob",
            Self::Io { .. } | Self::Output { .. } => "io",
        }
    }

    /// Whether the archive or tree itself is at fault, so that trying again cannot help.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::BeyondPromise { .. } => true,
            Self::Occupied { .. }
            | Self::Changed { .. }
            | Self::NotPromised { .. }
            | Self::TooLong
            | Self::BrokenOff { .. }
            | Self::Glob(_)
            | Self::Io { .. }
            | Self::Output { .. } => false,
        }
    }

    /// A refusal that is one entry's fault.
    pub(super) fn entry(refusal: Refusal, entry: &str, detail: impl Into<String>) -> Self {
        Self::Refused {
            refusal,
            entry: Some(entry.to_owned()),
            detail: detail.into(),
        }
    }

    /// A refusal of the archive as a whole.
    pub(super) fn whole(refusal: Refusal, detail: impl Into<String>) -> Self {
        Self::Refused {
            refusal,
            entry: None,
            detail: detail.into(),
        }
    }

    /// For `map_err` on calls of the operating system.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    /// Carries the error through code that only knows [`io::Error`].
    pub(super) fn into_io(self) -> io::Error {
        io::Error::other(self)
    }

    /// Takes an error out again that [`into_io`](Self::into_io) put in.
    pub(super) fn from_io(error: io::Error) -> Result<Self, io::Error> {
        error.downcast::<Self>()
    }
}

fn beyond(unpacked: Option<u64>, entries: Option<u64>) -> String {
    let unpacked = unpacked.map(|it| format!("{it} bytes"));
    let entries = entries.map(|it| format!("{it} entries"));
    let promised: Vec<String> = unpacked.into_iter().chain(entries).collect();
    format!(
        "it unpacks to more than the {} that were promised",
        promised.join(" in ")
    )
}

/// Text of a stranger, safe to show: escape sequences in a file name could rewrite what the
/// reader of a message sees (CVE-2003-0063 and its many descendants).
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.escape_debug().take(SHOWN_CHARS_MAX).collect();
    if text.chars().count() > SHOWN_CHARS_MAX {
        shown.push('…');
    }
    shown
}

/// The beginning of a message about an entry.
struct Shown<'a>(Option<&'a str>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(entry) => write!(f, "`{}`: ", shown(entry)),
            None => Ok(()),
        }
    }
}
