//! The same files by plain name, for people and scripts: what the metadata lists now.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use provisioning_package::{BundleName, Kind, PackageName};
use provisioning_registry_api::paths;

use super::files::content_type;
use super::serving::{Facts, Keep, object};
use crate::app::App;
use crate::problem::{Code, Refusal, ServerError};
use crate::read_side::ScriptFacts;

/// `GET /index/{kind}/{name}.json`.
pub(crate) async fn index_entry(
    State(app): State<App>,
    Path((kind, file)): Path<(String, String)>,
    asked: HeaderMap,
) -> Result<Response, ServerError> {
    let name = file.strip_suffix(".json").unwrap_or_default();
    match package(&kind, name) {
        Some(name) => listed(&app, &paths::index_target(&name), &asked).await,
        None => Err(nothing(&file)),
    }
}

/// `GET /versions.toml`.
pub(crate) async fn matrix(
    State(app): State<App>,
    asked: HeaderMap,
) -> Result<Response, ServerError> {
    listed(&app, paths::MATRIX_TARGET, &asked).await
}

/// `GET /channels.json`.
pub(crate) async fn channels(
    State(app): State<App>,
    asked: HeaderMap,
) -> Result<Response, ServerError> {
    listed(&app, paths::CHANNELS_TARGET, &asked).await
}

/// `GET /bundles/{name}.json`.
pub(crate) async fn bundle(
    State(app): State<App>,
    Path(file): Path<String>,
    asked: HeaderMap,
) -> Result<Response, ServerError> {
    let name = file.strip_suffix(".json").unwrap_or_default();
    match BundleName::parse(name) {
        Ok(name) => listed(&app, &paths::bundle_target(&name), &asked).await,
        Err(_) => Err(nothing(&file)),
    }
}

/// `GET /install.sh`.
pub(crate) async fn install_sh(
    State(app): State<App>,
    asked: HeaderMap,
) -> Result<Response, ServerError> {
    script(&app, "install.sh", &asked).await
}

/// `GET /core`.
pub(crate) async fn core_sh(
    State(app): State<App>,
    asked: HeaderMap,
) -> Result<Response, ServerError> {
    script(&app, "core", &asked).await
}

/// `GET /install.ps1`.
pub(crate) async fn install_ps1(
    State(app): State<App>,
    asked: HeaderMap,
) -> Result<Response, ServerError> {
    script(&app, "install.ps1", &asked).await
}

/// `GET /install.nu`.
pub(crate) async fn install_nu(
    State(app): State<App>,
    asked: HeaderMap,
) -> Result<Response, ServerError> {
    script(&app, "install.nu", &asked).await
}

/// Answers with a bootstrap script.
pub(crate) async fn script(
    app: &App,
    file: &str,
    asked: &HeaderMap,
) -> Result<Response, ServerError> {
    match ScriptFacts::target(file) {
        Some(target) => listed(app, &target, asked).await,
        None => Err(nothing(file)),
    }
}

/// The package that a path means, in any spelling, if its kind is the name's kind.
pub(crate) fn package(kind: &str, name: &str) -> Option<PackageName> {
    let kind: Kind = kind.parse().ok()?;
    let name = PackageName::from_user(name).ok()?;
    (name.kind() == kind).then_some(name)
}

async fn listed(app: &App, target: &str, asked: &HeaderMap) -> Result<Response, ServerError> {
    let view = app.read_side.view();
    let Some(found) = view.repository.target(target) else {
        return Err(nothing(target));
    };
    let facts = Facts {
        content_type: content_type(target.rsplit('/').next().unwrap_or_default()),
        tag: &found.digest.hex(),
        keep: Keep::Minute,
    };
    let file = paths::consistent(target, &found.digest);
    object(
        &app.storage,
        &format!("{}{file}", paths::TARGETS),
        facts,
        asked,
    )
    .await
}

fn nothing(what: &str) -> ServerError {
    Refusal::new(
        Code::NotFound,
        format!("this registry publishes no `{what}`"),
    )
    .into()
}
