//! The one who asks: who they are, what they were invited to, what they leave.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use jiff::Timestamp;
use provisioning_registry_api::identity::{AnswerInvitation, Holder, InvitationList, Me, Owners};

use super::body::JsonBody;
use super::named::package;
use crate::app::App;
use crate::identity::Acting;
use crate::problem::{Code, Refusal, ServerError};
use crate::rules::access::Principal;

/// `GET me`.
pub(crate) async fn show(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
) -> Result<Json<Me>, ServerError> {
    let gone = || Refusal::new(Code::TokenInvalid, "the token is not known any more");
    let token = app.db.token(principal.id()).await?.ok_or_else(gone)?;
    let Some(user) = principal.user() else {
        return Ok(Json(Me {
            user: None,
            roles: Vec::new(),
            token,
            teams: Vec::new(),
            packages: Vec::new(),
        }));
    };
    let found = app.db.user(user).await?.ok_or_else(gone)?;
    Ok(Json(Me {
        user: Some(found.name),
        roles: found.roles,
        token,
        teams: app.db.memberships(user).await?,
        packages: app.db.packages_of(user).await?,
    }))
}

/// `GET me/invitations`.
pub(crate) async fn invitations(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
) -> Result<Json<InvitationList>, ServerError> {
    let user = require_user(&principal)?;
    list(&app, user, app.now()).await
}

/// `POST me/invitations/{invitation}`.
pub(crate) async fn answer(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(invitation): Path<String>,
    JsonBody(asked): JsonBody<AnswerInvitation>,
) -> Result<Json<InvitationList>, ServerError> {
    let user = require_user(&principal)?;
    let acting = acting(&app, &principal);
    acting.answer(user, &invitation, asked.answer).await?;
    list(&app, user, acting.now).await
}

/// `DELETE me/packages/{kind}/{name}`: leaves a package.
pub(crate) async fn leave_package(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path((kind, name)): Path<(String, String)>,
) -> Result<Json<Owners>, ServerError> {
    let user = require_user(&principal)?;
    let package = package(&kind, &name).ok_or_else(|| {
        Refusal::new(
            Code::VersionUnknown,
            format!("this registry has no {kind} `{name}`"),
        )
    })?;
    let holder = Holder::User(user.to_owned());
    let acting = acting(&app, &principal);
    Ok(Json(acting.remove_owner(&package, &holder).await?))
}

/// `DELETE me/teams/{team}`: leaves a team.
pub(crate) async fn leave_team(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(team): Path<String>,
) -> Result<Json<InvitationList>, ServerError> {
    let user = require_user(&principal)?;
    let acting = acting(&app, &principal);
    acting.remove_member(&team, user).await?;
    list(&app, user, acting.now).await
}

async fn list(app: &App, user: &str, now: Timestamp) -> Result<Json<InvitationList>, ServerError> {
    Ok(Json(InvitationList {
        invitations: app.db.invitations_of(user, now).await?,
    }))
}

/// Who changes something through the API.
pub(crate) fn acting<'a>(app: &'a App, principal: &'a Principal) -> Acting<'a> {
    Acting {
        db: &app.db,
        actor: principal.name(),
        now: app.now(),
    }
}

/// The user whose token it is: the operator's own tokens are nobody's.
pub(crate) fn require_user(principal: &Principal) -> Result<&str, Refusal> {
    principal.user().ok_or_else(|| {
        Refusal::new(
            Code::NoUser,
            "this is about a user, and no user stands behind the token",
        )
        .hint("ask for a token of your own: `provisioning-registry user token NAME`")
    })
}
