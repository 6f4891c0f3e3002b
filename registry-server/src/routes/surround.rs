//! What happens around every request: an identifier, a caught panic, problem documents, a
//! line in the log.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use provisioning_registry_api::problem::Problem;

use crate::problem::{Code, Refusal};
use crate::random::random_hex;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Runs a request inside everything that all of them share.
pub(crate) async fn surround(request: Request, next: Next) -> Response {
    let id = random_hex::<8>();
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let mut response =
        if let Ok(response) = AssertUnwindSafe(next.run(request)).catch_unwind().await {
            response
        } else {
            tracing::error!(request.id = id, "request {id} panicked");
            Refusal::new(Code::Internal, "the registry failed; its log says why").into_response()
        };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        write_problem(&mut response, problem, &id);
    }
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if path.starts_with("/api/") {
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

fn write_problem(response: &mut Response, mut problem: Problem, id: &str) {
    problem.request_id = Some(id.to_owned());
    let bytes = serde_json::to_vec(&problem).expect("a problem has string keys");
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, bytes.len().into());
    *response.body_mut() = Body::from(bytes);
}
