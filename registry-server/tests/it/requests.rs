//! Requests at the edges of HTTP: odd paths, ranges, spellings.

use provisioning_registry_api::problem::Problem;
use reqwest::Method;

use crate::registry::{Registry, archive, header, problem};

#[tokio::test]
async fn paths_that_no_file_can_have_are_refused_as_problems() {
    let registry = Registry::start();
    for path in [
        "archives/sha256/%ff",
        "metadata/%ff",
        "targets/%ff",
        "index/core/%ff.json",
        "bundles/%ff",
        "dl/%ff/a/b/c",
    ] {
        let answer = registry.get_raw(path);
        assert!(answer.starts_with("HTTP/1.1 400"), "{path}: {answer}");
        assert!(answer.contains("\"code\":\"bad-request\""), "{path}");
        assert!(answer.contains("application/problem+json"), "{path}");
        assert!(answer.contains("no-store"), "{path}");
    }
    let long = format!("metadata/{}", "a".repeat(300));
    assert_eq!(problem(registry.get(&long).await).await.code, "not-found");
    let digest = "0".repeat(64);
    let long = format!("targets/{digest}.{}", "a".repeat(300));
    assert_eq!(problem(registry.get(&long).await).await.code, "not-found");
}

#[tokio::test]
async fn ranges_are_honoured_wherever_they_are_offered() {
    let registry = Registry::start();
    for path in ["metadata/1.root.json", "install.sh", "channels.json"] {
        let whole = registry.get(path).await;
        assert_eq!(header(&whole, "accept-ranges"), "bytes");
        let whole = whole.bytes().await.unwrap();
        let part = registry.get_with(path, "range", "BYTES=2-5").await;
        assert_eq!(part.status(), 206, "{path}");
        assert_eq!(
            header(&part, "content-range"),
            format!("bytes 2-5/{}", whole.len())
        );
        assert_eq!(part.bytes().await.unwrap(), whole[2..=5], "{path}");
        let outside = registry.get_with(path, "range", "bytes=999999-").await;
        assert_eq!(problem(outside).await.code, "range-not-satisfiable");
        let url = format!("{}/{path}", registry.base);
        let head = registry
            .http
            .request(Method::HEAD, url)
            .header("range", "bytes=2-5");
        let head = head.send().await.unwrap();
        assert_eq!(head.status(), 200, "ranges are for GET: {path}");
        assert_eq!(header(&head, "content-length"), whole.len().to_string());
    }
}

#[tokio::test]
async fn packages_are_found_by_their_full_names_too() {
    let registry = Registry::start();
    for spec in ["redis@1.0.0", "core@1.0.0", "workspace@1.0.0"] {
        registry.publish(spec, &[archive(spec, "x")]).await.unwrap();
    }
    for path in [
        "index/extension/provisioning-ext-redis.json",
        "index/extension/redis-taskserv.json",
        "index/core/provisioning-core.json",
        "index/workspace/provisioning-templates.json",
    ] {
        assert_eq!(registry.get(path).await.status(), 200, "{path}");
    }
    for path in [
        "dl/core/provisioning-core/1.0.0/any",
        "dl/extension/redis-taskserv/1.0.0/any",
    ] {
        assert_eq!(registry.get(path).await.status(), 302, "{path}");
    }
}

#[tokio::test]
async fn questions_with_control_characters_are_refused_by_every_database() {
    let registry = Registry::start();
    let found = registry.get("api/v1/search?q=%00").await;
    assert_eq!(problem(found).await.code, "bad-request");
    let url = format!("{}/api/v1/sessions/%00", registry.base);
    let shown = registry.http.get(url).bearer_auth(registry.admin());
    let shown = shown.send().await.unwrap();
    assert_eq!(problem(shown).await.code, "session-unknown");
}

#[test]
fn heads_that_cannot_be_read_are_refused_as_problems_too() {
    let registry = Registry::start();
    let long = "x".repeat(100_000);
    let many = "x-a: 1\r\n".repeat(200);
    for (head, status, code) in [
        ("nonsense\r\n\r\n".to_owned(), 400, "bad-request"),
        (
            format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"),
            414,
            "uri-too-long",
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: x\r\nx-a: {long}{long}\r\n\r\n"),
            431,
            "head-too-large",
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n"),
            431,
            "head-too-large",
        ),
    ] {
        let answer = registry.say(&head);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("application/problem+json"), "{answer}");
        let problem: Problem = serde_json::from_str(body).unwrap();
        assert_eq!((problem.status, problem.code.as_str()), (status, code));
    }
}
