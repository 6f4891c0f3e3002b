//! Callers that ask too often, and the addresses that they are counted by.

use provisioning_registry_api::operation::OwnLimits;
use tempfile::tempdir;

use crate::registry::{Registry, header, json, problem};

#[tokio::test]
async fn a_caller_that_asks_too_often_is_told_when_to_come_again() {
    let registry = Registry::start_in(tempdir().unwrap(), &["--rate-limit", "read=2/h"]);
    let first = registry.get("api/v1/search").await;
    assert_eq!(first.status(), 200);
    assert_eq!(header(&first, "ratelimit-policy"), "\"read\";q=2;w=3600");
    assert_eq!(header(&first, "ratelimit"), "\"read\";r=1;t=1800");
    registry.get("api/v1/search").await;
    let third = registry.get("api/v1/search").await;
    assert_eq!(third.status(), 429);
    let wait: u64 = header(&third, "retry-after").parse().unwrap();
    assert!((1..=1801).contains(&wait), "{wait}");
    assert_eq!(problem(third).await.code, "rate-limited");
    // What an install reads is never counted.
    assert_eq!(registry.get("metadata/timestamp.json").await.status(), 200);
    // A token has a quota of its own once it was let in; before that, anybody can make one up.
    let token = format!("Bearer {}", registry.admin());
    let ask = |path: &'static str| registry.get_with(path, "authorization", &token);
    assert_eq!(ask("api/v1/search").await.status(), 429);
    let matrix = serde_json::json!({"base": null, "text": ""});
    let known = registry.send(reqwest::Method::PUT, "matrix", &matrix).await;
    assert_eq!(known.status(), 200);
    assert_eq!(ask("api/v1/search").await.status(), 200);
}

#[tokio::test]
async fn guessed_tokens_are_slowed_down() {
    let registry = Registry::start_in(tempdir().unwrap(), &["--rate-limit", "login=3/h"]);
    let guess = || registry.get_with("api/v1/reviews", "authorization", "Bearer prv_guess");
    for _ in 0..3 {
        assert_eq!(guess().await.status(), 401);
    }
    assert_eq!(guess().await.status(), 429);
}

#[tokio::test]
async fn everyone_can_ask_for_the_own_limits() {
    let registry = Registry::start_in(
        tempdir().unwrap(),
        &["--rate-limit", "read=10/min,write=off"],
    );
    let limits: OwnLimits = json(registry.get("api/v1/me/limits").await).await;
    let read = &limits.rates[0];
    assert_eq!((read.name.as_str(), read.quota), ("read", Some(10)));
    assert_eq!(read.window_seconds, Some(60));
    assert!(read.remaining.unwrap() < 10);
    assert_eq!(limits.rates[1].quota, None, "writes are not limited here");
    assert_eq!(limits.archive_bytes_max, 2 << 30);
}

#[tokio::test]
async fn only_a_trusted_proxy_says_whose_request_it_is() {
    let limit = ["--rate-limit", "read=1/h"];
    let ask = async |registry: &Registry, client: &str| {
        let path = "api/v1/search";
        let response = registry.get_with(path, "x-forwarded-for", client).await;
        response.status().as_u16()
    };
    let open = Registry::start_in(tempdir().unwrap(), &limit);
    assert_eq!(ask(&open, "192.0.2.1").await, 200);
    assert_eq!(ask(&open, "192.0.2.2").await, 429, "a stranger's header");
    let trusting = [&limit[..], &["--trusted-proxy", "127.0.0.0/8"]].concat();
    let behind = Registry::start_in(tempdir().unwrap(), &trusting);
    assert_eq!(ask(&behind, "192.0.2.1").await, 200);
    assert_eq!(ask(&behind, "192.0.2.2").await, 200);
    assert_eq!(ask(&behind, "192.0.2.2").await, 429);
    assert_eq!(
        ask(&behind, "192.0.2.9, 192.0.2.2").await,
        429,
        "a lie in front"
    );
}
