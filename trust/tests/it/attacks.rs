//! Whoever stands between the registry and the client lies; nothing false is believed, the
//! words say what was seen, and afterwards the honest registry is read as before.

use std::sync::Arc;

use ed25519_dalek::Signer as _;
use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use jiff::SignedDuration;
use provisioning_package::Digest;
use provisioning_trust::{KeySet, Repository, TrustError, canonical_json};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::registry::{Files, TestRegistry, facts, hours, served_at, start};

const CORE: &str = "index/core/core.json";
const REDIS: &str = "index/extension/redis.json";

/// A registry with some history, and a client that has read its second state.
struct Scene {
    registry: TestRegistry,
    state: TempDir,
    /// What was served when the client read it.
    old: Files,
    /// What was served before the client ever came.
    older: Files,
}

impl Scene {
    async fn new() -> Self {
        let mut registry = TestRegistry::new();
        registry.publish(&[(CORE, "core one"), (REDIS, "redis one")]);
        let older = registry.wire.files.lock().unwrap().clone();
        registry.now += SignedDuration::from_mins(1);
        registry.publish(&[(CORE, "core two"), (REDIS, "redis two")]);
        let state = tempfile::tempdir().unwrap();
        let old = registry.wire.files.lock().unwrap().clone();
        let scene = Self {
            registry,
            state,
            old,
            older,
        };
        scene.read().await.unwrap();
        scene
    }

    /// Publishes a third state, which the client has not read.
    fn publish(&mut self) {
        self.registry.now += SignedDuration::from_mins(1);
        self.registry
            .publish(&[(CORE, "core three"), (REDIS, "redis three")]);
    }

    async fn read(&self) -> Result<[String; 2], TrustError> {
        let mut client = self.registry.client(self.state.path()).await?;
        let paths = [CORE.to_owned(), REDIS.to_owned()];
        let found = client.targets(&paths, self.registry.now).await?;
        let text = |bytes: &Option<Vec<u8>>| {
            bytes.as_ref().map_or("absent".to_owned(), |bytes| {
                String::from_utf8(bytes.clone()).unwrap()
            })
        };
        Ok([text(&found[0]), text(&found[1])])
    }

    /// Reads while `lie` is told, which must fail; then reads the truth, which must not.
    async fn refuses(
        &self,
        lie: impl Fn(&str, Option<Vec<u8>>) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> TrustError {
        self.registry.wire.lie(lie);
        let error = self.read().await.expect_err("a lie was believed");
        self.registry.wire.tell_the_truth();
        let [core, redis] = self.read().await.expect("the trusted state was harmed");
        assert_eq!((&*core, &*redis), ("core three", "redis three"));
        error
    }

    /// Serves `bytes` wherever a path ends with `end`.
    async fn refuses_for(&self, end: &str, bytes: Option<Vec<u8>>) -> TrustError {
        let end = end.to_owned();
        self.refuses(move |path, honest| {
            if path.ends_with(&end) {
                bytes.clone()
            } else {
                honest
            }
        })
        .await
    }

    /// Serves the newest snapshot, edited, as whoever holds the keys of snapshot and timestamp
    /// can.
    fn serve_snapshot(&self, edit: impl Fn(&mut Value)) {
        let snapshot = newest(&self.registry, "snapshot");
        let forged = self.forge(&snapshot, &["snapshot"], |signed| {
            signed["version"] = json!(90);
            edit(&mut signed["meta"]);
        });
        let pin = facts(&forged);
        let timestamp = self.forge("timestamp.json", &["timestamp"], |signed| {
            signed["version"] = json!(90);
            signed["meta"]["snapshot.json"] = json!({
                "version": 90, "length": pin.length, "hashes": {"sha256": pin.digest.hex()},
            });
        });
        let wire = &self.registry.wire;
        wire.put("metadata/90.snapshot.json", &forged);
        wire.put("metadata/timestamp.json", &timestamp);
    }

    /// A metadata file, edited and signed with keys that the attacker holds.
    fn forge(&self, file: &str, labels: &[&str], edit: impl Fn(&mut Value)) -> Vec<u8> {
        let bytes = self.registry.wire.get(&format!("metadata/{file}"));
        let mut document: Value = serde_json::from_slice(&bytes).unwrap();
        edit(&mut document["signed"]);
        sign(&self.registry.keys, labels, &document["signed"])
    }
}

fn sign(keys: &KeySet, labels: &[&str], signed: &Value) -> Vec<u8> {
    let message = canonical_json(signed).unwrap();
    let signatures: Vec<_> = labels
        .iter()
        .map(|label| {
            let key = keys.key(label).unwrap();
            let pem = key.to_pem().unwrap();
            let secret = ed25519_dalek::SigningKey::from_pkcs8_pem(&pem).unwrap();
            let sig = hex::encode(secret.sign(&message).to_bytes());
            json!({"keyid": key.key_id(), "sig": sig})
        })
        .collect();
    serde_json::to_vec(&json!({"signatures": signatures, "signed": signed})).unwrap()
}

/// The newest file of a role that the registry serves: `4.release.json`.
fn newest(registry: &TestRegistry, role: &str) -> String {
    let end = format!(".{role}.json");
    let files = registry.repository.files();
    files.into_iter().find(|name| name.ends_with(&end)).unwrap()
}

fn redis_bin(registry: &TestRegistry) -> String {
    let bin = Digest::of(REDIS.as_bytes()).hex();
    newest(registry, &format!("bin-{}", &bin[..2]))
}

#[tokio::test]
async fn a_replayed_timestamp_is_a_rollback_also_in_a_new_process() {
    let mut scene = Scene::new().await;
    scene.publish();
    scene.read().await.unwrap();
    for files in [&scene.older, &scene.old] {
        let files = files.clone();
        let error = scene.refuses(move |path, _| files.get(path).cloned()).await;
        assert_eq!(error.code(), "rollback", "{error}");
        assert!(!error.is_unreachable());
    }
}

#[tokio::test]
async fn a_frozen_registry_is_expired_after_two_days() {
    let mut scene = Scene::new().await;
    let frozen = scene.old.clone();
    scene.registry.pass(hours(49));
    scene.publish();
    let error = scene
        .refuses(move |path, _| frozen.get(path).cloned())
        .await;
    assert_eq!(error.code(), "metadata-expired", "{error}");
    let text = error.to_string();
    assert!(text.contains("`timestamp`"), "{text}");
    assert!(text.contains("2026-01-03T00:01:00Z"), "{text}");
}

#[tokio::test]
async fn files_of_different_states_are_not_mixed() {
    let mut scene = Scene::new().await;
    scene.publish();
    for role in ["snapshot", "release"] {
        let name = newest(&scene.registry, role);
        let (version, file) = name.split_once('.').unwrap();
        let before: u64 = version.parse::<u64>().unwrap() - 1;
        let stale = scene
            .registry
            .wire
            .get(&format!("metadata/{before}.{file}"));
        let error = scene.refuses_for(&name, Some(stale)).await;
        assert_eq!(error.code(), "digest-mismatch", "{role}: {error}");
        scene.publish_again();
    }
    let name = redis_bin(&scene.registry);
    let stale = scene
        .registry
        .wire
        .get(&format!("metadata/1.{}", name.split_once('.').unwrap().1));
    let error = scene.refuses_for(&name, Some(stale)).await;
    assert_eq!(error.code(), "digest-mismatch", "{error}");
}

#[tokio::test]
async fn a_changed_byte_in_any_file_is_refused() {
    let mut scene = Scene::new().await;
    for role in ["timestamp", "snapshot", "release", "bin"] {
        scene.publish_again();
        let name = match role {
            "timestamp" => "timestamp.json".to_owned(),
            "bin" => redis_bin(&scene.registry),
            role => newest(&scene.registry, role),
        };
        let text = String::from_utf8(scene.registry.wire.get(&format!("metadata/{name}"))).unwrap();
        let changed = text.replacen("2026-", "2027-", 1);
        assert_ne!(text, changed);
        let error = scene.refuses_for(&name, Some(changed.into_bytes())).await;
        let expected = match role {
            "timestamp" | "bin" => "bad-signature",
            _ => "digest-mismatch",
        };
        assert_eq!(error.code(), expected, "{role}: {error}");
    }
}

#[tokio::test]
async fn a_file_that_was_cut_short_is_refused() {
    let mut scene = Scene::new().await;
    for role in ["timestamp", "snapshot", "release", "bin"] {
        scene.publish_again();
        let name = match role {
            "timestamp" => "timestamp.json".to_owned(),
            "bin" => redis_bin(&scene.registry),
            role => newest(&scene.registry, role),
        };
        let mut bytes = scene.registry.wire.get(&format!("metadata/{name}"));
        bytes.truncate(bytes.len() / 2);
        let error = scene.refuses_for(&name, Some(bytes)).await;
        let codes = ["malformed-metadata", "digest-mismatch"];
        assert!(codes.contains(&error.code()), "{role}: {error}");
    }
}

#[tokio::test]
async fn an_endless_file_is_cut_off_at_its_limit() {
    let mut scene = Scene::new().await;
    let target = served_at(CORE, &facts(b"core three"));
    for end in ["timestamp.json", "snapshot.json", "root.json", &target] {
        scene.publish_again();
        let error = scene.refuses_for(end, Some(vec![b' '; 3_000_000])).await;
        assert_eq!(error.code(), "too-large", "{end}: {error}");
    }
}

#[tokio::test]
async fn hidden_files_are_missed_by_name() {
    let mut scene = Scene::new().await;
    let target = served_at(CORE, &facts(b"core three"));
    for end in ["timestamp.json", "snapshot.json", "release.json", &target] {
        scene.publish_again();
        let error = scene.refuses_for(end, None).await;
        assert_eq!(error.code(), "metadata-missing", "{end}: {error}");
        assert!(error.to_string().contains(end), "{error}");
    }
}

#[tokio::test]
async fn other_bytes_of_the_same_length_are_refused() {
    let mut scene = Scene::new().await;
    for (path, text) in [(CORE, "core three"), (REDIS, "redis three")] {
        scene.publish_again();
        let served = served_at(path, &facts(text.as_bytes()));
        let evil = vec![b'x'; text.len()];
        let error = scene.refuses_for(&served, Some(evil)).await;
        assert_eq!(error.code(), "digest-mismatch", "{error}");
        assert!(error.to_string().contains(path), "{error}");
    }
}

#[tokio::test]
async fn a_root_that_the_trusted_one_did_not_sign_is_refused() {
    let mut scene = Scene::new().await;
    scene.publish();
    let next = |signed: &mut Value| signed["version"] = json!(2);
    let own = scene.forge("1.root.json", &["root-1"], next);
    let error = scene.refuses_for("2.root.json", Some(own)).await;
    assert!(
        matches!(
            error,
            TrustError::BadSignature {
                found: 1,
                threshold: 2,
                ..
            }
        ),
        "{error}"
    );

    scene.publish_again();
    let (strangers, files) = {
        let keys = KeySet::generate().unwrap();
        let (mut repository, _) = Repository::create(&keys, start()).unwrap();
        let files = repository
            .refresh(&keys, start() + hours(24 * 200))
            .unwrap();
        (keys, files)
    };
    assert!(strangers.key("root-1").is_some());
    let error = scene
        .refuses_for("2.root.json", Some(files[0].bytes.clone()))
        .await;
    assert_eq!(error.code(), "bad-signature", "{error}");

    scene.publish_again();
    let third = |signed: &mut Value| signed["version"] = json!(3);
    let skipped = scene.forge("1.root.json", &["root-1", "root-2"], third);
    let error = scene.refuses_for("2.root.json", Some(skipped)).await;
    assert_eq!(error.code(), "broken-root-chain", "{error}");
}

/// A stolen online key has signed the highest version that there is. A new root takes the key
/// away, and the numbers start anew: the client follows, and the floor rises from there.
#[tokio::test]
async fn a_new_root_recovers_from_a_stolen_key_that_ran_the_versions_up() {
    let mut scene = Scene::new().await;
    scene.publish();
    let highest = scene.forge("timestamp.json", &["timestamp"], |signed| {
        signed["version"] = json!(u64::MAX);
    });
    scene.registry.wire.put("metadata/timestamp.json", &highest);
    scene.read().await.unwrap();

    let honest = scene.registry.keys.clone();
    let fresh = KeySet::generate().unwrap();
    let timestamp_key = fresh.key("timestamp").unwrap();
    let rotated = scene.forge("1.root.json", &["root-1", "root-3"], |signed| {
        signed["version"] = json!(2);
        let old = honest.key("timestamp").unwrap().key_id();
        signed["keys"].as_object_mut().unwrap().remove(old);
        signed["keys"][timestamp_key.key_id()] = json!({
            "keytype": "ed25519", "scheme": "ed25519",
            "keyval": {"public": hex::encode(timestamp_key.public())},
        });
        signed["roles"]["timestamp"]["keyids"] = json!([timestamp_key.key_id()]);
    });
    let snapshot = newest(&scene.registry, "snapshot");
    let pin = facts(&scene.registry.wire.get(&format!("metadata/{snapshot}")));
    let mut document: Value = serde_json::from_slice(&highest).unwrap();
    document["signed"]["version"] = json!(1);
    document["signed"]["meta"]["snapshot.json"]["length"] = json!(pin.length);
    let low = sign(&fresh, &["timestamp"], &document["signed"]);
    scene.registry.wire.put("metadata/2.root.json", &rotated);
    scene.registry.wire.put("metadata/timestamp.json", &low);
    let [core, _] = scene.read().await.unwrap();
    assert_eq!(core, "core three");
    let kept = std::fs::read(scene.state.path().join("timestamp.json")).unwrap();
    assert_eq!(kept, low, "the floor is the new key's");
    scene.registry.wire.put("metadata/timestamp.json", &highest);
    let error = scene.read().await.unwrap_err();
    assert_eq!(error.code(), "bad-signature", "{error}");
}

#[tokio::test]
async fn metadata_for_another_major_version_of_tuf_is_refused() {
    let mut scene = Scene::new().await;
    scene.publish();
    let future = scene.forge("timestamp.json", &["timestamp"], |signed| {
        signed["spec_version"] = json!("2.0.0");
    });
    let error = scene.refuses_for("timestamp.json", Some(future)).await;
    assert_eq!(error.code(), "malformed-metadata", "{error}");
}

/// With every online key a burglar signs a bin that lists a core, and a snapshot and timestamp
/// that pin it. `release` is asked first, and its key is not there.
#[tokio::test]
async fn a_bin_that_lists_a_core_is_not_asked_for_it() {
    let mut scene = Scene::new().await;
    scene.publish();
    let evil = facts(b"evil");
    scene.registry.wire.put(&served_at(CORE, &evil), b"evil");
    let hash = Digest::of(CORE.as_bytes()).hex();
    let bin = newest(&scene.registry, &format!("bin-{}", &hash[..2]));
    let bin_file = bin.split_once('.').unwrap().1.to_owned();
    let online = |file: &str, label: &str, edit: &dyn Fn(&mut Value)| {
        scene.forge(file, &[label], |signed| edit(signed))
    };
    let forged_bin = online(&bin, "bins", &|signed| {
        signed["version"] = json!(90);
        signed["targets"][CORE] =
            json!({"length": evil.length, "hashes": {"sha256": evil.digest.hex()}});
    });
    let snapshot = newest(&scene.registry, "snapshot");
    let forged_snapshot = online(&snapshot, "snapshot", &|signed| {
        signed["version"] = json!(90);
        signed["meta"][&bin_file]["version"] = json!(90);
    });
    let pin = facts(&forged_snapshot);
    let forged_timestamp = online("timestamp.json", "timestamp", &|signed| {
        signed["version"] = json!(90);
        signed["meta"]["snapshot.json"] = json!({
            "version": 90, "length": pin.length, "hashes": {"sha256": pin.digest.hex()},
        });
    });
    for (name, bytes) in [
        (format!("90.{bin_file}"), forged_bin),
        ("90.snapshot.json".to_owned(), forged_snapshot),
        ("timestamp.json".to_owned(), forged_timestamp),
    ] {
        scene.registry.wire.put(&format!("metadata/{name}"), &bytes);
    }
    let [core, redis] = scene.read().await.unwrap();
    assert_eq!((&*core, &*redis), ("core three", "redis three"));
}

#[tokio::test]
async fn a_snapshot_that_drops_or_lowers_a_role_is_refused() {
    for (what, code) in [("drops", "digest-mismatch"), ("lowers", "rollback")] {
        let scene = Scene::new().await;
        scene.serve_snapshot(|meta| {
            if what == "drops" {
                meta.as_object_mut().unwrap().remove("bin-07.json");
            } else {
                meta["release.json"]["version"] = json!(1);
            }
        });
        let error = scene.read().await.unwrap_err();
        assert_eq!(error.code(), code, "{what}: {error}");
    }
}

#[tokio::test]
async fn a_role_that_the_snapshot_does_not_list_cannot_be_hidden_from_a_stranger() {
    let bin = format!("bin-{}", &Digest::of(REDIS.as_bytes()).hex()[..2]);
    for (role, hidden, shown) in [
        ("release", CORE, (REDIS, "redis two")),
        ("extensions", REDIS, (CORE, "core two")),
        (&*bin, REDIS, (CORE, "core two")),
    ] {
        let scene = Scene::new().await;
        scene.serve_snapshot(|meta| {
            let meta = meta.as_object_mut().unwrap();
            meta.remove(&format!("{role}.json")).unwrap();
        });
        // A machine that knows nothing newer: no rollback can tell it.
        let state = tempfile::tempdir().unwrap();
        let now = scene.registry.now;
        let mut client = scene.registry.client(state.path()).await.unwrap();
        let (path, text) = shown;
        let found = client.target(path, now).await.unwrap();
        assert_eq!(found.as_deref(), Some(text.as_bytes()), "{role}");
        // One by one, among others, and again in a process that has it all on disk.
        for _ in 0..2 {
            for paths in [vec![hidden], vec![hidden, CORE, REDIS]] {
                let paths: Vec<_> = paths.into_iter().map(str::to_owned).collect();
                let error = client.targets(&paths, now).await.unwrap_err();
                assert_eq!(error.code(), "metadata-missing", "{role}: {error}");
                assert!(error.to_string().contains(role), "{error}");
            }
            client = scene.registry.client(state.path()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_release_that_nobody_signed_in_time_is_named_with_its_end() {
    let mut scene = Scene::new().await;
    scene.registry.keys.remove("release");
    for _ in 0..16 {
        scene.registry.pass(hours(24 * 12));
    }
    let error = scene.read().await.unwrap_err();
    assert_eq!(error.code(), "metadata-expired", "{error}");
    assert!(error.to_string().contains("`release`"), "{error}");
}

#[tokio::test]
async fn a_registry_that_does_not_answer_is_unreachable_and_nothing_else() {
    let scene = Scene::new().await;
    *scene.registry.wire.down.lock().unwrap() = true;
    let error = scene.read().await.unwrap_err();
    assert!(error.is_unreachable(), "{error}");
    *scene.registry.wire.down.lock().unwrap() = false;
    scene.read().await.unwrap();
}

#[tokio::test]
async fn a_damaged_trusted_state_is_mended_from_the_registry() {
    let mut scene = Scene::new().await;
    scene.publish();
    scene.read().await.unwrap();
    let bin = redis_bin(&scene.registry);
    let bin = bin.split_once('.').unwrap().1;
    for file in [
        "timestamp.json",
        "snapshot.json",
        "targets.json",
        "release.json",
        "extensions.json",
        bin,
    ] {
        let path = scene.state.path().join(file);
        let honest = std::fs::read(&path).unwrap();
        for damage in [
            b"{".to_vec(),
            honest[..honest.len() / 2].to_vec(),
            String::from_utf8(honest.clone())
                .unwrap()
                .replacen("2026-", "2036-", 1)
                .into_bytes(),
        ] {
            std::fs::write(&path, damage).unwrap();
            let [core, redis] = scene.read().await.unwrap();
            assert_eq!((&*core, &*redis), ("core three", "redis three"), "{file}");
            assert_eq!(std::fs::read(&path).unwrap(), honest, "{file} is mended");
        }
    }
    for entry in std::fs::read_dir(scene.state.path().join("targets")).unwrap() {
        std::fs::write(entry.unwrap().path(), "evil").unwrap();
    }
    let [core, redis] = scene.read().await.unwrap();
    assert_eq!((&*core, &*redis), ("core three", "redis three"));
}

#[tokio::test]
async fn a_process_that_is_behind_does_not_lower_the_floor_of_another() {
    let mut scene = Scene::new().await;
    let mut slow = scene.registry.open(scene.state.path()).await.unwrap();
    let stale = scene.registry.wire.files.lock().unwrap().clone();
    slow.refresh(scene.registry.now).await.unwrap();
    scene.publish();
    scene.read().await.unwrap();
    let floor = std::fs::read(scene.state.path().join("timestamp.json")).unwrap();
    let files = Arc::new(stale);
    let replay = Arc::clone(&files);
    scene
        .registry
        .wire
        .lie(move |path, _| replay.get(path).cloned());
    let error = slow.refresh(scene.registry.now).await.unwrap_err();
    assert_eq!(error.code(), "rollback", "{error}");
    let after = std::fs::read(scene.state.path().join("timestamp.json")).unwrap();
    assert_eq!(floor, after);
}

impl Scene {
    /// A further state with the same contents, so that the next attack meets something new.
    fn publish_again(&mut self) {
        self.registry.now += SignedDuration::from_mins(1);
        self.registry.publish(&[(CORE, "x"), (REDIS, "x")]);
        self.publish();
        // Cached targets would hide attacks on their bytes.
        for entry in std::fs::read_dir(self.state.path().join("targets")).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }
}
