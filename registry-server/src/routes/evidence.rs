//! Evidence of tests: taken from testers, shown to everyone.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::{Extension, Json};
use provisioning_bundles::{covers, gates_now};
use provisioning_package::{BundleName, Digest};
use provisioning_registry_api::bundle::BundleSequence;
use provisioning_registry_api::evidence::{
    Evidence, EvidenceAccepted, EvidenceSubject, SignedEvidence,
};
use provisioning_trust::{VerifyingKey, canonical_json};

use super::body::JsonBody;
use super::bundles::draft_tests;
use crate::app::App;
use crate::db::WriteTx;
use crate::db::bundles::{put_sequence, sequences};
use crate::db::evidence::{NewEvidence, insert_evidence, known_evidence, tester_of_key};
use crate::problem::{Code, Refusal, ServerError};
use crate::read_side::Subject;
use crate::rules::access::Principal;
use crate::rules::evidence::{read, subject};

/// Takes evidence that a tester signed. The same evidence again succeeds.
pub(crate) async fn submit(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    JsonBody(sent): JsonBody<SignedEvidence>,
) -> Result<Json<EvidenceAccepted>, ServerError> {
    let (evidence, _) = read(&sent)?;
    let acting = app.clone();
    app.to_its_end(async move {
        let accepted = commit(&acting, &principal, &sent, &evidence).await?;
        acting
            .read_side
            .show_change(&acting, accepted.serial)
            .await?;
        Ok(Json(accepted))
    })
    .await
}

async fn commit(
    app: &App,
    principal: &Principal,
    sent: &SignedEvidence,
    evidence: &Evidence,
) -> Result<EvidenceAccepted, ServerError> {
    let (_, signature) = read(sent)?;
    let digest = Digest::of(&canonical_json(sent)?);
    let now = app.now();
    let mut tx = app.db.write().await?;
    let Some((name, tester)) = tester_of_key(tx.connection(), &signature.keyid).await? else {
        return Err(unknown_tester(&signature.keyid).into());
    };
    let key = VerifyingKey::from_hex(&tester.public_key)
        .map_err(|_| ServerError::Failed(format!("the key of tester `{name}` is none")))?;
    if !key.has_signed(&sent.signed, &signature.sig) {
        return Err(Refusal::new(
            Code::EvidenceInvalid,
            format!("the signature is not the one of tester `{name}` over this evidence"),
        )
        .into());
    }
    let about = subject(evidence);
    let new = NewEvidence {
        digest,
        subject: &about,
        tester: &name,
        key_id: &signature.keyid,
        passed: evidence.passed,
        document: sent,
        received_at: now,
        serial: tx.serial(),
    };
    let is_new = insert_evidence(tx.connection(), &new).await?;
    let sequences = judge_anew(app, &mut tx, evidence).await?;
    let serial = if is_new {
        let word = if evidence.passed { "passed" } else { "failed" };
        let detail = format!("{word}, signed by {name}: {}", digest.prefixed());
        tx.audit(now, principal.name(), "submit-evidence", &about, &detail);
        tx.add_job(&Subject::Bundles.text()).await?;
        tx.commit().await?
    } else {
        tx.rollback().await?;
        app.db.serial().await?
    };
    Ok(EvidenceAccepted {
        digest,
        tester: name,
        passed: evidence.passed,
        sequences,
        serial,
    })
}

fn unknown_tester(key_id: &str) -> Refusal {
    Refusal::new(
        Code::TesterUnknown,
        format!("the evidence is signed with the key `{key_id}`, which is no tester's here"),
    )
    .hint("who administers the registry makes it count: `provisioning bundle tester add NAME`")
}

/// Writes what the gates of the bundle's sequences say now; the sequences that the evidence
/// is about.
async fn judge_anew(
    app: &App,
    tx: &mut WriteTx,
    evidence: &Evidence,
) -> Result<Vec<u64>, ServerError> {
    let EvidenceSubject::Bundle(name) = &evidence.subject else {
        return Ok(Vec::new());
    };
    let known = known_evidence(tx.connection(), name.as_str()).await?;
    let tests = draft_tests(app, name).await?;
    let mut about = Vec::new();
    for sequence in sequences(tx.connection(), name).await? {
        let is_about = |it: &&provisioning_package::Target| covers(&sequence, **it, evidence);
        if sequence.is_withdrawn() || !sequence.targets.iter().any(|it| is_about(&it)) {
            continue;
        }
        about.push(sequence.sequence);
        let judged = BundleSequence {
            gates: gates_now(&sequence, &tests, &known),
            ..sequence
        };
        put_sequence(tx.connection(), name, &judged, app.now()).await?;
    }
    Ok(about)
}

/// One piece of evidence, byte for byte as the tester's signature covers it.
pub(crate) async fn show(
    State(app): State<App>,
    Path(hex): Path<String>,
) -> Result<Response, ServerError> {
    let unknown = || Refusal::new(Code::NotFound, "this registry has no such evidence");
    let digest = Digest::from_hex(&hex).map_err(|_| unknown())?;
    let text = app.db.evidence(&digest).await?.ok_or_else(unknown)?;
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("max-age=31536000, immutable"),
    );
    Ok(response)
}

/// Evidence about a bundle that counts, for routes that judge.
pub(crate) async fn about(
    tx: &mut WriteTx,
    name: &BundleName,
) -> Result<Vec<provisioning_bundles::KnownEvidence>, ServerError> {
    Ok(known_evidence(tx.connection(), name.as_str()).await?)
}
