//! Users, teams and the kinds that belong to teams.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use provisioning_package::Kind;
use provisioning_registry_api::identity::{
    ChangeUser, GiveNamespace, GiveTeamRole, Namespaces, NewTeam, NewUser, Team, TeamList, User,
    UserList,
};

use super::body::JsonBody;
use super::me::acting;
use crate::app::App;
use crate::identity::Consent;
use crate::problem::{Code, Refusal, ServerError};
use crate::rules::access::Principal;

/// `GET users`.
pub(crate) async fn users(State(app): State<App>) -> Result<Json<UserList>, ServerError> {
    Ok(Json(UserList {
        users: app.db.users().await?,
    }))
}

/// `POST users`.
pub(crate) async fn add_user(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    JsonBody(asked): JsonBody<NewUser>,
) -> Result<(StatusCode, Json<User>), ServerError> {
    let user = acting(&app, &principal).add_user(&asked).await?;
    Ok((StatusCode::CREATED, Json(user)))
}

/// `PUT users/{user}`.
pub(crate) async fn change_user(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(user): Path<String>,
    JsonBody(asked): JsonBody<ChangeUser>,
) -> Result<Json<User>, ServerError> {
    let acting = acting(&app, &principal);
    Ok(Json(acting.change_user(&user, &asked).await?))
}

/// `GET teams`.
pub(crate) async fn teams(State(app): State<App>) -> Result<Json<TeamList>, ServerError> {
    Ok(Json(TeamList {
        teams: app.db.teams().await?,
    }))
}

/// `POST teams`: who makes it is its first maintainer.
pub(crate) async fn add_team(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    JsonBody(asked): JsonBody<NewTeam>,
) -> Result<(StatusCode, Json<Team>), ServerError> {
    let acting = acting(&app, &principal);
    let team = acting.add_team(&asked.name, principal.user()).await?;
    Ok((StatusCode::CREATED, Json(team)))
}

/// `GET teams/{team}`.
pub(crate) async fn team(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(team): Path<String>,
) -> Result<Json<Team>, ServerError> {
    Ok(Json(acting(&app, &principal).team(&team).await?))
}

/// `PUT teams/{team}/members/{user}`.
pub(crate) async fn put_member(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path((team, user)): Path<(String, String)>,
    JsonBody(asked): JsonBody<GiveTeamRole>,
) -> Result<Json<Team>, ServerError> {
    let consent = consent(&app, &principal);
    let acting = acting(&app, &principal);
    let team = acting.put_member(&team, &user, asked.role, consent).await?;
    Ok(Json(team))
}

/// `DELETE teams/{team}/members/{user}`.
pub(crate) async fn remove_member(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path((team, user)): Path<(String, String)>,
) -> Result<Json<Team>, ServerError> {
    let acting = acting(&app, &principal);
    acting.remove_member(&team, &user).await?;
    Ok(Json(acting.team(&team).await?))
}

/// `GET namespaces`.
pub(crate) async fn namespaces(State(app): State<App>) -> Result<Json<Namespaces>, ServerError> {
    Ok(Json(Namespaces {
        namespaces: app.db.namespaces().await?,
    }))
}

/// `PUT namespaces/{namespace}`.
pub(crate) async fn set_namespace(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(namespace): Path<String>,
    JsonBody(asked): JsonBody<GiveNamespace>,
) -> Result<Json<Namespaces>, ServerError> {
    let kind: Kind = namespace
        .parse()
        .map_err(|_| Refusal::new(Code::NotFound, format!("`{namespace}` is no kind")))?;
    let acting = acting(&app, &principal);
    acting.set_namespace(kind, asked.team.as_deref()).await?;
    Ok(Json(Namespaces {
        namespaces: app.db.namespaces().await?,
    }))
}

/// An administrator puts people where they belong; everyone else asks them.
pub(crate) fn consent(app: &App, principal: &Principal) -> Consent {
    if principal.is_administrator(app.now()) {
        Consent::NotNeeded
    } else {
        Consent::Asked
    }
}
