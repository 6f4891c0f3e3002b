//! Requirements without pre-releases as intervals, so that a sorted list of versions needs
//! two binary searches instead of a look at each version.
//!
//! Among releases (versions that are no pre-releases), every comparator of the `semver` crate lets
//! in one interval of `(major, minor, patch)`. Pre-releases it lets in only where it names
//! one, so a requirement that names none is its interval without the pre-releases in it.
//! `solver/properties.rs` compares this with `VersionReq::matches`.

use provisioning_package::{Version, VersionReq};
use semver::{Comparator, Op};

/// Major, minor and patch.
pub(crate) type Release = (u64, u64, u64);

/// The releases from `from` up to `below`, which is excluded; without end where there is
/// no `below`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) from: Release,
    pub(crate) below: Option<Release>,
}

/// The release that `version` is or leads up to.
pub(crate) fn release(version: &Version) -> Release {
    (version.major, version.minor, version.patch)
}

/// The releases that meet `req`; `None` where it names a pre-release.
pub(crate) fn interval(req: &VersionReq) -> Option<Interval> {
    let mut all = Interval {
        from: (0, 0, 0),
        below: None,
    };
    for comparator in &req.comparators {
        if !comparator.pre.is_empty() {
            return None;
        }
        let one = of_comparator(comparator)?;
        all.from = all.from.max(one.from);
        all.below = match (all.below, one.below) {
            (Some(left), Some(right)) => Some(left.min(right)),
            (left, right) => left.or(right),
        };
    }
    Some(all)
}

fn of_comparator(comparator: &Comparator) -> Option<Interval> {
    let (minor, patch) = (comparator.minor, comparator.patch);
    let floor = (comparator.major, minor.unwrap_or(0), patch.unwrap_or(0));
    // Everything that the comparator's own numbers, as far as they are given, begin.
    let named = match (minor, patch) {
        (None, _) => after_major(floor),
        (Some(_), None) => after_minor(floor),
        (Some(_), Some(_)) => after_patch(floor),
    };
    // A bound beyond every number is no bound; from there on there is nothing.
    let nothing = Interval {
        from: floor,
        below: Some(floor),
    };
    let (from, below) = match comparator.op {
        Op::Exact | Op::Wildcard => (floor, named),
        Op::Greater => match named {
            Some(after) => (after, None),
            None => return Some(nothing),
        },
        Op::GreaterEq => (floor, None),
        Op::Less => ((0, 0, 0), Some(floor)),
        Op::LessEq => ((0, 0, 0), named),
        Op::Tilde if minor.is_none() => (floor, after_major(floor)),
        Op::Tilde => (floor, after_minor(floor)),
        Op::Caret => match (comparator.major, minor, patch) {
            (0, Some(0), Some(_)) => (floor, after_patch(floor)),
            (0, Some(_), _) => (floor, after_minor(floor)),
            _ => (floor, after_major(floor)),
        },
        _ => return None,
    };
    Some(Interval { from, below })
}

fn after_patch((major, minor, patch): Release) -> Option<Release> {
    let next = patch.checked_add(1).map(|it| (major, minor, it));
    next.or_else(|| after_minor((major, minor, patch)))
}

fn after_minor((major, minor, patch): Release) -> Option<Release> {
    let next = minor.checked_add(1).map(|it| (major, it, 0));
    next.or_else(|| after_major((major, minor, patch)))
}

fn after_major((major, _, _): Release) -> Option<Release> {
    major.checked_add(1).map(|it| (it, 0, 0))
}
