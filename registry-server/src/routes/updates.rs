//! Updates: bundles that wait in testing, moved to stable together or not at all.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use jiff::Timestamp;
use provisioning_bundles::{
    KARMA_REJECTED, Promotion, collect, karma, promote as promoted, update_status,
};
use provisioning_registry_api::bundle::{BundleSequence, BundleState};
use provisioning_registry_api::update::{
    CommentUpdate, CreateUpdate, Update, UpdateBundle, UpdateComment, UpdateList, UpdateState,
    UpdateStatus,
};

use super::body::JsonBody;
use super::bundles::draft_tests;
use crate::app::App;
use crate::db::bundles::{put_sequence, sequences};
use crate::db::evidence::known_evidence;
use crate::db::updates::{next_update, open_updates, put_update, update};
use crate::db::{Connection, WriteTx};
use crate::problem::{Code, Refusal, ServerError};
use crate::read_side::Subject;
use crate::rules::access::Principal;
use crate::rules::text::{self, REASON_CHARS_MAX};

/// Who moves updates whose conditions hold.
const AUTOMATIC: &str = "automatic";

/// `GET /api/v1/updates`.
pub(crate) async fn list(State(app): State<App>) -> Result<Json<UpdateList>, ServerError> {
    let mut updates = Vec::new();
    let mut connection = app.db.reading().await?;
    for it in app.db.updates().await? {
        updates.push(status(&app, &mut connection, &it).await?.0);
    }
    Ok(Json(UpdateList { updates }))
}

/// `GET /api/v1/updates/{id}`.
pub(crate) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<UpdateStatus>, ServerError> {
    let mut connection = app.db.reading().await?;
    let found = found(&mut connection, &id).await?;
    let (status, _) = status(&app, &mut connection, &found).await?;
    Ok(Json(status))
}

/// `POST /api/v1/updates`.
pub(crate) async fn create(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    JsonBody(asked): JsonBody<CreateUpdate>,
) -> Result<Json<UpdateStatus>, ServerError> {
    if asked.notes.trim().is_empty() {
        let detail = "an update says what it brings: `notes` is empty";
        return Err(Refusal::new(Code::BadRequest, detail).into());
    }
    text::check(Code::BadRequest, "notes", &asked.notes, REASON_CHARS_MAX)?;
    let now = app.now();
    let documents = app.db.bundles().await?;
    let mut tx = app.db.write().await?;
    let open = open_updates(tx.connection()).await?;
    let taken: Vec<UpdateBundle> = open.into_iter().flat_map(|it| it.bundles).collect();
    let (bundles, versions) = collect(&documents, &asked.packages, &taken);
    if bundles.is_empty() {
        return Err(Refusal::new(
            Code::UpdateEmpty,
            "no bundle in `testing` or `candidate` brings what was asked for, or it is in another update",
        )
        .hint("`provisioning bundle list` shows what waits, `provisioning update status` what is collected")
        .into());
    }
    let new = Update {
        id: next_update(tx.connection()).await?,
        update_type: asked.update_type,
        notes: asked.notes,
        bundles,
        versions,
        state: UpdateState::Testing,
        created_by: principal.name().to_owned(),
        created_at: now,
        comments: Vec::new(),
        ended_by: None,
        ended_at: None,
    };
    put_update(tx.connection(), &new).await?;
    let names: Vec<String> = new.bundles.iter().map(shown).collect();
    let subject = format!("update {}", new.id);
    tx.audit(
        now,
        principal.name(),
        "create-update",
        &subject,
        &names.join(", "),
    );
    let (status, _) = status(&app, tx.connection(), &new).await?;
    tx.commit().await?;
    Ok(Json(status))
}

/// `POST /api/v1/updates/{id}/comments`. Enough voices against it reject it; where its
/// conditions hold, it is pushed at once.
pub(crate) async fn comment(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
    JsonBody(asked): JsonBody<CommentUpdate>,
) -> Result<Json<UpdateStatus>, ServerError> {
    text::check(Code::BadRequest, "text", &asked.text, REASON_CHARS_MAX)?;
    if !(-1..=1).contains(&asked.karma) {
        return Err(Refusal::new(Code::BadRequest, "karma is -1, 0 or 1").into());
    }
    let now = app.now();
    let acting = app.clone();
    app.to_its_end(async move {
        let mut tx = acting.db.write().await?;
        let mut changed = found(tx.connection(), &id).await?;
        still_open(&changed)?;
        changed.comments.push(UpdateComment {
            by: principal.name().to_owned(),
            karma: asked.karma,
            text: asked.text,
            at: now,
        });
        if karma(&changed) <= KARMA_REJECTED {
            changed.state = UpdateState::Rejected;
            changed.ended_by = Some(AUTOMATIC.to_owned());
            changed.ended_at = Some(now);
        }
        put_update(tx.connection(), &changed).await?;
        let subject = format!("update {}", changed.id);
        let detail = format!("karma {:+}", asked.karma);
        tx.audit(now, principal.name(), "comment-update", &subject, &detail);
        let (now_is, moved) = status(&acting, tx.connection(), &changed).await?;
        let answer = if now_is.can_push {
            let pushed = apply(&mut tx, changed, moved, (AUTOMATIC, now)).await?;
            UpdateStatus {
                update: pushed,
                ..now_is
            }
        } else {
            now_is
        };
        let serial = tx.commit().await?;
        acting.read_side.show_change(&acting, serial).await?;
        Ok(Json(answer))
    })
    .await
}

/// `POST /api/v1/updates/{id}/push`: every bundle of it becomes stable, or none.
pub(crate) async fn push(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
) -> Result<Json<UpdateStatus>, ServerError> {
    let now = app.now();
    let acting = app.clone();
    app.to_its_end(async move {
        let mut tx = acting.db.write().await?;
        let found = found(tx.connection(), &id).await?;
        still_open(&found)?;
        let (standing, moved) = status(&acting, tx.connection(), &found).await?;
        if !standing.can_push {
            let missing = standing.conditions.iter().filter(|it| !it.met);
            let causes: Vec<String> = missing
                .map(|it| format!("{}: {}", it.name, it.text))
                .collect();
            return Err(Refusal::new(
                Code::UpdateNotReady,
                format!(
                    "update {} is not pushed, and nothing of it: {}",
                    found.id,
                    causes.join("; ")
                ),
            )
            .causes(causes)
            .hint(format!(
                "`provisioning update comment {} --karma +1` says that it works",
                found.id
            ))
            .hint("`provisioning bundle test NAME --submit` gives evidence to the gates")
            .into());
        }
        let pushed = apply(&mut tx, found, moved, (principal.name(), now)).await?;
        let serial = tx.commit().await?;
        acting.read_side.show_change(&acting, serial).await?;
        Ok(Json(UpdateStatus {
            update: pushed,
            ..standing
        }))
    })
    .await
}

/// Pushes every update whose conditions hold by now: days pass without anybody asking.
pub(crate) async fn push_ready(app: &App) -> Result<(), ServerError> {
    let now = app.now();
    let mut tx = app.db.write().await?;
    let mut is_changed = false;
    for open in open_updates(tx.connection()).await? {
        let (standing, moved) = status(app, tx.connection(), &open).await?;
        if standing.can_push {
            apply(&mut tx, open, moved, (AUTOMATIC, now)).await?;
            is_changed = true;
        }
    }
    if !is_changed {
        tx.rollback().await?;
        return Ok(());
    }
    let serial = tx.commit().await?;
    app.read_side.show_change(app, serial).await
}

type Moved = Vec<(UpdateBundle, BundleSequence)>;

/// How an update stands, and its sequences as a push would leave them.
async fn status(
    app: &App,
    connection: &mut Connection,
    update: &Update,
) -> Result<(UpdateStatus, Moved), ServerError> {
    let mut closed = Vec::new();
    let mut moved = Moved::new();
    if update.state == UpdateState::Testing {
        for bundle in &update.bundles {
            let known = known_evidence(connection, bundle.name.as_str()).await?;
            let all = sequences(connection, &bundle.name).await?;
            let Some(sequence) = all.into_iter().find(|it| it.sequence == bundle.sequence) else {
                closed.push(format!("{} is gone", shown(bundle)));
                continue;
            };
            let to = match sequence.lts_until {
                Some(_) => BundleState::Lts,
                None => BundleState::Stable,
            };
            if sequence.state == to && !sequence.is_withdrawn() {
                // Somebody promoted it by hand already.
                continue;
            }
            let asked = Promotion {
                to: Some(to),
                tests: draft_tests(app, &bundle.name).await?,
                known: &known,
                ..Promotion::default()
            };
            match promoted(&sequence, &asked) {
                Ok(after) => moved.push((bundle.clone(), after)),
                Err(problem) => closed.push(format!("{}: {problem}", shown(bundle))),
            }
        }
    }
    let mut status = update_status(update, &closed, app.now());
    status.can_push &= update.state == UpdateState::Testing;
    Ok((status, moved))
}

/// Writes what a push does.
async fn apply(
    tx: &mut WriteTx,
    update: Update,
    moved: Moved,
    (by, now): (&str, Timestamp),
) -> Result<Update, ServerError> {
    for (bundle, sequence) in moved {
        put_sequence(tx.connection(), &bundle.name, &sequence, now).await?;
        let subject = format!("{} {}", bundle.name, bundle.sequence);
        let detail = format!("with update {} to {}", update.id, sequence.state.as_str());
        tx.audit(now, by, "promote-bundle", &subject, &detail);
    }
    let pushed = Update {
        state: UpdateState::Stable,
        ended_by: Some(by.to_owned()),
        ended_at: Some(now),
        ..update
    };
    put_update(tx.connection(), &pushed).await?;
    tx.audit(now, by, "push-update", &format!("update {}", pushed.id), "");
    tx.add_job(&Subject::Bundles.text()).await?;
    Ok(pushed)
}

async fn found(connection: &mut Connection, id: &str) -> Result<Update, ServerError> {
    let unknown = || {
        Refusal::new(
            Code::NotFound,
            format!("this registry has no update `{id}`"),
        )
        .hint("`provisioning update status` lists them")
    };
    let number: u64 = id.parse().map_err(|_| unknown())?;
    Ok(update(connection, number).await?.ok_or_else(unknown)?)
}

fn still_open(update: &Update) -> Result<(), Refusal> {
    let word = match update.state {
        UpdateState::Testing => return Ok(()),
        UpdateState::Stable => "is stable already",
        UpdateState::Rejected => "was rejected by its testers",
    };
    Err(
        Refusal::new(Code::UpdateEnded, format!("update {} {word}", update.id))
            .hint("what is published meanwhile goes into a new one: `provisioning update create`"),
    )
}

fn shown(bundle: &UpdateBundle) -> String {
    format!("{} #{}", bundle.name, bundle.sequence)
}
