//! `GET /api/v1/audit`: the audit log, for moderators.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use provisioning_registry_api::event::{AuditEntry, AuditHead, AuditLog};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::db::audit::AuditRow;
use crate::problem::{Code, Refusal, ServerError};

/// Lines of a page without a `limit`, and with one.
const LINES_DEFAULT: u64 = 100;
const LINES_MAX: u64 = 1_000;

/// What a reader asks for.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Asked {
    /// Lines after this number; all of them where absent.
    #[serde(default)]
    #[param(required = false)]
    after: u64,
    /// At most so many lines.
    limit: Option<u64>,
}

/// A page of the log.
pub(crate) async fn list(
    State(app): State<App>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<AuditLog>, ServerError> {
    let Query(asked) = asked.map_err(|error| Refusal::new(Code::BadRequest, error.body_text()))?;
    let limit = asked.limit.unwrap_or(LINES_DEFAULT).clamp(1, LINES_MAX);
    let head = app.db.audit_head().await?;
    let rows = app.db.audit_rows(asked.after, limit).await?;
    let entries: Vec<AuditEntry> = rows.into_iter().map(entry).collect();
    let head = head.map_or_else(
        || AuditHead {
            number: 0,
            hash: String::new(),
        },
        |it| AuditHead {
            number: it.number,
            hash: it.hash,
        },
    );
    let last = entries.last().map(|it| it.number);
    Ok(Json(AuditLog {
        next: last.filter(|it| *it < head.number),
        entries,
        head,
    }))
}

fn entry(row: AuditRow) -> AuditEntry {
    let AuditRow { chained, hash } = row;
    AuditEntry {
        number: chained.number,
        serial: chained.serial,
        position: chained.position,
        at: chained.at,
        actor: chained.actor,
        action: chained.action,
        subject: chained.subject,
        detail: chained.detail,
        is_event: chained.is_event,
        hash,
    }
}
