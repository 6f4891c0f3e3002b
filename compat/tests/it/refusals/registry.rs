//! What the registry lacks or holds back, told apart from requirements that exclude each
//! other.

use jiff::SignedDuration;
use provisioning_compat::{Matrix, Owner, VersionsToml, Wanted, solve};
use provisioning_package::{BundleName, Selector, Target, Version};
use provisioning_registry_api::index::PackageState;

use super::{refused, refused_with};
use crate::shelf::{Item, Shelf, asking, name};

#[test]
fn a_yanked_version_without_a_reason_still_says_yanked() {
    let mut shelf = Shelf::plain("a 1.0.0");
    shelf.add(Item::of("a 2.0.0").yanked(""));
    insta::assert_snapshot!(refused(&["a@2"], &shelf), @r"
    no solution for `a@2`: a version that would do cannot be taken
      - you asked for `a@2`
      - a 2.0.0 would do but is yanked
    help: a yanked version installs only where it is named exactly: `provisioning install a@2.0.0`
    help: a 1.0.0 would fit: `provisioning install a@1.0.0`
    nothing was changed
    ");
}

#[test]
fn several_yanked_versions_for_one_reason_are_one_line() {
    let shelf = Shelf::of([
        Item::of("b 2.0.0").yanked("loses data"),
        Item::of("b 2.1.0").yanked("loses data"),
        Item::of("b 2.2.0").yanked("does not start"),
        Item::of("a 1.0.0").needs("b ^2"),
    ]);
    insta::assert_snapshot!(refused(&["a"], &shelf), @r"
    no solution for `a`: a version that would do cannot be taken
      - you asked for `a`
      - a 1.0.0 needs b `^2`
      - b 2.2.0 would do but is yanked: does not start
      - b 2.0.0 and 2.1.0 would do but are yanked: loses data
    help: a yanked version installs only where it is named exactly: `provisioning install a b@2.2.0`
    help: a yanked version installs only where it is named exactly: `provisioning install a b@2.1.0`
    nothing was changed
    ");
}

#[test]
fn an_exact_need_of_a_yanked_version_is_no_pin() {
    let shelf = Shelf::of([
        Item::of("a 1.0.0").needs("b =2.0.0"),
        Item::of("b 2.0.0").yanked("loses data"),
    ]);
    insta::assert_snapshot!(refused(&["a"], &shelf), @r"
    no solution for `a`: a version that would do cannot be taken
      - you asked for `a`
      - a 1.0.0 needs b `=2.0.0`
      - b 2.0.0 would do but is yanked: loses data
    help: a yanked version installs only where it is named exactly: `provisioning install a b@2.0.0`
    nothing was changed
    ");
}

#[test]
fn a_dependency_without_an_archive_for_this_machine_names_who_needs_it() {
    let shelf = Shelf::of([
        Item::of("a 1.0.0").needs("b ^2"),
        Item::of("b 2.0.0").on(&[Target::LinuxArm64]),
    ]);
    insta::assert_snapshot!(refused(&["a"], &shelf), @r"
    no solution for `a`: a version that would do cannot be taken
      - you asked for `a`
      - a 1.0.0 needs b `^2`
      - b 2.0.0 would do but is without an archive for linux-x86_64 (it has linux-arm64)
    help: `provisioning info b` shows which version has archives for which target
    nothing was changed
    ");
}

#[test]
fn for_any_machine_only_archives_that_run_everywhere_will_do() {
    let shelf = Shelf::of([Item::of("a 1.0.0").on(&[Target::LinuxX86_64])]);
    let mut request = asking(&["a"]);
    request.target = Target::Any;
    insta::assert_snapshot!(refused_with(&request, &shelf), @r"
    no solution for `a`: a version that would do cannot be taken
      - you asked for `a`
      - a 1.0.0 would do but is without an archive that runs everywhere (it has linux-x86_64)
    help: `provisioning info a` shows which version has archives for which target
    nothing was changed
    ");
}

#[test]
fn a_version_without_any_archive_says_so() {
    let shelf = Shelf::of([Item::of("a 1.0.0").on(&[])]);
    insta::assert_snapshot!(refused(&["a"], &shelf), @r"
    no solution for `a`: a version that would do cannot be taken
      - you asked for `a`
      - a 1.0.0 would do but is without any archive
    help: `provisioning info a` shows which version has archives for which target
    nothing was changed
    ");
}

#[test]
fn a_dependency_that_is_too_young_names_who_needs_it() {
    let shelf = Shelf::of([
        Item::of("a 1.0.0").needs("b ^2"),
        Item::of("b 1.0.0"),
        Item::of("b 2.0.0").published("2025-12-31T23:00:00Z"),
    ]);
    let mut request = asking(&["a"]);
    request.min_age = Some(SignedDuration::from_hours(24));
    insta::assert_snapshot!(refused_with(&request, &shelf), @r"
    no solution for `a`: a version that would do cannot be taken
      - you asked for `a`
      - a 1.0.0 needs b `^2`
      - b 2.0.0 would do but is younger than the least age that was asked for, 24h
    help: versions of any age would fit: `provisioning --min-age 0s install a`
    nothing was changed
    ");
}

#[test]
fn a_quarantined_dependency_names_who_needs_it() {
    let mut shelf = Shelf::of([Item::of("a 1.0.0").needs("b ^2"), Item::of("b 2.0.0")]);
    shelf.set_state("b", PackageState::Quarantined, "under investigation");
    insta::assert_snapshot!(refused(&["a"], &shelf), @r"
    no solution for `a`: a version that would do cannot be taken
      - you asked for `a`
      - a 1.0.0 needs b `^2`
      - b 2.0.0 would do but is held by a moderator: under investigation
    help: nothing of b installs while it is held: ask whoever runs the registry
    nothing was changed
    ");
}

#[test]
fn versions_held_back_for_different_reasons_are_each_told() {
    let shelf = Shelf::of([
        Item::of("a 1.0.0").yanked("loses data"),
        Item::of("a 1.1.0").on(&[Target::MacosArm64]),
        Item::of("a 1.2.0").published("2025-12-31T23:00:00Z"),
        Item::of("a 2.0.0-rc.1"),
    ]);
    let mut request = asking(&["a"]);
    request.min_age = Some(SignedDuration::from_hours(24));
    insta::assert_snapshot!(refused_with(&request, &shelf), @r"
    no solution for `a`: a version that would do cannot be taken
      - you asked for `a`
      - a 1.0.0 would do but is yanked: loses data
      - a 1.1.0 would do but is without an archive for linux-x86_64 (it has macos-arm64)
      - a 1.2.0 would do but is younger than the least age that was asked for, 24h
      - a 2.0.0-rc.1 would do but is a pre-release, and nothing names it
    help: a yanked version installs only where it is named exactly: `provisioning install a@1.0.0`
    help: `provisioning info a` shows which version has archives for which target
    help: versions of any age would fit: `provisioning --min-age 0s install a`
    help: pre-releases would fit: `provisioning install --pre a`
    help: a 2.0.0-rc.1 would fit: `provisioning install a@2.0.0-rc.1`
    nothing was changed
    ");
}

#[test]
fn a_pre_release_that_a_need_would_take_is_told() {
    let shelf = Shelf::of([Item::of("a 1.0.0").needs("b >=1"), Item::of("b 2.0.0-rc.1")]);
    insta::assert_snapshot!(refused(&["a"], &shelf), @r"
    no solution for `a`: a version that would do cannot be taken
      - you asked for `a`
      - a 1.0.0 needs b `>=1`
      - b 2.0.0-rc.1 would do but is a pre-release, and nothing names it
    help: pre-releases would fit: `provisioning install --pre a`
    nothing was changed
    ");
}

#[test]
fn an_unlisted_version_is_told_under_strict() {
    let matrix = "[compatibility.core]\n\"3.1.0\" = { platform = \"^2\" }\n";
    let matrix = VersionsToml::parse(matrix, None).unwrap().matrix;
    let mut request = asking(&["core@3.2.0"]);
    request.strict = true;
    let refusal = solve(&request, &matrix, &Shelf::plain("core 3.2.0").index());
    insta::assert_snapshot!(refusal.unwrap_err(), @r"
    no solution for `core@3.2.0`: a version that would do cannot be taken
      - you asked for `core@3.2.0`
      - core 3.2.0 would do but is unlisted: the matrix has no row for it, and `--strict` was given
    help: without `--strict` it would fit: an unlisted version is taken with a warning
    nothing was changed
    ");
}

#[test]
fn two_missing_packages_are_both_told() {
    let shelf = Shelf::of([
        Item::of("a 1.0.0").needs("gone ^1"),
        Item::of("a 2.0.0").needs("lost ^1"),
    ]);
    insta::assert_snapshot!(refused(&["a"], &shelf), @r"
    no solution for `a`: this registry has no packages `lost` and `gone`
      - you asked for `a`
      - a 2.0.0 needs lost `^1`
      - a 1.0.0 needs gone `^1`
      - this registry has no package `lost`
      - this registry has no package `gone`
    help: `provisioning search lost` looks for packages by word
    help: `provisioning search gone` looks for packages by word
    nothing was changed
    ");
}

#[test]
fn a_package_without_any_version_says_so() {
    let mut shelf = Shelf::plain("a 1.0.0");
    shelf.push_empty("b");
    insta::assert_snapshot!(refused(&["b"], &shelf), @r"
    no solution for `b`: this registry has no version of b
      - you asked for `b`
      - this registry has no version of b
    help: `provisioning info b` shows the versions of b and what each needs
    nothing was changed
    ");
}

#[test]
fn a_version_with_many_neighbours_lists_the_newest() {
    let list: Vec<String> = (0..20).map(|it| format!("a 1.{it}.0")).collect();
    let shelf = Shelf::plain(&list.join(", "));
    insta::assert_snapshot!(refused(&["a@2"], &shelf), @r"
    no solution for `a@2`: no version of a meets `^2`
      - you asked for `a@2`
      - no version of a meets `^2`: this registry has 14 older ones, 1.14.0, 1.15.0, 1.16.0, 1.17.0, 1.18.0 and 1.19.0
    help: a 1.19.0 would fit: `provisioning install a@1.19.0`
    nothing was changed
    ");
}

#[test]
fn a_locked_version_that_is_gone_names_the_lockfile() {
    let mut request = asking(&["a"]);
    let exact = Selector::Exact(Version::new(1, 5, 0));
    request
        .wanted
        .push(Wanted::new(name("a"), exact, Owner::Lock));
    insta::assert_snapshot!(refused_with(&request, &Shelf::plain("a 1.0.0")), @r"
    no solution for `a`: no version of a meets `1.5.0`
      - the lockfile has a 1.5.0
      - no version of a meets `1.5.0`: this registry has 1.0.0
    help: `provisioning lock` chooses versions again
    nothing was changed
    ");
}

#[test]
fn what_you_asked_for_earlier_is_told_as_that() {
    let mut request = asking(&["b"]);
    let any = Selector::Requirement("^1".parse().unwrap());
    let owner = Owner::Earlier {
        spec: "a@1".to_owned(),
    };
    request.wanted.push(Wanted::new(name("a"), any, owner));
    let shelf = Shelf::of([
        Item::of("a 1.0.0"),
        Item::of("a 2.0.0"),
        Item::of("b 1.0.0").needs("a ^2"),
    ]);
    insta::assert_snapshot!(refused_with(&request, &shelf), @r"
    no solution for `b`: these cannot all hold
      - you asked for `a@1` earlier
      - you asked for `b`
      - b 1.0.0 needs a `^2`
    help: it would fit with a 2.0.0: `provisioning install a@2.0.0 b`
    nothing was changed
    ");
}

#[test]
fn a_bundles_optional_member_only_bounds() {
    let mut request = asking(&["b"]);
    let owner = Owner::Bundle {
        name: BundleName::parse("stable-3.2").unwrap(),
        sequence: 1,
    };
    let exact = Selector::Exact(Version::new(1, 0, 0));
    request.wanted.push(Wanted {
        optional: true,
        ..Wanted::new(name("redis"), exact, owner)
    });
    let shelf = Shelf::of([
        Item::of("b 1.0.0").needs("redis ^2"),
        Item::of("redis 1.0.0"),
        Item::of("redis 2.0.0"),
    ]);
    insta::assert_snapshot!(refused_with(&request, &shelf), @r"
    no solution for `b` and `stable-3.2`: these cannot all hold
      - you asked for `b`
      - b 1.0.0 needs redis `^2`
      - bundle `stable-3.2` (sequence 1) has redis 1.0.0
    help: without `b` it would fit: `provisioning install stable-3.2`
    help: it would fit without bundle `stable-3.2`: `provisioning install --leave-bundle b`
    nothing was changed
    ");
}

#[test]
fn a_pin_against_what_a_package_needs_is_told_with_both_ways_out() {
    let mut request = asking(&["a"]);
    let pin = Selector::Exact(Version::new(1, 0, 0));
    request.pins.insert(name("b"), pin);
    let shelf = Shelf::of([
        Item::of("a 1.0.0").needs("b ^2"),
        Item::of("b 1.0.0"),
        Item::of("b 2.0.0"),
    ]);
    insta::assert_snapshot!(refused_with(&request, &shelf), @r"
    no solution for `a`: these cannot all hold
      - you asked for `a`
      - a 1.0.0 needs b `^2`
      - you pinned b to `1.0.0`
    help: it would fit without the pin: `provisioning unpin b`
    nothing was changed
    ");
}

#[test]
fn two_specs_for_one_package_that_exclude_each_other_are_told() {
    let shelf = Shelf::plain("a 1.0.0, a 2.0.0");
    insta::assert_snapshot!(refused(&["a@1", "a@2"], &shelf), @r"
    no solution for `a@1` and `a@2`: these cannot all hold
      - you asked for `a@1`
      - you asked for `a@2`
    help: a 2.0.0 would fit: `provisioning install a@2.0.0`
    nothing was changed
    ");
}

#[test]
fn a_pre_release_beside_a_requirement_that_names_another_is_told() {
    let shelf = Shelf::plain("a 1.0.0-beta.1, a 1.0.0-beta.2");
    let request = asking(&["a@>=1.0.0-rc.1"]);
    let refusal = solve(&request, &Matrix::default(), &shelf.index());
    insta::assert_snapshot!(refusal.unwrap_err(), @r"
    no solution for `a@>=1.0.0-rc.1`: no version of a meets `>=1.0.0-rc.1`
      - you asked for `a@>=1.0.0-rc.1`
      - no version of a meets `>=1.0.0-rc.1`: this registry has 1.0.0-beta.1 and 1.0.0-beta.2
    help: a 1.0.0-beta.2 would fit: `provisioning install a@1.0.0-beta.2`
    nothing was changed
    ");
}
