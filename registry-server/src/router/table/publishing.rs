//! What changes packages, the matrix and bundles.

use axum::http::StatusCode;
use provisioning_registry_api::command::{
    BundlePublished, MatrixPushed, PublishBundle, PushMatrix, Yank, YankAnswer,
};
use provisioning_registry_api::session::{OpenSession, SessionStatus, UploadOffset};

use super::super::{Route, delete, doc, get, patch, post, put};
use crate::problem::Code;
use crate::routes::{bundles, matrix, sessions, uploads, yank};
use crate::rules::access::Action;

const YANK: &str = "/api/v1/packages/{kind}/{name}/versions/{version}/yank";

const SESSION: &str = "/api/v1/sessions/{id}";
const ARCHIVE: &str = "/api/v1/sessions/{id}/archives/{hex}";

/// What an upload may be refused with.
const UPLOAD_REFUSALS: &[Code] = &[
    Code::SessionUnknown,
    Code::SessionRefused,
    Code::SessionExpired,
    Code::ArchiveUndeclared,
    Code::DigestMismatch,
    Code::SizeMismatch,
    Code::ManifestMissing,
    Code::ManifestInvalid,
    Code::ManifestMismatch,
    Code::ClientFormat,
    Code::StorageFull,
];

/// What making a session visible may be refused with.
pub(super) const PUBLISH_REFUSALS: &[Code] = &[
    Code::SessionUnknown,
    Code::SessionRefused,
    Code::SessionExpired,
    Code::SessionIncomplete,
    Code::SessionState,
    Code::VersionExists,
    Code::VersionReserved,
    Code::BuildMetadataConflict,
    Code::NameTaken,
    Code::NameReserved,
    Code::NameHeld,
    Code::PackageClosed,
    Code::VersionDeleted,
    Code::QuotaExceeded,
    Code::ManifestsDiffer,
    Code::ManifestInvalid,
    Code::SizeMismatch,
    Code::NotVisibleYet,
    Code::StorageFull,
];

/// Sessions, yanks, the matrix and bundles.
pub(in crate::router) fn publishing() -> Vec<Route> {
    let mut routes = sessions();
    routes.extend(uploads());
    routes.extend(versions());
    routes.extend(combinations());
    routes
}

/// From the first byte to visible.
fn sessions() -> Vec<Route> {
    vec![
        post(
            "/api/v1/sessions",
            Action::Publish,
            sessions::open,
            doc("Opens a publish session")
                .takes::<OpenSession>()
                .gives_as::<SessionStatus>(StatusCode::CREATED, "the session is open")
                .refuses(&[
                    Code::DeclarationInvalid,
                    Code::VersionExists,
                    Code::BuildMetadataConflict,
                    Code::VersionReserved,
                    Code::NameReserved,
                    Code::NameConfusable,
                    Code::NameHeld,
                    Code::PackageClosed,
                    Code::VersionDeleted,
                    Code::QuotaExceeded,
                ]),
        ),
        get(
            SESSION,
            Action::ReadSession,
            sessions::show,
            doc("Where a publish session stands")
                .gives::<SessionStatus>()
                .refuses(&[Code::SessionUnknown]),
        ),
        post(
            "/api/v1/sessions/{id}/finalize",
            Action::Publish,
            sessions::finalize,
            doc("Makes everything that a session declared visible, or nothing")
                .gives_as::<SessionStatus>(StatusCode::CREATED, "everyone can install it")
                .gives_as::<SessionStatus>(StatusCode::ACCEPTED, "it waits for somebody")
                .refuses(PUBLISH_REFUSALS),
        ),
        delete(
            SESSION,
            Action::Publish,
            sessions::abandon,
            doc("Ends a session that is not visible yet")
                .gives::<SessionStatus>()
                .refuses(&[Code::SessionUnknown, Code::SessionState]),
        ),
    ]
}

/// The bytes of archives.
fn uploads() -> Vec<Route> {
    vec![
        put(
            ARCHIVE,
            Action::Publish,
            uploads::put,
            doc("Takes an archive of a session")
                .takes_bytes()
                .gives::<SessionStatus>()
                .refuses(UPLOAD_REFUSALS),
        ),
        get(
            ARCHIVE,
            Action::Publish,
            uploads::offset,
            doc("How much of an archive has arrived")
                .gives::<UploadOffset>()
                .refuses(UPLOAD_REFUSALS),
        ),
        patch(
            ARCHIVE,
            Action::Publish,
            uploads::go_on,
            doc("Goes on with an upload that broke off, from `Upload-Offset` on")
                .takes_bytes()
                .gives::<SessionStatus>()
                .refuses(UPLOAD_REFUSALS)
                .refuses(&[Code::UploadOffset]),
        ),
    ]
}

/// What happens to a version afterwards.
fn versions() -> Vec<Route> {
    vec![
        put(
            YANK,
            Action::Yank,
            yank::yank,
            doc("Hides a version from new solutions")
                .takes::<Yank>()
                .gives::<YankAnswer>()
                .refuses(&[Code::PinnedByBundle])
                .refuses(&[Code::VersionUnknown, Code::NotVisibleYet]),
        ),
        delete(
            YANK,
            Action::Yank,
            yank::unyank,
            doc("Shows a hidden version again")
                .gives::<YankAnswer>()
                .refuses(&[Code::VersionUnknown, Code::NotVisibleYet]),
        ),
    ]
}

/// Which versions go together.
fn combinations() -> Vec<Route> {
    vec![
        put(
            "/api/v1/matrix",
            Action::PushMatrix,
            matrix::push,
            doc("Replaces the compatibility matrix")
                .takes::<PushMatrix>()
                .gives::<MatrixPushed>()
                .refuses(&[Code::MatrixInvalid, Code::MatrixMoved, Code::NotVisibleYet]),
        ),
        post(
            "/api/v1/bundles/{name}",
            Action::PublishBundle,
            bundles::publish,
            doc("Publishes the next sequence of a bundle")
                .takes::<PublishBundle>()
                .gives::<BundlePublished>()
                .refuses(&[
                    Code::BundleInvalid,
                    Code::BundleState,
                    Code::GateClosed,
                    Code::NameTaken,
                    Code::NotVisibleYet,
                ]),
        ),
    ]
}
