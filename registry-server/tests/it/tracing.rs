//! Traces: requests reach a collector by OTLP over HTTP, and go on with the caller's trace.

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;
use tempfile::tempdir;
use tokio::sync::mpsc;

use crate::registry::Registry;

/// A collector that takes what is sent to `/v1/traces`.
async fn collector() -> (String, mpsc::UnboundedReceiver<Bytes>) {
    let (send, arrived) = mpsc::unbounded_channel();
    let take = async move |headers: HeaderMap, body: Bytes| {
        assert_eq!(headers["content-type"], "application/x-protobuf");
        send.send(body).unwrap();
    };
    let router = Router::new().route("/v1/traces", post(take));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, arrived)
}

/// Whether `bytes` holds `part`: protobuf writes text and identifiers as they are.
fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|it| it == part)
}

// The collector answers while the test waits for the server to end.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_traced_to_the_collector_in_the_callers_trace() {
    let (url, mut arrived) = collector().await;
    let mut registry = Registry::start_in(tempdir().unwrap(), &["--otlp-endpoint", &url]);
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("00-{trace}-b7ad6b7169203331-01");
    let response = registry
        .get_with("api/v1/search?q=secret-question", "traceparent", &parent)
        .await;
    assert_eq!(response.status(), 200);
    // What is left is sent when the server ends.
    registry.stop();
    let mut all = Vec::new();
    while let Ok(body) = arrived.try_recv() {
        all.extend_from_slice(&body);
    }
    assert!(holds(&all, b"GET /api/v1/search"), "the span's name");
    assert!(holds(&all, b"provisioning-registry"), "the service's name");
    assert!(
        holds(&all, &hex::decode(trace).unwrap()),
        "the caller's trace"
    );
    assert!(
        !holds(&all, b"secret-question"),
        "questions may hold secrets"
    );
}
