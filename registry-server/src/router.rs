//! The route table as a service.
//!
//! A route cannot be added without naming its action and describing itself, and no handler
//! runs before [`crate::rules::access::decide`] allowed it.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::app::App;
use crate::limits;
use crate::problem::{Code, Refusal};
use crate::routes::{authorise, surround, validate};
use crate::rules::access::Action;

mod doc;
mod openapi;
mod table;

pub(crate) use doc::{Doc, doc};
pub(crate) use openapi::document;

/// One line of the table.
pub struct Route {
    /// The method; a `GET` route answers `HEAD` too.
    pub method: Method,
    /// The path, in axum's syntax.
    pub path: &'static str,
    /// What the one who asks must be allowed to do.
    pub action: Action,
    doc: Doc,
    handler: MethodRouter<App>,
}

/// Every route of the registry.
pub fn table() -> Vec<Route> {
    let mut table = table::reading();
    table.extend(table::publishing());
    table.extend(table::life());
    table.extend(table::identity());
    table.extend(table::releasing());
    table.extend(table::administration());
    table.extend(table::trust());
    table.extend(table::webhooks());
    table
}

/// The table as a service.
pub(crate) fn router(app: &App) -> Router {
    let mut router = Router::new();
    for route in table() {
        let gate = from_fn_with_state((app.clone(), route.action), authorise::authorise);
        let mut handler = route.handler;
        if is_validated(&route.method, route.path, route.action) {
            handler = handler.route_layer(from_fn(validate::validate));
        }
        router = router.route(route.path, handler.route_layer(gate));
    }
    router
        .fallback(async || Refusal::new(Code::NotFound, "this registry has nothing at that path"))
        .method_not_allowed_fallback(async || {
            Refusal::new(Code::MethodNotAllowed, "that path takes another method")
        })
        .layer(from_fn_with_state(app.clone(), limits::limit))
        .layer(from_fn_with_state(app.clone(), surround::surround))
        .with_state(app.clone())
}

/// Whether a route's answers carry an `ETag` of their own making.
fn is_validated(method: &Method, path: &str, action: Action) -> bool {
    *method == Method::GET && action == Action::Read && path.starts_with("/api/")
}

/// A route of `method`; the four below name the method.
fn route<T: 'static>(
    (method, filter): (Method, MethodFilter),
    path: &'static str,
    action: Action,
    handler: impl Handler<T, App>,
    doc: Doc,
) -> Route {
    Route {
        method,
        path,
        action,
        doc,
        handler: on(filter, handler),
    }
}

/// A route that everyone may read.
fn read<T: 'static>(path: &'static str, handler: impl Handler<T, App>, doc: Doc) -> Route {
    get(path, Action::Read, handler, doc)
}

fn get<T: 'static>(
    path: &'static str,
    action: Action,
    handler: impl Handler<T, App>,
    doc: Doc,
) -> Route {
    route((Method::GET, MethodFilter::GET), path, action, handler, doc)
}

fn post<T: 'static>(
    path: &'static str,
    action: Action,
    handler: impl Handler<T, App>,
    doc: Doc,
) -> Route {
    route(
        (Method::POST, MethodFilter::POST),
        path,
        action,
        handler,
        doc,
    )
}

fn put<T: 'static>(
    path: &'static str,
    action: Action,
    handler: impl Handler<T, App>,
    doc: Doc,
) -> Route {
    route((Method::PUT, MethodFilter::PUT), path, action, handler, doc)
}

fn patch<T: 'static>(
    path: &'static str,
    action: Action,
    handler: impl Handler<T, App>,
    doc: Doc,
) -> Route {
    let method = (Method::PATCH, MethodFilter::PATCH);
    route(method, path, action, handler, doc)
}

fn delete<T: 'static>(
    path: &'static str,
    action: Action,
    handler: impl Handler<T, App>,
    doc: Doc,
) -> Route {
    let method = (Method::DELETE, MethodFilter::DELETE);
    route(method, path, action, handler, doc)
}
