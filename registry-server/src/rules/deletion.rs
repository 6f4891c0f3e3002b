//! The written rule of deletion (`docs/deletion.md`). Pure.

use jiff::{SignedDuration, Timestamp};
use provisioning_package::BundleName;

use crate::problem::{Code, Refusal};

/// How long after its publish the owners may delete a version.
pub(crate) const OWNER_HOURS_MAX: i64 = 72;

/// What is known about a version that its owner wants deleted.
#[derive(Debug, Clone)]
pub(crate) struct Facts<'a> {
    /// `redis@1.0.0`.
    pub(crate) subject: &'a str,
    pub(crate) published_at: Timestamp,
    /// Other packages that need this one.
    pub(crate) dependents: &'a [String],
    /// Living bundles that pin it.
    pub(crate) bundles: Vec<&'a BundleName>,
}

/// Whether its owners may delete a version at `now`.
pub(crate) fn check(facts: &Facts<'_>, now: Timestamp) -> Result<(), Refusal> {
    let refuse = |why: String| {
        Err(Refusal::new(
            Code::DeletionRefused,
            format!("`{}` is not deleted: {why}", facts.subject),
        )
        .hint("hide it instead: `provisioning yank NAME@VERSION --reason R`")
        .hint("for legal reasons, ask the registry's moderators"))
    };
    let end = facts.published_at + SignedDuration::from_hours(OWNER_HOURS_MAX);
    if now > end {
        return refuse(format!(
            "{OWNER_HOURS_MAX} hours have passed since its publish"
        ));
    }
    if !facts.bundles.is_empty() {
        let names: Vec<_> = facts.bundles.iter().map(|it| format!("`{it}`")).collect();
        return refuse(format!("{} pins it", names.join(", ")));
    }
    if !facts.dependents.is_empty() {
        let names: Vec<_> = facts
            .dependents
            .iter()
            .map(|it| format!("`{it}`"))
            .collect();
        return refuse(format!("other packages need it: {}", names.join(", ")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_deleted_early_and_only_where_nobody_needs_it() {
        let at = |hours: i64| Timestamp::from_second(hours * 3600).unwrap();
        let bundle = BundleName::parse("stable-3.2").unwrap();
        let others = ["mongodb".to_owned()];
        let facts = |dependents, bundles| Facts {
            subject: "redis@1.0.0",
            published_at: at(0),
            dependents,
            bundles,
        };
        check(&facts(&[], vec![]), at(OWNER_HOURS_MAX)).unwrap();
        assert!(check(&facts(&[], vec![]), at(OWNER_HOURS_MAX + 1)).is_err());
        assert!(check(&facts(&others, vec![]), at(1)).is_err());
        let pinned = check(&facts(&[], vec![&bundle]), at(1)).unwrap_err();
        assert!(pinned.detail.contains("stable-3.2"), "{pinned:?}");
    }
}
