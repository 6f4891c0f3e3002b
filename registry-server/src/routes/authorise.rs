//! The gate before every handler: who asks, and may they?

use axum::extract::{FromRequestParts as _, RawPathParams, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use provisioning_package::{Digest, PackageName, Version};
use provisioning_registry_api::token::TokenText;

use super::body::drain;
use super::named::package;
use crate::app::App;
use crate::problem::{Code, Refusal, ServerError};
use crate::rules::access::{Action, Principal, Subject, decide};
use crate::switchboard::refuse_held_back;

/// Lets a request through if its principal may do the route's action to what its path
/// names, and tells the handler who it is.
pub(crate) async fn authorise(
    State((app, action)): State<(App, Action)>,
    mut request: Request,
    next: Next,
) -> Response {
    // What everyone may do asks nobody: the database is not on an installer's path.
    if decide(&Principal::Anonymous, action, Subject::Any, app.now()).is_ok() {
        request.extensions_mut().insert(Principal::Anonymous);
        return next.run(request).await;
    }
    let is_change = !matches!(*request.method(), Method::GET | Method::HEAD);
    let (mut parts, body) = request.into_parts();
    let named = Named::of(&mut parts).await;
    match admitted(&app, action, &parts.headers, &named, is_change).await {
        Ok(principal) => {
            let mut request = Request::from_parts(parts, body);
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(error) => {
            // A client that is still sending hears the answer only if we listen a little.
            drain(&parts.headers, body).await;
            error.into_response()
        }
    }
}

/// What a path names.
#[derive(Debug)]
enum Named {
    Nothing,
    Package(PackageName, Option<Version>),
    Bundle(String),
    Team(String),
}

impl Named {
    async fn of(parts: &mut axum::http::request::Parts) -> Self {
        let Ok(params) = RawPathParams::from_request_parts(parts, &()).await else {
            return Self::Nothing;
        };
        let find = |key: &str| {
            let found = params.iter().find(|(name, _)| *name == key);
            found.map(|(_, value)| value.to_owned())
        };
        match (find("kind"), find("name"), find("team")) {
            (Some(kind), Some(name), _) => match package(&kind, &name) {
                Some(name) => {
                    let version = find("version").and_then(|it| it.parse().ok());
                    Self::Package(name, version)
                }
                None => Self::Nothing,
            },
            (None, Some(name), _) => Self::Bundle(name),
            (_, _, Some(team)) => Self::Team(team),
            _ => Self::Nothing,
        }
    }
}

async fn admitted(
    app: &App,
    action: Action,
    headers: &HeaderMap,
    named: &Named,
    is_change: bool,
) -> Result<Principal, ServerError> {
    let principal = principal(app, headers).await?;
    // The exact time, not the second that documents carry: a token ends when it ends.
    let now = (app.clock)();
    decide(&principal, action, Subject::Any, now).map_err(Refusal::from)?;
    match named {
        Named::Package(name, version) => {
            decide_package(app, &principal, action, (name, version.as_ref(), &[])).await?;
        }
        Named::Bundle(name) => {
            decide(&principal, action, Subject::Bundle(name), now).map_err(Refusal::from)?;
        }
        Named::Team(team) => {
            let role = match principal.user() {
                Some(user) => app.db.team_role(team, user).await?,
                None => None,
            };
            decide(&principal, action, Subject::Team(role), now).map_err(Refusal::from)?;
        }
        // A session's handlers ask about every version that it declares.
        Named::Nothing if is_of_session(action) => {}
        Named::Nothing => {
            decide(&principal, action, Subject::Registry, now).map_err(Refusal::from)?;
        }
    }
    if let Some(token) = shown(headers) {
        app.limiters.remember(token.hash());
    }
    if is_change {
        refuse_held_back(app, action, principal.name()).await?;
    }
    Ok(principal)
}

const fn is_of_session(action: Action) -> bool {
    matches!(
        action,
        Action::Publish | Action::PublishNew | Action::PublishVersion | Action::ReadSession
    )
}

/// Asks whether `principal` may do `action` to a package, or to a version and archives of
/// it.
pub(crate) async fn decide_package(
    app: &App,
    principal: &Principal,
    action: Action,
    (name, version, digests): (&PackageName, Option<&Version>, &[Digest]),
) -> Result<(), ServerError> {
    let role = match principal.user() {
        Some(user) => app.db.package_role(name, user).await?,
        None => None,
    };
    let subject = Subject::Package {
        name,
        role,
        version,
        digests,
    };
    decide(principal, action, subject, (app.clock)()).map_err(Refusal::from)?;
    Ok(())
}

/// The token that a request shows, where it has the form of one.
fn shown(headers: &HeaderMap) -> Option<TokenText> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    TokenText::parse(text.split_once(' ')?.1.trim())
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
    let found = app.db.principal(&token.hash(), app.now()).await?;
    Ok(found.ok_or_else(invalid)?)
}
