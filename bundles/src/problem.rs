//! Why a bundle is refused: each problem names the member, the reason and the way out.

use provisioning_package::{BundleName, PackageName, Target, Version};

/// One reason to refuse a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleProblem {
    /// The name means something else already.
    #[error("a bundle cannot be called `{name}`: that is {what}; choose another name")]
    NameTaken {
        /// The name.
        name: BundleName,
        /// What it means.
        what: &'static str,
    },
    /// Nothing is in it.
    #[error("bundle `{name}` has no members; add `core = \"VERSION\"` or others")]
    Empty {
        /// The bundle.
        name: BundleName,
    },
    /// A member is named more than once.
    #[error("member `{member}` is named more than once; keep one version of it")]
    Twice {
        /// The member.
        member: PackageName,
    },
    /// The client moves by itself.
    #[error(
        "member `client` does not belong in a bundle: `provisioning self update` moves the client"
    )]
    Client,
    /// The registry has no such package.
    #[error("member `{member}`: this registry has no such package; {}", meant(.nearest))]
    MissingPackage {
        /// The member.
        member: PackageName,
        /// What may have been meant.
        nearest: Vec<PackageName>,
    },
    /// The registry has no such version.
    #[error(
        "member `{member}@{version}`: this registry has no such version; {}",
        versions_known(.known)
    )]
    MissingVersion {
        /// The member.
        member: PackageName,
        /// The version that was named.
        version: Version,
        /// The versions that exist, oldest first.
        known: Vec<Version>,
    },
    /// The version was yanked.
    #[error("member `{member}@{version}` is yanked{}; name another version", because(.reason.as_deref()))]
    Yanked {
        /// The member.
        member: PackageName,
        /// Its version.
        version: Version,
        /// Why it was yanked.
        reason: Option<String>,
    },
    /// A moderator holds the package.
    #[error(
        "member `{member}` is held by a moderator{}; leave it out until it is released",
        because(.reason.as_deref())
    )]
    Quarantined {
        /// The member.
        member: PackageName,
        /// Why it is held.
        reason: Option<String>,
    },
    /// Members do not go together.
    #[error("members do not go together: {text}; change one of them or the matrix")]
    Incompatible {
        /// Which requirement or row is broken by what.
        text: String,
    },
    /// A member has no archive for a promised target.
    #[error(
        "member `{member}@{version}` has no archive for `{target}`, which the bundle promises \
         (it has {}); publish a version that has one, or leave the target out of `targets`",
        targets(.has)
    )]
    TargetLacking {
        /// The member.
        member: PackageName,
        /// Its version.
        version: Version,
        /// The promised target.
        target: Target,
        /// The targets that it has.
        has: Vec<Target>,
    },
    /// No target is promised, and the members share none.
    #[error("the members share no target: {}", shared(.members))]
    NoCommonTarget {
        /// Each member with the targets that it has.
        members: Vec<(PackageName, Vec<Target>)>,
    },
    /// A bundle cannot begin in this state.
    #[error(
        "a bundle cannot be published as `{state}`; use `testing`, `candidate`, `stable` or `lts`"
    )]
    State {
        /// The state that was asked for.
        state: &'static str,
    },
}

impl BundleProblem {
    /// A stable word for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NameTaken { .. } => "bundle-name-taken",
            Self::Empty { .. } => "bundle-empty",
            Self::Twice { .. } => "bundle-member-twice",
            Self::Client => "bundle-has-client",
            Self::MissingPackage { .. } | Self::MissingVersion { .. } => "bundle-member-missing",
            Self::Yanked { .. } => "bundle-member-yanked",
            Self::Quarantined { .. } => "bundle-member-quarantined",
            Self::Incompatible { .. } => "bundle-incompatible",
            Self::TargetLacking { .. } | Self::NoCommonTarget { .. } => "bundle-target-lacking",
            Self::State { .. } => "bundle-state",
        }
    }
}

fn because(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |it| format!(": {it}"))
}

fn meant(nearest: &[PackageName]) -> String {
    match nearest.first() {
        Some(name) => format!("did you mean `{name}`?"),
        None => "publish it first".to_owned(),
    }
}

fn versions_known(known: &[Version]) -> String {
    /// The newest are the ones that are likely meant.
    const LISTED_MAX: usize = 5;
    if known.is_empty() {
        return "publish it first".to_owned();
    }
    let newest: Vec<String> = known
        .iter()
        .rev()
        .take(LISTED_MAX)
        .map(ToString::to_string)
        .collect();
    format!("the newest are {}; publish it first", newest.join(", "))
}

fn targets(targets: &[Target]) -> String {
    if targets.is_empty() {
        return "none".to_owned();
    }
    let words: Vec<&str> = targets.iter().map(|it| it.as_str()).collect();
    words.join(", ")
}

fn shared(members: &[(PackageName, Vec<Target>)]) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(name, has)| format!("`{name}` has {}", targets(has)))
        .collect();
    members.join("; ")
}
