//! `GET /api/v1/openapi.json`: the registry's description of itself.

use std::sync::LazyLock;

use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use provisioning_package::Digest;

use super::serving::{Facts, Keep, bytes};
use crate::router::document;

static DOCUMENT: LazyLock<(Bytes, String)> = LazyLock::new(|| {
    let bytes = serde_json::to_vec(&document()).expect("the description has string keys");
    let tag = Digest::of(&bytes).hex();
    (bytes.into(), tag)
});

/// Answers with the OpenAPI document.
pub(crate) async fn openapi(asked: HeaderMap) -> Response {
    let (document, tag) = &*DOCUMENT;
    let facts = Facts {
        content_type: "application/json",
        tag,
        keep: Keep::Revalidate,
    };
    bytes(facts, &asked, document.clone())
}
