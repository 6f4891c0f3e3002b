//! The route table: every path, its method, the action that it needs, and its handler.
//!
//! A route cannot be added without naming its action, and no handler runs before
//! [`crate::rules::access::decide`] allowed it.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::app::App;
use crate::problem::{Code, Refusal};
use crate::routes::{
    authorise, bundles, discovery, download, files, front, health, matrix, named, reviews, search,
    sessions, settings, surround, uploads, versions, yank,
};
use crate::rules::access::Action;

/// One line of the table.
pub struct Route {
    /// The method; a `GET` route answers `HEAD` too.
    pub method: Method,
    /// The path, in axum's syntax.
    pub path: &'static str,
    /// What the one who asks must be allowed to do.
    pub action: Action,
    handler: MethodRouter<App>,
}

/// Every route of the registry.
pub fn table() -> Vec<Route> {
    [reading(), publishing(), administration()]
        .into_iter()
        .flatten()
        .collect()
}

/// What everyone reads.
fn reading() -> Vec<Route> {
    vec![
        get("/", front::root),
        get("/livez", health::live),
        get("/readyz", health::ready),
        get("/.well-known/provisioning-registry.json", discovery::show),
        get("/metadata/{file}", files::metadata),
        get("/targets/{*path}", files::target),
        get("/archives/sha256/{hex}", files::archive),
        get("/dl/{kind}/{name}/{version}/{target}", download::redirect),
        get("/index/{kind}/{file}", named::index_entry),
        get("/versions.toml", named::matrix),
        get("/channels.json", named::channels),
        get("/bundles/{file}", named::bundle),
        get("/install.sh", named::install_sh),
        get("/core", named::core_sh),
        get("/install.ps1", named::install_ps1),
        get("/install.nu", named::install_nu),
        get("/api/v1/search", search::search),
        get("/api/v1/packages/{kind}/{name}/versions", versions::list),
    ]
}

/// Sessions, versions, matrix and bundles.
fn publishing() -> Vec<Route> {
    vec![
        post("/api/v1/sessions", Action::Publish, sessions::open),
        Route {
            action: Action::Publish,
            ..get("/api/v1/sessions/{id}", sessions::show)
        },
        put(
            "/api/v1/sessions/{id}/archives/{hex}",
            Action::Publish,
            uploads::put,
        ),
        Route {
            action: Action::Publish,
            ..get("/api/v1/sessions/{id}/archives/{hex}", uploads::offset)
        },
        patch(
            "/api/v1/sessions/{id}/archives/{hex}",
            Action::Publish,
            uploads::go_on,
        ),
        post(
            "/api/v1/sessions/{id}/finalize",
            Action::Publish,
            sessions::finalize,
        ),
        delete("/api/v1/sessions/{id}", Action::Publish, sessions::abandon),
        post(
            "/api/v1/sessions/{id}/review",
            Action::Moderate,
            reviews::review,
        ),
        put(
            "/api/v1/packages/{kind}/{name}/versions/{version}/yank",
            Action::Yank,
            yank::yank,
        ),
        delete(
            "/api/v1/packages/{kind}/{name}/versions/{version}/yank",
            Action::Yank,
            yank::unyank,
        ),
        put("/api/v1/matrix", Action::PushMatrix, matrix::push),
        post(
            "/api/v1/bundles/{name}",
            Action::PublishBundle,
            bundles::publish,
        ),
    ]
}

/// What moderators and administrators do.
fn administration() -> Vec<Route> {
    vec![
        Route {
            action: Action::Moderate,
            ..get("/api/v1/reviews", reviews::list)
        },
        Route {
            action: Action::Administer,
            ..get("/api/v1/settings", settings::show)
        },
        put("/api/v1/settings/{name}", Action::Administer, settings::put),
    ]
}

/// The table as a service.
pub(crate) fn router(app: &App) -> Router {
    let mut router = Router::new();
    for route in table() {
        let gate = from_fn_with_state((app.clone(), route.action), authorise::authorise);
        router = router.route(route.path, route.handler.route_layer(gate));
    }
    router
        .fallback(async || Refusal::new(Code::NotFound, "this registry has nothing at that path"))
        .method_not_allowed_fallback(async || {
            Refusal::new(Code::MethodNotAllowed, "that path takes another method")
        })
        .layer(from_fn(surround::surround))
        .with_state(app.clone())
}

fn get<T: 'static>(path: &'static str, handler: impl Handler<T, App>) -> Route {
    Route {
        method: Method::GET,
        path,
        action: Action::Read,
        handler: on(MethodFilter::GET, handler),
    }
}

fn post<T: 'static>(path: &'static str, action: Action, handler: impl Handler<T, App>) -> Route {
    Route {
        method: Method::POST,
        path,
        action,
        handler: on(MethodFilter::POST, handler),
    }
}

fn put<T: 'static>(path: &'static str, action: Action, handler: impl Handler<T, App>) -> Route {
    Route {
        method: Method::PUT,
        path,
        action,
        handler: on(MethodFilter::PUT, handler),
    }
}

fn delete<T: 'static>(path: &'static str, action: Action, handler: impl Handler<T, App>) -> Route {
    Route {
        method: Method::DELETE,
        path,
        action,
        handler: on(MethodFilter::DELETE, handler),
    }
}

fn patch<T: 'static>(path: &'static str, action: Action, handler: impl Handler<T, App>) -> Route {
    Route {
        method: Method::PATCH,
        path,
        action,
        handler: on(MethodFilter::PATCH, handler),
    }
}
