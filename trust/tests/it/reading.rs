//! An honest registry, read by the client.

use crate::registry::{TestRegistry, hours};

fn names(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|&path| path.to_owned()).collect()
}

#[tokio::test]
async fn a_server_may_read_registries_on_any_thread() {
    let registry = TestRegistry::new();
    let state = tempfile::tempdir().unwrap();
    let mut client = registry.open(state.path()).await.unwrap();
    let now = registry.now;
    let reading = tokio::spawn(async move {
        client.refresh(now).await?;
        client.target("versions.toml", now).await
    });
    assert!(reading.await.unwrap().unwrap().is_none());
}

#[tokio::test]
async fn an_empty_registry_verifies_and_has_no_targets() {
    let registry = TestRegistry::new();
    let state = tempfile::tempdir().unwrap();
    let mut client = registry.client(state.path()).await.unwrap();
    let paths = names(&[
        "versions.toml",
        "index/extension/redis.json",
        "nobody/signs",
    ]);
    let found = client.targets(&paths, registry.now).await.unwrap();
    assert_eq!(found, [None, None, None]);
    assert_eq!(
        client.root_fingerprint(),
        registry.repository.root_fingerprint()
    );
}

#[tokio::test]
async fn targets_of_release_and_bins_are_read_in_order() {
    let mut registry = TestRegistry::new();
    registry.publish(&[
        ("versions.toml", "matrix"),
        ("index/core/core.json", "core"),
        ("index/extension/redis.json", "redis"),
        ("index/extension/mongodb.json", "mongodb"),
        ("bundles/stable-3.2.json", "bundle"),
    ]);
    let state = tempfile::tempdir().unwrap();
    let mut client = registry.client(state.path()).await.unwrap();
    let paths = names(&[
        "index/extension/mongodb.json",
        "versions.toml",
        "index/extension/absent.json",
        "index/core/core.json",
        "index/extension/redis.json",
        "bundles/stable-3.2.json",
    ]);
    let found = client.targets(&paths, registry.now).await.unwrap();
    let texts: Vec<_> = found
        .into_iter()
        .map(|bytes| bytes.map(|bytes| String::from_utf8(bytes).unwrap()))
        .collect();
    let expected = ["mongodb", "matrix", "-", "core", "redis", "bundle"];
    for (text, expected) in texts.iter().zip(expected) {
        assert_eq!(text.as_deref().unwrap_or("-"), expected);
    }
}

#[tokio::test]
async fn an_unchanged_poll_is_one_request_and_cached_targets_are_none() {
    let mut registry = TestRegistry::new();
    registry.publish(&[("index/core/core.json", "core"), ("channels.json", "{}")]);
    let state = tempfile::tempdir().unwrap();
    let mut client = registry.client(state.path()).await.unwrap();
    let paths = names(&["index/core/core.json", "channels.json"]);
    client.targets(&paths, registry.now).await.unwrap();
    registry.wire.take_asked();

    let mut again = registry.client(state.path()).await.unwrap();
    let found = again.targets(&paths, registry.now).await.unwrap();
    assert_eq!(found[0].as_deref(), Some(&b"core"[..]));
    assert_eq!(registry.wire.take_asked(), ["metadata/timestamp.json"]);
}

#[tokio::test]
async fn a_change_costs_only_what_changed() {
    let mut registry = TestRegistry::new();
    registry.publish(&[("index/core/core.json", "one"), ("versions.toml", "m")]);
    let state = tempfile::tempdir().unwrap();
    let paths = names(&["index/core/core.json", "versions.toml"]);
    let mut client = registry.client(state.path()).await.unwrap();
    client.targets(&paths, registry.now).await.unwrap();
    registry.publish(&[("index/core/core.json", "two")]);
    registry.wire.take_asked();

    let mut client = registry.client(state.path()).await.unwrap();
    let found = client.targets(&paths, registry.now).await.unwrap();
    assert_eq!(found[0].as_deref(), Some(&b"two"[..]));
    let asked = registry.wire.take_asked();
    assert_eq!(
        asked[..4],
        [
            "metadata/timestamp.json",
            "metadata/2.root.json",
            "metadata/3.snapshot.json",
            "metadata/3.release.json",
        ]
    );
    assert_eq!(asked.len(), 5, "{asked:?}");
}

#[tokio::test]
async fn a_removed_target_is_absent_afterwards() {
    let mut registry = TestRegistry::new();
    registry.publish(&[("index/extension/redis.json", "redis")]);
    let state = tempfile::tempdir().unwrap();
    let mut client = registry.client(state.path()).await.unwrap();
    let path = "index/extension/redis.json";
    assert!(client.target(path, registry.now).await.unwrap().is_some());
    registry.remove(path);
    client.refresh(registry.now).await.unwrap();
    assert!(client.target(path, registry.now).await.unwrap().is_none());
}

#[tokio::test]
async fn a_registry_that_signs_in_time_is_read_for_years() {
    let mut registry = TestRegistry::new();
    registry.publish(&[("index/extension/redis.json", "redis")]);
    let state = tempfile::tempdir().unwrap();
    for _ in 0..40 {
        registry.pass(hours(24 * 20));
        let mut client = registry.client(state.path()).await.unwrap();
        let found = client.target("index/extension/redis.json", registry.now);
        assert!(found.await.unwrap().is_some());
    }
    assert!(registry.repository.root_version() > 3);
}

#[tokio::test]
async fn a_root_that_was_signed_anew_is_followed_from_the_pinned_one() {
    let mut registry = TestRegistry::new();
    let state = tempfile::tempdir().unwrap();
    registry.client(state.path()).await.unwrap();
    let files = registry.pass(hours(24 * 200));
    assert_eq!(files[0], "2.root.json");
    let client = registry.client(state.path()).await.unwrap();
    assert_eq!(
        client.root_fingerprint(),
        registry.repository.root_fingerprint()
    );
    // And from there without asking for the first one again.
    registry.wire.take_asked();
    registry.client(state.path()).await.unwrap();
    assert_eq!(registry.wire.take_asked(), ["metadata/timestamp.json"]);
}

#[tokio::test]
async fn many_bins_are_fetched_without_a_walk_for_each() {
    let mut registry = TestRegistry::new();
    let paths: Vec<String> = (0..40)
        .map(|number| format!("index/extension/e{number}.json"))
        .collect();
    let targets: Vec<_> = paths.iter().map(|path| (path.as_str(), "x")).collect();
    registry.publish(&targets);
    let state = tempfile::tempdir().unwrap();
    let mut client = registry.client(state.path()).await.unwrap();
    registry.wire.take_asked();
    let found = client.targets(&paths, registry.now).await.unwrap();
    assert!(found.iter().all(Option::is_some));
    let asked = registry.wire.take_asked();
    let mut unique = asked.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), asked.len(), "nothing is fetched twice");
}
