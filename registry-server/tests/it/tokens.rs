//! Tokens: made beside a running server, limited by scope and time.

use std::os::unix::fs::PermissionsExt as _;

use provisioning_registry_api::session::{OpenSession, SessionStatus};
use reqwest::Method;

use crate::registry::{Registry, answer, archive, declared, problem};

fn make(registry: &Registry, arguments: &[&str]) -> String {
    let mut all = vec!["token", "create", "--name", "ci"];
    all.extend(arguments);
    let made = registry.command(&all);
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let text = String::from_utf8(made.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "the token alone");
    text.trim().to_owned()
}

#[tokio::test]
async fn a_token_made_beside_a_running_server_works_at_once() {
    let registry = Registry::start();
    let token = make(&registry, &["--scope", "publish-new"]);
    let open = OpenSession {
        versions: vec![declared("redis@1.0.0", &[archive("redis@1.0.0", "x")])],
    };
    let opened = registry
        .send_as(&token, Method::POST, "sessions", &open)
        .await;
    answer::<SessionStatus>(opened).await.unwrap();
}

#[tokio::test]
async fn new_names_and_new_versions_need_scopes_of_their_own() {
    let registry = Registry::start();
    let versions_only = make(&registry, &["--scope", "publish"]);
    let open = OpenSession {
        versions: vec![declared("redis@1.0.0", &[archive("redis@1.0.0", "x")])],
    };
    let refused = registry
        .send_as(&versions_only, Method::POST, "sessions", &open)
        .await;
    let refused = problem(refused).await;
    assert_eq!(refused.code, "scope-missing");
    assert!(refused.detail.contains("publish-new"), "{}", refused.detail);
    let redis = archive("redis@1.0.0", "x");
    registry.publish("redis@1.0.0", &[redis]).await.unwrap();
    let open = OpenSession {
        versions: vec![declared("redis@1.1.0", &[archive("redis@1.1.0", "x")])],
    };
    let opened = registry
        .send_as(&versions_only, Method::POST, "sessions", &open)
        .await;
    answer::<SessionStatus>(opened).await.unwrap();
    let names_only = make(&registry, &["--scope", "publish-new"]);
    let refused = registry
        .send_as(&names_only, Method::POST, "sessions", &open)
        .await;
    assert_eq!(problem(refused).await.code, "scope-missing");
}

#[tokio::test]
async fn expiry_is_read_in_several_forms_and_must_lie_ahead() {
    let registry = Registry::start();
    for good in ["90d", "2099-01-31", "2099-01-31T00:00:00Z", "12h"] {
        make(&registry, &["--scope", "publish,yank", "--expires", good]);
    }
    for bad in ["2020-01-01", "-1d", "soon", "0d"] {
        let expires = format!("--expires={bad}");
        let made = registry.command(&[
            "token", "create", "--name", "x", "--scope", "yank", &expires,
        ]);
        assert!(!made.status.success(), "{bad}");
        assert!(made.stdout.is_empty(), "{bad}");
    }
    let made = registry.command(&["token", "create", "--name", "x", "--scope", "everything"]);
    assert_eq!(made.status.code(), Some(2));
}

#[tokio::test]
async fn secrets_are_readable_by_their_owner_alone_and_not_in_the_database() {
    let registry = Registry::start();
    let token = make(&registry, &["--scope", "publish"]);
    let mode = |path: &str| {
        let facts = std::fs::metadata(registry.file(path)).unwrap();
        facts.permissions().mode() & 0o777
    };
    assert_eq!(mode("admin-token"), 0o600);
    for key in std::fs::read_dir(registry.file("keys")).unwrap() {
        let key = key.unwrap().metadata().unwrap();
        assert_eq!(key.permissions().mode() & 0o077, 0);
    }
    for file in ["registry.sqlite", "registry.sqlite-wal"] {
        let Ok(bytes) = std::fs::read(registry.file(file)) else {
            continue;
        };
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(&token) && !text.contains(&registry.admin()));
    }
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_is_refused() {
    let registry = Registry::start();
    let second = registry.command(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(!second.status.success());
    let text = String::from_utf8_lossy(&second.stderr);
    assert!(text.contains("another"), "{text}");
}
