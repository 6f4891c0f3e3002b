//! Webhooks: signed, in order, tried again, and never to where they must not go.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac::{HMAC_SHA256, Key, verify};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use provisioning_registry_api::webhook::{
    Delivery, NewWebhook, Webhook, WebhookCreated, WebhookState,
};
use reqwest::Method;
use tempfile::tempdir;
use tokio::sync::mpsc;

use crate::registry::{Registry, archive, json, problem};

/// A message as it arrived.
struct Arrived {
    headers: HeaderMap,
    body: String,
}

/// Takes messages, answering with the statuses that it was given and then 204.
struct Receiver {
    url: String,
    arrived: mpsc::UnboundedReceiver<Arrived>,
}

#[derive(Clone)]
struct Mailbox {
    send: mpsc::UnboundedSender<Arrived>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

async fn take(State(mailbox): State<Mailbox>, headers: HeaderMap, body: String) -> StatusCode {
    let status = mailbox.answers.lock().unwrap().pop_front().unwrap_or(204);
    mailbox.send.send(Arrived { headers, body }).unwrap();
    StatusCode::from_u16(status).unwrap()
}

impl Receiver {
    async fn start(answers: &[u16]) -> Self {
        let (send, arrived) = mpsc::unbounded_channel();
        let mailbox = Mailbox {
            send,
            answers: Arc::new(Mutex::new(answers.iter().copied().collect())),
        };
        let router = Router::new().route("/hook", post(take)).with_state(mailbox);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, arrived }
    }

    /// The next message that is a change, its type and subject.
    async fn next(&mut self) -> (Arrived, String, String) {
        let arrived = self.arrived.recv().await.unwrap();
        let message: serde_json::Value = serde_json::from_str(&arrived.body).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let (action, subject) = (text(&message["type"]), text(&message["data"]["subject"]));
        (arrived, action, subject)
    }
}

fn open() -> Registry {
    Registry::start_in(tempdir().unwrap(), &["--webhook-network", "127.0.0.1"])
}

async fn create(registry: &Registry, url: &str, events: &[&str]) -> WebhookCreated {
    let asked = NewWebhook {
        url: url.to_owned(),
        events: events.iter().map(|it| (*it).to_owned()).collect(),
    };
    let response = registry.send(Method::POST, "webhooks", &asked).await;
    assert_eq!(response.status(), 201);
    json(response).await
}

async fn shown(registry: &Registry, id: &str) -> Webhook {
    let path = format!("webhooks/{id}");
    json(registry.send(Method::GET, &path, &()).await).await
}

async fn publish(registry: &Registry, spec: &str) {
    registry
        .publish(spec, &[archive(spec, spec)])
        .await
        .unwrap();
}

/// Whether a message carries the signature that its receiver computes.
fn is_signed(secret: &str, arrived: &Arrived) -> bool {
    let key = STANDARD
        .decode(secret.strip_prefix("whsec_").unwrap())
        .unwrap();
    let header = |name: &str| arrived.headers[name].to_str().unwrap().to_owned();
    let signature = header("webhook-signature");
    let signature = STANDARD
        .decode(signature.strip_prefix("v1,").unwrap())
        .unwrap();
    let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
    let content = format!("{id}.{at}.{}", arrived.body);
    verify(&Key::new(HMAC_SHA256, &key), content.as_bytes(), &signature).is_ok()
}

#[tokio::test]
async fn changes_arrive_signed_and_in_order_and_only_those_that_were_asked_for() {
    let registry = open();
    publish(&registry, "redis@0.9.0").await;
    let mut receiver = Receiver::start(&[]).await;
    let created = create(&registry, &receiver.url, &["publish"]).await;
    publish(&registry, "redis@1.0.0").await;
    let matrix = serde_json::json!({"base": null, "text": ""});
    registry.send(Method::PUT, "matrix", &matrix).await;
    publish(&registry, "redis@1.1.0").await;
    let (first, action, subject) = receiver.next().await;
    assert_eq!(
        (action.as_str(), subject.as_str()),
        ("publish", "redis@1.0.0")
    );
    assert!(is_signed(&created.secret, &first));
    assert!(!is_signed("whsec_AAAA", &first));
    let (second, _, subject) = receiver.next().await;
    assert_eq!(subject, "redis@1.1.0", "the matrix was not asked for");
    assert_ne!(first.headers["webhook-id"], second.headers["webhook-id"]);
}

#[tokio::test]
async fn a_message_that_is_not_taken_comes_again_under_the_same_id() {
    let registry = open();
    let mut receiver = Receiver::start(&[500]).await;
    let created = create(&registry, &receiver.url, &[]).await;
    publish(&registry, "redis@1.0.0").await;
    let (first, ..) = receiver.next().await;
    let (again, _, subject) = receiver.next().await;
    assert_eq!(subject, "redis@1.0.0");
    assert_eq!(first.headers["webhook-id"], again.headers["webhook-id"]);
    assert!(is_signed(&created.secret, &again));
    let mut webhook = shown(&registry, &created.webhook.id).await;
    while webhook.failures > 0 {
        tokio::task::yield_now().await;
        webhook = shown(&registry, &created.webhook.id).await;
    }
    let outcomes: Vec<bool> = webhook.deliveries.iter().map(|it| it.delivered).collect();
    assert_eq!(outcomes, [true, false], "newest first");
    assert!(webhook.deliveries[1].outcome.contains("500"));
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_told_nothing_more_until_it_is_resumed() {
    let registry = open();
    let mut receiver = Receiver::start(&[410]).await;
    let created = create(&registry, &receiver.url, &[]).await;
    publish(&registry, "redis@1.0.0").await;
    receiver.next().await;
    let mut webhook = shown(&registry, &created.webhook.id).await;
    while webhook.state == WebhookState::Active {
        tokio::task::yield_now().await;
        webhook = shown(&registry, &created.webhook.id).await;
    }
    let path = format!("webhooks/{}/resume", created.webhook.id);
    let resumed: Webhook = json(registry.send(Method::POST, &path, &()).await).await;
    assert_eq!(resumed.state, WebhookState::Active);
    let (_, _, subject) = receiver.next().await;
    assert_eq!(subject, "redis@1.0.0", "it goes on where it was");
}

#[tokio::test]
async fn addresses_inside_are_not_reached_by_number_or_by_name() {
    let registry = Registry::start();
    let mut receiver = Receiver::start(&[]).await;
    let named = receiver.url.replace("127.0.0.1", "localhost");
    for url in [receiver.url.as_str(), &named] {
        let created = create(&registry, url, &[]).await;
        let path = format!("webhooks/{}/ping", created.webhook.id);
        let outcome: Delivery = json(registry.send(Method::POST, &path, &()).await).await;
        assert!(!outcome.delivered, "{outcome:?}");
        assert!(outcome.outcome.contains("no public address"), "{outcome:?}");
    }
    assert!(receiver.arrived.try_recv().is_err(), "nothing was sent");
}

#[tokio::test]
async fn webhooks_are_listed_tried_and_taken_away() {
    let registry = open();
    let mut receiver = Receiver::start(&[]).await;
    let created = create(&registry, &receiver.url, &[]).await;
    let id = &created.webhook.id;
    let ping: Delivery = json(
        registry
            .send(Method::POST, &format!("webhooks/{id}/ping"), &())
            .await,
    )
    .await;
    assert!(ping.delivered, "{ping:?}");
    let (arrived, action, _) = receiver.next().await;
    assert_eq!(action, "ping");
    assert!(is_signed(&created.secret, &arrived));
    let listed = registry.send(Method::GET, "webhooks", &()).await;
    let listed = listed.text().await.unwrap();
    assert!(
        listed.contains(id) && !listed.contains("whsec_"),
        "{listed}"
    );
    let deleted = registry
        .send(Method::DELETE, &format!("webhooks/{id}"), &())
        .await;
    assert_eq!(deleted.status(), 204);
    let gone = registry
        .send(Method::GET, &format!("webhooks/{id}"), &())
        .await;
    assert_eq!(problem(gone).await.code, "not-found");
    for bad in ["http://u:p@example.org/", "gopher://example.org", "here"] {
        let asked = NewWebhook {
            url: bad.to_owned(),
            events: Vec::new(),
        };
        let refused = registry.send(Method::POST, "webhooks", &asked).await;
        assert_eq!(problem(refused).await.code, "webhook-invalid", "{bad}");
    }
}
