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

/// How many bits minor and patch take in a packed release; major takes the rest. Dates fit
/// as major and as patch.
const MINOR_BITS: u32 = 14;
const PATCH_BITS: u32 = 25;
/// Majors up to here can be packed.
const MAJOR_END: u64 = (1 << (64 - MINOR_BITS - PATCH_BITS)) - 1;

/// An [`Interval`] as bounds on packed releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) from: u64,
    /// [`u64::MAX`] where there is no bound.
    pub(crate) below: u64,
}

/// The releases from `from` up to `below`, which is excluded; without end where there is
/// no `below`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) from: Release,
    pub(crate) below: Option<Release>,
}

/// A release as one number, in the same order, which takes a third of the room and of the
/// time to search; `None` where a part of it is too large.
pub(crate) fn packed((major, minor, patch): Release) -> Option<u64> {
    let fits = major < MAJOR_END && minor >> MINOR_BITS == 0 && patch >> PATCH_BITS == 0;
    fits.then(|| (((major << MINOR_BITS) + minor) << PATCH_BITS) + patch)
}

impl Interval {
    /// The same among packed releases.
    pub(crate) fn bounds(self) -> Bounds {
        Bounds {
            from: packed_bound(self.from),
            below: self.below.map_or(u64::MAX, packed_bound),
        }
    }
}

/// The number from which on packed releases are not less than `bound`.
fn packed_bound(bound: Release) -> u64 {
    let (major, minor, _) = bound;
    let exact = packed(bound);
    let next_minor = packed((major, minor, 0)).map(|it| it + (1 << PATCH_BITS));
    let next_major = packed((major, 0, 0)).map(|it| it + (1 << (MINOR_BITS + PATCH_BITS)));
    exact.or(next_minor).or(next_major).unwrap_or(u64::MAX)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_releases_and_bounds_keep_the_order_of_releases() {
        let parts = [
            0,
            1,
            2,
            16_383,
            16_384,
            20_240_101,
            33_554_430,
            33_554_431,
            u64::MAX,
        ];
        let pairs = parts.iter().flat_map(|a| parts.map(|b| (*a, b)));
        let all: Vec<Release> = pairs.flat_map(|(a, b)| parts.map(|c| (a, b, c))).collect();
        let mut fitting = 0;
        for release in &all {
            let Some(number) = packed(*release) else {
                continue;
            };
            fitting += 1;
            assert!(number < u64::MAX);
            for bound in &all {
                assert_eq!(
                    release < bound,
                    number < packed_bound(*bound),
                    "{release:?} {bound:?}"
                );
            }
        }
        assert_eq!(fitting, 7 * 4 * 8);
    }
}
