//! The audit log and the event feed: who changed what, in an order that cannot be changed.

use futures_util::StreamExt as _;
use provisioning_registry_api::command::Yank;
use provisioning_registry_api::event::{AuditLog, Events};
use reqwest::Method;
use sqlx::{AnyConnection, Connection as _};

use crate::database;
use crate::registry::{Registry, archive, json, problem};

async fn with_changes() -> Registry {
    let registry = Registry::start_lasting();
    registry
        .publish("redis@1.0.0", &[archive("redis@1.0.0", "one")])
        .await
        .unwrap();
    registry
        .publish_together(&[
            ("redis@1.1.0", &[archive("redis@1.1.0", "two")]),
            ("mongodb@1.0.0", &[archive("mongodb@1.0.0", "three")]),
        ])
        .await
        .unwrap();
    let body = Yank {
        reason: "broken".to_owned(),
        replacement: None,
        force: false,
    };
    let path = "packages/extension/redis/versions/1.0.0/yank";
    let yanked = registry.send(Method::PUT, path, &body).await;
    assert_eq!(yanked.status(), 200);
    registry
}

async fn audit(registry: &Registry, query: &str) -> AuditLog {
    let url = format!("{}/api/v1/audit{query}", registry.base);
    let asked = registry.http.get(url).bearer_auth(registry.admin());
    json(asked.send().await.unwrap()).await
}

/// Changes a line of the log behind the registry's back.
async fn tamper(registry: &Registry, statement: &'static str) {
    sqlx::any::install_default_drivers();
    let mut arguments = database::arguments(&registry.file(""));
    let url = arguments
        .pop()
        .unwrap_or_else(|| format!("sqlite://{}", registry.file("registry.sqlite").display()));
    let mut connection = AnyConnection::connect(&url).await.unwrap();
    sqlx::query(statement)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

fn fsck(registry: &Registry) -> (Option<i32>, String) {
    let output = registry.command(&["fsck", "--quick"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), text)
}

#[tokio::test]
async fn every_change_is_a_line_of_the_log_in_pages() {
    let registry = with_changes().await;
    let log = audit(&registry, "").await;
    let told: Vec<(String, String)> = log
        .entries
        .iter()
        .filter(|it| it.is_event)
        .map(|it| (it.action.clone(), it.subject.clone()))
        .collect();
    let line = |action: &str, subject: &str| (action.to_owned(), subject.to_owned());
    assert_eq!(
        told,
        [
            line("publish", "redis@1.0.0"),
            line("publish", "mongodb@1.0.0"),
            line("publish", "redis@1.1.0"),
            line("yank", "redis@1.0.0"),
        ]
    );
    let last = log.entries.last().unwrap();
    assert_eq!((log.head.number, &log.head.hash), (last.number, &last.hash));
    assert_eq!(log.next, None);
    let page = audit(&registry, "?limit=2").await;
    assert_eq!((page.entries.len(), page.next), (2, Some(2)));
    let rest = audit(&registry, "?after=2").await;
    assert_eq!(rest.entries[..], log.entries[2..]);
    let stranger = registry.get("api/v1/audit").await;
    assert_eq!(problem(stranger).await.code, "token-missing");
}

#[tokio::test]
async fn a_line_that_was_changed_or_removed_is_found() {
    for (statement, word) in [
        (
            "UPDATE audit SET actor = 'nobody' WHERE action = 'yank'",
            "is not what was written",
        ),
        (
            "DELETE FROM audit WHERE subject = 'redis@1.1.0'",
            "comes row",
        ),
        (
            "DELETE FROM audit WHERE action = 'yank'",
            "it ends with row",
        ),
    ] {
        let registry = with_changes().await;
        assert_eq!(fsck(&registry), (Some(0), fsck(&registry).1));
        tamper(&registry, statement).await;
        let (code, text) = fsck(&registry);
        assert_eq!(code, Some(1), "{statement}: {text}");
        assert!(
            text.contains("audit-broken") && text.contains(word),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_log_of_an_earlier_version_is_chained_at_the_next_start() {
    let mut registry = with_changes().await;
    tamper(&registry, "UPDATE audit SET number = NULL, hash = NULL").await;
    tamper(&registry, "DELETE FROM audit_head").await;
    registry.kill_and_restart(&[]);
    let log = audit(&registry, "").await;
    assert!(log.entries.len() >= 4);
    assert_eq!(log.entries.last().unwrap().action, "yank");
    assert_eq!(fsck(&registry).0, Some(0));
}

#[tokio::test]
async fn the_feed_tells_changes_by_serial_and_never_tears_one_apart() {
    let registry = with_changes().await;
    let all: Events = json(registry.get("api/v1/events").await).await;
    assert_eq!(all.events.len(), 4);
    assert!(!all.more);
    let serials: Vec<u64> = all.events.iter().map(|it| it.serial).collect();
    assert!(serials.is_sorted());
    assert_eq!(serials[1], serials[2], "one session, one serial");
    let page = format!("api/v1/events?limit=2&after={}", 0);
    let page: Events = json(registry.get(&page).await).await;
    assert_eq!(page.events.len(), 3, "the second serial has two changes");
    assert!(page.more);
    let next = format!("api/v1/events?after={}", page.next);
    let next: Events = json(registry.get(&next).await).await;
    assert_eq!(next.events[..], all.events[3..]);
    let nothing = format!("api/v1/events?after={}", next.next);
    let nothing: Events = json(registry.get(&nothing).await).await;
    assert_eq!((nothing.events.len(), nothing.next), (0, next.next));
    let bad = registry.get("api/v1/events?after=-1").await;
    assert_eq!(problem(bad).await.code, "bad-request");
}

#[tokio::test]
async fn a_listener_hears_of_changes_as_they_happen_and_where_it_was() {
    let registry = with_changes().await;
    let first: Events = json(registry.get("api/v1/events?limit=1").await).await;
    let request = registry
        .http
        .get(format!("{}/api/v1/events?after=0", registry.base));
    let request = request
        .header("accept", "text/event-stream")
        .header("last-event-id", first.next.to_string());
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut stream = response.bytes_stream();
    let mut heard = String::new();
    while !heard.contains("event: yank") {
        let bytes = stream.next().await.expect("the stream goes on").unwrap();
        heard.push_str(&String::from_utf8_lossy(&bytes));
    }
    assert!(
        !heard.contains("redis@1.0.0\",\"detail\":\"any"),
        "it knew that: {heard}"
    );
    assert_eq!(heard.matches("event: publish").count(), 2);
    assert_eq!(
        heard.matches("id: ").count(),
        2,
        "one for each serial: {heard}"
    );
    registry
        .publish("redis@2.0.0", &[archive("redis@2.0.0", "new")])
        .await
        .unwrap();
    while !heard.contains("redis@2.0.0") {
        let bytes = stream.next().await.expect("the stream goes on").unwrap();
        heard.push_str(&String::from_utf8_lossy(&bytes));
    }
}
