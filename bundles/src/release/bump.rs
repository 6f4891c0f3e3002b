//! How far a version moves.

use provisioning_package::Version;
use serde::Serialize;

/// How much a release changes for whoever upgrades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Bump {
    /// Nothing that reaches a user.
    None,
    /// What was wrong is right now.
    Patch,
    /// Something can be done that could not.
    Minor,
    /// Something that worked works no more.
    Major,
}

impl Bump {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Major => "major",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::Patch, Self::Minor, Self::Major]
            .into_iter()
            .find(|it| it.as_str() == text)
    }
}

/// The version after `version`. Below 1.0.0 the leftmost number that is not zero says what
/// is compatible, as Cargo reads it; a pre-release goes on to its release.
pub fn bumped(version: &Version, bump: Bump) -> Version {
    let Version {
        major,
        minor,
        patch,
        ..
    } = *version;
    if bump == Bump::None {
        return version.clone();
    }
    if !version.pre.is_empty() {
        return Version::new(major, minor, patch);
    }
    match (bump, major, minor) {
        (Bump::Major, 0, 0) | (Bump::Minor, 0, _) => Version::new(0, minor, patch + 1),
        (Bump::Major, 0, _) => Version::new(0, minor + 1, 0),
        (Bump::Major, _, _) => Version::new(major + 1, 0, 0),
        (Bump::Minor, _, _) => Version::new(major, minor + 1, 0),
        (Bump::Patch | Bump::None, _, _) => Version::new(major, minor, patch + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_move_as_semver_says() {
        let cases = [
            ("3.2.1", Bump::Major, "4.0.0"),
            ("3.2.1", Bump::Minor, "3.3.0"),
            ("3.2.1", Bump::Patch, "3.2.2"),
            ("3.2.1", Bump::None, "3.2.1"),
            ("0.4.2", Bump::Major, "0.5.0"),
            ("0.4.2", Bump::Minor, "0.4.3"),
            ("0.0.7", Bump::Major, "0.0.8"),
            ("3.3.0-rc.2", Bump::Patch, "3.3.0"),
            ("3.2.1+build", Bump::Patch, "3.2.2"),
        ];
        for (from, bump, to) in cases {
            let found = bumped(&from.parse().unwrap(), bump);
            assert_eq!(found.to_string(), to, "{from} {bump:?}");
            assert_eq!(Bump::parse(bump.as_str()), Some(bump));
        }
    }
}
