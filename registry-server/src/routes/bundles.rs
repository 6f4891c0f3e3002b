//! `POST /api/v1/bundles/{name}`: publishes the next sequence of a bundle.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use provisioning_bundles::{default_state, gates_now};
use provisioning_compat::VersionsToml;
use provisioning_package::BundleName;
use provisioning_registry_api::bundle::BundleSequence;
use provisioning_registry_api::command::{BundlePublished, PublishBundle};

use super::body::JsonBody;
use super::evidence::about;
use super::matrix::whole_index;
use crate::app::App;
use crate::db::bundles::{put_sequence, sequences};
use crate::db::evidence::has_testers;
use crate::db::packages::{Holder, claim_name};
use crate::problem::{Code, Refusal, ServerError};
use crate::read_side::Subject;
use crate::rules::access::Principal;
use crate::rules::bundle::{Step, check_gates, check_name, state_where_none_is_named, step};
use crate::rules::text::{self, TITLE_CHARS_MAX};
use crate::signing;

/// Publishes a bundle whose members all exist and fit. The same bundle again gives the
/// same sequence.
pub(crate) async fn publish(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
    JsonBody(asked): JsonBody<PublishBundle>,
) -> Result<Json<BundlePublished>, ServerError> {
    let name = parse_name(&name)?;
    check_name(&name)?;
    text::check(Code::BundleInvalid, "title", &asked.title, TITLE_CHARS_MAX)?;
    let acting = app.clone();
    app.to_its_end(async move {
        let (sequence, warnings, serial) = commit(&acting, &principal, &name, &asked).await?;
        acting.read_side.show_change(&acting, serial).await?;
        Ok(Json(BundlePublished {
            sequence: sequence.sequence,
            state: sequence.state,
            channels: channels(&acting, &name, sequence.sequence).await?,
            warnings,
            serial,
            awaiting_signature: signing::asks_people(&acting),
            name,
        }))
    })
    .await
}

async fn commit(
    app: &App,
    principal: &Principal,
    name: &BundleName,
    asked: &PublishBundle,
) -> Result<(BundleSequence, Vec<String>, u64), ServerError> {
    let now = app.now();
    let mut tx = app.db.write().await?;
    let holder = claim_name(tx.connection(), name.as_str(), Holder::Bundle).await?;
    if holder != Holder::Bundle {
        return Err(Refusal::new(
            Code::NameTaken,
            format!("`{name}` is a package, so no bundle can have that name"),
        )
        .into());
    }
    let newest = sequences(tx.connection(), name).await?.pop();
    let is_gated = has_testers(tx.connection()).await?;
    let unnamed = state_where_none_is_named(default_state(asked), is_gated);
    let request = PublishBundle {
        state: Some(asked.state.unwrap_or(unnamed)),
        ..asked.clone()
    };
    // Other changes wait for this transaction, so what is read now holds when it commits.
    let (mut composed, warnings) = compose(app, name, &request, newest.as_ref()).await?;
    // What was tested before it was published counts.
    let known = about(&mut tx, name).await?;
    composed.gates = gates_now(&composed, &draft_tests(app, name).await?, &known);
    let step = step(newest.as_ref(), &composed, asked.state.is_some())?;
    if step != Step::Same {
        check_gates(composed.state, is_gated)?;
    }
    match (step, newest) {
        (Step::Same, Some(newest)) => {
            tx.rollback().await?;
            return Ok((newest, warnings, app.db.serial().await?));
        }
        (Step::State, Some(newest)) => {
            let moved = BundleSequence {
                state: composed.state,
                ..newest
            };
            put_sequence(tx.connection(), name, &moved, now).await?;
            let serial = finish(tx, now, principal, name, &moved).await?;
            Ok((moved, warnings, serial))
        }
        (Step::New | Step::State | Step::Same, _) => {
            put_sequence(tx.connection(), name, &composed, now).await?;
            let serial = finish(tx, now, principal, name, &composed).await?;
            Ok((composed, warnings, serial))
        }
    }
}

async fn finish(
    mut tx: crate::db::WriteTx,
    now: jiff::Timestamp,
    principal: &Principal,
    name: &BundleName,
    sequence: &BundleSequence,
) -> Result<u64, ServerError> {
    let subject = format!("{name} {}", sequence.sequence);
    tx.audit(
        now,
        principal.name(),
        "publish-bundle",
        &subject,
        sequence.state.as_str(),
    );
    tx.add_job(&Subject::Bundles.text()).await?;
    Ok(tx.commit().await?)
}

/// A bundle's name in a path.
pub(crate) fn parse_name(text: &str) -> Result<BundleName, Refusal> {
    BundleName::parse(text).map_err(|error| Refusal::new(Code::BundleInvalid, error.to_string()))
}

/// The checks that the bundle's draft names in the matrix in force.
pub(crate) async fn draft_tests(
    app: &App,
    name: &BundleName,
) -> Result<BTreeSet<String>, ServerError> {
    let drafts = versions_toml(app).await?.bundles;
    Ok(drafts
        .get(name)
        .map(|it| it.tests.keys().cloned().collect())
        .unwrap_or_default())
}

/// The matrix in force, with its drafts.
async fn versions_toml(app: &App) -> Result<VersionsToml, ServerError> {
    match app.db.matrix_text().await? {
        None => Ok(VersionsToml::default()),
        Some(text) => VersionsToml::parse(&text, None).map_err(|_| {
            ServerError::Failed("the matrix in force does not parse any more".to_owned())
        }),
    }
}

async fn compose(
    app: &App,
    name: &BundleName,
    asked: &PublishBundle,
    newest: Option<&BundleSequence>,
) -> Result<(BundleSequence, Vec<String>), ServerError> {
    let index = whole_index(app).await?;
    let matrix = versions_toml(app).await?.matrix;
    let number = newest.map_or(1, |it| it.sequence + 1);
    provisioning_bundles::compose(name, asked, number, &matrix, &index).map_err(|problems| {
        let causes: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Refusal::new(
            Code::BundleInvalid,
            format!("bundle `{name}` is refused: {}", causes.join("; ")),
        )
        .causes(causes)
        .into()
    })
}

/// The channels that point at this sequence now.
async fn channels(
    app: &App,
    name: &BundleName,
    sequence: u64,
) -> Result<Vec<BundleName>, ServerError> {
    let heads = provisioning_bundles::heads(&app.db.bundles().await?);
    Ok(heads
        .channels
        .into_iter()
        .filter(|(_, head)| head.bundle == *name && head.sequence == sequence)
        .map(|(channel, _)| channel)
        .collect())
}
