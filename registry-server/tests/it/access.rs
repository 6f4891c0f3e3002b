//! The route table, walked with every sort of principal.

use provisioning_registry_server::{Action, Scope, table};
use reqwest::header::CONTENT_TYPE;

use crate::registry::{Registry, problem};

/// A path of the table with its parameters filled in.
fn filled(path: &str) -> String {
    path.replace("{file}", "x.json")
        .replace("{*path}", "x")
        .replace("{hex}", &"0".repeat(64))
        .replace("{kind}", "core")
        .replace("{name}", "core")
        .replace("{version}", "1.0.0")
        .replace("{target}", "any")
        .replace("{id}", "0")
}

/// A scope that an action does not take.
const fn other_scope(action: Action) -> Scope {
    match action {
        Action::Read
        | Action::Publish
        | Action::PublishVersion
        | Action::PublishNew
        | Action::Yank => Scope::Bundles,
        Action::PushMatrix | Action::PublishBundle | Action::Moderate | Action::Administer => {
            Scope::Publish
        }
    }
}

fn token(registry: &Registry, scope: Scope) -> String {
    let made = registry.command(&["token", "create", "--name", "t", "--scope", scope.as_str()]);
    assert!(made.status.success());
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn every_route_refuses_strangers_and_tokens_for_other_things() {
    let registry = Registry::start();
    for route in table() {
        let url = format!("{}{}", registry.base, filled(route.path));
        let ask = |token: Option<String>| {
            let request = registry.http.request(route.method.clone(), &url);
            let request = request.header(CONTENT_TYPE, "application/json").body("{}");
            match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            }
        };
        let label = format!("{} {}", route.method, route.path);
        let stranger = ask(None).send().await.unwrap();
        if route.action == Action::Read {
            assert!(
                ![401, 403, 500].contains(&stranger.status().as_u16()),
                "{label}"
            );
            continue;
        }
        assert_eq!(problem(stranger).await.code, "token-missing", "{label}");
        let forged = ask(Some("prv_nonsense".to_owned())).send().await.unwrap();
        assert_eq!(problem(forged).await.code, "token-invalid", "{label}");
        let other = token(&registry, other_scope(route.action));
        let other = ask(Some(other)).send().await.unwrap();
        assert_eq!(problem(other).await.code, "scope-missing", "{label}");
        let admin = ask(Some(registry.admin())).send().await.unwrap();
        assert!(
            ![401, 403, 500].contains(&admin.status().as_u16()),
            "{label}"
        );
    }
}

#[test]
fn only_reading_is_open_and_only_get_reads() {
    for route in table() {
        let is_open = route.action == Action::Read;
        assert!(
            !is_open || route.method == reqwest::Method::GET,
            "{}",
            route.path
        );
        assert!(
            is_open || route.path.starts_with("/api/v1/"),
            "{}",
            route.path
        );
    }
}
