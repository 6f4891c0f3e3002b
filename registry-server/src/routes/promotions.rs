//! Moving a published bundle through its gates, and taking it back.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use provisioning_bundles::{
    Promotion, PromotionProblem, promote as promoted, withdraw as withdrawn,
};
use provisioning_package::BundleName;
use provisioning_registry_api::bundle::{BundleSequence, BundleState, Withdrawn};
use provisioning_registry_api::command::{BundleMoved, PromoteBundle, WithdrawBundle};

use super::body::JsonBody;
use super::bundles::{draft_tests, parse_name};
use super::evidence::about;
use crate::app::App;
use crate::db::WriteTx;
use crate::db::bundles::{put_sequence, sequences};
use crate::problem::{Code, Refusal, ServerError};
use crate::read_side::Subject;
use crate::rules::access::Principal;
use crate::rules::text::{self, REASON_CHARS_MAX};

/// `POST …/promote`.
pub(crate) async fn promote(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
    JsonBody(asked): JsonBody<PromoteBundle>,
) -> Result<Json<BundleMoved>, ServerError> {
    let name = parse_name(&name)?;
    for waiver in &asked.waivers {
        text::check(Code::BadRequest, "reason", &waiver.reason, REASON_CHARS_MAX)?;
    }
    let acting = app.clone();
    app.to_its_end(async move {
        let (moved, serial) = commit_promotion(&acting, &principal, &name, &asked).await?;
        acting.read_side.show_change(&acting, serial).await?;
        answer(&acting, name, vec![moved], serial).await
    })
    .await
}

async fn commit_promotion(
    app: &App,
    principal: &Principal,
    name: &BundleName,
    asked: &PromoteBundle,
) -> Result<(BundleSequence, u64), ServerError> {
    let now = app.now();
    let mut tx = app.db.write().await?;
    let sequence = chosen(&mut tx, name, asked.sequence).await?;
    let known = about(&mut tx, name).await?;
    let waivers: BTreeMap<String, String> = asked
        .waivers
        .iter()
        .map(|it| (it.gate.clone(), it.reason.clone()))
        .collect();
    let promotion = Promotion {
        to: asked.to,
        waivers,
        lts_until: asked.lts_until,
        tests: draft_tests(app, name).await?,
        known: &known,
        by: principal.name(),
        now: Some(now),
    };
    let moved = promoted(&sequence, &promotion)
        .map_err(|problem| refusal(name, sequence.sequence, &problem))?;
    put_sequence(tx.connection(), name, &moved, now).await?;
    let subject = format!("{name} {}", moved.sequence);
    for gate in moved
        .gates
        .iter()
        .filter(|it| it.verdict == "waived" && !sequence.gates.contains(it))
    {
        let target = gate
            .target
            .map_or_else(String::new, |it| format!(" for {it}"));
        let reason = gate.reason.as_deref().unwrap_or_default();
        let detail = format!("gate `{}`{target}: {reason}", gate.name);
        tx.audit(now, principal.name(), "waive-gate", &subject, &detail);
    }
    let detail = format!("{} -> {}", sequence.state.as_str(), moved.state.as_str());
    tx.audit(now, principal.name(), "promote-bundle", &subject, &detail);
    tx.add_job(&Subject::Bundles.text()).await?;
    Ok((moved, tx.commit().await?))
}

/// Why a bundle is not promoted, and what to do about it.
fn refusal(name: &BundleName, sequence: u64, problem: &PromotionProblem) -> Refusal {
    let detail = format!("bundle `{name}` #{sequence} is not promoted: {problem}");
    match problem {
        PromotionProblem::Blocked(judged) => Refusal::new(Code::GateClosed, detail)
            .causes(judged.iter().map(ToString::to_string).collect())
            .hint(format!(
                "`provisioning bundle test {name} --submit` gives evidence; \
                 `--waive GATE --reason WHY` takes it on yourself"
            )),
        PromotionProblem::Already(BundleState::Stable) | PromotionProblem::AtItsEnd(_) => {
            Refusal::new(Code::BundleState, detail).hint(format!(
                "`provisioning bundle promote {name} --to lts --lts-until DAY` supports it longer, \
                 `--to eol` ends its support"
            ))
        }
        PromotionProblem::NoSupportDay => {
            Refusal::new(Code::BundleState, detail).hint("say until when: `--lts-until 2027-09-01`")
        }
        PromotionProblem::IdleWaiver { .. } => Refusal::new(Code::BundleState, detail)
            .hint("the gates are `tests`, before `candidate`, and `upgrades`, before `stable`"),
        PromotionProblem::SilentWaiver(_) => {
            Refusal::new(Code::BadRequest, detail).hint("say why with `--reason`")
        }
        PromotionProblem::Withdrawn(_) => Refusal::new(Code::BundleState, detail)
            .hint("publish a mended draft: it becomes the next sequence"),
        PromotionProblem::Degraded(_) => Refusal::new(Code::GateClosed, detail).hint(format!(
            "`provisioning bundle show {name}` shows what is missing"
        )),
        PromotionProblem::NoSuchStep(_) => Refusal::new(Code::BundleState, detail).hint(
            "the states are `testing`, `candidate`, `stable`, `lts`, `eol`; \
             `provisioning bundle withdraw` takes a bundle back",
        ),
        PromotionProblem::Already(_) => Refusal::new(Code::BundleState, detail).hint(format!(
            "`provisioning bundle show {name}` shows how far it has come"
        )),
    }
}

/// `POST …/withdraw`. Taking back what is taken back already succeeds and keeps the first
/// reason.
pub(crate) async fn withdraw(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
    JsonBody(asked): JsonBody<WithdrawBundle>,
) -> Result<Json<BundleMoved>, ServerError> {
    let name = parse_name(&name)?;
    if asked.reason.trim().is_empty() {
        let detail = "a withdrawal says why, to everyone who has the bundle: `reason` is empty";
        return Err(Refusal::new(Code::BadRequest, detail).into());
    }
    text::check(Code::BadRequest, "reason", &asked.reason, REASON_CHARS_MAX)?;
    let acting = app.clone();
    app.to_its_end(async move {
        let (moved, serial) = commit_withdrawal(&acting, &principal, &name, &asked).await?;
        acting.read_side.show_change(&acting, serial).await?;
        answer(&acting, name, moved, serial).await
    })
    .await
}

async fn commit_withdrawal(
    app: &App,
    principal: &Principal,
    name: &BundleName,
    asked: &WithdrawBundle,
) -> Result<(Vec<BundleSequence>, u64), ServerError> {
    let now = app.now();
    let mut tx = app.db.write().await?;
    if let Some(replacement) = &asked.replacement
        && sequences(tx.connection(), replacement).await?.is_empty()
    {
        return Err(unknown(replacement)
            .hint("name a published bundle as the replacement")
            .into());
    }
    let all = match asked.sequence {
        Some(number) => vec![chosen(&mut tx, name, Some(number)).await?],
        None => sequences(tx.connection(), name).await?,
    };
    if all.is_empty() {
        return Err(unknown(name).into());
    }
    let why = Withdrawn {
        reason: asked.reason.clone(),
        at: now,
        replacement: asked.replacement.clone(),
    };
    let is_change = all.iter().any(|it| !it.is_withdrawn());
    let mut moved = Vec::new();
    for sequence in all {
        if sequence.is_withdrawn() {
            moved.push(sequence);
            continue;
        }
        let taken_back = withdrawn(&sequence, why.clone());
        put_sequence(tx.connection(), name, &taken_back, now).await?;
        let subject = format!("{name} {}", taken_back.sequence);
        tx.audit(
            now,
            principal.name(),
            "withdraw-bundle",
            &subject,
            &asked.reason,
        );
        moved.push(taken_back);
    }
    if !is_change {
        tx.rollback().await?;
        return Ok((moved, app.db.serial().await?));
    }
    tx.add_job(&Subject::Bundles.text()).await?;
    Ok((moved, tx.commit().await?))
}

/// The sequence of a number, else the newest that was not withdrawn.
async fn chosen(
    tx: &mut WriteTx,
    name: &BundleName,
    number: Option<u64>,
) -> Result<BundleSequence, ServerError> {
    let all = sequences(tx.connection(), name).await?;
    let Some(newest) = all.last().cloned() else {
        return Err(unknown(name).into());
    };
    let Some(number) = number else {
        let usable = all.into_iter().rev().find(|it| !it.is_withdrawn());
        return Ok(usable.unwrap_or(newest));
    };
    let last = newest.sequence;
    let found = all.into_iter().find(|it| it.sequence == number);
    found.ok_or_else(|| {
        Refusal::new(
            Code::BundleUnknown,
            format!("bundle `{name}` has no sequence {number}"),
        )
        .hint(format!("its newest is {last}"))
        .into()
    })
}

fn unknown(name: &BundleName) -> Refusal {
    Refusal::new(
        Code::BundleUnknown,
        format!("no bundle `{name}` was published"),
    )
    .hint(format!(
        "`provisioning bundle publish {name}` publishes its draft"
    ))
}

async fn answer(
    app: &App,
    name: BundleName,
    sequences: Vec<BundleSequence>,
    serial: u64,
) -> Result<Json<BundleMoved>, ServerError> {
    Ok(Json(BundleMoved {
        name,
        sequences,
        channels: provisioning_bundles::heads(&app.db.bundles().await?).channels,
        serial,
    }))
}
