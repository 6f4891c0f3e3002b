//! The gate before every handler: who asks, and may they?

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::body::drain;
use crate::app::App;
use crate::problem::{Code, Refusal, ServerError};
use crate::rules::access::{Action, Principal, decide};
use crate::rules::token::TokenText;

/// Lets a request through if its principal may do the route's action, and tells the
/// handler who it is.
pub(crate) async fn authorise(
    State((app, action)): State<(App, Action)>,
    mut request: Request,
    next: Next,
) -> Response {
    // What everyone may do asks nobody: the database is not on an installer's path.
    if decide(&Principal::Anonymous, action, app.now()).is_ok() {
        request.extensions_mut().insert(Principal::Anonymous);
        return next.run(request).await;
    }
    match admitted(&app, action, request.headers()).await {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(error) => {
            // A client that is still sending hears the answer only if we listen a little.
            let (parts, body) = request.into_parts();
            drain(&parts.headers, body).await;
            error.into_response()
        }
    }
}

async fn admitted(
    app: &App,
    action: Action,
    headers: &HeaderMap,
) -> Result<Principal, ServerError> {
    let principal = principal(app, headers).await?;
    // The exact time, not the second that documents carry: a token ends when it ends.
    decide(&principal, action, (app.clock)()).map_err(Refusal::from)?;
    Ok(principal)
}

async fn principal(app: &App, headers: &HeaderMap) -> Result<Principal, ServerError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(Principal::Anonymous);
    };
    let invalid = || {
        Refusal::new(
            Code::TokenInvalid,
            "the `Authorization` header carries no token of this registry",
        )
        .hint("write `Authorization: Bearer <token>`; tokens begin with `prv_`")
    };
    let text = value.to_str().map_err(|_| invalid())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(invalid)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(invalid().into());
    }
    let token = TokenText::parse(token.trim()).ok_or_else(invalid)?;
    let row = app.db.token(&token.hash()).await?.ok_or_else(invalid)?;
    Ok(Principal::Token {
        id: row.id,
        name: row.name,
        scopes: row.scopes,
        expires_at: row.expires_at,
        is_revoked: row.is_revoked,
    })
}
