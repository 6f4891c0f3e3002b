//! `ETag` and 304 for answers that are made rather than stored: who asks again for what has
//! not changed is not sent it again.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use hyper::body::Body as _;
use provisioning_package::Digest;

use super::serving::is_known;

/// Answers that are larger are sent without a validator.
const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The layer around questions that everyone may ask.
pub(crate) async fn validate(request: Request, next: Next) -> Response {
    let asked: HeaderMap = request
        .headers()
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .map(|it| (header::IF_NONE_MATCH, it.clone()))
        .collect();
    let response = next.run(request).await;
    if response.status() != StatusCode::OK || response.headers().contains_key(header::ETAG) {
        return response;
    }
    // A stream of events has no size, and no end.
    match response.body().size_hint().exact() {
        Some(length) if length <= BYTES_MAX => tagged(response, &asked).await,
        Some(_) | None => response,
    }
}

async fn tagged(response: Response, asked: &HeaderMap) -> Response {
    let (mut parts, body) = response.into_parts();
    let limit = usize::try_from(BYTES_MAX).unwrap_or(usize::MAX);
    let Ok(bytes) = to_bytes(body, limit).await else {
        // It was in memory: there is nothing that could fail.
        return Response::from_parts(parts, Body::empty());
    };
    let tag = Digest::of(&bytes).hex();
    if let Ok(value) = HeaderValue::from_str(&format!("\"{tag}\"")) {
        parts.headers.insert(header::ETAG, value);
    }
    parts
        .headers
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if is_known(asked, &tag) {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_LENGTH);
        parts.headers.remove(header::CONTENT_TYPE);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}
