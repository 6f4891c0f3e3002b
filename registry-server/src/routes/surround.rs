//! What happens around every request: an identifier, a caught panic, problem documents, a
//! span and a line in the log, a count.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use provisioning_registry_api::problem::Problem;
use tracing::{Instrument as _, Span, field};

use crate::app::App;
use crate::listener::{ClientAddress, Peer};
use crate::problem::{Code, Refusal};
use crate::random::random_hex;
use crate::rules::client_address::client_address;
use crate::rules::request_id::is_acceptable;
use crate::{tracing_context, watch};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Characters of a path that a line of the log shows.
const LOGGED_PATH_MAX: usize = 256;

/// Runs a request inside everything that all of them share.
pub(crate) async fn surround(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let started = Instant::now();
    if request.method() != Method::GET {
        // RFC 9110 section 14.2: ranges are for GET alone, and handlers answer HEAD too.
        request.headers_mut().remove(header::RANGE);
    }
    let client = client(&app, &request);
    request.extensions_mut().insert(ClientAddress(client));
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "none".to_owned(), |it| it.as_str().to_owned());
    let is_api = request.uri().path().starts_with("/api/");
    let span = span(&request, &id, &route, client);
    let mut response = caught(next.run(request).instrument(span.clone()), &id).await;
    finish(&mut response, &id);
    if is_api {
        let headers = response.headers_mut();
        headers
            .entry(header::CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
    }
    let status = response.status().as_u16();
    span.record("http.response.status_code", status);
    let took = started.elapsed();
    watch::count(&method, &route, status, took);
    let took = took.as_millis();
    span.in_scope(|| {
        if status >= 500 {
            span.record("otel.status_code", "ERROR");
            tracing::error!("{method} {route} {status} {took} ms");
        } else if is_api && method != Method::GET && method != Method::HEAD {
            tracing::info!("{method} {route} {status} {took} ms");
        } else {
            tracing::debug!("{method} {route} {status} {took} ms");
        }
    });
    response
}

/// The same for a listener that is not for everyone: no span, no count.
pub(crate) async fn plain(request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let mut response = caught(next.run(request), &id).await;
    finish(&mut response, &id);
    response
}

/// The client's own name for the request, or a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|it| it.to_str().ok());
    match given {
        Some(given) if is_acceptable(given) => given.to_owned(),
        Some(_) | None => random_hex::<8>(),
    }
}

fn client(app: &App, request: &Request) -> IpAddr {
    let peer = request.extensions().get::<Peer>();
    let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |it| it.0);
    let forwarded: Vec<&str> = request
        .headers()
        .get_all(FORWARDED_FOR)
        .iter()
        .filter_map(|it| it.to_str().ok())
        .collect();
    client_address(peer, forwarded.into_iter(), &app.trusted_proxies)
}

/// What the log and a trace say about the request. No header and no query is in it: those
/// may carry secrets.
fn span(request: &Request, id: &str, route: &str, client: IpAddr) -> Span {
    let path: String = request.uri().path().chars().take(LOGGED_PATH_MAX).collect();
    let method = request.method().as_str();
    macro_rules! span {
        ($level:ident) => {
            tracing::span!(
                tracing::Level::$level,
                "request",
                request.id = id,
                http.request.method = method,
                http.route = route,
                url.path = path,
                client.address = %client,
                http.response.status_code = field::Empty,
                otel.name = format!("{method} {route}"),
                otel.kind = "server",
                otel.status_code = field::Empty,
            )
        };
    }
    // Static files are many, and tell little.
    let span = if path.starts_with("/api/") {
        span!(INFO)
    } else {
        span!(DEBUG)
    };
    tracing_context::follow(&span, request.headers());
    span
}

async fn caught(answer: impl Future<Output = Response>, id: &str) -> Response {
    if let Ok(response) = AssertUnwindSafe(answer).catch_unwind().await {
        return response;
    }
    tracing::error!(request.id = id, "request {id} panicked");
    Refusal::new(Code::Internal, "the registry failed; its log says why").into_response()
}

/// Writes what every answer has.
fn finish(response: &mut Response, id: &str) {
    if is_bare_error(response) {
        // The framework refused before any handler ran: a path that is not UTF-8, say.
        *response = bare_refusal(response.status()).into_response();
    }
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        write_problem(response, problem, id);
    }
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, value);
    }
}

/// Whether an answer is an error that no code of ours wrote.
fn is_bare_error(response: &Response) -> bool {
    let status = response.status();
    (status.is_client_error() || status.is_server_error())
        && response.extensions().get::<Problem>().is_none()
}

fn bare_refusal(status: StatusCode) -> Refusal {
    if status.is_server_error() {
        return Refusal::new(Code::Internal, "the registry failed; its log says why");
    }
    match status {
        StatusCode::NOT_FOUND => Refusal::new(Code::NotFound, "this registry has nothing there"),
        _ => Refusal::new(
            Code::BadRequest,
            "the request's path or headers cannot be read: a path is UTF-8, percent-encoded",
        ),
    }
}

fn write_problem(response: &mut Response, mut problem: Problem, id: &str) {
    problem.request_id = Some(id.to_owned());
    let bytes = serde_json::to_vec(&problem).expect("a problem has string keys");
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, bytes.len().into());
    *response.body_mut() = Body::from(bytes);
}
