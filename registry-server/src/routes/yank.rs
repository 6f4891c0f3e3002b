//! Hiding a version from new solutions, and showing it again.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use provisioning_package::{PackageName, Version};
use provisioning_registry_api::command::{Yank, YankAnswer};
use provisioning_registry_api::index::Yanked;

use super::body::JsonBody;
use super::named::package;
use crate::app::App;
use crate::db::versions::set_yanked;
use crate::problem::{Code, Refusal, ServerError};
use crate::read_side::Subject;
use crate::rules::access::Principal;
use crate::rules::text::{self, REASON_CHARS_MAX, TITLE_CHARS_MAX};

type Parts = (String, String, String);

/// `PUT …/yank`.
pub(crate) async fn yank(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(parts): Path<Parts>,
    JsonBody(asked): JsonBody<Yank>,
) -> Result<Json<YankAnswer>, ServerError> {
    if asked.reason.trim().is_empty() {
        return Err(Refusal::new(Code::BadRequest, "a yank says why: `reason` is empty").into());
    }
    text::check(Code::BadRequest, "reason", &asked.reason, REASON_CHARS_MAX)?;
    if let Some(replacement) = &asked.replacement {
        text::check(
            Code::BadRequest,
            "replacement",
            replacement,
            TITLE_CHARS_MAX,
        )?;
    }
    let yanked = Yanked {
        reason: Some(asked.reason),
        replacement: asked.replacement,
        at: app.now(),
    };
    change(app, principal, parts, Some(yanked)).await
}

/// `DELETE …/yank`.
pub(crate) async fn unyank(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(parts): Path<Parts>,
) -> Result<Json<YankAnswer>, ServerError> {
    change(app, principal, parts, None).await
}

async fn change(
    app: App,
    principal: Principal,
    (kind, name, version): Parts,
    yanked: Option<Yanked>,
) -> Result<Json<YankAnswer>, ServerError> {
    let unknown = || {
        Refusal::new(
            Code::VersionUnknown,
            format!("this registry has no {kind} `{name}@{version}`"),
        )
    };
    let package = package(&kind, &name).ok_or_else(unknown)?;
    let version: Version = version.parse().map_err(|_| unknown())?;
    let refusal = unknown();
    let acting = app.clone();
    app.to_its_end(async move {
        let serial = commit(&acting, &principal, (&package, &version), yanked.as_ref())
            .await?
            .ok_or(refusal)?;
        acting.read_side.show_change(&acting, serial).await?;
        Ok(Json(YankAnswer {
            name: package,
            version,
            yanked,
            serial,
        }))
    })
    .await
}

/// Writes the change; `None` where there is no such version.
async fn commit(
    app: &App,
    principal: &Principal,
    (package, version): (&PackageName, &Version),
    yanked: Option<&Yanked>,
) -> Result<Option<u64>, ServerError> {
    let mut tx = app.db.write().await?;
    let changed = set_yanked(tx.connection(), package, version, yanked).await?;
    match changed {
        None => Ok(None),
        Some(false) => Ok(Some(app.db.serial().await?)),
        Some(true) => {
            let action = if yanked.is_some() { "yank" } else { "unyank" };
            let detail = yanked.and_then(|it| it.reason.as_deref()).unwrap_or("");
            let subject = format!("{package}@{version}");
            tx.audit(app.now(), principal.name(), action, &subject, detail)
                .await?;
            tx.add_job(&Subject::Package(package.clone()).text())
                .await?;
            Ok(Some(tx.commit().await?))
        }
    }
}
