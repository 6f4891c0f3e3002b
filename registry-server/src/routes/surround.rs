//! What happens around every request: an identifier, a caught panic, problem documents, a
//! line in the log.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use provisioning_registry_api::problem::Problem;

use crate::problem::{Code, Refusal};
use crate::random::random_hex;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Characters of a path that a line of the log shows.
const LOGGED_PATH_MAX: usize = 256;

/// Runs a request inside everything that all of them share.
pub(crate) async fn surround(mut request: Request, next: Next) -> Response {
    let id = random_hex::<8>();
    let started = Instant::now();
    if request.method() != Method::GET {
        // RFC 9110 section 14.2: ranges are for GET alone, and handlers answer HEAD too.
        request.headers_mut().remove(header::RANGE);
    }
    let method = request.method().clone();
    let is_api = request.uri().path().starts_with("/api/");
    let path: String = request.uri().path().chars().take(LOGGED_PATH_MAX).collect();
    let mut response =
        if let Ok(response) = AssertUnwindSafe(next.run(request)).catch_unwind().await {
            response
        } else {
            tracing::error!(request.id = id, "request {id} panicked");
            Refusal::new(Code::Internal, "the registry failed; its log says why").into_response()
        };
    if is_bare_error(&response) {
        // The framework refused before any handler ran: a path that is not UTF-8, say.
        response = bare_refusal(response.status()).into_response();
    }
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        write_problem(&mut response, problem, &id);
    }
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if is_api && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    let status = response.status().as_u16();
    let took = started.elapsed().as_millis();
    if status >= 500 {
        tracing::error!(request.id = id, "{id} {method} {path} {status} {took} ms");
    } else {
        tracing::debug!(request.id = id, "{id} {method} {path} {status} {took} ms");
    }
    response
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
