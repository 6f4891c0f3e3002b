//! Other package managers' published cases, through the command: one signed registry folder
//! holds them all, under names of their own, and each is asked as a user would ask it.

#[path = "../../../compat/tests/it/peers/cases.rs"]
mod cases;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use provisioning_package::Digest;
use serde_json::{Map, Value, json};

use crate::foreign_registry::ForeignRegistry;
use crate::registry_fixture::{Client, Ran};
use cases::{Case, CaseVersion};

/// How long the chain is. (20,000 were tried by hand, and are a test of the solver; here each
/// is a file.)
const CHAIN: usize = 2_500;

/// How many clients ask at once.
const CLIENTS: usize = 3;

/// Every case, with its place in the registry.
fn all_cases() -> Vec<(String, Case)> {
    let mut all = Vec::new();
    for (suite, text) in cases::SUITES {
        for case in cases::read(text) {
            all.push((format!("{suite}{}-", all.len()), case));
        }
    }
    all
}

/// A registry folder with the packages of every case.
fn registry(cases: &[(String, Case)]) -> ForeignRegistry {
    let mut registry = ForeignRegistry::new();
    for (place, case) in cases {
        let mut packages: BTreeMap<&str, Vec<&CaseVersion>> = BTreeMap::new();
        for version in &case.versions {
            packages.entry(&version.package).or_default().push(version);
        }
        for (package, versions) in packages {
            let name = format!("{place}{package}");
            let versions: Vec<Value> = versions.iter().map(|it| written(place, it)).collect();
            let entry = json!({"schema": 1, "kind": "extension", "name": name,
                "type": "taskserv", "versions": versions});
            let path = format!("index/extension/{name}.json");
            registry.target(&path, entry.to_string().as_bytes());
        }
    }
    registry
}

fn written(place: &str, version: &CaseVersion) -> Value {
    let mut needs = Map::new();
    for need in &version.needs {
        let value = json!({"req": need.req, "optional": need.is_optional});
        needs.insert(format!("{place}{}", need.package), value);
    }
    let digest = Digest::of(format!("{place}{} {}", version.package, version.version).as_bytes());
    let yanked = version
        .is_yanked
        .then(|| json!({"reason": "broken", "replacement": null, "at": "2025-10-02T12:00:00Z"}));
    json!({"version": version.version, "published_at": "2025-10-01T12:00:00Z",
        "dependencies": needs, "yanked": yanked,
        "archives": [{"target": "any", "digest": digest.prefixed(), "size": 1,
            "unpacked": 1, "entries": 1, "format": "tar.zst"}]})
}

/// Asks the command; with the specs the other way round where `turned`.
fn ask(client: &Client, place: &str, case: &Case, turned: bool) -> Ran {
    let mut specs: Vec<String> = case.specs.iter().map(|it| format!("{place}{it}")).collect();
    if turned {
        specs.reverse();
    }
    let mut arguments = vec!["--json", "resolve"];
    arguments.extend(specs.iter().map(String::as_str));
    if case.is_minimal {
        arguments.push("--minimal");
    }
    if case.lets_pre_releases_in {
        arguments.push("--pre");
    }
    client.run(&arguments)
}

/// The answer as the case has it.
fn answer(place: &str, ran: &Ran) -> String {
    let own = |it: &Value| {
        let name = it.as_str().unwrap();
        name.strip_prefix(place).unwrap_or(name).to_owned()
    };
    if ran.status() == 0 {
        let document: Value = serde_json::from_str(&ran.stdout()).unwrap();
        let packages = document["packages"].as_array().unwrap().iter();
        let mut packages: Vec<String> = packages
            .map(|it| format!("{} {}", own(&it["name"]), it["version"].as_str().unwrap()))
            .collect();
        packages.sort();
        return packages.join(", ");
    }
    assert_eq!(ran.status(), 3, "{}", ran.stderr());
    let document: Value = serde_json::from_str(&ran.stderr()).unwrap();
    let error = &document["error"];
    let mut named = BTreeSet::new();
    let mut open: Vec<&Value> = vec![&error["explanation"]];
    while let Some(node) = open.pop() {
        for key in ["package", "on"] {
            named.extend(node.get(key).filter(|it| it.is_string()).map(own));
        }
        open.extend(node["because"].as_array().into_iter().flatten());
    }
    let text = error["causes"].to_string();
    for name in &named {
        assert!(text.contains(&format!("{place}{name}")), "{name}: {text}");
    }
    let hints = error["hints"].as_array().unwrap();
    assert_eq!(hints.last().unwrap(), "nothing was changed");
    let named: Vec<String> = named.into_iter().collect();
    format!("refused: {}", named.join(" "))
}

#[test]
fn every_published_case_has_its_published_answer_through_the_command() {
    let cases = all_cases();
    let registry = registry(&cases);
    let address = format!("file://{}", registry.signed_folder().display());
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let client = Client::alone().with("PROVISIONING_REGISTRY", &address);
                while let Some((place, case)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let ran = ask(&client, place, case, false);
                    let answer = answer(place, &ran);
                    if answer != case.expected {
                        let line =
                            format!("{place}{}: {answer}\n  not {}", case.title, case.expected);
                        wrong.lock().unwrap().push(line);
                    }
                    if case.specs.len() > 1 {
                        let turned = ask(&client, place, case, true);
                        let same = (turned.stdout(), turned.stderr());
                        assert_eq!(same, (ran.stdout(), ran.stderr()), "{}", case.title);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_chain_of_thousands_that_ends_in_a_conflict_is_refused_without_an_overflow() {
    let mut registry = ForeignRegistry::new();
    for place in 0..CHAIN {
        let next = format!("link{}", place + 1);
        registry.extension(&format!("link{place}"), &[("1.0.0", &[(&next, "^1")])]);
    }
    registry.extension(&format!("link{CHAIN}"), &[("1.0.0", &[]), ("2.0.0", &[])]);
    let client = registry.signed();
    let last = format!("link{CHAIN}@2");
    let refused = client.error(3, &["resolve", "link0", &last]);
    assert_eq!(refused["code"], "no-solution");
    let causes = refused["causes"].as_array().unwrap();
    assert_eq!(causes.len(), CHAIN + 2);
    assert_eq!(causes[0], "you asked for `link0`");
    let text = client.run(&["resolve", "link0", &last]);
    assert!(
        text.stderr()
            .contains("  - link1999 1.0.0 needs link2000 `^1`\n")
    );
}
