//! What an operator holds back while the registry runs.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use provisioning_registry_api::operation::{Switch, Switches, ThrowSwitch};

use super::body::JsonBody;
use crate::app::App;
use crate::db::switches::{clear, throw};
use crate::problem::{Code, Refusal, ServerError};
use crate::rules::access::Principal;
use crate::rules::switch::{SwitchName, Thrown};
use crate::rules::text::{self, REASON_CHARS_MAX};

/// `GET switches`.
pub(crate) async fn list(State(app): State<App>) -> Result<Json<Switches>, ServerError> {
    Ok(Json(Switches {
        switches: Thrown::new(app.db.switches().await?).into_list(),
    }))
}

/// `PUT switches/{switch}`.
pub(crate) async fn put(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
    JsonBody(asked): JsonBody<ThrowSwitch>,
) -> Result<Json<Switches>, ServerError> {
    let name = parse(&name)?;
    if asked.reason.trim().is_empty() {
        return Err(Refusal::new(Code::BadRequest, "a switch says why: `reason` is empty").into());
    }
    text::check(Code::BadRequest, "reason", &asked.reason, REASON_CHARS_MAX)?;
    let switch = Switch {
        name: name.to_string(),
        reason: asked.reason,
        by: principal.name().to_owned(),
        since: app.now(),
    };
    let mut tx = app.db.write_quietly().await?;
    throw(&mut tx, &switch).await?;
    tx.audit(
        switch.since,
        &switch.by,
        "throw-switch",
        &switch.name,
        &switch.reason,
    );
    tx.commit().await?;
    app.switchboard.forget();
    list(State(app)).await
}

/// `DELETE switches/{switch}`.
pub(crate) async fn delete(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
) -> Result<Json<Switches>, ServerError> {
    let name = parse(&name)?.to_string();
    let mut tx = app.db.write_quietly().await?;
    if clear(&mut tx, &name).await? {
        tx.audit(app.now(), principal.name(), "clear-switch", &name, "");
        tx.commit().await?;
        app.switchboard.forget();
    }
    list(State(app)).await
}

fn parse(name: &str) -> Result<SwitchName, Refusal> {
    name.parse()
        .map_err(|error| Refusal::new(Code::NotFound, format!("{error}")))
}
