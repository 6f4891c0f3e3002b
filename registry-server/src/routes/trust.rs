//! What people sign, and how the roles stand.

use axum::extract::State;
use axum::{Extension, Json};
use provisioning_registry_api::trust::{
    AddSignature, MakeOnlineKey, OnlineKeyMade, PutRoles, ReleaseTask, RolesPut, SignatureAdded,
    TrustStatus,
};

use super::body::JsonBody;
use crate::app::App;
use crate::problem::{Code, Refusal, ServerError};
use crate::rules::access::Principal;
use crate::signing;

/// `GET trust`: how every role stands.
pub(crate) async fn status(State(app): State<App>) -> Result<Json<TrustStatus>, ServerError> {
    Ok(Json(signing::status(&app).await?))
}

/// `GET trust/release`: what waits for a signature.
pub(crate) async fn release(State(app): State<App>) -> Result<Json<ReleaseTask>, ServerError> {
    if !signing::asks_people(&app) {
        return Ok(Json(ReleaseTask {
            proposal: None,
            contents: std::collections::BTreeMap::new(),
            sessions: Vec::new(),
            left_out: Vec::new(),
        }));
    }
    let waiting = signing::task(&app).await?;
    let mut task = ReleaseTask {
        proposal: None,
        contents: std::collections::BTreeMap::new(),
        sessions: Vec::new(),
        left_out: waiting.left_out,
    };
    if let Some(row) = waiting.row {
        let proposal = row.proposals.first().map(serde_json::to_value).transpose();
        task.proposal = proposal
            .map_err(|error| ServerError::Failed(format!("a proposal is no JSON: {error}")))?;
        task.contents = row.contents;
        task.sessions = row.covers;
    }
    Ok(Json(task))
}

/// `POST trust/release/signatures`.
pub(crate) async fn add_signature(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    JsonBody(asked): JsonBody<AddSignature>,
) -> Result<Json<SignatureAdded>, ServerError> {
    let actor = principal.name().to_owned();
    let acting = app.clone();
    app.to_its_end(async move {
        let added = signing::add_signature(&acting, &actor, &asked).await?;
        Ok(Json(added))
    })
    .await
}

/// `POST trust/roles`: a signed change of keys.
pub(crate) async fn put_roles(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    JsonBody(asked): JsonBody<PutRoles>,
) -> Result<Json<RolesPut>, ServerError> {
    if asked.proposals.is_empty() {
        return Err(Refusal::new(Code::ProposalInvalid, "`proposals` is empty").into());
    }
    let actor = principal.name().to_owned();
    let acting = app.clone();
    app.to_its_end(async move {
        let put = signing::put_roles(&acting, &actor, asked).await?;
        Ok(Json(put))
    })
    .await
}

/// `POST trust/online-keys`.
pub(crate) async fn make_online_key(
    State(app): State<App>,
    JsonBody(asked): JsonBody<MakeOnlineKey>,
) -> Result<Json<OnlineKeyMade>, ServerError> {
    Ok(Json(signing::make_online_key(&app, &asked).await?))
}
