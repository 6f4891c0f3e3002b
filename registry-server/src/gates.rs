//! What holds a checked session back: asks the database what the pure rules need to know.
//!
//! [`closed`] is asked before each session's transaction, and again whenever somebody
//! opened a gate ([`crate::publish::advance`]).

use crate::app::App;
use crate::db::sessions::SessionRow;
use crate::db::versions::existing_version;
use crate::problem::ServerError;
use crate::rules::gate::{self, Closed};
use crate::rules::manifest::PlannedVersion;
use crate::rules::policy::Review;
use crate::signing;

/// Every gate that is closed for `row`, whose archives have all arrived and agree with
/// `planned`.
pub(crate) async fn closed(
    app: &App,
    row: &SessionRow,
    planned: &[PlannedVersion],
) -> Result<Vec<Closed>, ServerError> {
    let mut closed = review(app, row, planned).await?;
    closed.extend(signature(app, planned).await?);
    Ok(closed)
}

/// First-party versions wait for release engineers, once these hold the keys.
async fn signature(app: &App, planned: &[PlannedVersion]) -> Result<Vec<Closed>, ServerError> {
    if !signing::asks_people(app) {
        return Ok(Vec::new());
    }
    let mut new = Vec::new();
    for version in planned.iter().map(|it| &it.version) {
        let mut connection = app.db.pool().acquire().await?;
        let existing = existing_version(&mut connection, &version.package, &version.version);
        if existing.await?.is_none() {
            new.push((&version.package, &version.version));
        }
    }
    Ok(gate::signature(new))
}

async fn review(
    app: &App,
    row: &SessionRow,
    planned: &[PlannedVersion],
) -> Result<Vec<Closed>, ServerError> {
    let policy = app.db.policy().await?;
    if policy.review == Review::Nothing {
        return Ok(Vec::new());
    }
    let mut new = Vec::new();
    {
        let mut connection = app.db.pool().acquire().await?;
        for version in planned.iter().map(|it| &it.version) {
            let existing = existing_version(&mut connection, &version.package, &version.version);
            if existing.await?.is_none() {
                new.push(&version.package);
            }
        }
    }
    let mut facts = Vec::new();
    for package in new {
        facts.push((package, !app.db.has_package(package).await?));
    }
    Ok(gate::review(
        policy.review,
        row.approved_by.is_some(),
        facts,
    ))
}
