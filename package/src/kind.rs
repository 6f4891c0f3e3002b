//! Which of the five sorts of package something is.
//!
//! The kind decides where a package lands on a machine and who may publish it, so
//! every match on [`Kind`] is exhaustive: a new kind is a compile error list.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What sort of package something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The engine and its command line; exactly one package, `core`.
    Core,
    /// The long-running services; exactly one package, `platform`.
    Platform,
    /// A provider, taskserv, cluster or workflow; any number of packages.
    Extension,
    /// Templates for users' projects; exactly one package, `workspace`.
    Workspace,
    /// The `provisioning` command itself; exactly one package, `client`.
    Client,
}

impl Kind {
    /// Every kind, in the order in which people read them.
    pub const ALL: [Self; 5] = [
        Self::Core,
        Self::Platform,
        Self::Extension,
        Self::Workspace,
        Self::Client,
    ];

    /// The word used in manifests, paths, JSON and text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Platform => "platform",
            Self::Extension => "extension",
            Self::Workspace => "workspace",
            Self::Client => "client",
        }
    }

    /// Whether only the product's own teams publish this kind, so that the
    /// `release` role (and not the registry's online keys) signs it.
    pub const fn is_first_party(self) -> bool {
        match self {
            Self::Core | Self::Platform | Self::Workspace | Self::Client => true,
            Self::Extension => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text is no kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a kind: expected `core`, `platform`, `extension`, `workspace` or `client`")]
pub struct UnknownKind(String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownKind(text.to_owned()))
    }
}
