//! What goes into a copy: everything that a reader needs, and nothing that was not verified.

use provisioning_trust::{Anchor, CopyScope, OFFLINE_AGE_MAX_DEFAULT, TrustError, TrustedRegistry};

use crate::registry::{TestRegistry, Wire, hours};

const REDIS: &str = "index/extension/redis.json";
const CORE: &str = "index/core/core.json";

fn nothing(_: &str) -> Option<Vec<u8>> {
    None
}

/// A wire that serves a copy and nothing else.
async fn copied(registry: &TestRegistry, scope: CopyScope<'_>) -> (std::sync::Arc<Wire>, Anchor) {
    let state = tempfile::tempdir().unwrap();
    let client = registry.client(state.path()).await.unwrap();
    let copy = client
        .copy_metadata(scope, &nothing, registry.now)
        .await
        .unwrap();
    assert_eq!(copy.files.last().unwrap().name, "timestamp.json");
    let wire = std::sync::Arc::new(Wire::default());
    for file in &copy.files {
        wire.put(&format!("metadata/{}", file.name), &file.bytes);
    }
    for (path, facts) in &copy.targets {
        let bytes = client.copied_target(path, facts).await.unwrap();
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let slash = if folder.is_empty() { "" } else { "/" };
        let hex = facts.digest.hex();
        wire.put(&format!("targets/{folder}{slash}{hex}.{name}"), &bytes);
    }
    let anchor = Anchor {
        metadata: "metadata/".to_owned(),
        targets: "targets/".to_owned(),
        root_version: copy.root_version,
        root_fingerprint: copy.root_fingerprint,
    };
    (wire, anchor)
}

#[tokio::test]
async fn a_copy_of_everything_answers_for_every_target() {
    let mut registry = TestRegistry::new();
    registry.publish(&[
        (REDIS, "redis"),
        (CORE, "core"),
        ("versions.toml", "matrix"),
    ]);
    let (wire, anchor) = copied(&registry, CopyScope::Everything).await;
    let state = tempfile::tempdir().unwrap();
    let mut reader = TrustedRegistry::open(state.path(), wire, &anchor, None)
        .await
        .unwrap();
    reader.refresh(registry.now).await.unwrap();
    for (path, bytes) in [
        (REDIS, "redis"),
        (CORE, "core"),
        ("versions.toml", "matrix"),
    ] {
        let found = reader.target(path, registry.now).await.unwrap();
        assert_eq!(found.as_deref(), Some(bytes.as_bytes()));
    }
}

#[tokio::test]
async fn a_copy_of_some_targets_holds_the_roles_on_the_way_to_them_alone() {
    let mut registry = TestRegistry::new();
    registry.publish(&[(REDIS, "redis"), (CORE, "core")]);
    let wanted = [REDIS.to_owned(), "index/extension/absent.json".to_owned()];
    let (wire, anchor) = copied(&registry, CopyScope::Targets(&wanted)).await;
    let names: Vec<String> = wire.files.lock().unwrap().keys().cloned().collect();
    assert!(names.len() < 10, "{names:?}");
    assert!(!names.iter().any(|it| it.contains("core.json")));
    let state = tempfile::tempdir().unwrap();
    let mut reader = TrustedRegistry::open(state.path(), wire, &anchor, None)
        .await
        .unwrap();
    reader.refresh(registry.now).await.unwrap();
    let found = reader.target(REDIS, registry.now).await.unwrap();
    assert_eq!(found.as_deref(), Some(&b"redis"[..]));
}

#[tokio::test]
async fn a_carried_copy_outlives_its_timestamp_by_the_age_that_is_allowed() {
    let mut registry = TestRegistry::new();
    registry.publish(&[(REDIS, "redis")]);
    let (wire, anchor) = copied(&registry, CopyScope::Everything).await;
    for (days, holds) in [(1, true), (3, true), (29, true), (31, false)] {
        let state = tempfile::tempdir().unwrap();
        let later = registry.now + hours(24 * days);
        let mut reader = TrustedRegistry::open_copy(
            state.path(),
            wire.clone(),
            &anchor,
            None,
            OFFLINE_AGE_MAX_DEFAULT,
        )
        .await
        .unwrap();
        let refreshed = reader.refresh(later).await;
        if holds {
            refreshed.unwrap();
            assert!(reader.target(REDIS, later).await.unwrap().is_some());
            let mut offline =
                TrustedRegistry::open_offline(state.path(), OFFLINE_AGE_MAX_DEFAULT).unwrap();
            offline.refresh(later).await.unwrap();
            assert!(offline.target(REDIS, later).await.unwrap().is_some());
        } else {
            assert!(matches!(refreshed, Err(TrustError::CopyTooOld { .. })));
        }
        let living = TrustedRegistry::open(state.path(), wire.clone(), &anchor, None).await;
        let refreshed = living.unwrap().refresh(later).await;
        assert_eq!(
            refreshed.is_ok(),
            days < 2,
            "a mirror ends with its timestamp"
        );
    }
}

#[tokio::test]
async fn a_tampered_file_of_an_earlier_copy_is_fetched_anew() {
    let mut registry = TestRegistry::new();
    registry.publish(&[(REDIS, "redis")]);
    let state = tempfile::tempdir().unwrap();
    let client = registry.client(state.path()).await.unwrap();
    let garbage = |_: &str| Some(b"{}".to_vec());
    let copy = client
        .copy_metadata(CopyScope::Everything, &garbage, registry.now)
        .await
        .unwrap();
    assert!(copy.files.iter().all(|it| it.bytes != b"{}"));
    assert!(copy.targets.contains_key(REDIS));
}
