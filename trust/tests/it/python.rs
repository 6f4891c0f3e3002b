//! python-tuf and python-securesystemslib, which share no code with us, read what we sign.
//!
//! `PROVISIONING_TEST_PYTHON` names a Python that has the package `tuf`; without it these tests
//! say so and pass, unless `PROVISIONING_TEST_REQUIRE_ALL=1` or `CI` demands every test.
#![expect(
    clippy::disallowed_methods,
    reason = "a test may ask the environment where its tools are"
)]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use jiff::Timestamp;
use provisioning_trust::{SigningKey, canonical_json};
use serde_json::json;

use crate::registry::{TestRegistry, hours};

const NEEDS_PYTHON: &str = "this test needs a Python with the package `tuf`: `python3 -m venv V \
     && V/bin/pip install tuf==7.0.1`, then set PROVISIONING_TEST_PYTHON=V/bin/python";

/// A Python with `tuf`, or the words that say that there is none.
fn python() -> Option<PathBuf> {
    if let Some(python) = std::env::var_os("PROVISIONING_TEST_PYTHON") {
        return Some(python.into());
    }
    let demanded = ["CI", "PROVISIONING_TEST_REQUIRE_ALL"]
        .iter()
        .any(|name| std::env::var(name).is_ok_and(|value| !value.is_empty() && value != "0"));
    assert!(!demanded, "{NEEDS_PYTHON}");
    println!("skipped: {NEEDS_PYTHON}");
    None
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/python")
        .join(name)
}

/// `python3 -m http.server` over a folder, ended with the test.
struct WebServer {
    child: Child,
    base: String,
}

impl WebServer {
    fn over(python: &Path, folder: &Path) -> Self {
        let mut child = Command::new(python)
            .args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "0"])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        // Serving HTTP on 127.0.0.1 port 40123 (http://127.0.0.1:40123/) ...
        let base = line.split(['(', ')']).nth(1).unwrap().to_owned();
        Self { child, base }
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn write_out(registry: &TestRegistry, folder: &Path) {
    for (path, bytes) in &*registry.wire.files.lock().unwrap() {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// What python-tuf finds in the registry, given its first root.
fn read_everything(python: &Path, registry: &TestRegistry) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    write_out(registry, folder.path());
    let server = WebServer::over(python, folder.path());
    let output = Command::new(python)
        .arg(script("read_everything.py"))
        .arg(&server.base)
        .arg(folder.path().join("metadata/1.root.json"))
        .args(["--now", &registry.now.to_string()])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn python_tuf_reads_every_role_and_target_of_a_changing_registry() {
    let Some(python) = python() else { return };
    let mut registry = TestRegistry::new();
    let empty = read_everything(&python, &registry);
    assert_eq!(empty["roles"], 259);
    assert_eq!(empty["targets"], 0);

    registry.publish(&[
        ("versions.toml", "matrix"),
        ("channels.json", "{}"),
        ("bundles/stable-3.2.json", "bundle"),
        ("scripts/install.sh", "#!/bin/sh"),
        ("index/core/core.json", "core"),
        ("index/extension/redis.json", "redis"),
        ("index/extension/mongodb.json", "mongodb"),
        ("index/extension/azure.json", "azure"),
    ]);
    registry.publish(&[("index/extension/redis.json", "redis again")]);
    registry.remove("index/extension/azure.json");
    assert_eq!(read_everything(&python, &registry)["targets"], 7);

    // Half a year later everything, the root too, has been signed anew.
    for _ in 0..14 {
        registry.pass(hours(24 * 14));
    }
    assert_eq!(registry.repository.root_version(), 2);
    let later = read_everything(&python, &registry);
    assert_eq!(later["targets"], 7);
    assert_eq!(later["paths"][0], "bundles/stable-3.2.json");
}

#[test]
fn canonical_json_and_key_ids_are_those_of_python_securesystemslib() {
    let Some(python) = python() else { return };
    let key = SigningKey::generate().unwrap();
    let public = json!({
        "keytype": "ed25519",
        "keyval": {"public": hex::encode(key.public())},
        "scheme": "ed25519",
    });
    let documents = [
        public,
        json!({}),
        json!([]),
        json!({"b": [1, -2, 0, u64::MAX, i64::MIN], "a": {"z": null, "y": true, "": false}}),
        json!({"é": "ü", "e": "\u{1f980}", "\u{7f}": "\u{1}\n\t", "quote\"": "back\\slash / \u{2028}"}),
        json!({"expires": Timestamp::UNIX_EPOCH.to_string()}),
    ];
    let mut child = Command::new(python)
        .arg(script("canonical.py"))
        .env("PYTHONIOENCODING", "utf-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for document in &documents {
        writeln!(stdin, "{document}").unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = lines.lines().collect();
    assert_eq!(lines.len(), documents.len());
    for (document, line) in documents.iter().zip(&lines) {
        let ours = hex::encode(canonical_json(document).unwrap());
        assert_eq!(Some(ours.as_str()), line.split(' ').next(), "{document}");
    }
    assert_eq!(lines[0].split(' ').nth(1), Some(key.key_id()));
}
