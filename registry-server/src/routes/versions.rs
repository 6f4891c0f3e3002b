//! `GET /api/v1/packages/{kind}/{name}/versions?core=…&target=…&pre=…&limit=…`: which
//! versions go with a core and a machine.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use provisioning_compat::{FitFor, VersionsToml, fittings};
use provisioning_package::{Target, Version};
use provisioning_registry_api::command::{PackageVersion, PackageVersions};
use provisioning_registry_api::openapi::{TargetText, VersionText};
use serde::Deserialize;
use utoipa::IntoParams;

use super::named::package;
use crate::app::App;
use crate::problem::{Code, Refusal, ServerError};

/// Versions in an answer without a `limit`, and with one.
const VERSIONS_DEFAULT: usize = 50;
const VERSIONS_MAX: usize = 1_000;

/// What versions are to go with.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Asked {
    /// The core that they are to fit.
    #[param(value_type = Option<VersionText>)]
    core: Option<Version>,
    /// The machine that they are to run on.
    #[param(value_type = Option<TargetText>)]
    target: Option<Target>,
    /// Pre-releases too.
    #[serde(default)]
    #[param(required = false)]
    pre: bool,
    /// At most so many versions.
    limit: Option<usize>,
}

/// Answers with the versions of a package, newest first, and why each does not fit.
pub(crate) async fn list(
    State(app): State<App>,
    Path((kind, name)): Path<(String, String)>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<PackageVersions>, ServerError> {
    let Query(asked) = asked.map_err(|error| Refusal::new(Code::BadRequest, error.body_text()))?;
    let entry = match package(&kind, &name) {
        Some(name) => app.db.index_entry(&name).await?,
        None => None,
    };
    let Some(entry) = entry else {
        let detail = format!("this registry has no {kind} `{name}`");
        return Err(Refusal::new(Code::NotFound, detail).into());
    };
    let text = app.db.matrix_text().await?.unwrap_or_default();
    // What does not parse was never let in.
    let matrix = VersionsToml::parse(&text, None).unwrap_or_default().matrix;
    let limit = asked.limit.unwrap_or(VERSIONS_DEFAULT).min(VERSIONS_MAX);
    let fit_for = FitFor {
        core: asked.core,
        target: asked.target,
        pre: asked.pre,
    };
    let fitting = fittings(&entry, &matrix, &fit_for);
    let newest_that_fits = fitting
        .iter()
        .find(|it| it.why_not.is_none())
        .map(|it| it.version.clone());
    let versions = fitting.into_iter().take(limit).filter_map(|it| {
        let known = entry.version(&it.version)?;
        Some(PackageVersion {
            version: it.version,
            published_at: known.published_at,
            fits: it.why_not.is_none(),
            reason: it.why_not,
            yanked: known.yanked.clone(),
            targets: known.archives.iter().map(|it| it.target).collect(),
        })
    });
    Ok(Json(PackageVersions {
        versions: versions.collect(),
        newest_that_fits,
        kind: entry.kind,
        name: entry.name.clone(),
    }))
}
