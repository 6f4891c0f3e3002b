//! From a session that is complete to the one transaction that makes a session's versions part of the registry.
//!
//! The database decides every race: `versions` has one row for each precedence, `names`
//! one holder for each name. Whoever comes second with the same bytes succeeds, with other
//! bytes is refused.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use provisioning_package::{CHANNELS, Digest, Kind, PackageName};
use provisioning_registry_api::identity::{self, PackageRole};
use provisioning_registry_api::session::DeclaredVersion;

use crate::admission;
use crate::app::App;
use crate::db::WriteTx;
use crate::db::archives::ArchiveRow;
use crate::db::owners::put_owner;
use crate::db::packages::{Holder, claim_name, upsert_package};
use crate::db::sessions::{SessionRow, commit_session};
use crate::db::trusted::settle_pending;
use crate::db::versions::{existing_version, insert_version, version_numbers};
use crate::gates;
use crate::problem::{Code, Refusal, ServerError};
use crate::read_side::Subject;
use crate::rules::manifest::{self, PlannedVersion};
use crate::rules::policy::Policy;
use crate::rules::session::{Event, Standing};
use crate::rules::version;
use crate::settings::CrashPoint;

/// Takes a session as far as it can go: checks it, asks the gates, and commits it where none
/// is closed; gives the serial at which all of it is in the database, or `None` where it
/// waits. To be called when its owner finishes it and whenever a gate was opened.
pub(crate) async fn advance(
    app: &App,
    actor: &str,
    row: &SessionRow,
) -> Result<Option<u64>, ServerError> {
    let outcome = check_and_commit(app, actor, row).await;
    if let Err(ServerError::Refused(refusal)) = &outcome
        && refusal.code != Code::SessionIncomplete
    {
        let event = Event::Refused(vec![refusal.detail.clone()]);
        app.db.move_session(row, event, app.now()).await?;
    }
    outcome
}

async fn check_and_commit(
    app: &App,
    actor: &str,
    row: &SessionRow,
) -> Result<Option<u64>, ServerError> {
    let arrived = arrived(app, &row.declared).await?;
    let policy = app.db.policy().await?;
    let planned = manifest::plan(&row.declared, &arrived)?;
    let closed = gates::closed(app, row, &planned).await?;
    if closed.is_empty() {
        return commit(app, (actor, &policy), row, (&planned, &arrived))
            .await
            .map(Some);
    }
    let event = Event::Held(closed);
    app.db.move_session(row, event, app.now()).await?;
    Ok(None)
}

/// The archives of a declaration that have arrived.
pub(crate) async fn arrived(
    app: &App,
    declared: &[DeclaredVersion],
) -> Result<BTreeMap<Digest, ArchiveRow>, ServerError> {
    let wanted: BTreeSet<Digest> = declared
        .iter()
        .flat_map(|it| &it.archives)
        .filter_map(|it| it.digest)
        .collect();
    let mut arrived = BTreeMap::new();
    for digest in wanted {
        if let Some(found) = app.db.archive(&digest).await? {
            arrived.insert(digest, found);
        }
    }
    Ok(arrived)
}

/// Commits a checked session; gives the serial at which all of it is in the database.
async fn commit(
    app: &App,
    (actor, policy): (&str, &Policy),
    row: &SessionRow,
    (planned, arrived): (&[PlannedVersion], &BTreeMap<Digest, ArchiveRow>),
) -> Result<u64, ServerError> {
    app.may_crash(CrashPoint::BeforeCommit);
    let now = app.now();
    let mut tx = app.db.write().await?;
    let known_since = add_all(&mut tx, (row, actor), (planned, arrived, policy), now).await?;
    let serial = if known_since == tx.serial() {
        let next = committed(row, known_since, now)?;
        commit_session(tx.connection(), &row.id, &next).await?;
        app.may_crash(CrashPoint::InCommit);
        // Showing the change makes it durable first, together with others.
        tx.commit_hastily().await?
    } else {
        // The same bytes again: nothing changes, so the serial must not rise either.
        tx.rollback().await?;
        let mut quiet = app.db.write_quietly().await?;
        let next = committed(row, known_since, now)?;
        commit_session(quiet.connection(), &row.id, &next).await?;
        quiet.commit().await?;
        known_since
    };
    app.may_crash(CrashPoint::Committed);
    Ok(serial)
}

/// The versions of a session, its archives, and the rules that they are admitted by.
type Checked<'a> = (
    &'a [PlannedVersion],
    &'a BTreeMap<Digest, ArchiveRow>,
    &'a Policy,
);

/// Commits a checked session as a part of `tx`, its versions published at `now`.
pub(crate) async fn commit_in(
    tx: &mut WriteTx,
    (row, actor): (&SessionRow, &str),
    checked: Checked<'_>,
    now: Timestamp,
) -> Result<(), ServerError> {
    let serial = add_all(tx, (row, actor), checked, now).await?;
    let next = committed(row, serial, now)?;
    commit_session(tx.connection(), &row.id, &next).await?;
    Ok(())
}

/// Adds the versions that are not there yet; since which serial all of them are: this
/// transaction's, where any was added.
async fn add_all(
    tx: &mut WriteTx,
    (row, actor): (&SessionRow, &str),
    (planned, arrived, policy): Checked<'_>,
    now: Timestamp,
) -> Result<u64, ServerError> {
    let mut since = 0;
    for (declared, planned) in row.declared.iter().zip(planned) {
        if let Some(serial) = existing_serial(tx, declared).await? {
            since = since.max(serial);
        } else {
            let new = &planned.version;
            let sizes = new
                .archives
                .values()
                .filter_map(|it| Some(arrived.get(it)?.size));
            let subject = (&new.package, &new.version);
            admission::check(tx.connection(), policy, subject, sizes).await?;
            add(tx, (row, actor), planned, now).await?;
            since = tx.serial();
        }
    }
    Ok(since)
}

fn committed(row: &SessionRow, serial: u64, now: Timestamp) -> Result<Standing, ServerError> {
    let next = row.standing.after(Event::Committed(serial), now);
    next.map_err(|illegal| {
        Refusal::new(Code::SessionState, format!("{}: {illegal}", row.id)).into()
    })
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
    tx: &mut WriteTx,
    (row, actor): (&SessionRow, &str),
    planned: &PlannedVersion,
    now: Timestamp,
) -> Result<(), ServerError> {
    let new = &planned.version;
    let name = &new.package;
    claim(tx, name).await?;
    let others = version_numbers(tx.connection(), name).await?;
    if manifest::is_newest(&new.version, &others) {
        upsert_package(tx.connection(), &planned.facts, now).await?;
    }
    if others.is_empty() {
        settle_owner(tx, row, name, now).await?;
    }
    let serial = tx.serial();
    insert_version(tx.connection(), new, &row.id, serial, now).await?;
    let digests: Vec<String> = new
        .archives
        .iter()
        .map(|(target, digest)| format!("{target} {}", digest.prefixed()))
        .collect();
    let subject = format!("{name}@{}", new.version);
    tx.audit(now, actor, "publish", &subject, &digests.join(", "));
    tx.add_job(&Subject::Package(name.clone()).text()).await?;
    Ok(())
}

/// An extension belongs to the user who published it first; the registry's own kinds to
/// their teams, and what the operator publishes to nobody yet.
async fn settle_owner(
    tx: &mut WriteTx,
    row: &SessionRow,
    name: &PackageName,
    now: Timestamp,
) -> Result<(), ServerError> {
    if let Some(user) = &row.owner
        && name.kind() == Kind::Extension
    {
        let holder = identity::Holder::User(user.clone());
        put_owner(tx.connection(), name, &holder, PackageRole::Owner, now).await?;
    }
    settle_pending(tx.connection(), name, row.owner.as_deref()).await?;
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
