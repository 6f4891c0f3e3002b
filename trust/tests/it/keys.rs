//! Keys on disk.

use std::os::unix::fs::PermissionsExt as _;

use provisioning_trust::{KeySet, SigningKey};

#[test]
fn saved_keys_are_private_files_that_load_as_the_same_keys() {
    let folder = tempfile::tempdir().unwrap();
    let keys_folder = folder.path().join("keys");
    let keys = KeySet::generate().unwrap();
    keys.save(&keys_folder).unwrap();
    let loaded = KeySet::load(&keys_folder).unwrap();
    let labels: Vec<_> = keys.labels().collect();
    let expected = "bins extensions release root-1 root-2 root-3 snapshot targets timestamp";
    assert_eq!(labels.join(" "), expected);
    for label in labels {
        let id = |keys: &KeySet| keys.key(label).unwrap().key_id().to_owned();
        assert_eq!(id(&keys), id(&loaded));
        let file = keys_folder.join(format!("{label}.pem"));
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let mode = std::fs::metadata(&keys_folder)
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn an_interrupted_first_start_keeps_the_keys_that_it_made() {
    let folder = tempfile::tempdir().unwrap();
    let mut half = KeySet::generate().unwrap();
    for label in ["root-3", "snapshot", "timestamp"] {
        half.remove(label);
    }
    half.save(folder.path()).unwrap();
    let keys = KeySet::generate_in(folder.path()).unwrap();
    assert_eq!(keys.labels().count(), 9);
    for label in half.labels() {
        let id = half.key(label).unwrap().key_id();
        assert_eq!(keys.key(label).unwrap().key_id(), id, "{label}");
    }
    let loaded = KeySet::load(folder.path()).unwrap();
    assert!(loaded.labels().eq(keys.labels()));
}

#[test]
fn a_damaged_key_file_is_named_and_its_content_is_not() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("release.pem"), "s3cret").unwrap();
    std::fs::write(folder.path().join("README"), "not a key").unwrap();
    let text = KeySet::load(folder.path()).unwrap_err().to_string();
    assert!(text.contains("release.pem"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
}

#[test]
fn debug_output_never_shows_secret_bytes() {
    let key = SigningKey::generate().unwrap();
    let pem = key.to_pem().unwrap();
    let secret = pem.lines().nth(1).unwrap();
    let shown = format!("{key:?}");
    assert!(shown.contains(key.key_id()), "{shown}");
    assert!(!shown.contains(secret), "{shown}");
    assert_eq!(SigningKey::from_pem(&pem).unwrap().public(), key.public());
}
