//! What the signer writes, when, and how it comes back after a crash.

use jiff::SignedDuration;
use provisioning_trust::{MetadataFile, Repository, SignError, TargetChange};
use serde_json::Value;

use crate::registry::{TestRegistry, facts, hours};

fn parsed(registry: &TestRegistry, name: &str) -> Value {
    serde_json::from_slice(&registry.wire.get(&format!("metadata/{name}"))).unwrap()
}

#[test]
fn a_fresh_registry_signs_every_role_and_the_timestamp_last() {
    let registry = TestRegistry::new();
    let files = registry.repository.files();
    assert_eq!(files.len(), 1 + 3 + 256 + 2);
    assert_eq!(files[0], "1.root.json");
    assert_eq!(files.last().unwrap(), "timestamp.json");
    let root = &parsed(&registry, "1.root.json")["signed"];
    assert_eq!(root["roles"]["root"]["threshold"], 2);
    assert_eq!(root["roles"]["root"]["keyids"].as_array().unwrap().len(), 3);
    assert_eq!(root["consistent_snapshot"], true);
    let targets = &parsed(&registry, "1.targets.json")["signed"];
    let roles = targets["delegations"]["roles"].as_array().unwrap();
    let names: Vec<_> = roles
        .iter()
        .map(|role| role["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["release", "extensions"]);
    assert!(roles.iter().all(|role| role["terminating"] == true));
    assert_eq!(targets["targets"], serde_json::json!({}));
}

#[test]
fn expiry_times_are_those_of_the_design_in_whole_seconds() {
    let registry = TestRegistry::new();
    for (file, expires) in [
        ("1.root.json", "2027-01-01T00:00:00Z"),
        ("1.targets.json", "2026-07-02T00:00:00Z"),
        ("1.release.json", "2026-07-02T00:00:00Z"),
        ("1.extensions.json", "2026-07-02T00:00:00Z"),
        ("1.bin-ff.json", "2026-01-31T00:00:00Z"),
        ("1.snapshot.json", "2026-01-15T00:00:00Z"),
        ("timestamp.json", "2026-01-03T00:00:00Z"),
    ] {
        assert_eq!(
            parsed(&registry, file)["signed"]["expires"],
            expires,
            "{file}"
        );
    }
    let odd = "2026-01-01T00:00:00.123456789Z".parse().unwrap();
    let (_, files) = Repository::create(&registry.keys, odd).unwrap();
    let text = String::from_utf8(files.last().unwrap().bytes.clone()).unwrap();
    assert!(text.contains("\"2026-01-03T00:00:00Z\""), "{text}");
}

#[test]
fn a_change_signs_the_touched_roles_snapshot_and_timestamp_alone() {
    let mut registry = TestRegistry::new();
    let files = registry.publish(&[("index/core/core.json", "x"), ("channels.json", "y")]);
    assert_eq!(
        files,
        ["2.release.json", "2.snapshot.json", "timestamp.json"]
    );
    let files = registry.publish(&[("index/extension/redis.json", "x")]);
    let bin = &provisioning_package::Digest::of(b"index/extension/redis.json").hex()[..2];
    let expected = [
        &*format!("2.bin-{bin}.json"),
        "3.snapshot.json",
        "timestamp.json",
    ];
    assert_eq!(files, expected);
}

#[test]
fn a_change_that_changes_nothing_writes_nothing() {
    let mut registry = TestRegistry::new();
    registry.publish(&[("channels.json", "y")]);
    assert!(registry.publish(&[("channels.json", "y")]).is_empty());
    assert!(registry.remove("bundles/absent.json").is_empty());
    let found = registry.repository.target("channels.json");
    assert_eq!(found, Some(facts(b"y")));
}

#[test]
fn paths_that_no_role_may_sign_are_refused_and_nothing_changes() {
    let mut registry = TestRegistry::new();
    let before = registry.repository.roles();
    for path in [
        "index/extension/a/b.json",
        "index/unknown/x.json",
        "bundles",
        "bundles/",
        "bundles/../versions.toml",
        "/versions.toml",
        "versions.toml/",
        "bundles/a\"b.json",
        "bundles/a\nb.json",
        "",
    ] {
        let good = TargetChange {
            path: "versions.toml".to_owned(),
            facts: Some(facts(b"x")),
        };
        let bad = TargetChange {
            path: path.to_owned(),
            facts: Some(facts(b"x")),
        };
        let result = registry
            .repository
            .apply(&registry.keys, &[good, bad], registry.now);
        let refused = matches!(
            result,
            Err(SignError::ForeignPath { .. } | SignError::BadPath { .. })
        );
        assert!(refused, "{path}");
    }
    assert_eq!(registry.repository.roles(), before);
}

#[test]
fn each_role_is_signed_again_in_its_own_time() {
    let mut registry = TestRegistry::new();
    assert!(registry.pass(SignedDuration::from_mins(59)).is_empty());
    assert_eq!(
        registry.pass(SignedDuration::from_mins(1)),
        ["timestamp.json"]
    );
    let files = registry.pass(hours(24));
    assert_eq!(files, ["2.snapshot.json", "timestamp.json"]);
    let files = registry.pass(hours(24 * 14));
    assert_eq!(files.len(), 256 + 2, "the bins at half their life");
    let files = registry.pass(hours(24 * 80));
    for role in ["2.targets.json", "2.release.json", "2.extensions.json"] {
        assert!(files.iter().any(|file| file == role), "{role}");
    }
}

#[test]
fn roles_whose_keys_are_elsewhere_are_left_alone() {
    let mut registry = TestRegistry::new();
    for label in ["root-1", "root-2", "targets", "release", "extensions"] {
        registry.keys.remove(label);
    }
    let files = registry.pass(hours(24 * 200));
    assert_eq!(files.len(), 256 + 2);
    let change = TargetChange {
        path: "versions.toml".to_owned(),
        facts: Some(facts(b"x")),
    };
    let before = registry.repository.roles();
    let error = registry
        .repository
        .apply(&registry.keys, &[change], registry.now)
        .unwrap_err();
    assert!(matches!(error, SignError::MissingKey { ref role, .. } if role == "release"));
    assert_eq!(registry.repository.roles(), before);
}

#[test]
fn the_state_loads_back_as_it_was_written() {
    let mut registry = TestRegistry::new();
    registry.publish(&[("versions.toml", "m"), ("index/extension/redis.json", "r")]);
    registry.pass(hours(24 * 200));
    let loaded = registry.reload();
    assert_eq!(loaded.roles(), registry.repository.roles());
    assert_eq!(loaded.files(), registry.repository.files());
    assert_eq!(
        loaded.root_fingerprint(),
        registry.repository.root_fingerprint()
    );
    assert_eq!(loaded.target("versions.toml"), Some(facts(b"m")));
}

/// A crash after any number of files: the state is the old one until the timestamp is there,
/// and the next publish, whatever it is, leads to a repository that verifies.
#[tokio::test]
async fn a_crash_between_any_two_files_leaves_the_old_state_and_a_way_on() {
    let mut registry = TestRegistry::new();
    registry.publish(&[("versions.toml", "one")]);
    let change = TargetChange {
        path: "versions.toml".to_owned(),
        facts: Some(facts(b"lost")),
    };
    for written in 0..3 {
        let mut doomed = registry.repository.clone();
        let files = doomed
            .apply(&registry.keys, std::slice::from_ref(&change), registry.now)
            .unwrap();
        registry.write(&files[..written]);
        let loaded = registry.reload();
        assert_eq!(loaded.roles(), registry.repository.roles());
        registry.repository = loaded;
        let state = tempfile::tempdir().unwrap();
        registry.client(state.path()).await.unwrap();
        let text = format!("after {written}");
        registry.publish(&[("versions.toml", &text)]);
        let mut client = registry.client(state.path()).await.unwrap();
        let found = client.target("versions.toml", registry.now).await.unwrap();
        assert_eq!(found, Some(text.into_bytes()));
    }
}

#[test]
fn a_missing_or_changed_metadata_file_is_named_when_loading() {
    let mut registry = TestRegistry::new();
    registry.publish(&[("versions.toml", "m")]);
    let files = registry.wire.files.lock().unwrap().clone();
    for name in [
        "timestamp.json",
        "2.snapshot.json",
        "2.release.json",
        "1.bin-7f.json",
        "1.root.json",
    ] {
        let load = |instead: Option<Vec<u8>>| {
            Repository::load(&|asked| {
                if asked == name {
                    return Ok(instead.clone());
                }
                Ok(files.get(&format!("metadata/{asked}")).cloned())
            })
        };
        for instead in [None, Some(b"{}".to_vec())] {
            let text = load(instead).unwrap_err().to_string();
            assert!(text.contains(name), "{text}");
        }
    }
}

#[tokio::test]
async fn signers_with_numbers_of_their_own_write_no_name_twice_and_clients_follow() {
    let mut registry = TestRegistry::new();
    registry.publish(&[("versions.toml", "one")]);
    let signed = |text: &[u8], number| {
        let mut repository = registry.repository.clone();
        repository.number_from(number);
        let change = TargetChange {
            path: "versions.toml".to_owned(),
            facts: Some(facts(text)),
        };
        let files = repository
            .apply(&registry.keys, &[change], registry.now)
            .unwrap();
        (repository, files)
    };
    let (_, stopped) = signed(b"of a signer that was stopped", 5);
    let (next, files) = signed(b"two", 9);
    let names = |files: &[MetadataFile]| -> Vec<String> {
        files.iter().map(|file| file.name.clone()).collect()
    };
    assert_eq!(
        names(&files),
        ["9.release.json", "9.snapshot.json", "timestamp.json"]
    );
    // It goes on too late: its files are there, and nothing refers to them.
    registry.write(&files);
    registry.write(&stopped[..2]);
    assert_eq!(next.timestamp_version(), 9);
    let loaded = registry.reload();
    assert_eq!(loaded.roles(), next.roles());
    registry.repository = loaded;
    let state = tempfile::tempdir().unwrap();
    registry.client(state.path()).await.unwrap();
    registry.repository.number_from(12);
    registry.publish(&[("versions.toml", "three")]);
    let mut client = registry.client(state.path()).await.unwrap();
    let found = client.target("versions.toml", registry.now).await.unwrap();
    assert_eq!(found, Some(b"three".to_vec()));
}
