//! Publish sessions: open, look, finish. `uploads.rs` takes the bytes in between.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::{Extension, Json};
use provisioning_package::Digest;
use provisioning_registry_api::session::{
    DeclaredVersion, OpenSession, SessionState, SessionStatus,
};

use super::body::JsonBody;
use crate::app::App;
use crate::db::archives::ArchiveRow;
use crate::db::sessions::SessionRow;
use crate::db::versions::existing_version;
use crate::problem::{Code, Refusal, ServerError};
use crate::publish;
use crate::random::random_hex;
use crate::rules::access::{Action, Principal, decide};
use crate::rules::{declaration, version};
use crate::settings::CrashPoint;

/// How often joining a session is tried while other machines join it too.
const JOIN_TRIES_MAX: usize = 8;

type Answer = (StatusCode, HeaderMap, Json<SessionStatus>);

/// `POST sessions`: declares versions. The same declaration again, or the matching one of
/// another machine, gives the session that is open already.
pub(crate) async fn open(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    JsonBody(asked): JsonBody<OpenSession>,
) -> Result<Answer, ServerError> {
    let mut declared = declaration::check(asked.versions)?;
    permit(&app, &principal, &declared).await?;
    settle_known(&app, &mut declared).await?;
    let row = join_or_open(&app, &principal, declared).await?;
    Ok(answer(StatusCode::CREATED, status(&app, row).await?))
}

/// `GET sessions/{id}`.
pub(crate) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Answer, ServerError> {
    let row = find(&app, &id).await?;
    Ok(answer(StatusCode::OK, status(&app, row).await?))
}

/// `POST sessions/{id}/finalize`: makes all of it visible, or nothing. Asking again after
/// it became visible gives the same answer.
pub(crate) async fn finalize(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
) -> Result<Answer, ServerError> {
    let row = find(&app, &id).await?;
    permit(&app, &principal, &row.declared).await?;
    let acting = app.clone();
    let finished = app
        .to_its_end(async move {
            let serial = match row.state {
                SessionState::Refused => return Err(refused(&row).into()),
                SessionState::Uploading => commit(&acting, &principal, &row).await?,
                SessionState::Publishing
                | SessionState::AwaitingSignature
                | SessionState::AwaitingReview
                | SessionState::Visible => row.serial.unwrap_or_default(),
            };
            acting.read_side.show_change(&acting, serial).await?;
            acting.may_crash(CrashPoint::Visible);
            Ok(())
        })
        .await;
    finished?;
    let row = find(&app, &id).await?;
    Ok(answer(StatusCode::OK, status(&app, row).await?))
}

/// The session called `id`.
pub(crate) async fn find(app: &App, id: &str) -> Result<SessionRow, ServerError> {
    let unknown = || {
        Refusal::new(
            Code::SessionUnknown,
            format!("there is no publish session `{id}`"),
        )
        .hint("publish again: what has arrived already is not sent twice")
    };
    // Not every database takes every text: PostgreSQL has none with a zero byte.
    if id.len() > 64 || !id.bytes().all(|it| it.is_ascii_hexdigit()) {
        return Err(Refusal::new(
            Code::SessionUnknown,
            "a publish session's name is made of hexadecimal digits",
        )
        .into());
    }
    let found = app.db.session(id).await?;
    Ok(found.ok_or_else(unknown)?)
}

/// Asks for the narrower right that each version turns out to need. Repeating what is
/// published already needs no more than the first time did: its answer may have been lost.
pub(crate) async fn permit(
    app: &App,
    principal: &Principal,
    declared: &[DeclaredVersion],
) -> Result<(), ServerError> {
    for version in declared {
        let action = if is_published(app, version).await? {
            Action::Publish
        } else if app.db.has_package(&version.name).await? {
            Action::PublishVersion
        } else {
            Action::PublishNew
        };
        decide(principal, action, app.now()).map_err(Refusal::from)?;
    }
    Ok(())
}

/// Whether a declared version is there already, with the same bytes.
async fn is_published(app: &App, declared: &DeclaredVersion) -> Result<bool, ServerError> {
    let mut connection = app.db.pool().acquire().await?;
    let existing = existing_version(&mut connection, &declared.name, &declared.version).await?;
    Ok(existing.is_some_and(|it| version::agree(declared, &it).is_ok()))
}

/// What a refused session is answered with.
pub(crate) fn refused(row: &SessionRow) -> Refusal {
    Refusal::new(
        Code::SessionRefused,
        format!(
            "publish session `{}` was refused: {}",
            row.id,
            row.reasons.join("; ")
        ),
    )
    .causes(row.reasons.clone())
    .hint("correct the package and publish it again: that opens a new session")
}

/// What a session's owner is told.
pub(crate) async fn status(app: &App, row: SessionRow) -> Result<SessionStatus, ServerError> {
    let mut missing = Vec::new();
    let mut state = row.state;
    let mut next = Vec::new();
    match row.state {
        SessionState::Uploading => {
            let arrived = arrived(app, &row.declared).await?;
            missing = declaration::missing(&row.declared, &arrived.into_keys().collect());
            next.push(if missing.is_empty() {
                "finish it: POST to its `finalize`".to_owned()
            } else {
                "send the missing archives, or run the same `provisioning publish` again, on \
                 each machine that has one"
                    .to_owned()
            });
        }
        SessionState::Publishing => {
            if row
                .serial
                .is_some_and(|it| it <= app.read_side.view().serial)
            {
                state = SessionState::Visible;
            } else {
                next.push("wait: it is kept, and being signed".to_owned());
            }
        }
        SessionState::Refused => {
            next.push("correct the package and publish it again".to_owned());
        }
        SessionState::AwaitingSignature | SessionState::AwaitingReview | SessionState::Visible => {}
    }
    Ok(SessionStatus {
        session: row.id,
        state,
        reasons: row.reasons,
        next,
        since: row.since,
        missing,
        versions: row.declared,
        serial: row.serial,
    })
}

fn answer(code: StatusCode, status: SessionStatus) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    (code, headers, Json(status))
}

/// Says early what finalising would refuse, before any byte is sent. Of a version that is
/// there already, what the declaration leaves to other machines is known: a repeated
/// publish of one machine must not wait for the others again.
async fn settle_known(app: &App, declared: &mut [DeclaredVersion]) -> Result<(), ServerError> {
    let mut connection = app.db.pool().acquire().await?;
    for one in declared {
        let existing = existing_version(&mut connection, &one.name, &one.version).await?;
        let Some(existing) = existing else { continue };
        version::agree(one, &existing)?;
        for archive in &mut one.archives {
            let known = existing.archives.get(&archive.target).copied();
            archive.digest = archive.digest.or(known);
        }
    }
    Ok(())
}

async fn join_or_open(
    app: &App,
    principal: &Principal,
    declared: Vec<DeclaredVersion>,
) -> Result<SessionRow, ServerError> {
    let shape = declaration::shape(&declared);
    for _ in 0..JOIN_TRIES_MAX {
        let waiting = app.db.uploading_sessions(&shape).await?;
        let joined = waiting.into_iter().find_map(|row| {
            let joined = declaration::join(&row.declared, &declared)?;
            Some((row, joined))
        });
        let Some((row, joined)) = joined else {
            break;
        };
        if joined == row.declared || app.db.fill_session(&row, &joined).await? {
            return Ok(SessionRow {
                declared: joined,
                ..row
            });
        }
    }
    let row = SessionRow {
        id: random_hex::<16>(),
        token: principal.id().to_owned(),
        shape,
        state: SessionState::Uploading,
        reasons: Vec::new(),
        declared,
        since: app.now(),
        serial: None,
    };
    app.db.insert_session(&row).await?;
    Ok(row)
}

/// The archives of a declaration that have arrived.
async fn arrived(
    app: &App,
    declared: &[DeclaredVersion],
) -> Result<BTreeMap<Digest, ArchiveRow>, ServerError> {
    let wanted: BTreeSet<Digest> = declared
        .iter()
        .flat_map(|it| &it.archives)
        .filter_map(|it| it.digest)
        .collect();
    let mut arrived = BTreeMap::new();
    for digest in wanted {
        if let Some(found) = app.db.archive(&digest).await? {
            arrived.insert(digest, found);
        }
    }
    Ok(arrived)
}

async fn commit(app: &App, principal: &Principal, row: &SessionRow) -> Result<u64, ServerError> {
    let arrived = arrived(app, &row.declared).await?;
    let outcome = publish::commit(app, principal, row, &arrived).await;
    if let Err(ServerError::Refused(refusal)) = &outcome
        && refusal.code != Code::SessionIncomplete
    {
        app.db
            .refuse_session(&row.id, std::slice::from_ref(&refusal.detail), app.now())
            .await?;
    }
    outcome
}
