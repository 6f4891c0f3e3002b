//! python-tuf's own client reads a live registry, given its first root and the addresses alone:
//! before and after publishes, yanks, new keys for every role, and a new root.
#![expect(
    clippy::disallowed_methods,
    reason = "a test may ask the environment where its tools are"
)]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::registry_fixture::{Client, Registry, Sample};
use crate::signing::Offline;

const NEEDS_PYTHON: &str = "this test needs a Python with the package `tuf` (7.0.1 was tried): \
     set PROVISIONING_TEST_PYTHON to it";

fn python() -> Option<PathBuf> {
    if let Some(python) = std::env::var_os("PROVISIONING_TEST_PYTHON") {
        return Some(python.into());
    }
    let demanded = std::env::var("PROVISIONING_TEST_REQUIRE_ALL").is_ok_and(|it| it == "1");
    assert!(!demanded, "{NEEDS_PYTHON}");
    println!("skipped: {NEEDS_PYTHON}");
    None
}

/// Every target that python-tuf reads and verifies.
fn read(python: &Path, registry: &Registry) -> Vec<String> {
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../trust/tests/python/read_everything.py");
    let output = Command::new(python)
        .arg(script)
        .arg(registry.url())
        .arg(registry.data().join("public/metadata/1.root.json"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["roles"], 259);
    let paths = document["paths"].as_array().unwrap().iter();
    paths.map(|it| it.as_str().unwrap().to_owned()).collect()
}

#[test]
fn python_tuf_follows_publishes_yanks_new_keys_and_a_new_root() {
    let Some(python) = python() else { return };
    let registry = Registry::start();
    let client = Client::of(&registry);
    let scripts = read(&python, &registry).len();
    client.publish(&Sample::first_party("core", "3.1.0"));
    client.publish(&Sample::extension("redis", "1.0.0"));
    assert_eq!(read(&python, &registry).len(), scripts + 2);
    client.ok(&["yank", "redis@1.0.0", "--reason", "burns"]);
    read(&python, &registry);

    // A new root, and offline keys for root, targets, extensions and release.
    let all = Offline::over(registry, client, &[]);
    assert_eq!(read(&python, &all.registry).len(), scripts + 2);
    all.publish(&Sample::first_party("core", "3.2.0"));
    all.client.publish(&Sample::extension("mongodb", "1.0.0"));
    assert_eq!(read(&python, &all.registry).len(), scripts + 3);

    let (one, two) = (all.key("root-1"), all.key("root-2"));
    for role in ["timestamp", "snapshot"] {
        let client = &all.client;
        client.ok(&["trust", "rotate", role, "--key", &one, "--key", &two]);
        read(&python, &all.registry);
    }
    let (targets, extensions) = (all.key("targets"), all.key("extensions"));
    all.client
        .ok(&["trust", "rotate", "bins", "--key", &extensions]);
    read(&python, &all.registry);
    all.client.ok(&[
        "trust", "rotate", "release", "--out", "new.pem", "--key", &targets,
    ]);
    all.client.publish(&Sample::extension("redis", "1.1.0"));
    assert_eq!(read(&python, &all.registry).len(), scripts + 3);
}
