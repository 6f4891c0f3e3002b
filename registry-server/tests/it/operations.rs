//! What an operator sees and switches: logs, metrics, read-only, switches.

use provisioning_registry_api::operation::{Switches, ThrowSwitch};
use reqwest::Method;
use tempfile::tempdir;

use crate::registry::{LOG, Registry, archive, header, json, problem};

fn reason() -> ThrowSwitch {
    ThrowSwitch {
        reason: "moving house".to_owned(),
    }
}

async fn put(registry: &Registry, name: &str) {
    let path = format!("switches/{name}");
    let response = registry.send(Method::PUT, &path, &reason()).await;
    assert_eq!(response.status(), 200);
}

fn token(registry: &Registry, name: &str, scope: &str) -> String {
    let made = registry.command(&["token", "create", "--name", name, "--scope", scope]);
    assert!(made.status.success());
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_read_only_registry_serves_and_refuses_changes() {
    let mut registry = Registry::start_lasting();
    let redis = [archive("redis@1.0.0", "one")];
    registry.publish("redis@1.0.0", &redis).await.unwrap();
    registry.kill_and_restart(&["--read-only"]);
    let refused = registry.publish("redis@1.0.0", &redis).await.unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (503, "read-only"));
    assert_eq!(registry.archive(&redis[0].digest).await, redis[0].bytes);
    assert_eq!(registry.get("readyz").await.status(), 200);
}

#[tokio::test]
async fn switches_are_thrown_and_cleared_while_the_registry_runs() {
    let registry = Registry::start();
    let redis = [archive("redis@1.0.0", "one")];
    put(&registry, "publishing").await;
    let refused = registry.publish("redis@1.0.0", &redis).await.unwrap_err();
    assert_eq!(refused.code, "publishing-off");
    assert!(
        refused.detail.contains("moving house"),
        "{}",
        refused.detail
    );
    let cleared = registry
        .send(Method::DELETE, "switches/publishing", &())
        .await;
    let left: Switches = json(cleared).await;
    assert_eq!(left.switches, []);
    registry.publish("redis@1.0.0", &redis).await.unwrap();

    put(&registry, "new-names").await;
    let mongodb = [archive("mongodb@1.0.0", "one")];
    let refused = registry
        .publish("mongodb@1.0.0", &mongodb)
        .await
        .unwrap_err();
    assert_eq!(refused.code, "publishing-off");
    let next = [archive("redis@1.1.0", "two")];
    registry.publish("redis@1.1.0", &next).await.unwrap();

    put(&registry, "package:redis").await;
    let next = [archive("redis@1.2.0", "three")];
    let refused = registry.publish("redis@1.2.0", &next).await.unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (403, "blocked"));
    let unknown = registry
        .send(Method::PUT, "switches/lights", &reason())
        .await;
    assert_eq!(problem(unknown).await.code, "not-found");
}

#[tokio::test]
async fn an_operator_stops_one_token_from_the_command_line() {
    let registry = Registry::start_lasting();
    let rogue = token(&registry, "rogue", "bundles");
    let good = token(&registry, "good", "bundles");
    let reason = ["--reason", "it published nonsense"];
    let thrown = registry.command(&[&["switch", "throw", "actor:rogue"][..], &reason].concat());
    assert!(thrown.status.success());
    let listed = registry.command(&["switch", "list"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(
        listed.contains("actor:rogue") && listed.contains("nonsense"),
        "{listed}"
    );
    let matrix = serde_json::json!({"base": null, "text": ""});
    let refused = registry
        .send_as(&rogue, Method::PUT, "matrix", &matrix)
        .await;
    assert_eq!(problem(refused).await.code, "blocked");
    let taken = registry
        .send_as(&good, Method::PUT, "matrix", &matrix)
        .await;
    assert_eq!(taken.status(), 200);
    let bad = registry.command(&[&["switch", "throw", "everything"][..], &reason].concat());
    assert_eq!(bad.status.code(), Some(1));
    let said = String::from_utf8_lossy(&bad.stderr).into_owned();
    assert!(said.contains("`everything` is no switch"), "{said}");
}

#[tokio::test]
async fn metrics_are_for_administrators_or_on_a_listener_of_their_own() {
    let registry = Registry::start_in(tempdir().unwrap(), &["--metrics-listen", "127.0.0.1:0"]);
    registry.get("api/v1/search?q=x").await;
    registry.get("api/v1/unknown").await;
    assert_eq!(
        problem(registry.get("metrics").await).await.code,
        "token-missing"
    );
    let log = std::fs::read_to_string(registry.file(LOG)).unwrap();
    let address = log.lines().find_map(|it| it.strip_prefix("metrics: "));
    let open = registry.http.get(address.unwrap()).send().await.unwrap();
    assert_eq!(open.status(), 200);
    assert_eq!(
        header(&open, "content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let text = open.text().await.unwrap();
    for line in [
        "provisioning_registry_requests_total{method=\"GET\",route=\"/api/v1/search\",status=\"200\"} 1",
        "provisioning_registry_requests_total{method=\"GET\",route=\"none\",status=\"404\"} 1",
        "provisioning_registry_up{part=\"database\"} 1",
        "provisioning_registry_visible_serial 0",
        "provisioning_registry_role_expiry_seconds{role=\"timestamp\"}",
    ] {
        assert!(text.contains(line), "{line} is missing from:\n{text}");
    }
    let url = format!("{}/metrics", registry.base);
    let admin = registry.http.get(url).bearer_auth(registry.admin());
    assert_eq!(admin.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_requests_name_goes_to_the_log_and_back_and_nonsense_gets_a_new_one() {
    let registry = Registry::start_in(tempdir().unwrap(), &["--log-format", "json"]);
    let named = registry
        .http
        .put(format!("{}/api/v1/matrix", registry.base));
    let named = named
        .header("x-request-id", "deploy-42")
        .send()
        .await
        .unwrap();
    assert_eq!(header(&named, "x-request-id"), "deploy-42");
    assert_eq!(
        problem(named).await.request_id.as_deref(),
        Some("deploy-42")
    );
    let log = std::fs::read_to_string(registry.file(LOG)).unwrap();
    let line = log.lines().find(|it| it.contains("deploy-42")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["span"]["request.id"], "deploy-42");
    assert_eq!(line["span"]["http.route"], "/api/v1/matrix");
    for bad in ["two words", "\"quoted\"", &"x".repeat(200)] {
        let response = registry.get_with("livez", "x-request-id", bad).await;
        let given = header(&response, "x-request-id");
        assert!(given != bad && given.len() == 16, "{given}");
    }
}

#[tokio::test]
async fn tokens_never_reach_the_log_however_much_is_logged() {
    let mut registry = Registry::start_lasting();
    registry.kill_and_restart_with("PROVISIONING_REGISTRY_LOG", "trace");
    let admin = registry.admin();
    let other = token(&registry, "other", "publish");
    registry
        .publish("redis@1.0.0", &[archive("redis@1.0.0", "one")])
        .await
        .unwrap();
    registry.send_as(&other, Method::PUT, "matrix", &()).await;
    let wrong = format!("{}0", &other[..other.len() - 1]);
    registry.send_as(&wrong, Method::PUT, "matrix", &()).await;
    let query = format!("api/v1/search?q={other}");
    registry.get(&query).await;
    let log = std::fs::read_to_string(registry.file(LOG)).unwrap();
    assert!(log.contains("/api/v1/matrix"), "something is logged");
    for secret in [&admin, &other, &wrong] {
        let secret = secret.strip_prefix("prv_").unwrap();
        let line = log.lines().find(|it| it.contains(&secret[..20]));
        assert_eq!(line, None);
    }
}
