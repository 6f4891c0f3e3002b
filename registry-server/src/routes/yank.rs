//! Hiding a version from new solutions, and showing it again.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use provisioning_package::{BundleName, Kind, PackageName, Version};
use provisioning_registry_api::bundle::BundleSequence;
use provisioning_registry_api::command::{Yank, YankAnswer};
use provisioning_registry_api::index::Yanked;

use super::body::JsonBody;
use super::named::package;
use crate::app::App;
use crate::db::WriteTx;
use crate::db::bundles::put_sequence;
use crate::db::versions::{is_yanked, set_yanked};
use crate::problem::{Code, Refusal, ServerError};
use crate::read_side::Subject;
use crate::rules::access::Principal;
use crate::rules::pinned;
use crate::rules::text::{self, REASON_CHARS_MAX, TITLE_CHARS_MAX};
use crate::signing;

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
    change(app, principal, parts, (Some(yanked), asked.force)).await
}

/// `DELETE …/yank`.
pub(crate) async fn unyank(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(parts): Path<Parts>,
) -> Result<Json<YankAnswer>, ServerError> {
    change(app, principal, parts, (None, false)).await
}

async fn change(
    app: App,
    principal: Principal,
    (kind, name, version): Parts,
    (yanked, force): (Option<Yanked>, bool),
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
    let thrown = app.switchboard.thrown(&app).await?;
    thrown.refuse_package(&package)?;
    let acting = app.clone();
    app.to_its_end(async move {
        let serial = commit(
            &acting,
            &principal,
            (&package, &version),
            (yanked.as_ref(), force),
        )
        .await?
        .ok_or(refusal)?;
        acting.read_side.show_change(&acting, serial).await?;
        Ok(Json(YankAnswer {
            awaiting_signature: package.kind() != Kind::Extension && signing::asks_people(&acting),
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
    (yanked, force): (Option<&Yanked>, bool),
) -> Result<Option<u64>, ServerError> {
    let mut tx = app.db.write().await?;
    let changed = set_yanked(tx.connection(), package, version, yanked).await?;
    match changed {
        None => Ok(None),
        Some(false) => Ok(Some(app.db.serial().await?)),
        Some(true) => {
            let pinning = if yanked.is_some() {
                degrade(app, &mut tx, (package, version), force).await?
            } else {
                heal(app, &mut tx, (package, version)).await?
            };
            let action = if yanked.is_some() { "yank" } else { "unyank" };
            let detail = yanked.and_then(|it| it.reason.as_deref()).unwrap_or("");
            let subject = format!("{package}@{version}");
            tx.audit(app.now(), principal.name(), action, &subject, detail);
            tx.add_job(&Subject::Package(package.clone()).text())
                .await?;
            if !pinning.is_empty() {
                tx.add_job(&Subject::Bundles.text()).await?;
            }
            Ok(Some(tx.commit().await?))
        }
    }
}

/// Marks the bundles that pin a version which is being taken away; without `force`, one that
/// people follow is reason enough to refuse.
pub(crate) async fn degrade(
    app: &App,
    tx: &mut WriteTx,
    (package, version): (&PackageName, &Version),
    force: bool,
) -> Result<Vec<BundleName>, ServerError> {
    let bundles = app.db.bundles().await?;
    let pinning = pinned::living(&bundles, package, version);
    if !pinning.is_empty() && !force {
        let names: Vec<_> = pinning
            .iter()
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        return Err(Refusal::new(
            Code::PinnedByBundle,
            format!(
                "`{package}@{version}` is pinned by {}, which people follow",
                names.join(", ")
            ),
        )
        .hint("publish a sequence of the bundle without it first")
        .hint("`--force` yanks it all the same and marks the bundle as degraded")
        .into());
    }
    judge(app, tx, &pinning, "failed").await
}

/// Takes the mark away again where every member can be recommended.
async fn heal(
    app: &App,
    tx: &mut WriteTx,
    (package, version): (&PackageName, &Version),
) -> Result<Vec<BundleName>, ServerError> {
    let bundles = app.db.bundles().await?;
    let mut healed = Vec::new();
    for (name, sequence) in pinned::living(&bundles, package, version) {
        let mut is_whole = pinned::is_degraded(sequence);
        for member in &sequence.members {
            let is_this = member.name == *package && member.version == *version;
            let is_yanked = is_yanked(tx.connection(), &member.name, &member.version).await?;
            is_whole = is_whole && (is_this || !is_yanked);
        }
        if is_whole {
            healed.push((name, sequence));
        }
    }
    judge(app, tx, &healed, "passed").await
}

async fn judge(
    app: &App,
    tx: &mut WriteTx,
    sequences: &[(&BundleName, &BundleSequence)],
    verdict: &str,
) -> Result<Vec<BundleName>, ServerError> {
    let now = app.now();
    for (name, sequence) in sequences {
        let judged = pinned::judged(sequence, verdict, now);
        put_sequence(tx.connection(), name, &judged, now).await?;
    }
    Ok(sequences.iter().map(|(name, _)| (*name).clone()).collect())
}
