//! python-tuf's client reads every target of a live registry.
#![expect(
    clippy::disallowed_methods,
    reason = "a test may ask the environment where its tools are"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::registry::{Registry, archive};

const NEEDS_PYTHON: &str = "this test needs a Python with the package `tuf` (7.0.1 was tried): \
     set PROVISIONING_TEST_PYTHON to it";

/// A program that lies beside the Python of the tests; `None` where there is no such Python
/// and none is demanded.
pub(crate) fn tool(name: &str) -> Option<PathBuf> {
    let Some(python) = std::env::var_os("PROVISIONING_TEST_PYTHON") else {
        let demanded = std::env::var("PROVISIONING_TEST_REQUIRE_ALL").is_ok_and(|it| it == "1");
        assert!(
            !demanded,
            "this test needs `{name}`: set PROVISIONING_TEST_PYTHON"
        );
        return None;
    };
    Some(PathBuf::from(python).with_file_name(name))
}

#[tokio::test]
async fn python_tuf_reads_every_target_of_a_live_registry() {
    let Some(python) = std::env::var_os("PROVISIONING_TEST_PYTHON") else {
        let demanded = std::env::var("PROVISIONING_TEST_REQUIRE_ALL").is_ok_and(|it| it == "1");
        assert!(!demanded, "{NEEDS_PYTHON}");
        println!("skipped: {NEEDS_PYTHON}");
        return;
    };
    let registry = Registry::start_lasting();
    for spec in [
        "core@3.1.0",
        "redis@1.0.0",
        "mongodb@1.2.0",
        "platform@2.5.0",
    ] {
        registry.publish(spec, &[archive(spec, "x")]).await.unwrap();
    }
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../trust/tests/python/read_everything.py");
    let root = registry.file("public/metadata/1.root.json");
    let base = format!("{}/", registry.base);
    let read = tokio::task::spawn_blocking(move || {
        Command::new(python)
            .arg(script)
            .arg(base)
            .arg(root)
            .output()
            .unwrap()
    });
    let read = read.await.unwrap();
    let text = String::from_utf8_lossy(&read.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&read.stderr).into_owned();
    assert!(read.status.success(), "{text}{complaint}");
    for target in [
        "index/core/core.json",
        "index/extension/redis.json",
        "scripts/install.sh",
    ] {
        assert!(text.contains(target), "{target}: {text}");
    }
}
