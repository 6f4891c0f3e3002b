//! `PUT sessions/{id}/archives/{hex}`: takes an archive's bytes.
//!
//! They go to a file in the staging area while they are hashed, a chunk at a time, never
//! into memory as a whole. Only bytes that have the declared digest, pass every rule of
//! the `package` crate and carry the declared manifest reach the store.

use std::io::Write as _;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header;
use axum::{Extension, Json};
use bytes::BytesMut;
use futures_util::StreamExt as _;
use provisioning_package::{ARCHIVE_BYTES_MAX, ArchiveReport, Digest, Hasher, inspect_archive};
use provisioning_registry_api::paths;
use provisioning_registry_api::session::{DeclaredVersion, SessionState, SessionStatus};
use tempfile::{NamedTempFile, TempPath};

use super::body::{drain, refusal_of};
use super::sessions::{find, permit, refused, status};
use crate::app::App;
use crate::db::archives::ArchiveRow;
use crate::db::sessions::SessionRow;
use crate::problem::{Code, Refusal, ServerError};
use crate::rules::access::Principal;
use crate::rules::manifest;
use crate::settings::CrashPoint;

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
    if row.state == SessionState::Uploading {
        let staged = stage(&app, body, &digest).await?;
        if let Err(error) = accept(&app, &row, &digest, staged).await {
            if let ServerError::Refused(refusal) = &error {
                // The digest is declared, so other bytes can never come: the session ends.
                let reason = [refusal.detail.clone()];
                app.db.refuse_session(&row.id, &reason, app.now()).await?;
            }
            return Err(error);
        }
    } else {
        drain(&parts.headers, body).await;
    }
    let row = find(&app, &id).await?;
    Ok(Json(status(&app, row).await?))
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
    if row.state == SessionState::Refused {
        return Err(refused(&row).into());
    }
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

/// A file of the staging area, removed when dropped.
struct Staged {
    path: TempPath,
}

/// Writes a body to the staging area and checks its digest.
async fn stage(app: &App, body: Body, digest: &Digest) -> Result<Staged, ServerError> {
    let folder = app.staging.clone();
    let file = blocking(move || {
        tempfile::Builder::new()
            .prefix("upload-")
            .tempfile_in(folder)
    })
    .await?;
    let mut sink = Sink {
        file,
        hasher: Hasher::new(),
    };
    let mut stream = body.into_data_stream();
    let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
    let mut total = 0_u64;
    while let Some(bytes) = stream.next().await {
        let bytes = bytes.map_err(|error| refusal_of(&error))?;
        total += bytes.len() as u64;
        if total > ARCHIVE_BYTES_MAX {
            return Err(too_large().into());
        }
        chunk.extend_from_slice(&bytes);
        if chunk.len() >= CHUNK_BYTES {
            (sink, chunk) = blocking(move || sink.take(chunk)).await?;
        }
    }
    let (path, found) = blocking(move || sink.take(chunk)?.0.close()).await?;
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
    Ok(Staged { path })
}

/// The file that an upload is written to.
struct Sink {
    file: NamedTempFile,
    hasher: Hasher,
}

impl Sink {
    fn take(mut self, mut chunk: BytesMut) -> std::io::Result<(Self, BytesMut)> {
        self.hasher.update(&chunk);
        self.file.write_all(&chunk)?;
        chunk.clear();
        Ok((self, chunk))
    }

    fn close(self) -> std::io::Result<(TempPath, Digest)> {
        let (file, path) = self.file.into_parts();
        file.sync_all()?;
        Ok((path, self.hasher.finish().0))
    }
}

/// Inspects a staged archive and moves it into the store.
async fn accept(
    app: &App,
    row: &SessionRow,
    digest: &Digest,
    staged: Staged,
) -> Result<(), ServerError> {
    let permit = app
        .inspections
        .acquire()
        .await
        .map_err(|_| ServerError::Failed("the server is ending".to_owned()))?;
    let (staged, inspected) = blocking(move || {
        let report = inspect_archive(&staged.path);
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
    app.storage
        .put_file(&paths::archive(digest), &staged.path)
        .await?;
    app.may_crash(CrashPoint::Stored);
    app.db
        .insert_archive(&archive_row(report), app.now())
        .await?;
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
