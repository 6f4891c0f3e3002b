//! When a version meets a requirement.
//!
//! The rule is `VersionReq::matches` of the `semver` crate, to the letter. `--pre` alone
//! widens it: then a pre-release counts as a version like any other within the bounds, but
//! never as part of the next release (`^1.0` does not let in `2.0.0-rc.1`).

mod interval;

use provisioning_package::{Version, VersionReq};
use semver::{BuildMetadata, Comparator, Op, Prerelease};

pub(crate) use interval::{Bounds, Interval, interval, packed, release};

/// Whether pre-releases need to be named by a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PreReleases {
    /// The `semver` crate's rule.
    WhereNamed,
    /// `--pre`.
    Everywhere,
}

/// Whether `version` meets `req`.
pub(crate) fn meets(req: &VersionReq, version: &Version, pre: PreReleases) -> bool {
    if req.matches(version) {
        return true;
    }
    match pre {
        PreReleases::WhereNamed => false,
        PreReleases::Everywhere => {
            !version.pre.is_empty() && req.comparators.iter().all(|it| admits_pre(it, version))
        }
    }
}

/// Whether some version meets all of `reqs`.
///
/// Every comparator bounds an interval, so if anything meets all of them, one of the
/// intervals' lower ends (or the version just above one) does.
pub(crate) fn is_satisfiable(reqs: &[&VersionReq]) -> bool {
    let mut candidates = vec![Version::new(0, 0, 0)];
    for comparator in reqs.iter().flat_map(|it| &it.comparators) {
        candidates.extend(lower_ends(comparator));
    }
    candidates
        .iter()
        .any(|version| reqs.iter().all(|req| req.matches(version)))
}

/// The one version that `req` lets in, where it names one in full: `=1.2.3`.
pub(crate) fn exact_version(req: &VersionReq) -> Option<Version> {
    match req.comparators.as_slice() {
        [only] if only.op == Op::Exact => Some(Version {
            major: only.major,
            minor: only.minor?,
            patch: only.patch?,
            pre: only.pre.clone(),
            build: BuildMetadata::EMPTY,
        }),
        _ => None,
    }
}

/// Whether a pre-release lies within `comparator` when it counts like any other version.
fn admits_pre(comparator: &Comparator, version: &Version) -> bool {
    if comparator.matches(version) {
        return true;
    }
    let release = Version::new(version.major, version.minor, version.patch);
    let named = Version {
        pre: comparator.pre.clone(),
        ..floor(comparator)
    };
    let is_full = comparator.minor.is_some() && comparator.patch.is_some();
    match comparator.op {
        Op::Less | Op::Greater if is_full && comparator.pre.is_empty() => {
            // `<1.5.0` leaves out 1.5.0-rc.1: who asks for less than a release does not
            // want its candidates. `>1.5.0` leaves it out because it comes before.
            comparator.matches(&release)
        }
        Op::LessEq if is_full && release == named => true,
        Op::Exact | Op::Tilde | Op::Caret | Op::GreaterEq => {
            comparator.matches(&release) && *version > named
        }
        Op::Greater | Op::Less | Op::LessEq | Op::Wildcard | _ => comparator.matches(&release),
    }
}

fn floor(comparator: &Comparator) -> Version {
    Version::new(
        comparator.major,
        comparator.minor.unwrap_or(0),
        comparator.patch.unwrap_or(0),
    )
}

fn lower_ends(comparator: &Comparator) -> Vec<Version> {
    let floor = floor(comparator);
    let (major, minor, patch) = (floor.major, floor.minor, floor.patch);
    let mut ends = vec![
        Version::new(major, minor, patch.saturating_add(1)),
        Version::new(major, minor.saturating_add(1), 0),
        Version::new(major.saturating_add(1), 0, 0),
        floor.clone(),
    ];
    if !comparator.pre.is_empty() {
        ends.push(Version {
            pre: comparator.pre.clone(),
            ..floor.clone()
        });
        if let Ok(pre) = Prerelease::new(&format!("{}.0", comparator.pre)) {
            ends.push(Version { pre, ..floor });
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meets_pre(req: &str, version: &str) -> bool {
        meets(
            &VersionReq::parse(req).unwrap(),
            &Version::parse(version).unwrap(),
            PreReleases::Everywhere,
        )
    }

    #[test]
    fn the_pre_option_lets_pre_releases_in_but_not_those_of_the_next_release() {
        for (req, version) in [
            ("*", "1.0.0-rc.1"),
            ("^1.0", "1.1.0-rc.1"),
            (">=1.0, <2.0", "1.5.0-alpha"),
            ("<=1.5.0", "1.5.0-alpha"),
            (">1.5.0", "1.5.1-alpha"),
            (">=1.0.0-alpha, <2", "1.5.0-beta"),
            ("1.*", "1.3.0-rc.1"),
            ("~1.3", "1.3.1-rc.1"),
        ] {
            assert!(meets_pre(req, version), "{req} {version}");
        }
        for (req, version) in [
            ("^1.0", "2.0.0-rc.1"),
            ("^1.0", "1.0.0-rc.1"),
            ("<2.0.0", "2.0.0-rc.1"),
            (">1.5.0", "1.5.0-rc.1"),
            (">=1.5.0", "1.5.0-rc.1"),
            ("=1.5.0", "1.5.0-rc.1"),
        ] {
            assert!(!meets_pre(req, version), "{req} {version}");
        }
    }

    #[test]
    fn requirements_that_exclude_each_other_are_not_satisfiable() {
        let satisfiable = |texts: &[&str]| {
            let reqs: Vec<_> = texts
                .iter()
                .map(|it| VersionReq::parse(it).unwrap())
                .collect();
            is_satisfiable(&reqs.iter().collect::<Vec<_>>())
        };
        assert!(satisfiable(&["^3.2", ">=3.2.0"]));
        assert!(satisfiable(&[">1.0.0", "<1.0.2"]));
        assert!(satisfiable(&["*", "~0.0.3"]));
        assert!(satisfiable(&[">1.0.0-alpha, <1.0.0-beta"]));
        assert!(!satisfiable(&["^3.2", ">=4.0.0"]));
        assert!(!satisfiable(&[">2", "<1"]));
        assert!(!satisfiable(&[">1.0.0", "<1.0.1"]));
        assert!(!satisfiable(&["=1.2.3", "=1.2.4"]));
    }
}
