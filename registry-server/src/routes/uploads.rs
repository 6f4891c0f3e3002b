//! `PUT sessions/{id}/archives/{hex}`: takes an archive's bytes.
//!
//! They go to a file in the staging area while they are hashed, a chunk at a time, never
//! into memory as a whole. What arrived of a request that broke off is kept, and `PATCH` goes
//! on behind it. Only bytes that have the declared digest, pass every rule of
//! the `package` crate and carry the declared manifest reach the store.

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::{Extension, Json};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use provisioning_package::{ARCHIVE_BYTES_MAX, ArchiveReport, Digest, inspect_archive};
use provisioning_registry_api::paths;
use provisioning_registry_api::session::{
    DeclaredVersion, SessionState, SessionStatus, UploadOffset,
};
use tempfile::TempPath;

use super::body::{drain, refusal_of};
use super::sessions::{find, permit, refuse_ended, status};
use crate::app::App;
use crate::db::archives::ArchiveRow;
use crate::db::sessions::SessionRow;
use crate::problem::{Code, Refusal, ServerError};
use crate::rules::access::Principal;
use crate::rules::manifest;
use crate::rules::session::Event;
use crate::settings::CrashPoint;
use crate::settling::{self, SMALL_BYTES_MAX};
use crate::staging::{Place, Sink};

/// At which byte an upload goes on (as the IETF's resumable uploads name it).
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
/// Whether all of it has arrived.
const UPLOAD_COMPLETE: HeaderName = HeaderName::from_static("upload-complete");

/// Bytes that are hashed and written at a time.
const CHUNK_BYTES: usize = 1024 * 1024;

/// Takes an archive; the answer says what is still missing.
pub(crate) async fn put(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path((id, hex)): Path<(String, String)>,
    request: Request,
) -> Result<Json<SessionStatus>, ServerError> {
    let (parts, body) = request.into_parts();
    let length = parts.headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|it| it.to_str().ok()?.parse().ok());
    let (row, digest) = match admit(&app, &principal, &id, &hex, length).await {
        Ok(admitted) => admitted,
        Err(error) => {
            drain(&parts.headers, body).await;
            return Err(error);
        }
    };
    let place = Place::new(&app.staging, &row.id, &digest);
    receive(&app, &row, &digest, (place, None), (parts.headers, body)).await?;
    let row = find(&app, &id).await?;
    Ok(Json(status(&app, row).await?))
}

/// `GET sessions/{id}/archives/{hex}`: how much of an archive has arrived.
pub(crate) async fn offset(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path((id, hex)): Path<(String, String)>,
) -> Result<(HeaderMap, Json<UploadOffset>), ServerError> {
    let (row, digest) = admit(&app, &principal, &id, &hex, None).await?;
    let offset = if let Some(found) = app.db.archive(&digest).await? {
        UploadOffset {
            offset: found.size,
            complete: true,
        }
    } else {
        let place = Place::new(&app.staging, &row.id, &digest);
        UploadOffset {
            offset: blocking(move || place.length()).await?,
            complete: false,
        }
    };
    Ok((offset_headers(offset), Json(offset)))
}

/// `PATCH sessions/{id}/archives/{hex}`: goes on with an upload that broke off, from the
/// byte that `Upload-Offset` names.
pub(crate) async fn go_on(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path((id, hex)): Path<(String, String)>,
    request: Request,
) -> Result<Json<SessionStatus>, ServerError> {
    let (parts, body) = request.into_parts();
    let asked = parts.headers.get(UPLOAD_OFFSET);
    let asked = asked.and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
    let admitted = admit(&app, &principal, &id, &hex, None).await;
    let (row, digest, asked) = match (admitted, asked) {
        (Ok((row, digest)), Some(asked)) => (row, digest, asked),
        (admitted, _) => {
            drain(&parts.headers, body).await;
            admitted?;
            let detail = "`Upload-Offset` says at which byte the upload goes on, and is missing";
            return Err(Refusal::new(Code::BadRequest, detail).into());
        }
    };
    let place = Place::new(&app.staging, &row.id, &digest);
    receive(
        &app,
        &row,
        &digest,
        (place, Some(asked)),
        (parts.headers, body),
    )
    .await?;
    let row = find(&app, &id).await?;
    Ok(Json(status(&app, row).await?))
}

fn offset_headers(offset: UploadOffset) -> HeaderMap {
    let complete = if offset.complete { "?1" } else { "?0" };
    HeaderMap::from_iter([
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (UPLOAD_OFFSET, HeaderValue::from(offset.offset)),
        (UPLOAD_COMPLETE, HeaderValue::from_static(complete)),
    ])
}

/// Takes the bytes of an archive from its first on, or from `offset` on.
async fn receive(
    app: &App,
    row: &SessionRow,
    digest: &Digest,
    (place, offset): (Place, Option<u64>),
    (headers, body): (HeaderMap, Body),
) -> Result<(), ServerError> {
    let is_wanted = row.standing.state == SessionState::Uploading;
    if !is_wanted || (offset.is_some() && app.db.archive(digest).await?.is_some()) {
        // It has arrived already, perhaps by another connection.
        drain(&headers, body).await;
        return Ok(());
    }
    let taking = place.clone();
    let sink = blocking(move || match offset {
        None => taking.begin(),
        Some(_) => taking.go_on(),
    })
    .await?;
    let kept = sink.length();
    if let Some(asked) = offset.filter(|it| *it != kept) {
        blocking(move || place.keep(sink)).await?;
        drain(&headers, body).await;
        return Err(Refusal::new(
            Code::UploadOffset,
            format!("the upload goes on at byte {kept}, not at {asked}"),
        )
        .hint("ask for the offset with GET, or send the archive from its first byte with PUT")
        .into());
    }
    let declared = row.declared.iter().flat_map(|it| &it.archives);
    let length = declared
        .filter(|it| it.digest == Some(*digest))
        .find_map(|it| it.size)
        .filter(|_| offset.is_some());
    let staged = match stage(app, body, digest, (place, sink), length).await? {
        Arrival::Whole(staged, fresh) => (staged, fresh),
        Arrival::Part => return Ok(()),
    };
    let accepted = accept(app, row, digest, staged).await;
    if let Err(ServerError::Refused(refusal)) = &accepted {
        // The digest is declared, so other bytes can never come: the session ends.
        let event = Event::Refused(vec![refusal.detail.clone()]);
        app.db.move_session(row, event, app.now()).await?;
    }
    accepted
}

/// Everything that can be refused before a byte is read.
async fn admit(
    app: &App,
    principal: &Principal,
    id: &str,
    hex: &str,
    length: Option<u64>,
) -> Result<(SessionRow, Digest), ServerError> {
    let row = find(app, id).await?;
    permit(app, principal, &row.declared).await?;
    refuse_ended(&row)?;
    let undeclared = || {
        Refusal::new(
            Code::ArchiveUndeclared,
            format!("publish session `{id}` declares no archive `{hex}`"),
        )
        .hint("declare the digest when the session is opened")
    };
    let digest = Digest::from_hex(hex).map_err(|_| undeclared())?;
    let declared = row
        .declared
        .iter()
        .flat_map(|it| &it.archives)
        .find(|it| it.digest == Some(digest))
        .ok_or_else(undeclared)?;
    if let (Some(length), Some(size)) = (length, declared.size)
        && length != size
    {
        return Err(Refusal::new(
            Code::SizeMismatch,
            format!("the archive was declared with {size} bytes and the request has {length}"),
        )
        .into());
    }
    if length
        .or(declared.size)
        .is_some_and(|it| it > ARCHIVE_BYTES_MAX)
    {
        return Err(too_large().into());
    }
    Ok((row, digest))
}

fn too_large() -> Refusal {
    Refusal::new(
        Code::BodyTooLarge,
        format!("an archive has at most {ARCHIVE_BYTES_MAX} bytes"),
    )
}

/// What became of a body.
enum Arrival {
    /// All of it, with the declared digest; its bytes where the file is not durable.
    Whole(TempPath, Option<Bytes>),
    /// A part, which is kept.
    Part,
}

/// Writes a body to the staging area behind what is there, and checks its digest once it is
/// complete. What arrived of a body that breaks off is kept.
async fn stage(
    app: &App,
    body: Body,
    digest: &Digest,
    (place, mut sink): (Place, Sink),
    length: Option<u64>,
) -> Result<Arrival, ServerError> {
    let mut stream = body.into_data_stream();
    let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
    while let Some(bytes) = stream.next().await {
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) => {
                blocking(move || place.keep(sink.take(chunk)?.0)).await?;
                return Err(refusal_of(&error).into());
            }
        };
        chunk.extend_from_slice(&bytes);
        if sink.length() + chunk.len() as u64 > ARCHIVE_BYTES_MAX {
            return Err(too_large().into());
        }
        if chunk.len() >= CHUNK_BYTES {
            (sink, chunk) = blocking(move || sink.take(chunk)).await?;
        }
    }
    let is_small = sink.length() == 0 && chunk.len() <= SMALL_BYTES_MAX;
    let fresh = (is_small && app.storage.can_forget()).then(|| chunk.clone().freeze());
    (sink, _) = blocking(move || sink.take(chunk)).await?;
    let total = sink.length();
    if length.is_some_and(|it| total < it) {
        blocking(move || place.keep(sink)).await?;
        return Ok(Arrival::Part);
    }
    let is_hasty = fresh.is_some();
    let (path, found) = blocking(move || sink.close(is_hasty)).await?;
    if found != *digest {
        return Err(Refusal::new(
            Code::DigestMismatch,
            format!(
                "the {total} bytes that arrived have the digest {}, not {}",
                found.prefixed(),
                digest.prefixed()
            ),
        )
        .hint("send the archive again")
        .into());
    }
    app.may_crash(CrashPoint::Staged);
    Ok(Arrival::Whole(path, fresh))
}

/// Inspects a staged archive and moves it into the store.
async fn accept(
    app: &App,
    row: &SessionRow,
    digest: &Digest,
    (staged, fresh): (TempPath, Option<Bytes>),
) -> Result<(), ServerError> {
    let permit = app
        .inspections
        .acquire()
        .await
        .map_err(|_| ServerError::Failed("the server is ending".to_owned()))?;
    let (staged, inspected) = blocking(move || {
        let report = inspect_archive(&staged);
        Ok((staged, report))
    })
    .await?;
    drop(permit);
    let report = match inspected {
        Ok(report) => report,
        Err(error) if error.is_refusal() => {
            return Err(Refusal::new(Code::Archive(error.code()), error.to_string()).into());
        }
        Err(error) => {
            return Err(ServerError::Failed(format!(
                "the staged archive cannot be inspected: {}",
                crate::problem::chain(&error)
            )));
        }
    };
    check(row, digest, &report)?;
    let path = paths::archive(digest);
    if let Some(bytes) = fresh {
        app.storage.move_hastily(&path, &staged).await?;
        settling::keep(app, digest, &bytes).await?;
    } else {
        app.storage.put_file(&path, &staged).await?;
    }
    app.may_crash(CrashPoint::Stored);
    app.db
        .insert_archive(&archive_row(report), app.now())
        .await?;
    app.may_crash(CrashPoint::Arrived);
    // A collection that was taking the same bytes away keeps the row back until it is done,
    // so what is there now stays.
    if app.storage.length(&paths::archive(digest)).await?.is_none() {
        app.db.forget_lost_archive(digest).await?;
        return Err(ServerError::Failed(
            "the archive was taken away while it arrived: send it again".to_owned(),
        ));
    }
    Ok(())
}

/// Checks an archive against every version that declares it.
fn check(row: &SessionRow, digest: &Digest, report: &ArchiveReport) -> Result<(), Refusal> {
    let manifest = manifest::read(report.manifest.as_deref())?;
    let declares = |it: &&DeclaredVersion| it.archives.iter().any(|it| it.digest == Some(*digest));
    for declared in row.declared.iter().filter(declares) {
        manifest::check(declared, &manifest, report.facts.format)?;
    }
    Ok(())
}

fn archive_row(report: ArchiveReport) -> ArchiveRow {
    ArchiveRow {
        digest: report.facts.digest,
        size: report.facts.size,
        unpacked: report.facts.unpacked,
        entries: report.facts.entries,
        format: report.facts.format,
        manifest: report.manifest.unwrap_or_default(),
    }
}

/// Runs file work beside the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(failure) => Err(std::io::Error::other(failure)),
    }
}
