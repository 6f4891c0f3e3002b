//! `GET /api/v1/packages/{kind}/{name}/downloads`: how often a package was asked for.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use provisioning_package::Version;
use provisioning_registry_api::command::{DayDownloads, PackageDownloads, VersionDownloads};
use serde::Deserialize;
use utoipa::IntoParams;

use super::named::package;
use crate::app::App;
use crate::db::parsed;
use crate::downloads::days_before;
use crate::problem::{Code, Refusal, ServerError};

/// Days without a `days`, and with one.
pub(crate) const DAYS_DEFAULT: u32 = 90;
const DAYS_MAX: u32 = 3_650;

/// What a reader asks for.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Asked {
    /// How many days back, today included.
    days: Option<u32>,
}

/// The downloads of a package by version and by day.
pub(crate) async fn show(
    State(app): State<App>,
    Path((kind, name)): Path<(String, String)>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<PackageDownloads>, ServerError> {
    let Query(asked) = asked.map_err(|error| Refusal::new(Code::BadRequest, error.body_text()))?;
    let unknown = || {
        let detail = format!("this registry has no {kind} `{name}`");
        Refusal::new(Code::NotFound, detail)
    };
    let package = package(&kind, &name).ok_or_else(unknown)?;
    if !app.db.has_package(&package).await? {
        return Err(unknown().into());
    }
    let days = asked.days.unwrap_or(DAYS_DEFAULT).clamp(1, DAYS_MAX);
    let since = days_before(app.now(), days - 1);
    let mut by_version = BTreeMap::<Version, u64>::new();
    let mut by_day = BTreeMap::<String, u64>::new();
    for row in app.db.downloads(&package, &since).await? {
        *by_version
            .entry(parsed(&row.version, "a version")?)
            .or_default() += row.count;
        *by_day.entry(row.day).or_default() += row.count;
    }
    Ok(Json(PackageDownloads {
        total: by_day.values().sum(),
        versions: by_version
            .into_iter()
            .rev()
            .map(|(version, count)| VersionDownloads { version, count })
            .collect(),
        days: by_day
            .into_iter()
            .map(|(day, count)| {
                Ok(DayDownloads {
                    day: parsed(&day, "a date")?,
                    count,
                })
            })
            .collect::<Result<_, ServerError>>()?,
        name: package,
    }))
}
