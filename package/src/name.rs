//! What a package is called.
//!
//! Everywhere inside, a package goes by its short name (`mongodb`, `core`). People and
//! archive file names also use full names (`provisioning-ext-mongodb`), and people say
//! `mongodb-taskserv`; [`PackageName::from_user`] takes all of these, [`PackageName::parse`]
//! the short form alone. Because extensions may not take a kind's name, a short name says
//! which kind it is: [`PackageName::kind`].

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::extension_type::ExtensionType;
use crate::kind::Kind;

/// Longest short name, in characters.
pub const NAME_CHARS_MAX: usize = 64;

/// Names of moving bundles; no package may be called so.
pub const CHANNELS: [&str; 3] = ["stable", "lts", "testing"];

/// A package's short name, valid and (for extensions) not reserved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PackageName(String);

/// Why a text is no package name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Characters or length are off.
    #[error(
        "`{0}` is not a package name: use 1 to {NAME_CHARS_MAX} lower-case letters, digits and \
         single inner hyphens"
    )]
    Malformed(String),
    /// The form is right but the name means something else already.
    #[error("`{name}` cannot name an extension: {why}")]
    Reserved {
        /// The name that was asked for.
        name: String,
        /// What the name means already.
        why: &'static str,
    },
}

impl PackageName {
    /// Reads a short name: `core`, `mongodb`.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        if !is_well_formed(text) {
            return Err(InvalidName::Malformed(text.to_owned()));
        }
        if is_singleton(text) {
            return Ok(Self(text.to_owned()));
        }
        match reserved(text) {
            Some(why) => Err(InvalidName::Reserved {
                name: text.to_owned(),
                why,
            }),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// Reads any spelling that a person may use: the short name, the full name
    /// (`provisioning-ext-mongodb`, `provisioning-templates`), the short name with
    /// `provisioning-` before it, or `<name>-<type>` for an extension.
    pub fn from_user(text: &str) -> Result<Self, InvalidName> {
        let short = text.strip_prefix("provisioning-").unwrap_or(text);
        let short = match short {
            "templates" => "workspace",
            other => other.strip_prefix("ext-").unwrap_or(other),
        };
        let short = ExtensionType::ALL
            .into_iter()
            .find_map(|it| short.strip_suffix(it.as_str())?.strip_suffix('-'))
            .unwrap_or(short);
        Self::parse(short).map_err(|problem| match problem {
            InvalidName::Malformed(_) => InvalidName::Malformed(text.to_owned()),
            reserved @ InvalidName::Reserved { .. } => reserved,
        })
    }

    /// The only package of a kind that has one; `None` for extensions.
    pub fn of_kind(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Core | Kind::Platform | Kind::Workspace | Kind::Client => {
                Some(Self(kind.as_str().to_owned()))
            }
            Kind::Extension => None,
        }
    }

    /// Which kind a package of this name is.
    pub fn kind(&self) -> Kind {
        self.0.parse().unwrap_or(Kind::Extension)
    }

    /// The short name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The full name, as archive file names carry it: `provisioning-ext-mongodb`.
    pub fn full(&self) -> String {
        match self.kind() {
            Kind::Extension => format!("provisioning-ext-{}", self.0),
            Kind::Workspace => "provisioning-templates".to_owned(),
            Kind::Core | Kind::Platform | Kind::Client => format!("provisioning-{}", self.0),
        }
    }
}

impl fmt::Display for PackageName {
    /// Writes the short name, the one spelling that is used in text, JSON and paths.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for PackageName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<PackageName> for String {
    fn from(name: PackageName) -> Self {
        name.0
    }
}

fn is_well_formed(text: &str) -> bool {
    let inner_ok = text
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    inner_ok
        && !text.is_empty()
        && text.len() <= NAME_CHARS_MAX
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.contains("--")
}

fn is_singleton(text: &str) -> bool {
    Kind::ALL
        .into_iter()
        .any(|kind| kind != Kind::Extension && kind.as_str() == text)
}

/// Why an extension may not be called `text`; each of these would make some spec or file
/// name mean two things.
fn reserved(text: &str) -> Option<&'static str> {
    if matches!(text, "extension" | "extensions") {
        Some("it is a kind of package")
    } else if text == "templates" {
        Some("it is the full name of the workspace package")
    } else if text == "latest" {
        Some("it means the newest version in a spec")
    } else if CHANNELS.contains(&text) {
        Some("it is a channel")
    } else if text == "provisioning" || text.starts_with("provisioning-") {
        Some("the prefix `provisioning-` belongs to full names")
    } else if text.starts_with("ext-") {
        Some("the prefix `ext-` belongs to full names")
    } else if text.starts_with("min-") {
        Some("the prefix `min-` belongs to rows of the compatibility matrix")
    } else if ExtensionType::ALL.into_iter().any(|it| {
        text.strip_suffix(it.as_str())
            .is_some_and(|rest| rest.ends_with('-'))
    }) {
        Some("the ending names an extension type, which `type` states")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_that_people_use_finds_the_short_name() {
        for (typed, short) in [
            ("core", "core"),
            ("provisioning-core", "core"),
            ("provisioning-templates", "workspace"),
            ("workspace", "workspace"),
            ("provisioning-ext-mongodb", "mongodb"),
            ("provisioning-mongodb", "mongodb"),
            ("azure-provider", "azure"),
            ("provisioning-ext-azure-provider", "azure"),
            ("provisioning-client", "client"),
        ] {
            assert_eq!(PackageName::from_user(typed).unwrap().as_str(), short);
        }
    }

    #[test]
    fn reserved_and_malformed_names_are_refused() {
        for bad in [
            "",
            "-a",
            "a-",
            "a--b",
            "A",
            "a_b",
            "a.b",
            "ä",
            "extension",
            "extensions",
            "templates",
            "latest",
            "stable",
            "lts",
            "testing",
            "provisioning-x",
            "ext-x",
            "min-core",
            "azure-provider",
            "x-taskserv",
            "x-cluster",
            "x-workflow",
        ] {
            assert!(PackageName::parse(bad).is_err(), "{bad}");
        }
        assert!(PackageName::parse(&"a".repeat(64)).is_ok());
        assert!(PackageName::parse(&"a".repeat(65)).is_err());
    }

    #[test]
    fn full_names_read_back_as_the_same_package() {
        for short in [
            "core",
            "platform",
            "workspace",
            "client",
            "mongodb",
            "a1-b2",
        ] {
            let name = PackageName::parse(short).unwrap();
            assert_eq!(PackageName::from_user(&name.full()).unwrap(), name);
        }
    }
}
