//! What happens to packages and versions after they were published: deprecated, archived,
//! held by a moderator, deleted by the written rule; and what a package may have.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use provisioning_package::{PackageName, Version};
use provisioning_registry_api::index::{PackageState, PackageStatus};
use provisioning_registry_api::life::{Because, Quota, SetStatus, StatusChanged, VersionDeleted};

use super::body::JsonBody;
use super::owners::require;
use super::yank::degrade;
use crate::app::App;
use crate::db::life::{bury, dependents, published_at, quota, set_quota, set_status, status};
use crate::problem::{Code, Refusal, ServerError};
use crate::read_side::Subject;
use crate::rules::access::Principal;
use crate::rules::text::{self, REASON_CHARS_MAX, TITLE_CHARS_MAX};
use crate::rules::{deletion, pinned};

type PackagePath = Path<(String, String)>;
type VersionPath = Path<(String, String, String)>;

/// `PUT …/status`: active, deprecated or archived.
pub(crate) async fn put_status(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path((kind, name)): PackagePath,
    JsonBody(asked): JsonBody<SetStatus>,
) -> Result<Json<StatusChanged>, ServerError> {
    let package = require(&kind, &name)?;
    if asked.state == PackageState::Quarantined {
        let detail = "a moderator quarantines: PUT to `quarantine`";
        return Err(Refusal::new(Code::BadRequest, detail).into());
    }
    let is_plain = asked.state == PackageState::Active;
    let reason = if is_plain {
        None
    } else {
        Some(reason(asked.reason.as_deref().unwrap_or_default())?)
    };
    let replacement = asked.replacement.filter(|_| !is_plain);
    if let Some(replacement) = &replacement {
        text::check(
            Code::BadRequest,
            "replacement",
            replacement,
            TITLE_CHARS_MAX,
        )?;
    }
    let wanted = PackageStatus {
        state: asked.state,
        reason,
        replacement,
    };
    change(app, principal, package, Wanted::Owners(wanted)).await
}

/// `PUT …/quarantine`.
pub(crate) async fn quarantine(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path((kind, name)): PackagePath,
    JsonBody(asked): JsonBody<Because>,
) -> Result<Json<StatusChanged>, ServerError> {
    let package = require(&kind, &name)?;
    let wanted = Wanted::Held(reason(&asked.reason)?);
    change(app, principal, package, wanted).await
}

/// `DELETE …/quarantine`.
pub(crate) async fn release(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path((kind, name)): PackagePath,
) -> Result<Json<StatusChanged>, ServerError> {
    let package = require(&kind, &name)?;
    change(app, principal, package, Wanted::Free).await
}

/// What a package's state shall be.
enum Wanted {
    /// What its owners say.
    Owners(PackageStatus),
    /// Held, for this reason.
    Held(String),
    /// As it was before it was held.
    Free,
}

/// The state after a change, and the one that a quarantine then ends in.
fn next(
    wanted: Wanted,
    now: PackageStatus,
    before: Option<PackageStatus>,
) -> Result<(PackageStatus, Option<PackageStatus>), Refusal> {
    let is_held = now.state == PackageState::Quarantined;
    match wanted {
        Wanted::Owners(_) if is_held => Err(Refusal::new(
            Code::PackageClosed,
            "a moderator holds the package: its owners cannot change its state",
        )),
        Wanted::Owners(status) => Ok((status, None)),
        Wanted::Held(reason) => {
            let held = PackageStatus {
                state: PackageState::Quarantined,
                reason: Some(reason),
                replacement: None,
            };
            Ok((held, if is_held { before } else { Some(now) }))
        }
        Wanted::Free if is_held => Ok((before.unwrap_or_default(), None)),
        Wanted::Free => Ok((now, None)),
    }
}

async fn change(
    app: App,
    principal: Principal,
    package: PackageName,
    wanted: Wanted,
) -> Result<Json<StatusChanged>, ServerError> {
    let acting = app.clone();
    app.to_its_end(async move {
        let mut tx = acting.db.write().await?;
        let found = status(tx.connection(), &package).await?;
        let (now, before) = found.ok_or_else(|| unknown(&package))?;
        let (after, kept) = next(wanted, now.clone(), before)?;
        let serial = if after == now {
            tx.rollback().await?;
            acting.db.serial().await?
        } else {
            set_status(tx.connection(), &package, &after, kept.as_ref()).await?;
            let action = match after.state {
                PackageState::Active => "activate",
                PackageState::Deprecated => "deprecate",
                PackageState::Archived => "archive",
                PackageState::Quarantined => "quarantine",
            };
            let detail = after.reason.as_deref().unwrap_or_default();
            tx.audit(
                acting.now(),
                principal.name(),
                action,
                package.as_str(),
                detail,
            );
            tx.add_job(&Subject::Package(package.clone()).text())
                .await?;
            let serial = tx.commit().await?;
            acting.read_side.show_change(&acting, serial).await?;
            serial
        };
        Ok(Json(StatusChanged {
            name: package,
            status: after,
            serial,
        }))
    })
    .await
}

/// `DELETE …/versions/{version}`: its owners delete it, by the written rule.
pub(crate) async fn delete(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path((kind, name, version)): VersionPath,
    JsonBody(asked): JsonBody<Because>,
) -> Result<Json<VersionDeleted>, ServerError> {
    remove(app, principal, (&kind, &name, &version), asked, By::Owner).await
}

/// `POST …/versions/{version}/removal`: a moderator takes it away for legal reasons.
pub(crate) async fn removal(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path((kind, name, version)): VersionPath,
    JsonBody(asked): JsonBody<Because>,
) -> Result<Json<VersionDeleted>, ServerError> {
    remove(
        app,
        principal,
        (&kind, &name, &version),
        asked,
        By::Moderator,
    )
    .await
}

/// Who deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Owner,
    Moderator,
}

async fn remove(
    app: App,
    principal: Principal,
    (kind, name, version): (&str, &str, &str),
    asked: Because,
    by: By,
) -> Result<Json<VersionDeleted>, ServerError> {
    let package = require(kind, name)?;
    let unknown = Refusal::new(
        Code::VersionUnknown,
        format!("this registry has no {kind} `{name}@{version}`"),
    );
    let Ok(version) = version.parse::<Version>() else {
        return Err(unknown.into());
    };
    let reason = reason(&asked.reason)?;
    let acting = app.clone();
    app.to_its_end(async move {
        let mut tx = acting.db.write().await?;
        let published = published_at(tx.connection(), &package, &version).await?;
        let published = published.ok_or(unknown)?;
        let subject = format!("{package}@{version}");
        if by == By::Owner {
            let bundles = acting.db.bundles().await?;
            let facts = deletion::Facts {
                subject: &subject,
                published_at: published,
                dependents: &dependents(tx.connection(), &package).await?,
                bundles: pinned::living(&bundles, &package, &version)
                    .into_iter()
                    .map(|(name, _)| name)
                    .collect(),
            };
            deletion::check(&facts, acting.now())?;
        }
        let degraded = degrade(&acting, &mut tx, (&package, &version), true).await?;
        let who = principal.name();
        let now = acting.now();
        bury(tx.connection(), (&package, &version), (&reason, who), now).await?;
        tx.audit(now, who, "delete", &subject, &reason);
        tx.add_job(&Subject::Package(package.clone()).text())
            .await?;
        if !degraded.is_empty() {
            tx.add_job(&Subject::Bundles.text()).await?;
        }
        let serial = tx.commit().await?;
        acting.read_side.show_change(&acting, serial).await?;
        Ok(Json(VersionDeleted {
            name: package,
            version,
            degraded,
            serial,
        }))
    })
    .await
}

/// `GET …/quota`.
pub(crate) async fn show_quota(
    State(app): State<App>,
    Path((kind, name)): PackagePath,
) -> Result<Json<Quota>, ServerError> {
    let package = require(&kind, &name)?;
    let mut connection = app.db.pool().acquire().await?;
    Ok(Json(quota(&mut connection, package.as_str()).await?))
}

/// `PUT …/quota`, also for a package that does not exist yet.
pub(crate) async fn put_quota(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path((kind, name)): PackagePath,
    JsonBody(asked): JsonBody<Quota>,
) -> Result<Json<Quota>, ServerError> {
    let package = require(&kind, &name)?;
    let mut tx = app.db.write().await?;
    set_quota(tx.connection(), package.as_str(), asked).await?;
    let subject = format!("package:{package}");
    let detail = serde_json::to_string(&asked).unwrap_or_default();
    tx.audit(app.now(), principal.name(), "set-quota", &subject, &detail);
    tx.commit().await?;
    Ok(Json(asked))
}

fn reason(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Refusal::new(
            Code::BadRequest,
            "`reason` says why, for everybody who has it, and is empty",
        ));
    }
    text::check(Code::BadRequest, "reason", text, REASON_CHARS_MAX)?;
    Ok(text.to_owned())
}

fn unknown(package: &PackageName) -> Refusal {
    Refusal::new(
        Code::VersionUnknown,
        format!("this registry has no package `{package}`"),
    )
}
