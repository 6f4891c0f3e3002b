//! What a bundle is called.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest bundle name, in characters.
pub const BUNDLE_NAME_CHARS_MAX: usize = 64;

/// A bundle's or channel's name: `stable-3.2`, `lts`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BundleName(String);

/// The text is no bundle name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a bundle name: use 1 to {BUNDLE_NAME_CHARS_MAX} lower-case letters, digits, \
     dots and hyphens, beginning and ending with a letter or digit"
)]
pub struct InvalidBundleName(String);

impl BundleName {
    /// Reads a bundle name: `[a-z0-9]([a-z0-9.-]*[a-z0-9])?`.
    pub fn parse(text: &str) -> Result<Self, InvalidBundleName> {
        let edge = |byte: Option<&u8>| {
            byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        let bytes = text.as_bytes();
        let inner = bytes
            .iter()
            .all(|byte| edge(Some(byte)) || matches!(byte, b'.' | b'-'));
        if inner
            && edge(bytes.first())
            && edge(bytes.last())
            && bytes.len() <= BUNDLE_NAME_CHARS_MAX
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidBundleName(text.to_owned()))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BundleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for BundleName {
    type Error = InvalidBundleName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<BundleName> for String {
    fn from(name: BundleName) -> Self {
        name.0
    }
}
