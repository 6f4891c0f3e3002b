//! The one transaction that makes a session's versions part of the registry.
//!
//! The database decides every race: `versions` has one row for each precedence, `names`
//! one holder for each name. Whoever comes second with the same bytes succeeds, with other
//! bytes is refused.

use std::collections::BTreeMap;

use provisioning_package::{CHANNELS, Digest, PackageName};
use provisioning_registry_api::session::DeclaredVersion;

use crate::app::App;
use crate::db::WriteTx;
use crate::db::archives::ArchiveRow;
use crate::db::packages::{Holder, claim_name, upsert_package};
use crate::db::sessions::{SessionRow, commit_session};
use crate::db::versions::{existing_version, insert_version, version_numbers};
use crate::problem::{Code, Refusal, ServerError};
use crate::read_side::Subject;
use crate::rules::access::Principal;
use crate::rules::manifest::{self, PlannedVersion};
use crate::rules::version;
use crate::settings::CrashPoint;

/// Commits a session whose archives have all arrived; gives the serial at which all of it
/// is in the database.
pub(crate) async fn commit(
    app: &App,
    principal: &Principal,
    row: &SessionRow,
    arrived: &BTreeMap<Digest, ArchiveRow>,
) -> Result<u64, ServerError> {
    let planned = manifest::plan(&row.declared, arrived)?;
    app.may_crash(CrashPoint::BeforeCommit);
    let mut tx = app.db.write().await?;
    let mut known_since = 0;
    let mut is_change = false;
    for (declared, planned) in row.declared.iter().zip(&planned) {
        if let Some(serial) = existing_serial(&mut tx, declared).await? {
            known_since = known_since.max(serial);
        } else {
            add(app, &mut tx, (row, principal), planned).await?;
            is_change = true;
        }
    }
    let serial = if is_change {
        let serial = tx.serial();
        commit_session(tx.connection(), &row.id, serial, app.now()).await?;
        tx.commit().await?
    } else {
        // The same bytes again: nothing changes, so the serial must not rise either.
        tx.rollback().await?;
        let mut quiet = app.db.write_quietly().await?;
        commit_session(quiet.connection(), &row.id, known_since, app.now()).await?;
        quiet.commit().await?;
        known_since
    };
    app.may_crash(CrashPoint::Committed);
    Ok(serial)
}

/// Since when a declared version is there, with the same bytes.
async fn existing_serial(
    tx: &mut WriteTx,
    declared: &DeclaredVersion,
) -> Result<Option<u64>, ServerError> {
    let existing = existing_version(tx.connection(), &declared.name, &declared.version).await?;
    match existing {
        None => Ok(None),
        Some(existing) => {
            version::agree(declared, &existing)?;
            Ok(Some(existing.serial))
        }
    }
}

async fn add(
    app: &App,
    tx: &mut WriteTx,
    (row, principal): (&SessionRow, &Principal),
    planned: &PlannedVersion,
) -> Result<(), ServerError> {
    let now = app.now();
    let new = &planned.version;
    let name = &new.package;
    claim(tx, name).await?;
    let others = version_numbers(tx.connection(), name).await?;
    if manifest::is_newest(&new.version, &others) {
        upsert_package(tx.connection(), &planned.facts, now).await?;
    }
    let serial = tx.serial();
    insert_version(tx.connection(), new, &row.id, serial, now).await?;
    let digests: Vec<String> = new
        .archives
        .iter()
        .map(|(target, digest)| format!("{target} {}", digest.prefixed()))
        .collect();
    let subject = format!("{name}@{}", new.version);
    tx.audit(
        now,
        principal.name(),
        "publish",
        &subject,
        &digests.join(", "),
    )
    .await?;
    tx.add_job(&Subject::Package(name.clone()).text()).await?;
    Ok(())
}

async fn claim(tx: &mut WriteTx, name: &PackageName) -> Result<(), ServerError> {
    let is_channel = CHANNELS.contains(&name.as_str());
    let holder = claim_name(tx.connection(), name.as_str(), Holder::Package).await?;
    if is_channel || holder != Holder::Package {
        return Err(Refusal::new(
            Code::NameTaken,
            format!("`{name}` is the name of a bundle or channel, so no package can have it"),
        )
        .into());
    }
    Ok(())
}
