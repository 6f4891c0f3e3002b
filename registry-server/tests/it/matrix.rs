//! Pushing the compatibility matrix.

use provisioning_package::Digest;
use provisioning_registry_api::command::{MatrixPushed, PushMatrix};
use reqwest::Method;

use crate::registry::{Registry, answer, header, problem};

const FIRST: &str = "[compatibility.core]\n\"3.1.0\" = { platform = \"^2.3\" }\n";
const SECOND: &str = "[compatibility.core]\n\"3.1.0\" = { platform = \"^2.4\" }\n";

fn push(base: Option<&str>, text: &str) -> PushMatrix {
    PushMatrix {
        base: base.map(|it| Digest::of(it.as_bytes())),
        text: text.to_owned(),
    }
}

#[tokio::test]
async fn a_push_over_a_matrix_that_moved_is_refused() {
    let registry = Registry::start();
    let first = registry
        .send(Method::PUT, "matrix", &push(None, FIRST))
        .await;
    let first: MatrixPushed = answer(first).await.unwrap();
    assert_eq!(first.digest, Digest::of(FIRST.as_bytes()));
    let stale = registry
        .send(Method::PUT, "matrix", &push(None, SECOND))
        .await;
    let stale = problem(stale).await;
    assert_eq!((stale.status, stale.code.as_str()), (409, "matrix-moved"));
    assert!(
        stale.detail.contains(&first.digest.prefixed()),
        "{}",
        stale.detail
    );
    let second = registry
        .send(Method::PUT, "matrix", &push(Some(FIRST), SECOND))
        .await;
    let second: MatrixPushed = answer(second).await.unwrap();
    assert_eq!(second.serial, 2);
    let again = registry
        .send(Method::PUT, "matrix", &push(Some(FIRST), SECOND))
        .await;
    let again: MatrixPushed = answer(again).await.unwrap();
    assert_eq!(again.serial, 2, "a retry changes nothing");
    let served = registry.get("versions.toml").await;
    assert_eq!(header(&served, "content-type"), "application/toml");
    assert_eq!(served.text().await.unwrap(), SECOND);
}

#[tokio::test]
async fn a_matrix_with_errors_is_refused_with_their_lines() {
    let registry = Registry::start();
    let bad = "[compatibility.core]\n\"3.1\" = { platform = \"^2.3\" }\n";
    let refused = registry.send(Method::PUT, "matrix", &push(None, bad)).await;
    let refused = problem(refused).await;
    assert_eq!(
        (refused.status, refused.code.as_str()),
        (422, "matrix-invalid")
    );
    assert!(
        refused.causes[0].starts_with("versions.toml:2:"),
        "{:?}",
        refused.causes
    );
    assert_eq!(registry.get("versions.toml").await.status(), 404);
}
