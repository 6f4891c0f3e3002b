//! Which of several possible solutions is taken.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use provisioning_compat::{Hold, Matrix, Request, VersionsToml, needed, solve};
use provisioning_package::{Selector, Target, Version, VersionReq};
use provisioning_registry_api::index::PackageState;

use crate::shelf::{Item, Shelf, asking, name, text_of};

fn solved_with(request: &Request, shelf: &Shelf) -> String {
    let solution = solve(request, &Matrix::default(), &shelf.index()).unwrap();
    let mut lines = vec![text_of(&solution)];
    lines.extend(solution.warnings.iter().map(|it| format!("warning: {it}")));
    lines.join("\n")
}

fn solved(specs: &[&str], shelf: &Shelf) -> String {
    solved_with(&asking(specs), shelf)
}

fn installed(specs: &[&str], packages: &[&str]) -> Request {
    let mut request = asking(specs);
    request.hold = Hold::Held;
    for text in packages {
        let (package, version) = text.split_once(' ').unwrap();
        let version = Version::parse(version).unwrap();
        request.installed.insert(name(package), version);
    }
    request
}

#[test]
fn the_newest_release_is_taken_and_pre_releases_only_where_named() {
    let shelf = Shelf::plain("a 1.0.0, a 1.9.0, a 1.10.0, a 2.0.0-rc.1");
    assert_eq!(solved(&["a"], &shelf), "a 1.10.0");
    assert_eq!(solved(&["a@1"], &shelf), "a 1.10.0");
    assert_eq!(solved(&["a@1.9"], &shelf), "a 1.9.0");
    assert_eq!(solved(&["a@latest"], &shelf), "a 1.10.0");
    assert_eq!(solved(&["a@>=2.0.0-rc"], &shelf), "a 2.0.0-rc.1");
    assert_eq!(solved(&["a@2.0.0-rc.1"], &shelf), "a 2.0.0-rc.1");
    let mut request = asking(&["a"]);
    request.pre = true;
    assert_eq!(solved_with(&request, &shelf), "a 2.0.0-rc.1");
}

#[test]
fn minimal_takes_the_oldest_versions_that_fit() {
    let mut shelf = Shelf::plain("b 1.0.0, b 1.1.0, b 1.2.0");
    shelf.add(Item::of("a 1.0.0").needs("b ^1.1"));
    shelf.add(Item::of("a 1.1.0").needs("b ^1.1"));
    let mut request = asking(&["a"]);
    request.minimal = true;
    assert_eq!(solved_with(&request, &shelf), "a 1.0.0, b 1.1.0");
}

#[test]
fn a_newer_version_whose_needs_cannot_be_met_is_backed_out_of() {
    let mut shelf = Shelf::plain("b 1.0.0, c 1.0.0, c 2.0.0");
    shelf.add(Item::of("a 1.0.0").needs("b ^1").needs("c ^1"));
    shelf.add(Item::of("a 2.0.0").needs("b ^2").needs("c ^2"));
    assert_eq!(solved(&["a"], &shelf), "a 1.0.0, b 1.0.0, c 1.0.0");
}

#[test]
fn packages_may_need_each_other_in_a_circle() {
    let shelf = Shelf::of([
        Item::of("a 1.0.0").needs("b ^1"),
        Item::of("b 1.0.0").needs("c ^1"),
        Item::of("c 1.0.0").needs("a ^1"),
        Item::of("d 1.0.0").needs("d ^1"),
    ]);
    assert_eq!(solved(&["a"], &shelf), "a 1.0.0, b 1.0.0, c 1.0.0");
    assert_eq!(solved(&["d"], &shelf), "d 1.0.0");
}

#[test]
fn an_optional_dependency_bounds_but_brings_nothing() {
    let mut shelf = Shelf::plain("redis 1.0.0, redis 1.1.0, redis 2.0.0");
    shelf.add(Item::of("a 1.0.0").works_with("redis ^1"));
    assert_eq!(solved(&["a"], &shelf), "a 1.0.0");
    assert_eq!(solved(&["a", "redis"], &shelf), "a 1.0.0, redis 1.1.0");
    // The bound is found after `redis` was chosen by another's need.
    shelf.add(Item::of("b 1.0.0").needs("redis *").needs("a *"));
    assert_eq!(solved(&["b"], &shelf), "a 1.0.0, b 1.0.0, redis 1.1.0");
}

#[test]
fn installed_versions_stay_unless_the_request_moves_them() {
    let mut shelf = Shelf::plain("b 1.0.0, b 1.1.0, a 1.0.0, c 1.0.0");
    shelf.add(Item::of("c 1.1.0").needs("b ^1.1"));
    let request = installed(&["a", "b"], &["b 1.0.0"]);
    assert_eq!(solved_with(&request, &shelf), "a 1.0.0, b 1.0.0");
    // An older `c` lets `b` stay; a newer one that moves it must be asked for.
    let request = installed(&["c", "b"], &["b 1.0.0"]);
    assert_eq!(solved_with(&request, &shelf), "b 1.0.0, c 1.0.0");
    let request = installed(&["c@1.1.0", "b"], &["b 1.0.0"]);
    let solution = solve(&request, &Matrix::default(), &shelf.index()).unwrap();
    assert_eq!(text_of(&solution), "b 1.1.0, c 1.1.0");
    assert_eq!(
        solution.moved[0].to_string(),
        "b moves from 1.0.0 to 1.1.0: c 1.1.0 needs b `^1.1`, not 1.0.0"
    );
}

#[test]
fn a_yanked_version_installs_only_where_something_pins_it() {
    let shelf = Shelf::of([
        Item::of("a 1.0.0"),
        Item::of("a 1.1.0").yanked("loses data"),
        Item::of("b 1.0.0").needs("a =1.1.0"),
    ]);
    assert_eq!(solved(&["a"], &shelf), "a 1.0.0");
    assert_eq!(
        solved(&["a@1.1.0"], &shelf),
        "a 1.1.0\nwarning: a 1.1.0 is yanked: loses data"
    );
    assert!(solved(&["a@=1.1.0"], &shelf).starts_with("a 1.1.0\n"));
    assert!(solve(&asking(&["b"]), &Matrix::default(), &shelf.index()).is_err());
    assert!(solved_with(&installed(&["a"], &["a 1.1.0"]), &shelf).starts_with("a 1.1.0\n"));
}

#[test]
fn versions_younger_than_the_least_age_are_passed_over_with_a_warning() {
    let shelf = Shelf::of([
        Item::of("a 1.0.0"),
        Item::of("a 1.1.0").published("2025-12-31T18:00:00Z"),
    ]);
    let mut request = asking(&["a"]);
    request.min_age = Some(SignedDuration::from_hours(24));
    insta::assert_snapshot!(solved_with(&request, &shelf), @r"
    a 1.0.0
    warning: a 1.1.0 was passed over for 1.0.0: it is younger than the least age
    ");
    request.min_age = Some(SignedDuration::from_hours(6));
    assert_eq!(solved_with(&request, &shelf), "a 1.1.0");
}

#[test]
fn only_versions_with_an_archive_for_the_target_are_taken() {
    let shelf = Shelf::of([
        Item::of("a 1.0.0").on(&[Target::LinuxX86_64, Target::MacosArm64]),
        Item::of("a 1.1.0").on(&[Target::MacosArm64]),
        Item::of("b 1.0.0"),
    ]);
    assert_eq!(solved(&["a", "b"], &shelf), "a 1.0.0, b 1.0.0");
    let mut request = asking(&["b"]);
    request.target = Target::Any;
    assert_eq!(solved_with(&request, &shelf), "b 1.0.0");
}

#[test]
fn pins_bound_a_package_but_do_not_bring_it() {
    let shelf = Shelf::of([
        Item::of("a 1.0.0").needs("b *"),
        Item::of("b 1.0.0"),
        Item::of("b 2.0.0"),
        Item::of("c 1.0.0"),
    ]);
    let pin = Selector::Requirement(VersionReq::parse("^1").unwrap());
    let mut request = asking(&["a"]);
    request.pins.insert(name("b"), pin.clone());
    request.pins.insert(name("c"), pin);
    assert_eq!(solved_with(&request, &shelf), "a 1.0.0, b 1.0.0");
}

#[test]
fn a_deprecated_package_installs_with_a_warning() {
    let mut shelf = Shelf::plain("a 1.0.0");
    shelf.set_state("a", PackageState::Deprecated, "use b");
    assert_eq!(
        solved(&["a"], &shelf),
        "a 1.0.0\nwarning: a is deprecated: use b"
    );
}

#[test]
fn rows_may_be_written_for_any_package_and_bind_both_ways() {
    let text = "[compatibility.mongodb]\n\"1.2.0\" = { redis = \"^1.1\" }\n\"1.1.0\" = {}\n";
    let matrix = VersionsToml::parse(text, None).unwrap().matrix;
    let shelf = Shelf::plain("mongodb 1.1.0, mongodb 1.2.0, redis 1.0.0, redis 1.1.0");
    let solved = |specs: &[&str]| {
        let solution = solve(&asking(specs), &matrix, &shelf.index()).unwrap();
        text_of(&solution)
    };
    assert_eq!(solved(&["mongodb"]), "mongodb 1.2.0");
    assert_eq!(
        solved(&["redis@1.0.0", "mongodb"]),
        "mongodb 1.1.0, redis 1.0.0"
    );
    assert_eq!(
        solved(&["redis", "mongodb@1.2.0"]),
        "mongodb 1.2.0, redis 1.1.0"
    );
}

#[test]
fn the_order_of_specs_and_of_the_index_changes_nothing() {
    let mut shelf = Shelf::plain("b 1.0.0, b 1.1.0, c 1.0.0, c 2.0.0, e 1.0.0");
    for text in ["a 1.0.0", "a 1.1.0", "d 1.0.0", "d 1.1.0"] {
        shelf.add(Item::of(text).needs("b ^1").needs("c >=1"));
    }
    shelf.add(Item::of("e 2.0.0").needs("c ^1"));
    shelf.add(Item::of("f 1.0.0").needs("c ^1").needs("e ^1"));
    let mut answers = BTreeSet::new();
    for last in ["b@=1.0.0", "f", "e@2"] {
        answers.clear();
        for specs in [["a", "d", last], [last, "a", "d"], ["d", last, "a"]] {
            for shelf in [&shelf, &shelf.reversed()] {
                let answer = solve(&asking(&specs), &Matrix::default(), &shelf.index());
                answers.insert(format!("{answer:?}"));
            }
        }
        assert_eq!(answers.len(), 1, "{answers:#?}");
    }
}

#[test]
fn every_requirement_means_what_the_semver_crate_says() {
    let versions = [
        "0.0.3",
        "0.1.0",
        "0.2.3",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.1",
        "1.2.0",
        "1.2.3-beta",
        "1.2.3",
        "1.3.0",
        "2.0.0-rc.1",
        "2.0.0",
    ];
    let shelf = Shelf::of(versions.iter().map(|it| Item::of(&format!("a {it}"))));
    let index = shelf.index();
    let mut checked = 0;
    for op in ["", "=", ">", ">=", "<", "<=", "~", "^"] {
        for bound in [
            "0",
            "1",
            "0.0",
            "1.2",
            "0.0.3",
            "1.0.0-alpha",
            "1.0.0-rc.1",
            "1.2.3",
            "1.2.3-beta",
            "2.0.0",
        ] {
            for second in ["", ", <1.3", ", >=1.0.0-alpha.1", ", 1.*"] {
                let text = format!("{op}{bound}{second}");
                let req = VersionReq::parse(&text).unwrap();
                let mut request = asking(&["a"]);
                request.wanted[0].selector = Selector::Requirement(req.clone());
                let newest = versions
                    .iter()
                    .rev()
                    .find(|it| req.matches(&Version::parse(it).unwrap()));
                let found = solve(&request, &Matrix::default(), &index).ok();
                let found = found.map(|it| text_of(&it));
                assert_eq!(found, newest.map(|it| format!("a {it}")), "{text}");
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 320);
}

#[test]
fn what_is_still_to_be_fetched_is_named() {
    let shelf = Shelf::of([
        Item::of("a 1.0.0").needs("b ^1").works_with("z ^1"),
        Item::of("a 2.0.0").needs("c ^1"),
        Item::of("c 1.0.0").needs("a *").needs("d *"),
    ]);
    let roots = [name("a"), name("x")];
    assert_eq!(
        needed(&shelf.index(), &roots),
        [name("b"), name("d"), name("x")]
    );
}
