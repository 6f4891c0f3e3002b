//! A signature that arrived: kept, counted, and once there are enough, put in force.

use provisioning_registry_api::session::SessionState;
use provisioning_registry_api::trust::{AddSignature, SignatureAdded};
use provisioning_trust::{Signature, Standing};

use super::task::{commit_in, still_fits};
use crate::app::App;
use crate::db::proposals::{
    ProposalRow, ProposalState, add_signature as keep_signature, move_proposal,
};
use crate::problem::{Code, Refusal, ServerError};

/// Takes a signature in. The key that made it is the only right that it needs: whoever holds
/// a release key may sign releases.
pub(crate) async fn add_signature(
    app: &App,
    actor: &str,
    asked: &AddSignature,
) -> Result<SignatureAdded, ServerError> {
    let open = app.db.open_release().await?;
    let mut row = open
        .filter(|it| it.id == asked.digest.hex())
        .ok_or_else(moved)?;
    if !still_fits(app, &row).await? {
        return Err(moved().into());
    }
    let signature = Signature {
        keyid: asked.keyid.clone(),
        sig: asked.sig.clone(),
    };
    let roster = app.read_side.view().repository.roster("release")?;
    let [proposal] = &mut row.proposals[..] else {
        return Err(moved().into());
    };
    proposal.add(signature.clone());
    let standing = proposal.standing(&roster)?;
    if !standing.signed.contains(&asked.keyid) {
        return Err(Refusal::new(
            Code::SignatureInvalid,
            format!(
                "`{}` is no release key of this registry, or the signature is not its own",
                asked.keyid
            ),
        )
        .causes(
            standing
                .missing
                .iter()
                .map(|id| format!("could sign: {id}"))
                .collect(),
        )
        .into());
    }
    let mut tx = app.db.write_quietly().await?;
    keep_signature(tx.connection(), &row.id, &signature, (actor, app.now())).await?;
    tx.commit().await?;
    if standing.is_met() {
        put_in_force(app, actor, &row).await?;
    }
    Ok(answer(&row, standing))
}

/// Commits what the release covers, and shows it.
async fn put_in_force(app: &App, actor: &str, row: &ProposalRow) -> Result<(), ServerError> {
    let mut tx = app.db.write().await?;
    for id in &row.covers {
        let session = crate::db::sessions::session(tx.connection(), id).await?;
        let session = session
            .filter(|it| it.standing.state == SessionState::AwaitingSignature)
            .ok_or_else(moved)?;
        commit_in(app, &mut tx, &session, row.made_at).await?;
    }
    let (from, to) = (ProposalState::Open, ProposalState::Accepted);
    if !move_proposal(tx.connection(), &row.id, from, to).await? {
        return Err(moved().into());
    }
    let version = row
        .proposals
        .first()
        .map_or(0, provisioning_trust::Proposal::version);
    let subject = format!("release {version}");
    tx.audit(app.now(), actor, "sign-release", &subject, &row.id);
    let serial = tx.commit().await?;
    app.read_side.show_change(app, serial).await
}

fn answer(row: &ProposalRow, standing: Standing) -> SignatureAdded {
    SignatureAdded {
        visible: standing.is_met(),
        version: row
            .proposals
            .first()
            .map_or(0, provisioning_trust::Proposal::version),
        signed: standing.signed,
        missing: standing.missing,
        threshold: standing.threshold as u64,
        sessions: row.covers.clone(),
    }
}

fn moved() -> Refusal {
    Refusal::new(
        Code::BaseMoved,
        "something else is to be signed by now: what was signed is not what waits",
    )
    .hint("look at it again and sign that: `provisioning trust sign --key FILE`")
}
