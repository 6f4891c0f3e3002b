//! What the registry answers when it refuses or fails: RFC 9457 problem documents.
//!
//! [`Code`] is the whole list of stable codes; `docs/http-api.md` explains each. A failure
//! of ours says nothing about its inside: the log does, under the same request id.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use provisioning_registry_api::identity::Binding;
use provisioning_registry_api::problem::{PROBLEM_CONTENT_TYPE, Problem};

use crate::db::DbError;
use crate::rules::access::{Denied, Scope};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident, $code:literal, $status:ident, $title:literal;)*) => {
        /// A stable code of a refusal.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($(#[$doc])* $name,)*
            /// The archive breaks one of the rules of the `package` crate, whose code it is.
            Archive(&'static str),
        }

        impl Code {
            /// Every code but those of archives.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code as programs match on it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* Self::Archive(code) => code }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> StatusCode {
                match self {
                    $(Self::$name => StatusCode::$status,)*
                    Self::Archive(_) => StatusCode::UNPROCESSABLE_ENTITY,
                }
            }

            /// What it means, the same every time.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* Self::Archive(_) => "the archive is refused" }
            }
        }
    };
}

codes! {
    /// Not the shape that the route takes.
    BadRequest, "bad-request", BAD_REQUEST, "the request is malformed";
    /// The action needs a token.
    TokenMissing, "token-missing", UNAUTHORIZED, "a token is needed";
    /// The token is none of ours.
    TokenInvalid, "token-invalid", UNAUTHORIZED, "the token is not valid";
    /// The token's time is over.
    TokenExpired, "token-expired", UNAUTHORIZED, "the token has expired";
    /// The token was taken back.
    TokenRevoked, "token-revoked", UNAUTHORIZED, "the token was revoked";
    /// The token is good, but not for this.
    ScopeMissing, "scope-missing", FORBIDDEN, "the token does not allow this";
    /// The token is for other packages.
    PatternMissing, "pattern-missing", FORBIDDEN, "the token is for other packages";
    /// The token is bound to another version.
    TokenBound, "token-bound", FORBIDDEN, "the token is bound to another version";
    /// The token's user may not do this.
    RoleMissing, "role-missing", FORBIDDEN, "the user may not do this";
    /// The user may do nothing now.
    UserDisabled, "user-disabled", FORBIDDEN, "the user is locked out";
    /// It is about a user, and the token is nobody's.
    NoUser, "no-user", FORBIDDEN, "no user stands behind the token";
    /// No such user.
    UserUnknown, "user-unknown", NOT_FOUND, "there is no such user";
    /// No such team.
    TeamUnknown, "team-unknown", NOT_FOUND, "there is no such team";
    /// No such invitation.
    InvitationUnknown, "invitation-unknown", NOT_FOUND, "there is no such invitation";
    /// No such token.
    TokenUnknown, "token-unknown", NOT_FOUND, "there is no such token";
    /// The user is there already.
    UserExists, "user-exists", CONFLICT, "there is such a user already";
    /// The team is there already.
    TeamExists, "team-exists", CONFLICT, "there is such a team already";
    /// Nobody would be left who could change it.
    LastOwner, "last-owner", CONFLICT, "somebody must stay responsible";
    /// The token of another system is not right.
    ProofInvalid, "proof-invalid", UNAUTHORIZED, "the issuer's token is not valid";
    /// The token of another system was taken before.
    ProofReplayed, "proof-replayed", CONFLICT, "the issuer's token was used before";
    /// No package trusts the job that the token is about.
    NotTrusted, "not-trusted", FORBIDDEN, "no package trusts this job";
    /// The issuer's keys cannot be had.
    IssuerUnavailable, "issuer-unavailable", SERVICE_UNAVAILABLE, "the issuer does not answer";
    /// The issuer or publisher cannot be.
    PublisherInvalid, "publisher-invalid", UNPROCESSABLE_ENTITY, "that is no right issuer or publisher";
    /// A bundle that people follow pins the version.
    PinnedByBundle, "pinned-by-bundle", CONFLICT, "a bundle pins the version";
    /// The version was deleted; its number is never used again.
    VersionDeleted, "version-deleted", CONFLICT, "the version was deleted and its number stays taken";
    /// The rule of deletion does not allow it.
    DeletionRefused, "deletion-refused", CONFLICT, "the version may not be deleted";
    /// The package takes no new versions.
    PackageClosed, "package-closed", CONFLICT, "the package takes no new versions";
    /// The name would be taken for another one.
    NameConfusable, "name-confusable", CONFLICT, "the name would be taken for another one";
    /// Nobody may have the name.
    NameHeld, "name-held", CONFLICT, "the name is reserved";
    /// More bytes than the package may have.
    QuotaExceeded, "quota-exceeded", PAYLOAD_TOO_LARGE, "the package may not have so many bytes";
    /// A name, scope, role or time that cannot be.
    IdentityInvalid, "identity-invalid", UNPROCESSABLE_ENTITY, "that is no right name, scope, role or time";
    /// An operator holds the caller or the package back.
    Blocked, "blocked", FORBIDDEN, "an operator holds this back";
    /// The evidence is signed by nobody whose evidence counts.
    TesterUnknown, "tester-unknown", FORBIDDEN, "nobody whose evidence counts signed this";
    /// Nothing is there.
    NotFound, "not-found", NOT_FOUND, "there is nothing here";
    /// No such session.
    SessionUnknown, "session-unknown", NOT_FOUND, "there is no such publish session";
    /// No such package or version.
    VersionUnknown, "version-unknown", NOT_FOUND, "there is no such version";
    /// No such bundle or sequence.
    BundleUnknown, "bundle-unknown", NOT_FOUND, "there is no such bundle";
    /// The path exists, the method does not.
    MethodNotAllowed, "method-not-allowed", METHOD_NOT_ALLOWED, "the method is not allowed here";
    /// The body stalled.
    RequestTimeout, "request-timeout", REQUEST_TIMEOUT, "the request came too slowly";
    /// The body ended early or broke its framing.
    BodyIncomplete, "body-incomplete", BAD_REQUEST, "the request's body ended early";
    /// The version was published with other bytes.
    VersionExists, "version-exists", CONFLICT, "the version exists with other content";
    /// A version differs from another in build metadata alone.
    BuildMetadataConflict, "build-metadata-conflict", CONFLICT, "the version differs from another in build metadata alone";
    /// The name belongs to something else.
    NameTaken, "name-taken", CONFLICT, "the name is taken";
    /// Archives are missing.
    SessionIncomplete, "session-incomplete", CONFLICT, "archives are missing";
    /// Somebody else publishes that version.
    VersionReserved, "version-reserved", CONFLICT, "the version is being published by somebody else";
    /// Somebody else publishes the first version under that name.
    NameReserved, "name-reserved", CONFLICT, "the name is being taken by somebody else";
    /// Nobody finished the session in time.
    SessionExpired, "session-expired", CONFLICT, "the publish session has expired";
    /// The session is not in a state for that.
    SessionState, "session-state", CONFLICT, "the publish session is in another state";
    /// The upload goes on at another byte.
    UploadOffset, "upload-offset", CONFLICT, "the upload goes on at another byte";
    /// The session was refused before.
    SessionRefused, "session-refused", CONFLICT, "the publish session was refused";
    /// The matrix was written over another one than is in force.
    MatrixMoved, "matrix-moved", CONFLICT, "the matrix has changed since";
    /// Something else is to be signed by now.
    BaseMoved, "base-moved", CONFLICT, "something else is to be signed by now";
    /// Signatures are missing.
    Unsigned, "unsigned", CONFLICT, "signatures are missing";
    /// The bundle's state would go backwards.
    BundleState, "bundle-state", CONFLICT, "the bundle cannot go back to that state";
    /// A gate does not let the bundle through.
    GateClosed, "gate-closed", CONFLICT, "a gate does not let the bundle through";
    /// Nothing waits in testing that the update could collect.
    UpdateEmpty, "update-empty", CONFLICT, "nothing in testing belongs into the update";
    /// The conditions of the update do not hold.
    UpdateNotReady, "update-not-ready", CONFLICT, "the update's conditions do not hold";
    /// The update is stable or rejected.
    UpdateEnded, "update-ended", CONFLICT, "the update has ended";
    /// More bytes than the route takes.
    BodyTooLarge, "body-too-large", PAYLOAD_TOO_LARGE, "the request's body is too large";
    /// The request's path is too long.
    UriTooLong, "uri-too-long", URI_TOO_LONG, "the request's path is too long";
    /// The request's head has too many bytes.
    HeadTooLarge, "head-too-large", REQUEST_HEADER_FIELDS_TOO_LARGE, "the request's head is too large";
    /// The range lies outside the file.
    RangeNotSatisfiable, "range-not-satisfiable", RANGE_NOT_SATISFIABLE, "the range lies outside the file";
    /// The body's content type is not JSON.
    ContentType, "content-type", UNSUPPORTED_MEDIA_TYPE, "the request's content type is not understood";
    /// The declared versions contradict the rules or themselves.
    DeclarationInvalid, "declaration-invalid", UNPROCESSABLE_ENTITY, "the declaration is refused";
    /// The archive is none that the session declared.
    ArchiveUndeclared, "archive-undeclared", UNPROCESSABLE_ENTITY, "the session declares no such archive";
    /// The bytes have another digest.
    DigestMismatch, "digest-mismatch", UNPROCESSABLE_ENTITY, "the bytes have another digest";
    /// The bytes have another length.
    SizeMismatch, "size-mismatch", UNPROCESSABLE_ENTITY, "the archive has another size";
    /// No manifest at the archive's root.
    ManifestMissing, "manifest-missing", UNPROCESSABLE_ENTITY, "the archive has no manifest";
    /// The manifest does not parse.
    ManifestInvalid, "manifest-invalid", UNPROCESSABLE_ENTITY, "the manifest is refused";
    /// The manifest speaks of another version.
    ManifestMismatch, "manifest-mismatch", UNPROCESSABLE_ENTITY, "the manifest contradicts the declaration";
    /// The manifests of a version's targets differ outside `[install]`.
    ManifestsDiffer, "manifests-differ", UNPROCESSABLE_ENTITY, "the manifests of the version's targets differ";
    /// A client archive that a bare machine cannot unpack.
    ClientFormat, "client-format", UNPROCESSABLE_ENTITY, "client archives must be tar.gz";
    /// The signature is of no key that counts, or of other bytes.
    SignatureInvalid, "signature-invalid", UNPROCESSABLE_ENTITY, "the signature does not count";
    /// Proposed metadata says what it may not, or cannot be followed.
    ProposalInvalid, "proposal-invalid", UNPROCESSABLE_ENTITY, "the proposal is refused";
    /// `versions.toml` has errors.
    MatrixInvalid, "matrix-invalid", UNPROCESSABLE_ENTITY, "the matrix is refused";
    /// The webhook cannot be one.
    WebhookInvalid, "webhook-invalid", UNPROCESSABLE_ENTITY, "the webhook is refused";
    /// The bundle has errors.
    BundleInvalid, "bundle-invalid", UNPROCESSABLE_ENTITY, "the bundle is refused";
    /// The caller asks too often.
    RateLimited, "rate-limited", TOO_MANY_REQUESTS, "too many requests";
    /// The evidence contradicts itself or its signature.
    EvidenceInvalid, "evidence-invalid", UNPROCESSABLE_ENTITY, "the evidence is refused";
    /// A failure of ours.
    Internal, "internal", INTERNAL_SERVER_ERROR, "the registry failed";
    /// The change is acknowledged in the database but not readable yet.
    NotVisibleYet, "not-visible-yet", SERVICE_UNAVAILABLE, "the change is kept but not visible yet";
    /// An operator stopped every change.
    ReadOnly, "read-only", SERVICE_UNAVAILABLE, "the registry takes no changes now";
    /// An operator stopped publishing.
    PublishingOff, "publishing-off", SERVICE_UNAVAILABLE, "the registry takes no publishes now";
    /// The server cannot serve.
    Unavailable, "unavailable", SERVICE_UNAVAILABLE, "the registry cannot answer now";
    /// No room on the disk.
    StorageFull, "storage-full", INSUFFICIENT_STORAGE, "the registry's disk is full";
}

/// A request that is refused for a reason of its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// The stable code.
    pub code: Code,
    /// What went wrong this time.
    pub detail: String,
    /// What to do about it.
    pub hints: Vec<String>,
    /// The single problems where there are many.
    pub causes: Vec<String>,
}

impl Refusal {
    /// A refusal without hints and causes.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            hints: Vec::new(),
            causes: Vec::new(),
        }
    }

    /// The same with something to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same with the single problems.
    #[must_use]
    pub fn causes(mut self, causes: Vec<String>) -> Self {
        self.causes = causes;
        self
    }

    fn problem(self) -> Problem {
        Problem {
            type_uri: format!("urn:provisioning:problem:{}", self.code.as_str()),
            title: self.code.title().to_owned(),
            status: self.code.status().as_u16(),
            code: self.code.as_str().to_owned(),
            detail: self.detail,
            hints: self.hints,
            causes: self.causes,
            request_id: None,
        }
    }
}

/// Why a request got no answer of the kind it asked for.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The request is refused.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// Signing failed.
    #[error("signing the metadata failed")]
    Sign(#[from] provisioning_trust::SignError),
    /// The archive store failed.
    #[error("the archive store failed")]
    Storage(#[from] object_store::Error),
    /// The staging area failed.
    #[error("the staging area failed")]
    Io(#[from] std::io::Error),
    /// Something that cannot be blamed on the request.
    #[error("{0}")]
    Failed(String),
}

impl From<Refusal> for ServerError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<sqlx::Error> for ServerError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(DbError::Sql(error))
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::NoToken => Self::new(
                Code::TokenMissing,
                "this needs `Authorization: Bearer <token>`",
            )
            .hint("set PROVISIONING_TOKEN, or run `provisioning login`"),
            Denied::Revoked => Self::new(Code::TokenRevoked, "the token was revoked")
                .hint("ask the registry's operator for a new one"),
            Denied::Expired => Self::new(Code::TokenExpired, "the token has expired")
                .hint("ask the registry's operator for a new one"),
            Denied::Disabled(user) => Self::new(
                Code::UserDisabled,
                format!("the user `{user}` is locked out"),
            )
            .hint("ask the registry's administrator why"),
            Denied::Scope(needed) => lacks_scope(needed),
            Denied::Pattern(name) => Self::new(
                Code::PatternMissing,
                format!("the token is limited to some packages, and `{name}` is not among them"),
            )
            .hint("`provisioning token list` shows what a token is limited to"),
            Denied::Bound(binding) => bound(&binding),
            Denied::Role(needed) => Self::new(
                Code::RoleMissing,
                format!("this is for {needed}, and the token's user is none"),
            )
            .hint("`provisioning owner list NAME` shows who is responsible for a package"),
        }
    }
}

fn bound(binding: &Binding) -> Refusal {
    let version = binding
        .version
        .as_ref()
        .map(|it| format!("@{it}"))
        .unwrap_or_default();
    let archive = binding
        .digest
        .map(|it| format!(" with {}", it.prefixed()))
        .unwrap_or_default();
    Refusal::new(
        Code::TokenBound,
        format!(
            "the token is good for publishing `{}{version}`{archive} and nothing else",
            binding.name
        ),
    )
}

fn lacks_scope(needed: &[Scope]) -> Refusal {
    let words: Vec<_> = needed.iter().map(|it| format!("`{it}`")).collect();
    let flag = needed
        .first()
        .map_or_else(String::new, |it| format!("--scope {it}"));
    Refusal::new(
        Code::ScopeMissing,
        format!("the token lacks the scope {}", words.join(" or ")),
    )
    .hint(format!(
        "on the registry: `provisioning-registry token create --name NAME {flag}`"
    ))
}

impl ServerError {
    /// The refusal that the client is told.
    pub(crate) fn into_refusal(self) -> Refusal {
        if let Self::Refused(refusal) = self {
            return *refusal;
        }
        let chain = chain(&self);
        tracing::error!("request failed: {chain}");
        if is_disk_full(&self) {
            Refusal::new(Code::StorageFull, "the registry has no room for this")
        } else if is_database_away(&self) {
            Refusal::new(Code::Unavailable, "the registry's database does not answer")
                .hint("try again in a moment; what is published can be read meanwhile")
        } else {
            Refusal::new(Code::Internal, "the registry failed; its log says why")
        }
    }
}

impl IntoResponse for ServerError {
    fn into_response(self) -> Response {
        self.into_refusal().into_response()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = self.code;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = code.status();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(PROBLEM_CONTENT_TYPE),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if code.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // The body is written last, by the layer that knows the request's id.
        response.extensions_mut().insert(self.problem());
        response
    }
}

/// An error and its sources as one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        let next_text = next.to_string();
        if !text.ends_with(&next_text) {
            text.push_str(": ");
            text.push_str(&next_text);
        }
        source = next.source();
    }
    text
}

fn is_disk_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && matches!(
                io.kind(),
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
            )
        {
            return true;
        }
        // SQLite's own number, and PostgreSQL's.
        if let Some(sqlx::Error::Database(database)) = error.downcast_ref::<sqlx::Error>()
            && matches!(database.code().as_deref(), Some("13" | "53100"))
        {
            return true;
        }
        next = error.source();
    }
    false
}

fn is_database_away(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_)) =
            error.downcast_ref::<sqlx::Error>()
        {
            return true;
        }
        next = error.source();
    }
    false
}
