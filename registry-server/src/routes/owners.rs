//! Who has which role in a package.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use provisioning_package::PackageName;
use provisioning_registry_api::identity::{GiveRole, Holder, Owners};

use super::body::JsonBody;
use super::me::acting;
use super::named::package;
use super::people::consent;
use crate::app::App;
use crate::problem::{Code, Refusal, ServerError};
use crate::rules::access::Principal;

/// `GET …/owners`.
pub(crate) async fn list(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path((kind, name)): Path<(String, String)>,
) -> Result<Json<Owners>, ServerError> {
    let package = require(&kind, &name)?;
    Ok(Json(acting(&app, &principal).owners(&package).await?))
}

/// `PUT …/owners/{holder}`.
pub(crate) async fn put(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path((kind, name, holder)): Path<(String, String, String)>,
    JsonBody(asked): JsonBody<GiveRole>,
) -> Result<Json<Owners>, ServerError> {
    let (package, holder) = (require(&kind, &name)?, read_holder(&holder)?);
    let consent = consent(&app, &principal);
    let acting = acting(&app, &principal);
    let owners = acting.give_role(&package, &holder, asked.role, consent);
    Ok(Json(owners.await?))
}

/// `DELETE …/owners/{holder}`.
pub(crate) async fn remove(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path((kind, name, holder)): Path<(String, String, String)>,
) -> Result<Json<Owners>, ServerError> {
    let (package, holder) = (require(&kind, &name)?, read_holder(&holder)?);
    let acting = acting(&app, &principal);
    Ok(Json(acting.remove_owner(&package, &holder).await?))
}

/// The package that a path means.
pub(crate) fn require(kind: &str, name: &str) -> Result<PackageName, Refusal> {
    package(kind, name).ok_or_else(|| {
        Refusal::new(
            Code::VersionUnknown,
            format!("this registry has no {kind} `{name}`"),
        )
    })
}

fn read_holder(text: &str) -> Result<Holder, Refusal> {
    text.parse()
        .map_err(|error: provisioning_registry_api::identity::InvalidName| {
            Refusal::new(Code::IdentityInvalid, error.to_string())
        })
}
