//! `GET /.well-known/provisioning-registry.json`: where everything is.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use provisioning_package::Digest;
use provisioning_registry_api::paths;

use super::serving::{Facts, Keep, bytes};
use crate::app::App;

/// Answers with the discovery document.
pub(crate) async fn show(State(app): State<App>, asked: HeaderMap) -> Response {
    let document = serde_json::to_vec(&app.read_side.discovery(Some(paths::API)))
        .expect("the discovery document has string keys");
    let facts = Facts {
        content_type: "application/json",
        tag: &Digest::of(&document).hex(),
        keep: Keep::Minute,
    };
    bytes(facts, &asked, document.into())
}
