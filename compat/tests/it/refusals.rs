//! What a refusal says. Read each aloud: would an operator at night know what to do?

mod proofs;
mod registry;

use jiff::SignedDuration;
use provisioning_compat::{Matrix, Owner, Request, VersionsToml, Wanted, solve};
use provisioning_package::{BundleName, Selector, Spec, Target, VersionReq};
use provisioning_registry_api::bundle::{
    BUNDLE_SCHEMA, BundleDocument, BundleMember, BundleSequence, BundleState,
};
use provisioning_registry_api::index::PackageState;

use crate::sample;
use crate::shelf::{Item, Shelf, asking, name};

fn refused_with(request: &Request, shelf: &Shelf) -> String {
    let refusal = solve(request, &Matrix::default(), &shelf.index());
    refusal.unwrap_err().to_string()
}

fn refused(specs: &[&str], shelf: &Shelf) -> String {
    refused_with(&asking(specs), shelf)
}

fn refused_by_the_sample(specs: &[&str]) -> String {
    let refusal = solve(&asking(specs), &sample::matrix(), &sample::shelf().index());
    refusal.unwrap_err().to_string()
}

#[test]
fn a_matrix_row_is_named_with_its_line_and_what_would_fit() {
    insta::assert_snapshot!(refused_by_the_sample(&["core@3.1.0", "platform@2.5.3"]), @r"
    no solution for `core@3.1.0` and `platform@2.5.3`: these cannot all hold
      - you asked for `core@3.1.0`
      - you asked for `platform@2.5.3`
      - the matrix lets platform 2.5.3 go only with core `>=3.2.0, ^3.2` (versions.toml line 6)
    help: core 3.2.1 would fit: `provisioning install core@3.2.1 platform@2.5.3`
    help: platform 2.5.0 would fit: `provisioning install core@3.1.0 platform@2.5.0`
    nothing was changed
    ");
}

#[test]
fn a_row_that_binds_from_the_other_side_is_named_too() {
    insta::assert_snapshot!(refused_by_the_sample(&["core@3.2.1", "platform@2.4.0"]), @r"
    no solution for `core@3.2.1` and `platform@2.4.0`: these cannot all hold
      - you asked for `core@3.2.1`
      - the matrix lets core 3.2.1 go only with platform `^2.5` (versions.toml line 2)
      - you asked for `platform@2.4.0`
    help: core 3.2.0 would fit: `provisioning install core@3.2.0 platform@2.4.0`
    help: platform 2.5.3 would fit: `provisioning install core@3.2.1 platform@2.5.3`
    nothing was changed
    ");
}

#[test]
fn an_unknown_package_comes_with_the_nearest_names() {
    let shelf = Shelf::plain("mongodb 1.0.0, redis 1.0.0");
    insta::assert_snapshot!(refused(&["mongdb"], &shelf), @r"
    no solution for `mongdb`: this registry has no package `mongdb`
      - you asked for `mongdb`
      - this registry has no package `mongdb`; the nearest names are `mongodb`
    help: did you mean `mongodb`? Try `provisioning install mongodb`
    nothing was changed
    ");
    insta::assert_snapshot!(refused(&["zzz"], &shelf), @r"
    no solution for `zzz`: this registry has no package `zzz`
      - you asked for `zzz`
      - this registry has no package `zzz`
    help: `provisioning search zzz` looks for packages by word
    nothing was changed
    ");
}

#[test]
fn a_missing_dependency_names_who_needs_it() {
    let shelf = Shelf::of([
        Item::of("a 1.0.0").needs("b ^1"),
        Item::of("a 1.1.0").needs("b ^1"),
        Item::of("b 1.0.0").needs("gone ^2"),
    ]);
    insta::assert_snapshot!(refused(&["a"], &shelf), @r"
    no solution for `a`: this registry has no package `gone`
      - you asked for `a`
      - a 1.0.0 and 1.1.0 need b `^1`
      - b 1.0.0 needs gone `^2`
      - this registry has no package `gone`
    help: `provisioning search gone` looks for packages by word
    nothing was changed
    ");
}

#[test]
fn a_version_that_does_not_exist_lists_those_that_do() {
    let shelf = Shelf::plain("a 1.0.0, a 1.1.0, a 2.0.0");
    insta::assert_snapshot!(refused(&["a@3"], &shelf), @r"
    no solution for `a@3`: no version of a meets `^3`
      - you asked for `a@3`
      - no version of a meets `^3`: this registry has 1.0.0, 1.1.0 and 2.0.0
    help: a 2.0.0 would fit: `provisioning install a@2.0.0`
    nothing was changed
    ");
}

#[test]
fn a_chain_of_needs_is_told_from_the_request_on() {
    let mut shelf = Shelf::plain("intl 4.0.0, intl 5.0.0");
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        shelf.add(Item::of(&format!("menu {version}")).needs("dropdown ^2"));
    }
    shelf.add(Item::of("dropdown 2.0.0").needs("icons ^2"));
    shelf.add(Item::of("dropdown 2.1.0").needs("icons ^2"));
    shelf.add(Item::of("icons 1.0.0"));
    shelf.add(Item::of("icons 2.0.0").needs("intl ^4"));
    insta::assert_snapshot!(refused(&["menu", "intl@5"], &shelf), @r"
    no solution for `intl@5` and `menu`: these cannot all hold
      - you asked for `intl@5`
      - you asked for `menu`
      - menu 1.0.0 to 1.2.0 need dropdown `^2`
      - dropdown 2.0.0 and 2.1.0 need icons `^2`
      - icons 2.0.0 needs intl `^4`
    help: intl 4.0.0 would fit: `provisioning install intl@4.0.0 menu`
    help: without `menu` it would fit: `provisioning install intl@5`
    nothing was changed
    ");
}

#[test]
fn a_yanked_version_is_told_apart_with_its_reason() {
    let shelf = Shelf::of([
        Item::of("a 1.0.0").needs("b ^2"),
        Item::of("b 1.0.0"),
        Item::of("b 2.0.0").yanked("loses data"),
    ]);
    insta::assert_snapshot!(refused(&["a"], &shelf), @r"
    no solution for `a`: a version that would do cannot be taken
      - you asked for `a`
      - a 1.0.0 needs b `^2`
      - b 2.0.0 would do but is yanked: loses data
    help: a yanked version installs only where it is named exactly: `provisioning install a b@2.0.0`
    nothing was changed
    ");
}

#[test]
fn an_archive_for_other_targets_is_told_apart() {
    let shelf = Shelf::of([Item::of("a 1.0.0").on(&[Target::MacosArm64, Target::MacosX86_64])]);
    insta::assert_snapshot!(refused(&["a"], &shelf), @r"
    no solution for `a`: a version that would do cannot be taken
      - you asked for `a`
      - a 1.0.0 would do but is without an archive for linux-x86_64 (it has macos-x86_64, macos-arm64)
    help: `provisioning info a` shows which version has archives for which target
    nothing was changed
    ");
}

#[test]
fn a_version_that_is_too_young_is_told_apart() {
    let shelf = Shelf::of([Item::of("a 1.0.0").published("2025-12-31T23:00:00Z")]);
    let mut request = asking(&["a"]);
    request.min_age = Some(SignedDuration::from_hours(24));
    insta::assert_snapshot!(refused_with(&request, &shelf), @r"
    no solution for `a`: a version that would do cannot be taken
      - you asked for `a`
      - a 1.0.0 would do but is younger than the least age that was asked for, 24h
    help: versions of any age would fit: `provisioning --min-age 0s install a`
    nothing was changed
    ");
}

#[test]
fn a_quarantined_package_is_told_apart() {
    let mut shelf = Shelf::plain("a 1.0.0");
    shelf.set_state("a", PackageState::Quarantined, "under investigation");
    insta::assert_snapshot!(refused(&["a@1.0.0"], &shelf), @r"
    no solution for `a@1.0.0`: a version that would do cannot be taken
      - you asked for `a@1.0.0`
      - a 1.0.0 would do but is held by a moderator: under investigation
    help: nothing of a installs while it is held: ask whoever runs the registry
    nothing was changed
    ");
}

#[test]
fn a_package_that_has_pre_releases_alone_says_so() {
    let shelf = Shelf::plain("a 1.0.0-rc.1, a 1.0.0-rc.2");
    insta::assert_snapshot!(refused(&["a"], &shelf), @r"
    no solution for `a`: a version that would do cannot be taken
      - you asked for `a`
      - a 1.0.0-rc.1 and 1.0.0-rc.2 would do but are pre-releases, and nothing names them
    help: pre-releases would fit: `provisioning install --pre a`
    help: a 1.0.0-rc.2 would fit: `provisioning install a@1.0.0-rc.2`
    nothing was changed
    ");
}

#[test]
fn a_pin_is_named_and_can_be_taken_off() {
    let shelf = Shelf::plain("a 1.0.0, a 2.0.0");
    let mut request = asking(&["a@2"]);
    let pin = Selector::Requirement(VersionReq::parse("^1").unwrap());
    request.pins.insert(name("a"), pin);
    insta::assert_snapshot!(refused_with(&request, &shelf), @r"
    no solution for `a@2`: these cannot all hold
      - you asked for `a@2`
      - you pinned a to `^1`
    help: a 1.0.0 would fit: `provisioning install a@1.0.0`
    help: it would fit without the pin: `provisioning unpin a`
    nothing was changed
    ");
}

#[test]
fn an_optional_dependency_says_that_it_only_bounds() {
    let mut shelf = Shelf::plain("redis 1.0.0, redis 2.0.0");
    shelf.add(Item::of("a 1.0.0").works_with("redis ^1"));
    insta::assert_snapshot!(refused(&["a", "redis@2"], &shelf), @r"
    no solution for `a` and `redis@2`: these cannot all hold
      - you asked for `a`
      - a 1.0.0 works only with redis `^1`
      - you asked for `redis@2`
    help: without `a` it would fit: `provisioning install redis@2`
    help: redis 1.0.0 would fit: `provisioning install a redis@1.0.0`
    nothing was changed
    ");
}

#[test]
fn a_bundle_that_pins_against_a_spec_is_named() {
    let shelf = Shelf::plain("core 3.1.0, core 3.2.1");
    let mut request = asking(&["core@3.1.0"]);
    let owner = Owner::Bundle {
        name: BundleName::parse("stable-3.2").unwrap(),
        sequence: 2,
    };
    let spec: Spec = "core@3.2.1".parse().unwrap();
    request
        .wanted
        .push(Wanted::new(name("core"), spec.selector().clone(), owner));
    insta::assert_snapshot!(refused_with(&request, &shelf), @r"
    no solution for `core@3.1.0` and `stable-3.2`: these cannot all hold
      - you asked for `core@3.1.0`
      - bundle `stable-3.2` (sequence 2) has core 3.2.1
    help: core 3.2.1 would fit: `provisioning install core@3.2.1 stable-3.2`
    help: it would fit without bundle `stable-3.2`: `provisioning install --leave-bundle core@3.1.0`
    nothing was changed
    ");
}

#[test]
fn the_nearest_bundles_that_would_do_are_offered() {
    let request = asking(&["platform@2.5.3", "core"]);
    let text = "[compatibility.platform]\n\"2.5.3\" = { core = \"^9\" }\n";
    let matrix = VersionsToml::parse(text, None).unwrap().matrix;
    let refusal = solve(&request, &matrix, &sample::shelf().index()).unwrap_err();
    let document = |bundle: &str, members: &[(&str, &str)]| BundleDocument {
        schema: BUNDLE_SCHEMA,
        name: BundleName::parse(bundle).unwrap(),
        sequences: vec![BundleSequence {
            sequence: 1,
            title: bundle.to_owned(),
            release_date: None,
            lts_until: None,
            targets: Vec::new(),
            members: members
                .iter()
                .map(|(package, version)| BundleMember {
                    kind: name(package).kind(),
                    name: name(package),
                    version: version.parse().unwrap(),
                    required: true,
                    digests: std::collections::BTreeMap::new(),
                })
                .collect(),
            upgrades_from: Vec::new(),
            state: BundleState::Stable,
            gates: Vec::new(),
            withdrawn: None,
        }],
    };
    let documents = [
        document("stable-3.2", &[("core", "3.2.1"), ("platform", "2.5.3")]),
        document("lts-3.1", &[("core", "3.1.5"), ("platform", "2.4.8")]),
    ];
    insta::assert_snapshot!(refusal.with_bundles(&request, &documents), @r"
    no solution for `core` and `platform@2.5.3`: no version of core meets `^9`
      - you asked for `core`
      - you asked for `platform@2.5.3`
      - the matrix lets platform 2.5.3 go only with core `^9` (versions.toml line 2)
      - no version of core meets `^9`: this registry has 3.1.0, 3.1.5, 3.2.0 and 3.2.1
    help: platform 2.5.0 would fit: `provisioning install core platform@2.5.0`
    help: bundle `stable-3.2` has platform 2.5.3 and core 3.2.1: `provisioning install stable-3.2`
    nothing was changed
    ");
}

#[test]
fn the_same_refusal_is_data_for_programs() {
    let shelf = Shelf::of([Item::of("a 1.0.0").needs("b ^2"), Item::of("b 1.0.0")]);
    let refusal = solve(&asking(&["a"]), &Matrix::default(), &shelf.index()).unwrap_err();
    insta::assert_json_snapshot!(refusal.to_json(), @r#"
    {
      "because": [
        {
          "kind": "asked",
          "on": "a",
          "owner": "you",
          "package": null,
          "requirement": "*",
          "text": "you asked for `a`",
          "versions": null
        },
        {
          "kind": "requirement",
          "on": "b",
          "owner": "a 1.0.0",
          "package": "a",
          "requirement": "^2",
          "text": "a 1.0.0 needs b `^2`",
          "versions": "1.0.0"
        },
        {
          "kind": "no-version",
          "on": "b",
          "owner": "registry",
          "package": "b",
          "requirement": "^2",
          "text": "no version of b meets `^2`: this registry has 1.0.0",
          "versions": null
        }
      ],
      "bundles": [],
      "hints": [
        "`provisioning info a` shows the versions of a and what each needs"
      ],
      "kind": "conflict",
      "summary": "no solution for `a`: no version of b meets `^2`"
    }
    "#);
}
