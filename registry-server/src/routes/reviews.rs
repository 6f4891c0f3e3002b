//! What moderators look at: the sessions that wait for them, and what they say.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use provisioning_registry_api::session::{
    Review, SessionList, SessionState, SessionStatus, Verdict,
};

use super::body::JsonBody;
use super::sessions::{Answer, advance, find, progress, status};
use crate::app::App;
use crate::db::sessions::{SessionRow, approve_session};
use crate::problem::{Code, Refusal, ServerError};
use crate::rules::access::Principal;
use crate::rules::session::Event;
use crate::rules::text::{self, REASON_CHARS_MAX};

/// Sessions that one answer lists.
const LIST_MAX: u64 = 200;

/// `GET reviews`: sessions that wait for a moderator, the longest waiting first.
pub(crate) async fn list(State(app): State<App>) -> Result<Json<SessionList>, ServerError> {
    let rows = app
        .db
        .sessions_in(SessionState::AwaitingReview, LIST_MAX)
        .await?;
    let mut sessions: Vec<SessionStatus> = Vec::new();
    for row in rows {
        sessions.push(status(&app, row).await?);
    }
    Ok(Json(SessionList { sessions }))
}

/// `POST sessions/{id}/review`: lets a session go on, or ends it.
pub(crate) async fn review(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
    JsonBody(review): JsonBody<Review>,
) -> Result<Answer, ServerError> {
    let reason = review.reason.as_deref().map_or("", str::trim).to_owned();
    text::check(Code::BadRequest, "reason", &reason, REASON_CHARS_MAX)?;
    let row = find(&app, &id).await?;
    match review.verdict {
        Verdict::Approve => approve(&app, &principal, row, &reason).await?,
        Verdict::Refuse => refuse(&app, &principal, &row, &reason).await?,
    }
    progress(&app, &id).await
}

async fn approve(
    app: &App,
    principal: &Principal,
    row: SessionRow,
    reason: &str,
) -> Result<(), ServerError> {
    let mut tx = app.db.write().await?;
    let now = app.now();
    if !approve_session(tx.connection(), &row.id, principal.name(), now).await? {
        return Err(not_waiting(&row).into());
    }
    tx.audit(now, principal.name(), "approve", &subject(&row), reason);
    tx.commit().await?;
    let actor = row.opened_by.clone();
    let row = find(app, &row.id).await?;
    advance(app, actor, row).await
}

async fn refuse(
    app: &App,
    principal: &Principal,
    row: &SessionRow,
    reason: &str,
) -> Result<(), ServerError> {
    if reason.is_empty() {
        return Err(Refusal::new(
            Code::BadRequest,
            "a refusal says why, for the owner: `reason` is empty",
        )
        .into());
    }
    if row.standing.state != SessionState::AwaitingReview {
        return Err(not_waiting(row).into());
    }
    let now = app.now();
    let event = Event::Refused(vec![format!("a moderator refused it: {reason}")]);
    if !app.db.move_session(row, event, now).await? {
        return Err(not_waiting(row).into());
    }
    let mut tx = app.db.write().await?;
    tx.audit(now, principal.name(), "refuse", &subject(row), reason);
    tx.commit().await?;
    Ok(())
}

fn subject(row: &SessionRow) -> String {
    format!("session:{}", row.id)
}

fn not_waiting(row: &SessionRow) -> Refusal {
    Refusal::new(
        Code::SessionState,
        format!(
            "publish session `{}` waits for no review: it is `{}`",
            row.id,
            row.standing.state.as_str()
        ),
    )
}
