//! What a user types to say what they want: `core@3.1.0`, `stable-3.2`, `bundle:lts-3.1`.
//!
//! Parsing cannot know which names are bundles, so [`Spec`] offers both readings and the
//! caller, who sees the registry, decides: a name that is a bundle's or channel's is that
//! bundle.

use std::fmt;
use std::str::FromStr;

use semver::{Version, VersionReq};

use crate::bundle_name::BundleName;
use crate::name::PackageName;

/// Longest spec, in bytes; more is not something that a person typed.
pub const SPEC_BYTES_MAX: usize = 512;

/// One thing that a user asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    text: String,
    name: String,
    selector: Selector,
    is_bundle: bool,
}

/// Which versions a spec lets in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Selector {
    /// No `@`, or `@*`: any version.
    Any,
    /// `@latest`: the newest version and no other.
    Latest,
    /// `@X.Y.Z`: exactly this version.
    Exact(Version),
    /// Any other requirement, in Cargo's syntax.
    Requirement(VersionReq),
}

/// Why a text is no spec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSpec {
    /// Nothing before the `@`, or a name that neither a package nor a bundle may have.
    #[error("`{0}` names no package and no bundle: write `NAME`, `NAME@VERSION` or `bundle:NAME`")]
    Name(String),
    /// The part after the `@` is neither a version nor a requirement.
    #[error("`{text}`: `{selector}` is neither a version nor a requirement: {reason}")]
    Selector {
        /// The whole spec.
        text: String,
        /// The part after the `@`.
        selector: String,
        /// What the version parser said.
        reason: String,
    },
    /// Bundles are versioned by their name and sequence, not by `@`.
    #[error("`{0}`: a bundle takes no `@VERSION`")]
    BundleVersion(String),
    /// Longer than [`SPEC_BYTES_MAX`].
    #[error("a spec of {0} bytes is too long: {SPEC_BYTES_MAX} is the most")]
    TooLong(usize),
}

impl Spec {
    /// The name as typed, without `bundle:` and `@…`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which versions it lets in.
    pub fn selector(&self) -> &Selector {
        &self.selector
    }

    /// The bundle or channel that this names, if it may name one: always with `bundle:`,
    /// never with an `@`.
    pub fn as_bundle(&self) -> Option<BundleName> {
        match self.selector {
            Selector::Any if !self.text.contains('@') => BundleName::parse(&self.name).ok(),
            Selector::Any | Selector::Latest | Selector::Exact(_) | Selector::Requirement(_) => {
                None
            }
        }
    }

    /// Whether `bundle:` rules out that a package is meant.
    pub fn is_explicit_bundle(&self) -> bool {
        self.is_bundle
    }

    /// The package that this names, if it may name one.
    pub fn as_package(&self) -> Option<PackageName> {
        if self.is_bundle {
            return None;
        }
        PackageName::from_user(&self.name).ok()
    }
}

impl fmt::Display for Spec {
    /// Writes what the user typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for Spec {
    type Err = InvalidSpec;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > SPEC_BYTES_MAX {
            return Err(InvalidSpec::TooLong(text.len()));
        }
        let (is_bundle, rest) = match text.strip_prefix("bundle:") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (name, selector) = match rest.split_once('@') {
            Some((name, selector)) => (name, Some(selector)),
            None => (rest, None),
        };
        if is_bundle && selector.is_some() {
            return Err(InvalidSpec::BundleVersion(text.to_owned()));
        }
        let spec = Self {
            text: text.to_owned(),
            name: name.to_owned(),
            selector: selector.map_or(Ok(Selector::Any), |it| parse_selector(text, it))?,
            is_bundle,
        };
        if spec.as_bundle().is_none() && spec.as_package().is_none() {
            return Err(InvalidSpec::Name(text.to_owned()));
        }
        Ok(spec)
    }
}

impl Selector {
    /// Reads the part after the `@`: bare `X.Y.Z[-pre]` is exact, bare `X.Y` is `~X.Y`,
    /// bare `X` is `^X`, `latest` the newest, all else a requirement in Cargo's syntax.
    pub fn parse(text: &str) -> Result<Self, semver::Error> {
        let text = text.trim();
        if text == "latest" {
            return Ok(Self::Latest);
        }
        if text == "*" {
            return Ok(Self::Any);
        }
        if let Ok(version) = Version::parse(text) {
            return Ok(Self::Exact(version));
        }
        let is_bare = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit() || it == b'.');
        let requirement = match (is_bare, text.matches('.').count()) {
            (true, 1) => VersionReq::parse(&format!("~{text}"))?,
            (true, 0) => VersionReq::parse(&format!("^{text}"))?,
            _ => VersionReq::parse(text)?,
        };
        Ok(Self::Requirement(requirement))
    }

    /// The same choice as a requirement in Cargo's syntax; `Latest` lets every version in.
    pub fn requirement(&self) -> VersionReq {
        match self {
            Self::Any | Self::Latest => VersionReq::STAR,
            Self::Exact(version) => exactly(version),
            Self::Requirement(requirement) => requirement.clone(),
        }
    }
}

/// The requirement that only `version` meets.
fn exactly(version: &Version) -> VersionReq {
    VersionReq {
        comparators: vec![semver::Comparator {
            op: semver::Op::Exact,
            major: version.major,
            minor: Some(version.minor),
            patch: Some(version.patch),
            pre: version.pre.clone(),
        }],
    }
}

fn parse_selector(text: &str, selector: &str) -> Result<Selector, InvalidSpec> {
    Selector::parse(selector).map_err(|problem| InvalidSpec::Selector {
        text: text.to_owned(),
        selector: selector.to_owned(),
        reason: problem.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector_of(text: &str) -> Selector {
        text.parse::<Spec>().unwrap().selector().clone()
    }

    fn requirement(text: &str) -> Selector {
        Selector::Requirement(VersionReq::parse(text).unwrap())
    }

    #[test]
    fn a_bare_version_is_exact_and_a_shorter_one_a_range() {
        assert_eq!(selector_of("core"), Selector::Any);
        assert_eq!(selector_of("core@*"), Selector::Any);
        assert_eq!(selector_of("core@latest"), Selector::Latest);
        assert_eq!(
            selector_of("core@3.1.0"),
            Selector::Exact(Version::new(3, 1, 0))
        );
        assert_eq!(selector_of("core@3.1"), requirement("~3.1"));
        assert_eq!(selector_of("core@3"), requirement("^3"));
        assert_eq!(selector_of("core@1.*"), requirement("1.*"));
        assert_eq!(selector_of("core@>=1,<2"), requirement(">=1,<2"));
        assert_eq!(selector_of("core@=1.2"), requirement("=1.2"));
    }

    #[test]
    fn dots_make_a_name_a_bundle_and_a_version_makes_it_a_package() {
        let bundle: Spec = "stable-3.2".parse().unwrap();
        assert!(bundle.as_package().is_none());
        assert_eq!(bundle.as_bundle().unwrap().as_str(), "stable-3.2");
        let either: Spec = "lts".parse().unwrap();
        assert!(either.as_bundle().is_some());
        let package: Spec = "provisioning-ext-redis@1".parse().unwrap();
        assert_eq!(package.as_package().unwrap().as_str(), "redis");
        assert!(package.as_bundle().is_none());
    }

    #[test]
    fn nonsense_is_refused_with_its_reason() {
        for bad in [
            "",
            "@1",
            "Core",
            "core@",
            "core@banana",
            "bundle:",
            "bundle:a@1",
            "a b",
            "../x",
        ] {
            assert!(bad.parse::<Spec>().is_err(), "{bad}");
        }
        assert!("a".repeat(600).parse::<Spec>().is_err());
    }
}
