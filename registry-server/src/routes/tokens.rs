//! Tokens through the API: one's own, and everyone's for administrators.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::{Extension, Json};
use provisioning_registry_api::identity::{NewToken, Token, TokenList, TokenMade};

use super::body::JsonBody;
use super::me::{acting, require_user};
use crate::app::App;
use crate::db::tokens::NewTokenRow;
use crate::identity::{read_grants, token_expiry, token_id};
use crate::problem::{Code, Refusal, ServerError};
use crate::rules::access::Principal;

/// Tokens that one answer lists.
const LIST_MAX: u64 = 1000;

/// `GET tokens`: one's own; an administrator's answer lists everyone's.
pub(crate) async fn list(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
) -> Result<Json<TokenList>, ServerError> {
    let user = if principal.is_administrator(app.now()) {
        None
    } else {
        Some(require_user(&principal)?)
    };
    Ok(Json(TokenList {
        tokens: app.db.tokens(user, LIST_MAX).await?,
    }))
}

/// `POST tokens`: makes a token of one's own. The answer is the only one that shows it.
pub(crate) async fn make(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    JsonBody(asked): JsonBody<NewToken>,
) -> Result<(StatusCode, HeaderMap, Json<TokenMade>), ServerError> {
    let user = require_user(&principal)?.to_owned();
    let acting = acting(&app, &principal);
    let made = acting
        .make_token(NewTokenRow {
            id: token_id(),
            name: asked.name,
            grants: read_grants(&asked.scopes)?,
            expires_at: Some(token_expiry(asked.expires_at, acting.now)?),
            user: Some(user),
            bound: asked.bound,
        })
        .await?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok((StatusCode::CREATED, headers, Json(made)))
}

/// `DELETE tokens/{token}`: ends a token; `current` is the one that was sent.
pub(crate) async fn revoke(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(token): Path<String>,
) -> Result<Json<Token>, ServerError> {
    let id = if token == "current" {
        principal.id()
    } else {
        &token
    };
    let is_own = id == principal.id()
        || match (app.db.token(id).await?, principal.user()) {
            (Some(found), Some(user)) => found.user.as_deref() == Some(user),
            _ => false,
        };
    if !is_own && !principal.is_administrator(app.now()) {
        // Whether somebody else has such a token is nobody's business.
        return Err(Refusal::new(Code::TokenUnknown, format!("there is no token `{id}`")).into());
    }
    Ok(Json(acting(&app, &principal).revoke_token(id).await?))
}
