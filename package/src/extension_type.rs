//! What an extension adds to the core.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What an extension adds to the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExtensionType {
    /// A cloud or other place to create servers in.
    Provider,
    /// A service that is installed on servers.
    Taskserv,
    /// A set of servers and services that belong together.
    Cluster,
    /// A sequence of steps over the others.
    Workflow,
}

impl ExtensionType {
    /// Every type, in the order in which people read them.
    pub const ALL: [Self; 4] = [
        Self::Provider,
        Self::Taskserv,
        Self::Cluster,
        Self::Workflow,
    ];

    /// The word used in manifests, JSON and text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Taskserv => "taskserv",
            Self::Cluster => "cluster",
            Self::Workflow => "workflow",
        }
    }
}

impl fmt::Display for ExtensionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text is no extension type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an extension type: expected `provider`, `taskserv`, `cluster` or `workflow`")]
pub struct UnknownExtensionType(String);

impl FromStr for ExtensionType {
    type Err = UnknownExtensionType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|it| it.as_str() == text)
            .ok_or_else(|| UnknownExtensionType(text.to_owned()))
    }
}
