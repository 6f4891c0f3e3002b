//! What differs between two bundles: members that came, went or moved.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use provisioning_package::{Kind, PackageName, Version};

/// A member that is not the same in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberChange {
    /// The member.
    pub name: PackageName,
    /// Its version in the first; `None` where it is no member there.
    pub from: Option<Version>,
    /// Its version in the second; `None` where it is no member there.
    pub to: Option<Version>,
}

/// How a member changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It came.
    Added,
    /// It went.
    Removed,
    /// It moved to a newer version.
    Upgraded,
    /// It moved to an older one.
    Downgraded,
}

impl MemberChange {
    /// How it changed.
    pub fn kind(&self) -> ChangeKind {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) if to.cmp(from) == Ordering::Less => ChangeKind::Downgraded,
            (Some(_), Some(_)) => ChangeKind::Upgraded,
            (Some(_), None) => ChangeKind::Removed,
            (None, _) => ChangeKind::Added,
        }
    }
}

impl ChangeKind {
    /// The word for it, as JSON writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Upgraded => "upgraded",
            Self::Downgraded => "downgraded",
        }
    }
}

/// What leads from the first members to the second, in the order in which people read them:
/// the core first, extensions after the platform.
pub fn member_changes(
    old: &[(PackageName, Version)],
    new: &[(PackageName, Version)],
) -> Vec<MemberChange> {
    type Pair<'v> = (Option<&'v Version>, Option<&'v Version>);
    let mut all: BTreeMap<(Kind, &PackageName), Pair<'_>> = BTreeMap::new();
    for (name, version) in old {
        all.entry((name.kind(), name)).or_default().0 = Some(version);
    }
    for (name, version) in new {
        all.entry((name.kind(), name)).or_default().1 = Some(version);
    }
    all.into_iter()
        .filter(|(_, (from, to))| from != to)
        .map(|((_, name), (from, to))| MemberChange {
            name: name.clone(),
            from: from.cloned(),
            to: to.cloned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(specs: &[&str]) -> Vec<(PackageName, Version)> {
        let pair = |spec: &&str| {
            let (name, version) = spec.split_once('@').unwrap();
            (PackageName::parse(name).unwrap(), version.parse().unwrap())
        };
        specs.iter().map(pair).collect()
    }

    #[test]
    fn members_come_go_and_move_the_core_first() {
        let old = members(&["redis@1.1.0", "core@3.2.1", "platform@2.5.3", "azure@2.0.0"]);
        let new = members(&[
            "mongodb@1.2.0",
            "redis@1.0.0",
            "platform@2.6.0",
            "core@3.2.1",
        ]);
        let found: Vec<String> = member_changes(&old, &new)
            .iter()
            .map(|it| format!("{} {}", it.kind().as_str(), it.name))
            .collect();
        assert_eq!(
            found,
            [
                "upgraded platform",
                "removed azure",
                "added mongodb",
                "downgraded redis"
            ]
        );
        assert!(member_changes(&old, &old).is_empty());
    }
}
