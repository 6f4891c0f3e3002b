//! `GET /api/v1/events`: what changed, in pages or as it happens.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::{Stream, StreamExt as _};
use provisioning_registry_api::event::{Event, Events};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;

use crate::app::App;
use crate::db::audit::AuditRow;
use crate::db::parsed;
use crate::problem::{Code, Refusal, ServerError, chain};

/// Changes of a page without a `limit`, and with one.
const EVENTS_DEFAULT: u64 = 100;
const EVENTS_MAX: u64 = 1_000;
/// A comment goes out after this long without a change, so that proxies keep the line open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How often to look for changes that another server made.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Listeners to the stream at once.
pub(crate) const LISTENERS_MAX: usize = 256;

const EVENT_STREAM: &str = "text/event-stream";

/// What a reader asks for.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Asked {
    /// Changes after this serial; all of them where absent.
    #[serde(default)]
    #[param(required = false)]
    after: u64,
    /// About so many changes; those of one serial stay together.
    limit: Option<u64>,
}

/// A page of changes, or a stream of them where `Accept` names `text/event-stream`.
pub(crate) async fn feed(
    State(app): State<App>,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, ServerError> {
    let Query(asked) = asked.map_err(|error| Refusal::new(Code::BadRequest, error.body_text()))?;
    if wants_stream(&headers) {
        // A reader that was cut off says where it was; the query is where it began.
        let after = last_event_id(&headers)?.unwrap_or(asked.after);
        return stream(app, after);
    }
    let limit = asked.limit.unwrap_or(EVENTS_DEFAULT).clamp(1, EVENTS_MAX);
    Ok(Json(page(&app, asked.after, limit).await?).into_response())
}

/// The changes after a serial that everyone can see.
pub(crate) async fn page(app: &App, after: u64, limit: u64) -> Result<Events, ServerError> {
    let newest = app.read_side.view().serial;
    let rows = app.db.events((after, newest), limit).await?;
    let events: Vec<Event> = rows.into_iter().map(event).collect::<Result<_, _>>()?;
    let last = events.last().map(|it| it.serial);
    let more = events.len() as u64 >= limit && last.is_some_and(|it| it < newest);
    Ok(Events {
        next: if more {
            last.unwrap_or(newest)
        } else {
            newest.max(after)
        },
        events,
        more,
    })
}

fn event(row: AuditRow) -> Result<Event, ServerError> {
    let row = row.chained;
    Ok(Event {
        serial: row.serial,
        position: row.position,
        at: parsed(&row.at, "a point in time")?,
        action: row.action,
        subject: row.subject,
        detail: row.detail,
    })
}

fn wants_stream(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|it| it.to_str().ok())
        .flat_map(|it| it.split(','))
        .any(|it| {
            let essence = it.split(';').next().unwrap_or_default();
            essence.trim().eq_ignore_ascii_case(EVENT_STREAM)
        })
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let Some(value) = headers.get("last-event-id") else {
        return Ok(None);
    };
    let serial = value.to_str().ok().and_then(|it| it.trim().parse().ok());
    serial.map(Some).ok_or_else(|| {
        Refusal::new(
            Code::BadRequest,
            "`Last-Event-ID` is the serial of the last change that was seen",
        )
    })
}

fn stream(app: App, after: u64) -> Result<Response, ServerError> {
    let listeners = Arc::clone(&app.event_listeners);
    let permit = listeners.try_acquire_owned().map_err(|_| {
        Refusal::new(
            Code::Unavailable,
            format!("{LISTENERS_MAX} listeners are there already"),
        )
        .hint("ask for pages with `?after=SERIAL` instead")
    })?;
    let messages = batches(app, after, permit).flat_map(futures_util::stream::iter);
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Sse::new(messages).keep_alive(keep_alive).into_response())
}

/// What a stream of changes is at.
struct Position {
    app: App,
    after: u64,
    _permit: OwnedSemaphorePermit,
}

/// Changes as they become visible, until the server ends or fails.
fn batches(
    app: App,
    after: u64,
    permit: OwnedSemaphorePermit,
) -> impl Stream<Item = Vec<Result<Message, Infallible>>> {
    let start = Position {
        app,
        after,
        _permit: permit,
    };
    futures_util::stream::unfold(start, |mut at| async move {
        loop {
            wait_for_change(&at.app, at.after).await?;
            match page(&at.app, at.after, EVENTS_DEFAULT).await {
                Ok(page) => {
                    at.after = page.next;
                    let messages: Vec<_> = messages(&page.events).map(Ok).collect();
                    if !messages.is_empty() {
                        return Some((messages, at));
                    }
                }
                Err(error) => {
                    // The reader comes again and says where it was.
                    let chain = chain(&error);
                    tracing::error!("an event stream ends: {chain}");
                    return None;
                }
            }
        }
    })
}

/// Waits until something after the serial is visible; `None` where the server ends.
async fn wait_for_change(app: &App, after: u64) -> Option<()> {
    let mut visible = app.read_side.visible();
    while app.read_side.view().serial <= after {
        tokio::select! {
            changed = visible.changed() => changed.ok()?,
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = app.closing.cancelled() => return None,
        }
    }
    Some(())
}

/// Only the last change of a serial carries its number: a reader that was cut off before it
/// asks for all of them again.
fn messages(events: &[Event]) -> impl Iterator<Item = Message> {
    events.iter().enumerate().map(|(at, event)| {
        let data = serde_json::to_string(event).expect("an event has string keys");
        let message = Message::default().event(event.action.clone()).data(data);
        let is_last = events.get(at + 1).is_none_or(|it| it.serial > event.serial);
        if is_last {
            message.id(event.serial.to_string())
        } else {
            message
        }
    })
}
