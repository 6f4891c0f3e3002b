//! `GET /api/v1/search?q=…&kind=…&limit=…`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use provisioning_package::Kind;
use provisioning_registry_api::command::{SearchResult, SearchResults};
use provisioning_registry_api::openapi::KindText;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::problem::{Code, Refusal, ServerError};
use crate::read_side::newest;
use crate::rules::text::{self, TITLE_CHARS_MAX};

/// Results without a `limit`, and with one.
const RESULTS_DEFAULT: u64 = 50;
const RESULTS_MAX: u64 = 200;

/// What a search asks for.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Asked {
    /// What to look for; everything where empty.
    #[serde(default)]
    #[param(required = false)]
    q: String,
    /// Only packages of this kind.
    #[param(value_type = Option<KindText>)]
    kind: Option<Kind>,
    /// At most so many results.
    limit: Option<u64>,
}

/// Answers with the packages that a text finds, best first.
pub(crate) async fn search(
    State(app): State<App>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<SearchResults>, ServerError> {
    let Query(asked) = asked.map_err(|error| Refusal::new(Code::BadRequest, error.body_text()))?;
    text::check(Code::BadRequest, "q", &asked.q, TITLE_CHARS_MAX)?;
    let limit = asked.limit.unwrap_or(RESULTS_DEFAULT).min(RESULTS_MAX);
    let found = app.db.search(asked.q.trim(), asked.kind, limit).await?;
    let mut packages = Vec::with_capacity(found.len());
    for entry in found {
        let versions = app.db.index_versions(&entry.name).await?;
        packages.push(SearchResult {
            kind: entry.kind,
            extension_type: entry.extension_type,
            description: entry.description,
            newest: newest(&versions).map(|it| it.version.clone()),
            state: entry.status.state,
            name: entry.name,
        });
    }
    Ok(Json(SearchResults { packages }))
}
