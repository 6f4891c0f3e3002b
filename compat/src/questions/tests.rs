//! The answers to operators' questions, over one small registry.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provisioning_package::{ArchiveFormat, Digest, PackageName, Spec, Target, Version, VersionReq};
use provisioning_registry_api::index::{
    Dependency, IndexArchive, IndexEntry, IndexVersion, Yanked,
};

use super::compare::what_if;
use super::fitting::{FitFor, fittings, newest_fitting};
use super::grid::grids;
use super::outdated::outdated;
use super::tree::{inverted_tree, tree};
use super::verdict::verdict;
use super::why::why;
use super::*;
use crate::index::MemoryIndex;
use crate::request::{Request, Wanted};
use crate::versions_toml::VersionsToml;
use crate::{Matrix, solve};

const MATRIX: &str = r#"
[compatibility.core]
"3.3.0" = { platform = "^2.6", extensions = "^1.1" }
"3.2.1" = { platform = "^2.5", extensions = "~1.0" }
[compatibility.platform]
"2.6.0" = { core = "^3.3" }
"2.5.3" = { core = "^3.2", min-core = "3.2.0" }
"#;

fn name(text: &str) -> PackageName {
    PackageName::parse(text).unwrap()
}

fn matrix() -> Matrix {
    VersionsToml::parse(MATRIX, None).unwrap().matrix
}

/// `("mongodb 1.2.0", "1.0.0" or "", &["core ^3.0"])`.
fn index() -> MemoryIndex {
    let mut entries: BTreeMap<PackageName, IndexEntry> = BTreeMap::new();
    for (text, api, needs) in [
        ("core 3.2.1", "", &[][..]),
        ("core 3.3.0", "", &[]),
        ("platform 2.5.3", "", &["core ^3.2"]),
        ("platform 2.6.0", "", &["core ^3.3"]),
        ("mongodb 1.2.0", "1.0.0", &["core ^3.0", "redis ^1"]),
        ("mongodb 1.3.0", "1.1.0", &["core ^3.0", "redis ^1"]),
        ("redis 1.0.0", "", &[]),
        ("redis 1.1.0", "", &[]),
    ] {
        let (package, version) = text.split_once(' ').unwrap();
        let entry = entries
            .entry(name(package))
            .or_insert_with(|| IndexEntry::new(name(package)));
        let dependencies = needs.iter().map(|it| {
            let (needed, req) = it.split_once(' ').unwrap();
            let req = VersionReq::parse(req).unwrap();
            let optional = false;
            (name(needed), Dependency { req, optional })
        });
        entry.versions.push(IndexVersion {
            version: Version::parse(version).unwrap(),
            published_at: Timestamp::UNIX_EPOCH,
            api: Version::parse(api).ok(),
            dependencies: dependencies.collect(),
            yanked: None,
            archives: vec![IndexArchive {
                target: Target::Any,
                digest: Digest::of(text.as_bytes()),
                size: 1,
                unpacked: 1,
                entries: 1,
                format: ArchiveFormat::TarZst,
                provenance: None,
                sbom: None,
            }],
        });
    }
    entries.into_values().collect()
}

fn wanted(specs: &[&str]) -> Vec<Wanted> {
    specs
        .iter()
        .map(|text| {
            let spec: Spec = text.parse().unwrap();
            Wanted::by_you(spec.as_package().unwrap(), spec.selector().clone(), *text)
        })
        .collect()
}

fn asking(specs: &[&str]) -> Request {
    Request::new(wanted(specs), Target::LinuxX86_64, Timestamp::UNIX_EPOCH)
}

fn solved(specs: &[&str]) -> Versions {
    let solution = solve(&asking(specs), &matrix(), &index()).unwrap();
    solution.versions()
}

/// What is installed after asking for `specs`, with the same wishes.
fn installed(specs: &[&str], later: &[&str]) -> Request {
    let mut request = asking(later);
    request.installed = solved(specs);
    request
}

fn never() -> bool {
    false
}

#[test]
fn why_lists_every_way_to_a_package_and_what_bounds_it() {
    let specs = ["mongodb", "platform", "core@3.2.1"];
    let set = solved(&specs);
    let answer = why(&name("core"), &set, &wanted(&specs), &matrix(), &index());
    insta::assert_snapshot!(answer, @r"
    core 3.2.1
      you asked for `core@3.2.1`
      you asked for `mongodb`; mongodb 1.2.0 needs core `^3.0`
      you asked for `platform`; platform 2.5.3 needs core `^3.2`
      bounded: the matrix lets platform 2.5.3 go only with core `^3.2` (line 7)
      bounded: the matrix lets platform 2.5.3 go only with core `>=3.2.0` (line 7)
    ");
    let answer = why(&name("vault"), &set, &wanted(&specs), &matrix(), &index());
    assert_eq!(
        answer.to_string(),
        "vault is not there, and nothing brings it"
    );
}

#[test]
fn a_tree_shows_what_needs_what_and_can_be_turned_round() {
    let specs = ["mongodb", "platform"];
    let set = solved(&specs);
    insta::assert_snapshot!(tree(&set, &wanted(&specs), &index()), @r"
    mongodb 1.3.0
    ├── core 3.3.0 (^3.0)
    └── redis 1.1.0 (^1)
    platform 2.6.0
    └── core 3.3.0 (^3.3)
    ");
    insta::assert_snapshot!(inverted_tree(&set, &[name("core")], &index()), @r"
    core 3.3.0
    ├── mongodb 1.3.0 (^3.0)
    └── platform 2.6.0 (^3.3)
    ");
}

#[test]
fn outdated_says_what_is_newest_what_fits_and_what_holds_it_back() {
    let request = installed(
        &["core@3.2.1", "mongodb", "platform", "redis@1.0.0"],
        &["core@3.2.1", "mongodb", "platform", "redis"],
    );
    let found = outdated(&request, &matrix(), &index(), &never);
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    core 3.2.1 -> 3.3.0 (nothing newer fits): you asked for `core@3.2.1`
    mongodb 1.2.0 -> 1.3.0 (nothing newer fits): you asked for `core@3.2.1`; you asked for `mongodb`; the matrix lets core 3.2.1 go only with extensions of API `~1.0` (versions.toml line 4), and mongodb 1.3.0 is written for API 1.1.0
    platform 2.5.3 -> 2.6.0 (nothing newer fits): you asked for `core@3.2.1`; you asked for `platform`; platform 2.6.0 needs core `^3.3`
    redis 1.0.0 -> 1.1.0
    ");
    assert!(found.iter().all(super::outdated::Outdated::is_behind));
}

#[test]
fn what_if_tells_what_an_upgrade_of_one_forces_on_the_others() {
    let request = installed(
        &["core@3.2.1", "mongodb", "platform"],
        &["core", "mongodb", "platform"],
    );
    let change = wanted(&["core@3.3.0"]);
    let answer = what_if(&change, &request, &matrix(), &index(), &never).unwrap();
    let lines: Vec<String> = answer.changes.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    core 3.2.1 -> 3.3.0
    mongodb 1.2.0 -> 1.3.0: the matrix row of core 3.3.0 (line 3) wants extensions of API `^1.1`, and mongodb 1.2.0 is written for API 1.0.0
    platform 2.5.3 -> 2.6.0: the matrix row of core 3.3.0 (line 3) wants platform `^2.6`, not 2.5.3
    ");
}

#[test]
fn a_verdict_names_the_row_that_breaks_a_set() {
    let judged = |specs: &[&str]| verdict(&asking(specs), &matrix(), &index(), &never);
    assert!(judged(&["core@3.2.1", "platform@2.5.3"]).fits);
    insta::assert_snapshot!(judged(&["core@3.2.1", "platform@2.6.0"]), @r"
    these do not go together
      - platform 2.6.0 needs core `^3.3`, not 3.2.1
      - the matrix row of platform 2.6.0 (line 6) wants core `^3.3`, not 3.2.1
    note: core 3.3.0 would fit: `provisioning install core@3.3.0 platform@2.6.0`
    note: platform 2.5.3 would fit: `provisioning install core@3.2.1 platform@2.5.3`
    ");
    insta::assert_snapshot!(judged(&["core@3.2.1", "mongodb@1.3.0"]), @r"
    these do not go together
      - the matrix row of core 3.2.1 (line 4) wants extensions of API `~1.0`, and mongodb 1.3.0 is written for API 1.1.0
    note: core 3.3.0 would fit: `provisioning install core@3.3.0 mongodb@1.3.0`
    note: mongodb 1.2.0 would fit: `provisioning install core@3.2.1 mongodb@1.2.0`
    ");
}

#[test]
fn the_matrix_prints_as_a_grid_newest_first() {
    let grids: Vec<String> = grids(&matrix()).iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(grids.join("\n\n"), @r"
    core   extensions  platform
    3.3.0  ^1.1        ^2.6
    3.2.1  ~1.0        ^2.5

    platform  core  min-core
    2.6.0     ^3.3  -
    2.5.3     ^3.2  >=3.2.0
    ");
}

#[test]
fn the_newest_version_that_fits_a_core_and_a_machine_needs_no_search() {
    let index = index();
    let newest = |package: &str, core: &str| {
        let asked = FitFor {
            core: Version::parse(core).ok(),
            target: Some(Target::LinuxX86_64),
            pre: false,
        };
        let entry = index.entry(&name(package)).unwrap();
        newest_fitting(entry, &matrix(), &asked).map(|it| it.version.to_string())
    };
    assert_eq!(newest("platform", "3.2.1").as_deref(), Some("2.5.3"));
    assert_eq!(newest("platform", "3.3.0").as_deref(), Some("2.6.0"));
    assert_eq!(newest("mongodb", "3.3.0").as_deref(), Some("1.3.0"));
    assert_eq!(newest("platform", "2.0.0"), None);
    assert_eq!(newest("platform", "").as_deref(), Some("2.6.0"));
    let mut entry = index.entry(&name("redis")).unwrap().clone();
    entry.versions[1].yanked = Some(Yanked {
        reason: Some("leaks".to_owned()),
        replacement: None,
        at: Timestamp::UNIX_EPOCH,
    });
    let found = fittings(&entry, &matrix(), &FitFor::default());
    assert_eq!(found[0].why_not.as_deref(), Some("yanked: leaks"));
    assert_eq!(found[1].why_not, None);
}
