//! Tells webhooks what changed, in order and at least once, beside the requests.
//!
//! Each webhook remembers the last line of the audit log that it knows. Whoever takes its
//! lease sends what follows, one message after the other; a message that is not taken holds
//! the later ones back and is tried again on a schedule over three days.

use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::SignedDuration;
use provisioning_registry_api::event::Event;
use provisioning_registry_api::webhook::{Message, WebhookState};

use crate::app::App;
use crate::db::audit::AuditRow;
use crate::db::parsed;
use crate::db::webhooks::{Attempt, WebhookRow};
use crate::problem::{ServerError, chain};
use crate::rules::webhook_schedule::next_try;
use crate::watch::WEBHOOKS;

mod send;
mod signature;

pub(crate) use send::{Letter, Outcome, send};
pub(crate) use signature::Secret;

/// How often to look without being told of a change: other servers make changes too.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Webhooks that are served at once.
const AT_ONCE: usize = 8;
/// Changes that are read at a time.
const PAGE: u64 = 50;
/// How long one server may be about one webhook without a sign of life.
const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// Sends until the server ends.
pub(crate) async fn run(app: App) {
    let mut visible = app.read_side.visible();
    loop {
        tokio::select! {
            changed = visible.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        if let Err(error) = look(&app).await {
            let chain = chain(&error);
            tracing::error!("sending webhook messages failed: {chain}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Serves every webhook that has something to be told.
async fn look(app: &App) -> Result<(), ServerError> {
    let newest = app.read_side.view().serial;
    let due = app.db.due_webhooks(newest, app.now()).await?;
    futures_util::stream::iter(due)
        .for_each_concurrent(AT_ONCE, |hook| async move {
            if let Err(error) = serve(app, hook).await {
                let chain = chain(&error);
                tracing::error!("a webhook could not be served: {chain}");
            }
        })
        .await;
    Ok(())
}

/// Tells one webhook what it does not know, until it does not take a message.
async fn serve(app: &App, mut hook: WebhookRow) -> Result<(), ServerError> {
    let holder = crate::random::random_hex::<8>();
    loop {
        let now = app.now();
        if !app
            .db
            .lease_webhook(&hook, &holder, now, now + LEASE)
            .await?
        {
            return Ok(());
        }
        let newest = app.read_side.view().serial;
        let rows = app.db.events_after(hook.number, newest, PAGE).await?;
        if rows.is_empty() {
            return Ok(app.db.release_webhook(&hook.id, &holder, newest).await?);
        }
        for row in rows {
            if !tell(app, &mut hook, &holder, row).await? {
                return Ok(());
            }
        }
    }
}

/// Sends one change where the webhook wants it; whether the next may follow.
async fn tell(
    app: &App,
    hook: &mut WebhookRow,
    holder: &str,
    row: AuditRow,
) -> Result<bool, ServerError> {
    let (number, serial) = (row.chained.number, row.chained.serial);
    if !hook.events.is_empty() && !hook.events.contains(&row.chained.action) {
        hook.number = number;
        return Ok(app
            .db
            .webhook_told(&hook.id, holder, (number, serial), None)
            .await?);
    }
    let message = message(row)?;
    let id = format!("msg_{}_{number}", hook.id);
    let outcome = deliver(app, hook, &id, &message).await;
    let attempt = Attempt {
        message: id,
        at: app.now(),
        is_delivered: matches!(outcome, Outcome::Taken(_)),
        outcome: outcome.text(),
    };
    if attempt.is_delivered {
        hook.number = number;
        let told = app
            .db
            .webhook_told(&hook.id, holder, (number, serial), Some(&attempt));
        return Ok(told.await?);
    }
    let failures = hook.failures + 1;
    let next = match outcome {
        Outcome::Gone => None,
        Outcome::Taken(_) | Outcome::Failed(_) => next_try(failures, attempt.at),
    };
    let state = match next {
        Some(_) => WebhookState::Active,
        None => WebhookState::Stopped,
    };
    if state == WebhookState::Stopped {
        tracing::warn!("webhook {} is stopped: {}", hook.id, attempt.outcome);
    }
    app.db
        .webhook_failed(&hook.id, holder, (failures, next, state), &attempt)
        .await?;
    Ok(false)
}

fn message(row: AuditRow) -> Result<Message, ServerError> {
    let row = row.chained;
    let at = parsed(&row.at, "a point in time")?;
    Ok(Message {
        action: row.action.clone(),
        timestamp: at,
        data: Some(Event {
            serial: row.serial,
            position: row.position,
            at,
            action: row.action,
            subject: row.subject,
            detail: row.detail,
        }),
    })
}

/// Signs and sends one message.
pub(crate) async fn deliver(app: &App, hook: &WebhookRow, id: &str, message: &Message) -> Outcome {
    let body = serde_json::to_vec(message).expect("a message has string keys");
    let letter = Letter {
        url: &hook.url,
        secret: &hook.secret,
        id,
        body,
    };
    let outcome = send(letter, &app.webhook_networks, app.now()).await;
    let word = match outcome {
        Outcome::Taken(_) => "taken",
        Outcome::Gone => "gone",
        Outcome::Failed(_) => "failed",
    };
    metrics::counter!(WEBHOOKS, "outcome" => word).increment(1);
    outcome
}
