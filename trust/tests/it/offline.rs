//! What a machine without a network may still believe.

use provisioning_trust::{OFFLINE_AGE_MAX_DEFAULT, TrustError, TrustedRegistry};

use crate::registry::{TestRegistry, hours};

const REDIS: &str = "index/extension/redis.json";

#[tokio::test]
async fn what_was_read_once_is_usable_offline_for_thirty_days() {
    let mut registry = TestRegistry::new();
    registry.publish(&[(REDIS, "redis"), ("versions.toml", "matrix")]);
    let state = tempfile::tempdir().unwrap();
    let mut client = registry.client(state.path()).await.unwrap();
    client.target(REDIS, registry.now).await.unwrap();
    *registry.wire.down.lock().unwrap() = true;

    // The timestamp ended after two days, the snapshot after fourteen.
    let later = registry.now + hours(24 * 29);
    let mut offline = TrustedRegistry::open_offline(state.path(), OFFLINE_AGE_MAX_DEFAULT).unwrap();
    offline.refresh(later).await.unwrap();
    let redis = offline.target(REDIS, later).await.unwrap();
    assert_eq!(redis.as_deref(), Some(&b"redis"[..]));
    // Listed, but its bytes were never fetched: not absent, unreachable.
    let error = offline.target("versions.toml", later).await.unwrap_err();
    assert!(error.is_unreachable(), "{error}");

    let too_late = registry.now + hours(24 * 31);
    let error = offline.refresh(too_late).await.unwrap_err();
    assert!(matches!(
        error,
        TrustError::TooLongOffline {
            days: 31,
            days_max: 30,
            ..
        }
    ));
}

#[tokio::test]
async fn the_expiry_of_lasting_roles_holds_offline_too() {
    let mut registry = TestRegistry::new();
    registry.publish(&[("versions.toml", "matrix")]);
    registry.keys.remove("release");
    for _ in 0..15 {
        registry.pass(hours(24 * 12));
    }
    let state = tempfile::tempdir().unwrap();
    let mut client = registry.client(state.path()).await.unwrap();
    client.target("versions.toml", registry.now).await.unwrap();
    let later = registry.now + hours(24 * 5);
    let mut offline = TrustedRegistry::open_offline(state.path(), OFFLINE_AGE_MAX_DEFAULT).unwrap();
    offline.refresh(later).await.unwrap();
    let error = offline.target("versions.toml", later).await.unwrap_err();
    assert!(matches!(error, TrustError::Expired { role, .. } if role == "release"));
}

#[tokio::test]
async fn nothing_is_usable_offline_before_the_first_contact() {
    let state = tempfile::tempdir().unwrap();
    let error = TrustedRegistry::open_offline(state.path(), OFFLINE_AGE_MAX_DEFAULT).unwrap_err();
    assert_eq!(error.code(), "never-met");
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_make_offline_use_last_for_ever() {
    let mut registry = TestRegistry::new();
    registry.publish(&[("versions.toml", "matrix")]);
    let state = tempfile::tempdir().unwrap();
    registry.client(state.path()).await.unwrap();
    let mut offline = TrustedRegistry::open_offline(state.path(), OFFLINE_AGE_MAX_DEFAULT).unwrap();
    // Clocks differ a little; an hour is no little.
    offline
        .refresh(registry.now - jiff::SignedDuration::from_mins(4))
        .await
        .unwrap();
    let error = offline.refresh(registry.now - hours(1)).await.unwrap_err();
    assert_eq!(error.code(), "clock-behind");
    assert!(
        error.to_string().contains("the clock was set back"),
        "{error}"
    );
}
