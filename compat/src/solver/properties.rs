//! What must hold for every requirement and every set, by property tests.

use proptest::prelude::*;
use provisioning_package::{PackageName, Selector, Target, Version, VersionReq};
use provisioning_registry_api::index::IndexEntry;
use pubgrub::VersionSet as _;

use super::numbers::{Number, Numbers};
use super::tests::version_without_needs;
use super::universe::{Holding, Universe};
use crate::index::MemoryIndex;
use crate::matrix::Matrix;
use crate::request::{Request, Wanted};

/// Numbers close to each other, so that requirements and versions touch.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..4_u64, 1 => Just(u64::MAX)]
}

fn pre() -> impl Strategy<Value = String> {
    const PARTS: [&str; 9] = [
        "alpha", "alpha.1", "beta", "beta.2", "beta.11", "rc.1", "0", "1", "a-b",
    ];
    proptest::sample::select(&PARTS[..]).prop_map(str::to_owned)
}

fn version() -> impl Strategy<Value = Version> {
    let build = proptest::option::weighted(0.1, Just("+b.1"));
    (
        number(),
        number(),
        number(),
        proptest::option::weighted(0.4, pre()),
        build,
    )
        .prop_map(|(major, minor, patch, pre, build)| {
            let pre = pre.map_or_else(String::new, |it| format!("-{it}"));
            let build = build.unwrap_or_default();
            Version::parse(&format!("{major}.{minor}.{patch}{pre}{build}")).unwrap()
        })
}

fn comparator() -> impl Strategy<Value = String> {
    let operator = proptest::sample::select(&["", "=", ">", ">=", "<", "<=", "~", "^"][..]);
    let full = (
        operator.clone(),
        number(),
        number(),
        number(),
        proptest::option::of(pre()),
    )
        .prop_map(|(op, major, minor, patch, pre)| {
            let pre = pre.map_or_else(String::new, |it| format!("-{it}"));
            format!("{op}{major}.{minor}.{patch}{pre}")
        });
    let partial =
        (operator, number(), proptest::option::of(number())).prop_map(|(op, major, minor)| {
            match minor {
                Some(minor) => format!("{op}{major}.{minor}"),
                None => format!("{op}{major}"),
            }
        });
    let wildcard = (number(), proptest::option::of(number())).prop_map(|(major, minor)| {
        minor.map_or_else(|| format!("{major}.*"), |it| format!("{major}.{it}.*"))
    });
    prop_oneof![5 => full, 3 => partial, 2 => wildcard]
}

fn requirement() -> impl Strategy<Value = VersionReq> {
    let several = proptest::collection::vec(comparator(), 1..4).prop_map(|it| it.join(", "));
    prop_oneof![1 => Just("*".to_owned()), 12 => several]
        .prop_map(|it| VersionReq::parse(&it).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_requirement_lets_in_exactly_what_the_semver_crate_lets_in(
        versions in proptest::collection::btree_set(version(), 1..24),
        left in requirement(),
        right in requirement(),
    ) {
        let mut entry = IndexEntry::new(PackageName::parse("a").unwrap());
        entry.versions = versions.iter().rev().cloned().map(version_without_needs).collect();
        let index: MemoryIndex = [entry].into_iter().collect();
        let matrix = Matrix::default();
        let sets = |req: &VersionReq| {
            let selector = Selector::Requirement(req.clone());
            let wanted = Wanted::by_you(PackageName::parse("a").unwrap(), selector, "a");
            let request = Request::new(vec![wanted], Target::Any, jiff::Timestamp::UNIX_EPOCH);
            let universe = Universe::new(&request, &matrix, &index, Holding::Free);
            let demands = universe.demands_of_request();
            let usable = universe.view(demands[0].target).usable.clone();
            let versions: Vec<Version> = usable.iter().map(|it| it.version.clone()).collect();
            (demands[0].set.clone(), versions)
        };
        let ((one, usable), (other, _)) = (sets(&left), sets(&right));
        prop_assert_eq!(usable.len(), versions.len());
        prop_assert!(usable.is_sorted());
        let (both, either, not) = (one.intersection(&other), one.union(&other), one.complement());
        for (place, version) in usable.iter().enumerate() {
            let number = Number::of(place, usable.len());
            let (in_one, in_other) = (left.matches(version), right.matches(version));
            prop_assert_eq!(one.contains(&number), in_one, "{} {}", left, version);
            prop_assert_eq!(both.contains(&number), in_one && in_other);
            prop_assert_eq!(either.contains(&number), in_one || in_other);
            prop_assert_eq!(not.contains(&number), !in_one);
        }
        // One list for one set, however it came about.
        let again = Numbers::matching(usable.len(), |it| left.matches(&usable[it]));
        prop_assert_eq!(&one, &again);
        prop_assert_eq!(&not.complement(), &one);
        prop_assert_eq!(either.complement(), not.intersection(&other.complement()));
        prop_assert_eq!(both == one, one.subset_of(&other));
        prop_assert_eq!(both.is_empty(), one.is_disjoint(&other));
    }
}
