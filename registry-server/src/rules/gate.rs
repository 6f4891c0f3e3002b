//! Gates: what may hold a checked session back before its transaction. Pure.
//!
//! To add a gate: a variant of [`Gate`] (their order is the order in which a session waits
//! for them), a state in `rules/session.rs`, and what closes it in `gates.rs`.

use provisioning_package::{Kind, PackageName, Version};

use super::policy::Review;

/// A gate, in the order in which a session passes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Gate {
    /// A moderator looks.
    Review,
    /// A release engineer signs.
    Signature,
}

/// A gate that is closed, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) gate: Gate,
    pub(crate) reason: String,
}

/// Which versions a moderator must look at, by the registry's setting. Each is given with
/// whether its package is new.
pub(crate) fn review<'a>(
    setting: Review,
    is_approved: bool,
    versions: impl IntoIterator<Item = (&'a PackageName, bool)>,
) -> Vec<Closed> {
    if is_approved {
        return Vec::new();
    }
    versions
        .into_iter()
        .filter_map(|(name, is_new)| {
            let reason = match setting {
                Review::NewPackages if is_new => {
                    format!("`{name}` is new here: a moderator looks at the first version")
                }
                Review::Nothing | Review::NewPackages => return None,
                Review::EveryVersion => format!("a moderator looks at every version of `{name}`"),
            };
            Some(Closed {
                gate: Gate::Review,
                reason,
            })
        })
        .collect()
}

/// Which new versions release engineers must sign: every first-party one.
pub(crate) fn signature<'a>(
    versions: impl IntoIterator<Item = (&'a PackageName, &'a Version)>,
) -> Vec<Closed> {
    versions
        .into_iter()
        .filter(|(name, _)| name.kind() != Kind::Extension)
        .map(|(name, version)| Closed {
            gate: Gate::Signature,
            reason: format!("`{name}` {version} is signed by release engineers"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_registry_holds_nothing_back_and_others_what_they_say() {
        let (old, new) = (
            PackageName::parse("redis").unwrap(),
            PackageName::parse("mongodb").unwrap(),
        );
        let count = |setting, is_approved| {
            review(setting, is_approved, [(&old, false), (&new, true)]).len()
        };
        assert_eq!(count(Review::default(), false), 0);
        assert_eq!(count(Review::NewPackages, false), 1);
        assert_eq!(count(Review::EveryVersion, false), 2);
        assert_eq!(count(Review::EveryVersion, true), 0);
    }
}
