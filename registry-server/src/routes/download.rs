//! `GET /dl/{kind}/{name}/{version}/{target}`: an archive by name, for people and scripts.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use provisioning_package::{PackageName, Target, Version};
use provisioning_registry_api::index::IndexEntry;
use provisioning_registry_api::paths;

use super::named::package;
use crate::app::App;
use crate::problem::{Code, Refusal, ServerError};

/// Redirects to the archive's place by digest.
pub(crate) async fn redirect(
    State(app): State<App>,
    Path((kind, name, version, target)): Path<(String, String, String, String)>,
) -> Result<Response, ServerError> {
    let nothing = || {
        Refusal::new(
            Code::NotFound,
            format!("there is no archive of {kind} `{name}@{version}` for `{target}`"),
        )
    };
    let package = package(&kind, &name).ok_or_else(nothing)?;
    let wanted: Version = version.parse().map_err(|_| nothing())?;
    let machine: Target = target.parse().map_err(|_| nothing())?;
    let entry = entry(&app, &package).await?.ok_or_else(nothing)?;
    let archive = entry
        .version(&wanted)
        .and_then(|it| it.archive_for(machine))
        .ok_or_else(nothing)?;
    let location = format!("{}/{}", base_path(&app), paths::archive(&archive.digest));
    let location = HeaderValue::from_str(&location)
        .map_err(|_| ServerError::Failed("the public URL's path is no header text".to_owned()))?;
    let headers = [
        (header::LOCATION, location),
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("max-age=60"),
        ),
    ];
    Ok((StatusCode::FOUND, headers).into_response())
}

async fn entry(app: &App, name: &PackageName) -> Result<Option<IndexEntry>, ServerError> {
    let target = paths::index_target(name);
    let Some(found) = app.read_side.view().repository.target(&target) else {
        return Ok(None);
    };
    let file = paths::consistent(&target, &found.digest);
    let Some(bytes) = app
        .storage
        .read(&format!("{}{file}", paths::TARGETS))
        .await?
    else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| ServerError::Failed(format!("`{file}` is damaged: {error}")))
}

/// The path of the public URL, without its last slash: empty for most registries. The
/// `Host` header plays no part.
fn base_path(app: &App) -> &str {
    let url = app.read_side.public_url();
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    after_scheme
        .find('/')
        .map_or("", |start| &after_scheme[start..])
}
