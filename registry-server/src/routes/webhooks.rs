//! Webhooks, for administrators.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use provisioning_registry_api::webhook::{
    Delivery, Message, NewWebhook, Webhook, WebhookCreated, WebhookState, Webhooks,
};

use super::body::JsonBody;
use crate::app::App;
use crate::db::webhooks::{WebhookRow, delete as delete_row, insert, resume as resume_row};
use crate::problem::{Code, Refusal, ServerError};
use crate::random::{random_bytes, random_hex};
use crate::rules::access::Principal;
use crate::rules::text::{self, TITLE_CHARS_MAX};
use crate::rules::webhook_target::parse;
use crate::webhooks::{Outcome, Secret, deliver};

/// Webhooks of one registry.
const WEBHOOKS_MAX: usize = 100;
/// Sorts of events that one webhook names.
const EVENTS_MAX: usize = 64;

/// `GET webhooks`.
pub(crate) async fn list(State(app): State<App>) -> Result<Json<Webhooks>, ServerError> {
    let rows = app.db.webhooks().await?;
    Ok(Json(Webhooks {
        webhooks: rows.into_iter().map(|it| shown(it, Vec::new())).collect(),
    }))
}

/// `POST webhooks`: the answer is the only one that holds the secret.
pub(crate) async fn create(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    JsonBody(asked): JsonBody<NewWebhook>,
) -> Result<(StatusCode, Json<WebhookCreated>), ServerError> {
    check(&asked)?;
    if app.db.webhooks().await?.len() >= WEBHOOKS_MAX {
        let detail = format!("a registry has at most {WEBHOOKS_MAX} webhooks");
        return Err(Refusal::new(Code::WebhookInvalid, detail).into());
    }
    let secret = Secret::from_random(random_bytes());
    // It is told what comes after it, not what was.
    let head = app.db.audit_head().await?;
    let hook = WebhookRow {
        id: random_hex::<8>(),
        url: asked.url,
        secret: secret.clone(),
        events: asked.events,
        state: WebhookState::Active,
        created_by: principal.name().to_owned(),
        created_at: app.now(),
        number: head.map_or(0, |it| it.number),
        serial: app.db.serial().await?,
        failures: 0,
        next_try: None,
    };
    let mut tx = app.db.write_quietly().await?;
    insert(&mut tx, &hook).await?;
    // The address may hold a secret path: its host is enough to know it again.
    tx.audit(
        hook.created_at,
        &hook.created_by,
        "create-webhook",
        &hook.id,
        &host(&hook.url),
    );
    tx.commit().await?;
    let created = WebhookCreated {
        webhook: shown(hook, Vec::new()),
        secret: secret.reveal(),
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// `GET webhooks/{id}`: with what became of its newest messages.
pub(crate) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Webhook>, ServerError> {
    let hook = find(&app, &id).await?;
    let attempts = app.db.webhook_attempts(&hook.id).await?;
    Ok(Json(shown(hook, attempts)))
}

/// `DELETE webhooks/{id}`.
pub(crate) async fn delete(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
) -> Result<StatusCode, ServerError> {
    let hook = find(&app, &id).await?;
    let mut tx = app.db.write_quietly().await?;
    if delete_row(&mut tx, &hook.id).await? {
        let name = principal.name();
        tx.audit(
            app.now(),
            name,
            "delete-webhook",
            &hook.id,
            &host(&hook.url),
        );
        tx.commit().await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `POST webhooks/{id}/resume`: lets a stopped webhook go on where it was.
pub(crate) async fn resume(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
) -> Result<Json<Webhook>, ServerError> {
    let hook = find(&app, &id).await?;
    let mut tx = app.db.write_quietly().await?;
    if resume_row(&mut tx, &hook.id).await? {
        tx.audit(app.now(), principal.name(), "resume-webhook", &hook.id, "");
        tx.commit().await?;
    }
    show(State(app), Path(id)).await
}

/// `POST webhooks/{id}/ping`: sends a message now and says what became of it.
pub(crate) async fn ping(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Delivery>, ServerError> {
    let hook = find(&app, &id).await?;
    let message = Message {
        action: "ping".to_owned(),
        timestamp: app.now(),
        data: None,
    };
    let id = format!("msg_{}_ping_{}", hook.id, random_hex::<8>());
    let outcome = deliver(&app, &hook, &id, &message).await;
    Ok(Json(Delivery {
        message: id,
        at: message.timestamp,
        delivered: matches!(outcome, Outcome::Taken(_)),
        outcome: outcome.text(),
    }))
}

fn check(asked: &NewWebhook) -> Result<(), Refusal> {
    parse(&asked.url).map_err(|why| {
        Refusal::new(Code::WebhookInvalid, format!("`url` cannot be used: {why}"))
    })?;
    if asked.events.len() > EVENTS_MAX {
        let detail = format!("`events` has more than {EVENTS_MAX} entries");
        return Err(Refusal::new(Code::WebhookInvalid, detail));
    }
    for event in &asked.events {
        text::check(Code::WebhookInvalid, "events", event, TITLE_CHARS_MAX)?;
    }
    Ok(())
}

async fn find(app: &App, id: &str) -> Result<WebhookRow, ServerError> {
    let is_form = !id.is_empty() && id.len() <= 64 && id.bytes().all(|it| it.is_ascii_hexdigit());
    let found = if is_form {
        app.db.webhook(id).await?
    } else {
        None
    };
    Ok(found.ok_or_else(|| Refusal::new(Code::NotFound, "there is no such webhook"))?)
}

fn host(url: &str) -> String {
    let url = parse(url).ok();
    url.and_then(|it| it.host_str().map(str::to_owned))
        .unwrap_or_default()
}

fn shown(hook: WebhookRow, deliveries: Vec<Delivery>) -> Webhook {
    Webhook {
        id: hook.id,
        url: hook.url,
        events: hook.events,
        state: hook.state,
        created_by: hook.created_by,
        created_at: hook.created_at,
        delivered: hook.serial,
        failures: hook.failures,
        next_try: hook.next_try,
        deliveries,
    }
}
