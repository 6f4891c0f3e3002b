//! Publish sessions: open, look, finish. `uploads.rs` takes the bytes in between.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::{Extension, Json};
use provisioning_package::Digest;
use provisioning_registry_api::session::{
    DeclaredVersion, OpenSession, SessionState, SessionStatus,
};
use sqlx::AnyConnection;

use super::authorise::decide_package;
use super::body::JsonBody;
use crate::admission;
use crate::app::App;
use crate::db::reservations::{self, Claim, Reserved};
use crate::db::sessions::{SessionRow, insert_session, session as session_in};
use crate::db::versions::{existing_version, version_numbers};
use crate::problem::{Code, Refusal, ServerError};
use crate::publish;
use crate::random::random_hex;
use crate::rules::access::{Action, Principal};
use crate::rules::session::{self, Event, Standing};
use crate::rules::{declaration, reservation, version};
use crate::settings::CrashPoint;

/// How often joining a session is tried while other machines join it too.
const JOIN_TRIES_MAX: usize = 8;

pub(crate) type Answer = (StatusCode, HeaderMap, Json<SessionStatus>);

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
    check_admission(&app, &declared).await?;
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

/// `POST sessions/{id}/finalize`: makes all of it visible, or nothing; 201 once it can be
/// read, 202 while it waits for somebody. Asking again after it became visible gives the
/// same answer.
pub(crate) async fn finalize(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
) -> Result<Answer, ServerError> {
    let row = find(&app, &id).await?;
    permit(&app, &principal, &row.declared).await?;
    refuse_ended(&row)?;
    let actor = principal.name().to_owned();
    advance(&app, actor, row).await?;
    progress(&app, &id).await
}

/// Takes a session as far as it can go, and waits until that can be read.
pub(crate) async fn advance(app: &App, actor: String, row: SessionRow) -> Result<(), ServerError> {
    let acting = app.clone();
    app.to_its_end(async move {
        let serial = match row.standing.serial {
            Some(serial) => Some(serial),
            None => publish::advance(&acting, &actor, &row).await?,
        };
        if let Some(serial) = serial {
            acting.read_side.show_change(&acting, serial).await?;
            acting.may_crash(CrashPoint::Visible);
        }
        Ok(())
    })
    .await
}

/// Where a session stands after it was taken further: 201 once everyone can read it.
pub(crate) async fn progress(app: &App, id: &str) -> Result<Answer, ServerError> {
    let status = status(app, find(app, id).await?).await?;
    let code = if status.state == SessionState::Visible {
        StatusCode::CREATED
    } else {
        StatusCode::ACCEPTED
    };
    Ok(answer(code, status))
}

/// `DELETE sessions/{id}`: its owner gives it up; what it reserved is free again.
pub(crate) async fn abandon(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
) -> Result<Answer, ServerError> {
    let row = find(&app, &id).await?;
    permit(&app, &principal, &row.declared).await?;
    let reason = format!("{} gave it up", principal.name());
    let event = Event::Refused(vec![reason]);
    if !row.standing.state.is_ended() && !app.db.move_session(&row, event, app.now()).await? {
        return Err(Refusal::new(
            Code::SessionState,
            format!("publish session `{id}` is kept already and cannot be given up"),
        )
        .hint("yank the version instead: `provisioning yank NAME@VERSION --reason R`")
        .into());
    }
    let status = status(&app, find(&app, &id).await?).await?;
    Ok(answer(StatusCode::OK, status))
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
    let mut row = app.db.session(id).await?.ok_or_else(unknown)?;
    let now = app.now();
    if row.standing.expires_at().is_some_and(|end| end <= now)
        && app.db.move_session(&row, Event::Expired, now).await?
    {
        row = app.db.session(id).await?.ok_or_else(unknown)?;
    }
    Ok(row)
}

/// Asks for the narrower right that each version turns out to need. Repeating what is
/// published already needs no more than the first time did: its answer may have been lost.
pub(crate) async fn permit(
    app: &App,
    principal: &Principal,
    declared: &[DeclaredVersion],
) -> Result<(), ServerError> {
    let thrown = app.switchboard.thrown(app).await?;
    for version in declared {
        let action = if is_published(app, version).await? {
            Action::Publish
        } else if app.db.has_package(&version.name).await? {
            Action::PublishVersion
        } else {
            Action::PublishNew
        };
        let digests: Vec<Digest> = version.archives.iter().filter_map(|it| it.digest).collect();
        let subject = (&version.name, Some(&version.version), &digests[..]);
        decide_package(app, principal, action, subject).await?;
        if action != Action::Publish {
            thrown.refuse_publish(&version.name, action == Action::PublishNew)?;
        }
    }
    Ok(())
}

/// Whether a declared version is there already, with the same bytes.
async fn is_published(app: &App, declared: &DeclaredVersion) -> Result<bool, ServerError> {
    let mut connection = app.db.pool().acquire().await?;
    let existing = existing_version(&mut connection, &declared.name, &declared.version).await?;
    Ok(existing.is_some_and(|it| version::agree(declared, &it).is_ok()))
}

/// Refuses to go on with a session that was refused, given up or too late.
pub(crate) fn refuse_ended(row: &SessionRow) -> Result<(), Refusal> {
    let (code, how) = match row.standing.state {
        SessionState::Refused => (Code::SessionRefused, "was refused"),
        SessionState::Expired => (Code::SessionExpired, "has expired"),
        SessionState::Uploading
        | SessionState::Uploaded
        | SessionState::AwaitingReview
        | SessionState::AwaitingSignature
        | SessionState::Publishing
        | SessionState::Visible => return Ok(()),
    };
    let reasons = row.standing.reasons.clone();
    let detail = format!("publish session `{}` {how}: {}", row.id, reasons.join("; "));
    Err(Refusal::new(code, detail)
        .causes(reasons)
        .hint("correct the package and publish it again: that opens a new session"))
}

/// What a session's owner is told.
pub(crate) async fn status(app: &App, row: SessionRow) -> Result<SessionStatus, ServerError> {
    let missing = if row.standing.state == SessionState::Uploading {
        let arrived = publish::arrived(app, &row.declared).await?;
        declaration::missing(&row.declared, &arrived.into_keys().collect())
    } else {
        Vec::new()
    };
    let readable = app.read_side.view().serial;
    let state = row.standing.shown(missing.is_empty(), readable);
    Ok(SessionStatus {
        state,
        next: session::advice(state, &row.id),
        waits_for: session::waits_for(state),
        expires_at: row.standing.expires_at(),
        session: row.id,
        reasons: row.standing.reasons,
        since: row.standing.since,
        missing,
        versions: row.declared,
        serial: row.standing.serial,
    })
}

pub(crate) fn answer(code: StatusCode, status: SessionStatus) -> Answer {
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

/// Says early what may not be added at all.
async fn check_admission(app: &App, declared: &[DeclaredVersion]) -> Result<(), ServerError> {
    let policy = app.db.policy().await?;
    let mut new = Vec::new();
    {
        let mut connection = app.db.pool().acquire().await?;
        for one in declared {
            let (name, version) = (&one.name, &one.version);
            let existing = existing_version(&mut connection, name, version).await?;
            if existing.is_none() {
                let sizes = one.archives.iter().filter_map(|it| it.size);
                admission::check(&mut connection, &policy, (name, version), sizes).await?;
                new.push(name);
            }
        }
    }
    // Nobody asks for a second connection while holding one: a crowd would wait for itself.
    for name in new {
        admission::check_name(app, &policy, name).await?;
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
        standing: Standing::open(app.now()),
        declared,
        opened_by: principal.name().to_owned(),
        owner: principal.user().map(str::to_owned),
        approved_by: None,
    };
    let mut tx = app.db.write_quietly().await?;
    insert_session(tx.connection(), &row).await?;
    for declared in &row.declared {
        reserve(tx.connection(), &row, declared).await?;
    }
    // Until something of it is published, losing it costs its owner a repetition.
    tx.commit_hastily().await?;
    app.may_crash(CrashPoint::Opened);
    Ok(row)
}

/// Reserves a version, and its name where that is new; nothing of what is there already.
async fn reserve(
    connection: &mut AnyConnection,
    row: &SessionRow,
    declared: &DeclaredVersion,
) -> Result<(), ServerError> {
    let (name, version) = (&declared.name, &declared.version);
    if existing_version(connection, name, version).await?.is_some() {
        return Ok(());
    }
    let own = Reserved {
        session: row.id.clone(),
        holder: reservation::holder(row.owner.as_deref(), &row.token),
    };
    let claim = Claim::Version(name, version);
    let mut is_shared = false;
    if let Some(other) = reservations::reserve(connection, claim, &own).await? {
        let theirs = session_in(connection, &other.session).await?;
        let theirs = theirs.and_then(|it| {
            let is_same = |it: &DeclaredVersion| it.name == *name && it.version == *version;
            it.declared.into_iter().find(is_same)
        });
        reservation::check_version(declared, &own.holder, &other, theirs.as_ref())?;
        is_shared = true;
    }
    if version_numbers(connection, name).await?.is_empty()
        && let Some(other) = reservations::reserve(connection, Claim::Name(name), &own).await?
    {
        reservation::check_name(declared, &own.holder, &other, is_shared)?;
    }
    Ok(())
}
