//! The settings that administrators change while the registry runs.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use provisioning_registry_api::settings::{RegistrySettings, SetValue};

use super::body::JsonBody;
use crate::app::App;
use crate::db::policy::set;
use crate::problem::{Code, Refusal, ServerError};
use crate::rules::access::Principal;
use crate::rules::policy::{Policy, PolicyError};

/// `GET settings`.
pub(crate) async fn show(State(app): State<App>) -> Result<Json<RegistrySettings>, ServerError> {
    Ok(Json(document(&app.db.policy().await?)))
}

/// `PUT settings/{name}`.
pub(crate) async fn put(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
    JsonBody(asked): JsonBody<SetValue>,
) -> Result<Json<RegistrySettings>, ServerError> {
    let before = app.db.policy().await?;
    let after = before.clone().with(&name, &asked.value)?;
    if after != before {
        let mut tx = app.db.write().await?;
        set(tx.connection(), &name, &asked.value).await?;
        let actor = principal.name();
        tx.audit(
            app.now(),
            actor,
            "set",
            &format!("setting:{name}"),
            &asked.value,
        );
        tx.commit().await?;
    }
    Ok(Json(document(&after)))
}

fn document(policy: &Policy) -> RegistrySettings {
    RegistrySettings {
        settings: policy
            .pairs()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    }
}

impl From<PolicyError> for ServerError {
    fn from(error: PolicyError) -> Self {
        let code = match error {
            PolicyError::Unknown { .. } => Code::NotFound,
            PolicyError::Value { .. } => Code::BadRequest,
        };
        Refusal::new(code, error.to_string()).into()
    }
}
