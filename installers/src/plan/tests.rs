use std::collections::BTreeMap;

use jiff::Timestamp;
use provisioning_package::{BundleName, VersionReq};

use super::*;
use crate::request::BundleRequest;

fn name(text: &str) -> PackageName {
    PackageName::parse(text).unwrap()
}

fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

fn choice(package: &str, at: &str) -> Choice {
    Choice {
        kind: name(package).kind(),
        name: name(package),
        version: version(at),
        target: Target::Any,
        digest: Digest::of(format!("{package} {at}").as_bytes()),
        size: 10,
        unpacks: None,
    }
}

fn installed(package: &str, at: &str, needs: &[&str], asked: &[&str]) -> InstalledPackage {
    let it = choice(package, at);
    InstalledPackage {
        kind: it.kind,
        name: it.name,
        version: it.version,
        target: it.target,
        digest: it.digest,
        size: it.size,
        requested_by: asked.iter().map(|it| (*it).to_owned()).collect(),
        commands: BTreeMap::new(),
        cli: None,
        config: Vec::new(),
        dependencies: needs
            .iter()
            .map(|it| (name(it), VersionReq::STAR))
            .collect(),
        requires: BTreeMap::new(),
    }
}

fn generation(packages: Vec<InstalledPackage>) -> Generation {
    let mut requests = Requests::default();
    for it in packages.iter().filter(|it| !it.requested_by.is_empty()) {
        requests.ask(it.name.clone(), it.name.as_str());
    }
    Generation {
        schema: 1,
        generation: 4,
        parent: Some(3),
        created_at: Timestamp::UNIX_EPOCH,
        reason: "install".into(),
        client: version("0.1.0"),
        requests,
        packages,
        config: Vec::new(),
        linked: Vec::new(),
    }
}

fn wanted(packages: Vec<Choice>, requests: Requests) -> NewState {
    NewState {
        packages,
        requests,
        reason: "install".into(),
        warnings: Vec::new(),
    }
}

fn words(plan: &Plan) -> Vec<String> {
    plan.changes
        .iter()
        .map(|it| {
            let action = serde_json::to_value(it.action).unwrap();
            format!("{} {}", action.as_str().unwrap(), it.name)
        })
        .collect()
}

#[test]
fn every_package_moves_in_one_of_five_ways() {
    let current = generation(vec![
        installed("core", "3.1.0", &[], &["core"]),
        installed("platform", "2.5.0", &["core"], &[]),
        installed("mongodb", "1.2.0", &["core"], &[]),
        installed("redis", "1.1.0", &[], &[]),
    ]);
    let plan = plan(
        Some(&current),
        wanted(
            vec![
                choice("core", "3.2.1"),
                choice("platform", "2.4.0"),
                choice("redis", "1.1.0"),
                choice("azure", "2.0.0"),
            ],
            current.requests.clone(),
        ),
    );
    assert_eq!(
        words(&plan),
        [
            "upgrade core",
            "downgrade platform",
            "install azure",
            "remove mongodb",
            "keep redis"
        ]
    );
    assert_eq!(plan.base, Some(4));
    assert!(!plan.is_empty());
}

#[test]
fn asking_again_for_what_is_there_changes_nothing() {
    let current = generation(vec![installed("core", "3.1.0", &[], &["core"])]);
    let same = plan(
        Some(&current),
        wanted(vec![choice("core", "3.1.0")], current.requests.clone()),
    );
    assert!(same.is_empty());
    let mut requests = current.requests.clone();
    requests.ask(name("core"), "core@3.1.0");
    let asked = plan(
        Some(&current),
        wanted(vec![choice("core", "3.1.0")], requests),
    );
    assert!(!asked.is_empty(), "the request itself is a change");
}

#[test]
fn uninstall_protects_dependents_and_takes_them_together() {
    let current = generation(vec![
        installed("core", "3.1.0", &[], &["core"]),
        installed("platform", "2.5.0", &["core"], &["platform"]),
    ]);
    let alone = plan_uninstall(&current, &[name("core")].into(), String::new());
    let refused = alone.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "`core` is needed by `platform` (wants `*`)"
    );
    let both = [name("core"), name("platform")].into();
    let plan = plan_uninstall(&current, &both, String::new()).unwrap();
    assert_eq!(words(&plan), ["remove core", "remove platform"]);
    assert!(plan.requests.specs.is_empty());
    let absent = plan_uninstall(&current, &[name("redis")].into(), String::new());
    assert!(matches!(absent, Err(UninstallRefused::NotInstalled { .. })));
}

#[test]
fn uninstall_says_what_became_unneeded_and_keeps_it() {
    let current = generation(vec![
        installed("core", "3.1.0", &[], &[]),
        installed("mongodb", "1.2.0", &["core"], &["mongodb"]),
    ]);
    let plan = plan_uninstall(&current, &[name("mongodb")].into(), String::new()).unwrap();
    assert_eq!(words(&plan), ["keep core", "remove mongodb"]);
    assert!(
        plan.warnings[0].contains("provisioning uninstall core"),
        "{:?}",
        plan.warnings
    );
}

#[test]
fn a_member_taken_out_by_hand_stays_out_of_the_bundle() {
    let mut current = generation(vec![installed("redis", "1.1.0", &[], &[])]);
    current.requests.follow(BundleRequest {
        name: BundleName::parse("stable-3.2").unwrap(),
        sequence: 1,
        channel: None,
        members: [(name("redis"), version("1.1.0"))].into(),
        optional: BTreeMap::new(),
        without: BTreeSet::new(),
    });
    let plan = plan_uninstall(&current, &[name("redis")].into(), String::new()).unwrap();
    let bundle = plan.requests.bundle.as_ref().unwrap();
    assert!(bundle.without.contains(&name("redis")));
    assert!(plan.requests.who_asked(&name("redis")).is_empty());
}

#[test]
fn leaving_a_bundle_keeps_its_members_by_name() {
    let mut requests = Requests::default();
    requests.follow(BundleRequest {
        name: BundleName::parse("stable-3.2").unwrap(),
        sequence: 1,
        channel: None,
        members: [
            (name("core"), version("3.2.1")),
            (name("redis"), version("1.1.0")),
        ]
        .into(),
        optional: BTreeMap::new(),
        without: [name("redis")].into(),
    });
    requests.leave_bundle();
    assert!(requests.bundle.is_none());
    assert_eq!(requests.specs.keys().collect::<Vec<_>>(), [&name("core")]);
}

#[test]
fn a_bundle_replaces_the_specs_that_it_cannot_meet_and_no_others() {
    let mut requests = Requests::default();
    requests.ask(name("core"), "core@3.1.0");
    requests.ask(name("mongodb"), "mongodb");
    let gave_way = requests.follow(BundleRequest {
        name: BundleName::parse("stable-3.2").unwrap(),
        sequence: 1,
        channel: None,
        members: [
            (name("core"), version("3.2.1")),
            (name("mongodb"), version("1.2.0")),
        ]
        .into(),
        optional: BTreeMap::new(),
        without: BTreeSet::new(),
    });
    assert_eq!(gave_way, ["core@3.1.0"]);
    assert_eq!(
        requests.who_asked(&name("mongodb")),
        ["mongodb", "bundle:stable-3.2"]
    );
}
