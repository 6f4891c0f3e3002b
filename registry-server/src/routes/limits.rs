//! `GET /api/v1/me/limits`: how often and how much the one who asks may.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Extension, Json};
use provisioning_package::ARCHIVE_BYTES_MAX;
use provisioning_registry_api::operation::OwnLimits;

use super::body::JSON_BYTES_MAX;
use crate::app::App;
use crate::listener::ClientAddress;

/// Answers for the token that is shown, or for the address.
pub(crate) async fn own(
    State(app): State<App>,
    Extension(address): Extension<ClientAddress>,
    headers: HeaderMap,
) -> Json<OwnLimits> {
    Json(OwnLimits {
        rates: app.limiters.status(&headers, address.0),
        archive_bytes_max: ARCHIVE_BYTES_MAX,
        json_bytes_max: JSON_BYTES_MAX as u64,
    })
}
