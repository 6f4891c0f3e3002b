//! The route table, walked with every sort of principal.

use provisioning_registry_server::{Action, Scope, table};
use reqwest::header::CONTENT_TYPE;

use crate::registry::{Registry, problem};

/// A false token at each route is more than an address may try in a minute.
const UNLIMITED: [&str; 2] = ["--rate-limit", "login=off,read=off,write=off"];

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
        .replace("{namespace}", "core")
        .replace("{switch}", "read-only")
        .replace(['{', '}'], "")
}

/// A scope that an action does not take; `None` where any good token will do.
const fn other_scope(action: Action) -> Option<Scope> {
    match action {
        Action::Read | Action::Exchange | Action::OwnAccount => None,
        Action::Publish
        | Action::PublishVersion
        | Action::PublishNew
        | Action::ReadSession
        | Action::Describe
        | Action::TrustPublisher
        | Action::ChangeOwners
        | Action::ChangeTeam
        | Action::Yank => Some(Scope::Bundles),
        Action::PushMatrix
        | Action::PublishBundle
        | Action::PromoteBundle
        | Action::ManageTesters
        | Action::Moderate
        | Action::DeleteVersion
        | Action::MakeOwn
        | Action::Administer => Some(Scope::Publish),
        Action::SignRelease | Action::SubmitEvidence | Action::CommentUpdate => Some(Scope::Yank),
    }
}

/// Whether a user who has no role anywhere is let to the handler: nothing of others is
/// named by the path, or the handler asks about what the request's content names.
const fn is_open_to_users(action: Action) -> bool {
    matches!(
        action,
        Action::OwnAccount
            | Action::MakeOwn
            | Action::Publish
            | Action::PublishNew
            | Action::PublishVersion
            | Action::ReadSession
            | Action::SubmitEvidence
            | Action::CommentUpdate
    )
}

const fn is_open(action: Action) -> bool {
    matches!(action, Action::Read | Action::Exchange)
}

fn run(registry: &Registry, arguments: &[&str]) -> String {
    let made = registry.command(arguments);
    let errors = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

fn token(registry: &Registry, scope: &str) -> String {
    run(
        registry,
        &["token", "create", "--name", "t", "--scope", scope],
    )
}

#[tokio::test]
async fn every_route_refuses_whoever_its_action_is_not_for() {
    let registry = Registry::start_in(tempfile::tempdir().unwrap(), &UNLIMITED);
    run(&registry, &["user", "add", "nobody"]);
    run(&registry, &["user", "add", "gone"]);
    let nobody = run(&registry, &["user", "token", "nobody", "--scope", "admin"]);
    let gone = run(&registry, &["user", "token", "gone", "--scope", "admin"]);
    run(&registry, &["user", "disable", "gone"]);
    let bound = ["--scope", "admin", "--bind", "valkey@1.0.0"];
    let bound = run(
        &registry,
        &[&["token", "create", "--name", "b"], &bound[..]].concat(),
    );
    let limited = token(&registry, "admin:valkey");
    for route in table() {
        let url = format!("{}{}", registry.base, filled(route.path));
        let ask = async |token: Option<&str>| {
            let request = registry.http.request(route.method.clone(), &url);
            let request = request.header(CONTENT_TYPE, "application/json").body("{}");
            let request = match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            };
            request.send().await.unwrap()
        };
        let code = async |token: &str| {
            let answer = ask(Some(token)).await;
            if answer.status().is_success() {
                return String::new();
            }
            problem(answer).await.code
        };
        let label = format!("{} {}", route.method, route.path);
        let stranger = ask(None).await;
        if is_open(route.action) {
            let status = stranger.status().as_u16();
            assert!(![401, 403, 500].contains(&status), "{label}");
            continue;
        }
        assert_eq!(problem(stranger).await.code, "token-missing", "{label}");
        assert_eq!(code("prv_nonsense").await, "token-invalid", "{label}");
        if let Some(other) = other_scope(route.action) {
            let other = token(&registry, other.as_str());
            assert_eq!(code(&other).await, "scope-missing", "{label}");
        }
        assert_eq!(code(&gone).await, "user-disabled", "{label}");
        let of_nobody = code(&nobody).await;
        let is_refused = of_nobody == "role-missing";
        assert_eq!(
            is_refused,
            !is_open_to_users(route.action),
            "{label} {of_nobody}"
        );
        if !is_open_to_users(route.action) {
            assert_eq!(code(&limited).await, "pattern-missing", "{label}");
            assert_eq!(code(&bound).await, "token-bound", "{label}");
        }
        let admin = ask(Some(&registry.admin())).await;
        let status = admin.status().as_u16();
        let is_nobodys = status == 403 && problem(admin).await.code == "no-user";
        assert!(is_nobodys || ![401, 403, 500].contains(&status), "{label}");
    }
}

#[test]
fn only_reading_is_open_and_only_get_reads() {
    for route in table() {
        let is_read = route.action == Action::Read;
        assert!(
            !is_read || route.method == reqwest::Method::GET,
            "{}",
            route.path
        );
        assert!(
            is_read || route.path.starts_with("/api/v1/") || route.path == "/metrics",
            "{}",
            route.path
        );
    }
}
