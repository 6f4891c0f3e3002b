//! Starts that must not succeed: what a lost part of a registry would do to its users.

use std::process::Output;

use crate::registry::{Registry, archive, program};

/// Starts a server that is expected to refuse; it would otherwise run until `timeout`.
fn refused_start(arguments: &[&str], folder: &std::path::Path) -> String {
    let Output { status, stderr, .. } = program()
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder)
        .args(arguments)
        .output()
        .unwrap();
    assert_eq!(status.code(), Some(1));
    String::from_utf8(stderr).unwrap()
}

#[tokio::test]
async fn a_server_refuses_a_storage_that_other_keys_signed() {
    let registry = Registry::start_lasting();
    let redis = archive("redis@1.0.0", "x");
    registry.publish("redis@1.0.0", &[redis]).await.unwrap();
    let other = tempfile::tempdir().unwrap();
    let storage = registry.file("public");
    let storage = storage.to_str().unwrap();
    let said = refused_start(&["--storage", storage], other.path());
    assert!(said.contains("its keys are not in"), "{said}");
    assert!(!other.path().join("keys").exists());
    // The one that runs keeps its token.
    let again = archive("redis@1.0.1", "x");
    registry.publish("redis@1.0.1", &[again]).await.unwrap();
}

#[tokio::test]
async fn a_server_refuses_an_empty_database_in_the_place_of_a_lost_one() {
    let registry = Registry::start_lasting();
    let redis = archive("redis@1.0.0", "x");
    registry.publish("redis@1.0.0", &[redis]).await.unwrap();
    let copy = tempfile::tempdir().unwrap();
    let copied = std::process::Command::new("cp")
        .args(["-r", "--"])
        .args([registry.file("public"), registry.file("keys")])
        .arg(copy.path())
        .status()
        .unwrap();
    assert!(copied.success());
    let said = refused_start(&[], copy.path());
    assert!(said.contains("`index/extension/redis.json`"), "{said}");
    assert!(said.contains("restore the database"), "{said}");
}

#[test]
fn a_database_that_cannot_be_opened_is_said_at_once_and_why() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("registry.sqlite"), "no database").unwrap();
    let said = refused_start(&[], folder.path());
    assert!(said.contains("not a database"), "{said}");
    let folder = tempfile::tempdir().unwrap();
    let url = "postgres://user:s3cret@127.0.0.1:1/x";
    let said = refused_start(&["--database", url], folder.path());
    assert!(said.contains("refused"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn a_public_url_with_a_password_is_refused() {
    let output = program()
        .args(["serve", "--public-url", "http://a:b@example.org/"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}
