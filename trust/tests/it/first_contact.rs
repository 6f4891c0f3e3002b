//! The first meeting with a registry, and every later one.

use provisioning_package::Digest;
use provisioning_trust::{TrustError, TrustedRegistry};

use crate::registry::{TestRegistry, hours};

#[tokio::test]
async fn the_announced_root_is_fetched_compared_and_pinned() {
    let registry = TestRegistry::new();
    let state = tempfile::tempdir().unwrap();
    registry.open(state.path()).await.unwrap();
    assert_eq!(registry.wire.take_asked(), ["metadata/1.root.json"]);
    registry.open(state.path()).await.unwrap();
    assert!(registry.wire.take_asked().is_empty());
}

#[tokio::test]
async fn a_root_other_than_the_announced_one_is_refused_and_not_pinned() {
    let registry = TestRegistry::new();
    let state = tempfile::tempdir().unwrap();
    let other = TestRegistry::new().wire.get("metadata/1.root.json");
    registry.wire.lie(move |_, _| Some(other.clone()));
    let error = registry.open(state.path()).await.unwrap_err();
    assert_eq!(error.code(), "wrong-root");
    let expected = registry.repository.root_fingerprint().prefixed();
    assert!(error.to_string().contains(&expected), "{error}");
    registry.wire.tell_the_truth();
    registry.client(state.path()).await.unwrap();
}

#[tokio::test]
async fn a_fingerprint_that_the_user_gives_must_hold_first_and_later() {
    let registry = TestRegistry::new();
    let state = tempfile::tempdir().unwrap();
    let wrong = Digest::of(b"another registry");
    let right = registry.repository.root_fingerprint();
    let open = |expected: Digest| {
        let (wire, anchor) = (registry.wire.clone(), registry.anchor());
        let path = state.path().to_owned();
        async move { TrustedRegistry::open(&path, wire, &anchor, Some(&expected)).await }
    };
    let error = open(wrong).await.unwrap_err();
    assert!(matches!(
        error,
        TrustError::WrongRoot {
            origin: "`--root-fingerprint`",
            ..
        }
    ));
    open(right).await.unwrap();
    let error = open(wrong).await.unwrap_err();
    assert_eq!(error.code(), "wrong-root");
}

#[tokio::test]
async fn the_users_fingerprint_may_be_of_a_later_root_of_the_chain() {
    let mut registry = TestRegistry::new();
    let state = tempfile::tempdir().unwrap();
    let first = registry.repository.root_fingerprint();
    registry.client(state.path()).await.unwrap();
    registry.pass(hours(24 * 200));
    registry.client(state.path()).await.unwrap();
    for expected in [first, registry.repository.root_fingerprint()] {
        let anchor = registry.anchor();
        let wire = registry.wire.clone();
        TrustedRegistry::open(state.path(), wire, &anchor, Some(&expected))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_registry_that_was_set_up_anew_is_refused_with_both_fingerprints() {
    let registry = TestRegistry::new();
    let state = tempfile::tempdir().unwrap();
    registry.client(state.path()).await.unwrap();
    let anew = TestRegistry::new();
    let error = anew.client(state.path()).await.unwrap_err();
    assert_eq!(error.code(), "root-changed");
    for fingerprint in [
        registry.repository.root_fingerprint(),
        anew.repository.root_fingerprint(),
    ] {
        assert!(error.to_string().contains(&fingerprint.prefixed()));
    }
}

#[tokio::test]
async fn a_false_fingerprint_of_a_later_root_is_refused_as_soon_as_that_root_is_seen() {
    let mut registry = TestRegistry::new();
    let state = tempfile::tempdir().unwrap();
    registry.client(state.path()).await.unwrap();
    registry.pass(hours(24 * 200));
    let mut anchor = registry.anchor();
    assert_eq!(anchor.root_version, 2);
    anchor.root_fingerprint = Digest::of(b"something else");
    let mut client = TrustedRegistry::open(state.path(), registry.wire.clone(), &anchor, None)
        .await
        .unwrap();
    let error = client.refresh(registry.now).await.unwrap_err();
    assert_eq!(error.code(), "root-changed", "{error}");
}

#[tokio::test]
async fn a_root_that_too_few_keys_signed_is_not_pinned() {
    let mut registry = TestRegistry::new();
    let bytes = registry.wire.get("metadata/1.root.json");
    let mut root: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    root["signatures"].as_array_mut().unwrap().truncate(1);
    let bytes = serde_json::to_vec(&root).unwrap();
    registry.wire.put("metadata/1.root.json", &bytes);
    registry.now = crate::registry::start();
    let mut anchor = registry.anchor();
    anchor.root_fingerprint = Digest::of(&bytes);
    let state = tempfile::tempdir().unwrap();
    let error = TrustedRegistry::open(state.path(), registry.wire.clone(), &anchor, None)
        .await
        .unwrap_err();
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
    assert!(!state.path().join("contact/root.json").exists());
}

#[tokio::test]
async fn a_symlink_in_place_of_the_pinned_root_is_not_followed() {
    let registry = TestRegistry::new();
    let state = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let evil = elsewhere.path().join("root.json");
    std::fs::write(&evil, TestRegistry::new().wire.get("metadata/1.root.json")).unwrap();
    std::fs::create_dir(state.path().join("contact")).unwrap();
    std::os::unix::fs::symlink(&evil, state.path().join("contact/root.json")).unwrap();
    let error = registry.open(state.path()).await.unwrap_err();
    assert_eq!(error.code(), "trust-state", "{error}");
}

#[tokio::test]
async fn a_fingerprint_that_was_written_down_before_a_root_change_still_leads_to_the_registry() {
    let mut registry = TestRegistry::new();
    let first = registry.repository.root_fingerprint();
    for _ in 0..14 {
        registry.pass(hours(24 * 14));
    }
    assert_eq!(registry.repository.root_version(), 2);
    for (expected, leads_there) in [(first, true), (Digest::of(b"another"), false)] {
        let state = tempfile::tempdir().unwrap();
        let (wire, anchor) = (registry.wire.clone(), registry.anchor());
        let opened = TrustedRegistry::open(state.path(), wire, &anchor, Some(&expected)).await;
        match opened {
            Ok(mut client) => {
                assert!(leads_there);
                client.refresh(registry.now).await.unwrap();
                let newest = registry.repository.root_fingerprint();
                assert_eq!(client.root_fingerprint(), newest);
            }
            Err(error) => assert_eq!((error.code(), leads_there), ("wrong-root", false)),
        }
    }
}
