//! Yank and unyank.

use provisioning_registry_api::command::{Yank, YankAnswer};
use reqwest::Method;

use crate::registry::{Registry, answer, archive, problem};

#[tokio::test]
async fn a_yank_is_shown_with_its_reason_and_taken_back() {
    let registry = Registry::start();
    let redis = archive("redis@1.0.0", "x");
    registry
        .publish("redis@1.0.0", std::slice::from_ref(&redis))
        .await
        .unwrap();
    let path = "packages/extension/redis/versions/1.0.0/yank";
    let yank = Yank {
        reason: "loses data".to_owned(),
        replacement: Some("1.0.1".to_owned()),
        force: false,
    };
    let done = registry.send(Method::PUT, path, &yank).await;
    let done: YankAnswer = answer(done).await.unwrap();
    assert_eq!(done.serial, 2);
    let yanked = registry.index("redis").await.versions[0]
        .yanked
        .clone()
        .unwrap();
    assert_eq!(yanked.reason.as_deref(), Some("loses data"));
    assert_eq!(yanked.replacement.as_deref(), Some("1.0.1"));
    assert_eq!(
        registry.archive(&redis.digest).await,
        redis.bytes,
        "it still installs"
    );
    let again = registry.send(Method::PUT, path, &yank).await;
    let again: YankAnswer = answer(again).await.unwrap();
    assert_eq!(again.serial, 2, "nothing changed");
    let back = registry.send(Method::DELETE, path, &()).await;
    let back: YankAnswer = answer(back).await.unwrap();
    assert_eq!(back.serial, 3);
    assert_eq!(registry.index("redis").await.versions[0].yanked, None);
}

#[tokio::test]
async fn what_does_not_exist_cannot_be_yanked() {
    let registry = Registry::start();
    let yank = Yank {
        reason: "x".to_owned(),
        replacement: None,
        force: false,
    };
    for path in [
        "packages/extension/redis/versions/1.0.0/yank",
        "packages/core/redis/versions/1.0.0/yank",
        "packages/extension/redis/versions/x/yank",
    ] {
        let refused = registry.send(Method::PUT, path, &yank).await;
        assert_eq!(problem(refused).await.code, "version-unknown", "{path}");
    }
}

#[tokio::test]
async fn reasons_that_would_harm_a_terminal_or_the_index_are_refused() {
    let registry = Registry::start();
    let redis = archive("redis@1.0.0", "x");
    registry.publish("redis@1.0.0", &[redis]).await.unwrap();
    let path = "packages/extension/redis/versions/1.0.0/yank";
    for (reason, replacement) in [
        ("red \u{1b}[31m".to_owned(), None),
        ("a\0b".to_owned(), None),
        ("x".repeat(1001), None),
        ("x".to_owned(), Some("1.0.1\n".to_owned())),
    ] {
        let yank = Yank {
            reason,
            replacement,
            force: false,
        };
        let refused = registry.send(Method::PUT, path, &yank).await;
        assert_eq!(problem(refused).await.code, "bad-request");
    }
    assert_eq!(registry.index("redis").await.versions[0].yanked, None);
}
