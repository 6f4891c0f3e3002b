//! The sample matrix of the product, and what must come out of it.

use provisioning_compat::{Hold, Matrix, Owner, Request, VersionsToml, solve};
use provisioning_package::{BundleName, Selector, Version};

use crate::shelf::{Item, Shelf, asking, name, text_of};

pub(crate) const SAMPLE: &str = include_str!("../sample/versions.toml");

pub(crate) fn matrix() -> Matrix {
    VersionsToml::parse(SAMPLE, None).unwrap().matrix
}

pub(crate) fn shelf() -> Shelf {
    let mut shelf = Shelf::plain("core 3.1.0, core 3.1.5, core 3.2.0, core 3.2.1");
    for version in ["2.4.0", "2.4.8", "2.5.0", "2.5.3"] {
        shelf.add(Item::of(&format!("platform {version}")).needs("core ^3.0"));
    }
    for text in ["mongodb 1.2.0", "redis 1.1.0", "azure 2.0.0"] {
        shelf.add(Item::of(text).needs("core ^3.0").api("1.0.0"));
    }
    shelf.add(Item::of("workspace 1.3.0"));
    shelf.add(Item::of("workspace 1.4.0"));
    shelf
}

/// What `install` asks for when `earlier` was asked for and installed before.
fn on_top_of(earlier: &[&str], installed: &[&str], specs: &[&str]) -> Request {
    let mut request = asking(specs);
    for mut wanted in asking(earlier).wanted {
        if let Owner::You { spec } = wanted.owner {
            wanted.owner = Owner::Earlier { spec };
        }
        request.wanted.push(wanted);
    }
    for text in installed {
        let (package, version) = text.split_once(' ').unwrap();
        let version = Version::parse(version).unwrap();
        request.installed.insert(name(package), version);
    }
    request.hold = Hold::Held;
    request
}

fn bundle(members: &[&str]) -> Request {
    let mut request = asking(members);
    for wanted in &mut request.wanted {
        wanted.owner = Owner::Bundle {
            name: BundleName::parse("stable-3.2").unwrap(),
            sequence: 1,
        };
    }
    request
}

fn solved(request: &Request) -> String {
    let solution = solve(request, &matrix(), &shelf().index()).unwrap();
    let mut lines = vec![text_of(&solution)];
    lines.extend(solution.warnings.iter().map(|it| format!("warning: {it}")));
    lines.extend(solution.moved.iter().map(|it| format!("moved: {it}")));
    lines.join("\n")
}

#[test]
fn an_exact_core_alone_installs_exactly_that() {
    assert_eq!(solved(&asking(&["core@3.1.0"])), "core 3.1.0");
}

#[test]
fn platform_on_an_old_core_is_the_newest_whose_row_fits() {
    let request = on_top_of(&["core@3.1.0"], &["core 3.1.0"], &["platform"]);
    assert_eq!(solved(&request), "core 3.1.0, platform 2.5.0");
}

#[test]
fn an_unlisted_platform_installs_with_a_warning() {
    let request = on_top_of(&["core@3.1.0"], &["core 3.1.0"], &["platform@2.4.0"]);
    insta::assert_snapshot!(solved(&request), @r"
    core 3.1.0, platform 2.4.0
    warning: platform 2.4.0 is unlisted: the compatibility matrix has no row for it, so nothing was said about what goes with it
    ");
}

#[test]
fn the_stable_bundle_solves_to_its_members() {
    let request = bundle(&[
        "core@3.2.1",
        "platform@2.5.3",
        "mongodb@1.2.0",
        "redis@1.1.0",
        "azure@2.0.0",
        "workspace@1.4.0",
    ]);
    assert_eq!(
        solved(&request),
        "azure 2.0.0, core 3.2.1, mongodb 1.2.0, platform 2.5.3, redis 1.1.0, workspace 1.4.0"
    );
}

#[test]
fn the_lts_bundle_solves_with_one_line_about_its_unlisted_members() {
    let request = bundle(&["core@3.1.5", "platform@2.4.8", "workspace@1.3.0"]);
    insta::assert_snapshot!(solved(&request), @r"
    core 3.1.5, platform 2.4.8, workspace 1.3.0
    warning: core 3.1.5, platform 2.4.8 are unlisted: the compatibility matrix has no row for them, so nothing was said about what goes with them
    ");
}

#[test]
fn a_row_alone_brings_no_package_in() {
    assert_eq!(solved(&asking(&["core"])), "core 3.2.1");
}

#[test]
fn extensions_are_bound_by_their_api_and_not_by_their_version() {
    insta::assert_snapshot!(solved(&asking(&["azure"])), @"azure 2.0.0, core 3.2.1");
    let request = on_top_of(&["core@3.1.0"], &["core 3.1.0"], &["mongodb"]);
    let refusal = solve(&request, &matrix(), &shelf().index()).unwrap_err();
    insta::assert_snapshot!(refusal, @r"
    no solution for `mongodb`: these cannot all hold
      - you asked for `core@3.1.0` earlier
      - you asked for `mongodb`
      - the matrix lets core 3.1.0 go only with extensions of API `^0.9` (versions.toml line 4), and mongodb 1.2.0 is written for API 1.0.0
    help: it would fit with core 3.2.1: `provisioning install core@3.2.1 mongodb`
    nothing was changed
    ");
}

#[test]
fn an_installed_package_moves_only_where_it_must_and_says_why() {
    let request = on_top_of(
        &["core", "platform"],
        &["core 3.1.0", "platform 2.5.0"],
        &["platform@2.5.3"],
    );
    insta::assert_snapshot!(solved(&request), @r"
    core 3.2.1, platform 2.5.3
    moved: core moves from 3.1.0 to 3.2.1: the matrix row of platform 2.5.3 (line 6) wants core `^3.2`, not 3.1.0
    ");
}

#[test]
fn strict_refuses_what_is_unlisted() {
    let mut request = asking(&["platform@2.4.0"]);
    request.strict = true;
    let refusal = solve(&request, &matrix(), &shelf().index()).unwrap_err();
    insta::assert_snapshot!(refusal, @r"
    no solution for `platform@2.4.0`: a version that would do cannot be taken
      - you asked for `platform@2.4.0`
      - platform 2.4.0 would do but is unlisted: the matrix has no row for it, and `--strict` was given
    help: without `--strict` it would fit: an unlisted version is taken with a warning
    help: platform 2.5.3 would fit: `provisioning install platform@2.5.3`
    nothing was changed
    ");
}

#[test]
fn a_newest_spec_moves_what_is_installed() {
    let mut request = on_top_of(&["core"], &["core 3.1.0"], &[]);
    assert_eq!(solved(&request), "core 3.1.0");
    request.wanted[0].selector = Selector::Latest;
    assert!(solved(&request).starts_with("core 3.2.1\nmoved"));
}
