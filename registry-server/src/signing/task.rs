//! The release that waits for signatures: the one that somebody has signed already, or one
//! made of everything that waits now.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use provisioning_package::{Digest, Kind, PackageName};
use provisioning_registry_api::session::SessionState;
use provisioning_trust::{TargetChange, TargetFacts};

use crate::app::App;
use crate::db::WriteTx;
use crate::db::proposals::{ProposalKind, ProposalRow, ProposalState, insert_proposal};
use crate::db::sessions::SessionRow;
use crate::problem::ServerError;
use crate::publish;
use crate::read_side::{Subject, render_in};
use crate::rules::manifest;

/// Most sessions that one signature covers.
const SESSIONS_MAX: u64 = 200;

/// What waits, and which sessions could not be part of it.
pub(crate) struct Waiting {
    pub(crate) row: Option<ProposalRow>,
    pub(crate) left_out: Vec<String>,
}

/// The release that waits. One that somebody has signed stays until it is complete or a part
/// of it is gone; one that nobody has signed is made again where more waits by now.
pub(crate) async fn task(app: &App) -> Result<Waiting, ServerError> {
    let open = app.db.open_release().await?;
    if let Some(open) = &open
        && has_signatures(open)
        && still_fits(app, open).await?
    {
        return Ok(Waiting {
            row: Some(open.clone()),
            left_out: Vec::new(),
        });
    }
    // Made at the same instant, the same content gives the same bytes: whoever looks twice,
    // or from two machines, is shown one proposal.
    let made_at = open.as_ref().map_or_else(|| app.now(), |it| it.made_at);
    let first = compose(app, made_at).await?;
    let same = match (&open, &first.row) {
        (Some(open), Some(new)) => open.id == new.id,
        _ => false,
    };
    if same {
        return Ok(Waiting {
            row: open,
            left_out: first.left_out,
        });
    }
    let made = if open.is_some() {
        compose(app, app.now()).await?
    } else {
        first
    };
    if let Some(row) = &made.row {
        let mut tx = app.db.write_quietly().await?;
        insert_proposal(tx.connection(), row, ProposalState::Open).await?;
        tx.commit().await?;
    }
    Ok(made)
}

fn has_signatures(row: &ProposalRow) -> bool {
    row.proposals.iter().any(|it| !it.signatures().is_empty())
}

/// Whether a proposal still follows what is in force, and its sessions still wait.
pub(super) async fn still_fits(app: &App, row: &ProposalRow) -> Result<bool, ServerError> {
    let view = app.read_side.view();
    let states = view.repository.roles();
    let current = states.iter().find(|it| it.name == "release");
    let follows = current.is_some_and(|current| {
        row.proposals
            .iter()
            .all(|it| it.version() == current.version + 1)
    });
    if !follows {
        return Ok(false);
    }
    for id in &row.covers {
        let session = app.db.session(id).await?;
        let waits = session.is_some_and(|it| it.standing.state == SessionState::AwaitingSignature);
        if !waits {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes the next release of everything that waits, as of `made_at`.
async fn compose(app: &App, made_at: Timestamp) -> Result<Waiting, ServerError> {
    let waiting = app
        .db
        .sessions_in(SessionState::AwaitingSignature, SESSIONS_MAX)
        .await?;
    let mut left_out = Vec::new();
    let mut sessions = Vec::new();
    let mut tx = app.db.write().await?;
    for row in waiting {
        tx.set_savepoint().await?;
        match commit_in(app, &mut tx, &row, made_at).await {
            Ok(()) => sessions.push(row.id),
            Err(ServerError::Refused(refusal)) => {
                tx.back_to_savepoint().await?;
                left_out.push(format!("{}: {}", row.id, refusal.detail));
            }
            Err(error) => return Err(error),
        }
    }
    let rendered = render_in(app, &mut tx, &subjects()).await;
    tx.rollback().await?;
    let view = app.read_side.view();
    let mut changes = Vec::new();
    let mut contents = BTreeMap::new();
    for target in rendered? {
        let facts = TargetFacts {
            length: target.bytes.len() as u64,
            digest: Digest::of(&target.bytes),
        };
        if view.repository.target(&target.path) == Some(facts) {
            continue;
        }
        let text = String::from_utf8(target.bytes.to_vec())
            .map_err(|_| ServerError::Failed(format!("`{}` is no text", target.path)))?;
        contents.insert(target.path.clone(), text);
        changes.push(TargetChange {
            path: target.path,
            facts: Some(facts),
        });
    }
    let proposal = view.repository.propose_release(&changes, made_at)?;
    let row = match proposal {
        None => None,
        Some(proposal) => Some(ProposalRow {
            id: proposal.digest()?.hex(),
            kind: ProposalKind::Release,
            made_at,
            proposals: vec![proposal],
            contents,
            covers: sessions,
        }),
    };
    Ok(Waiting { row, left_out })
}

/// Puts a session's versions into a transaction, as if it had been signed.
pub(super) async fn commit_in(
    app: &App,
    tx: &mut WriteTx,
    row: &SessionRow,
    made_at: Timestamp,
) -> Result<(), ServerError> {
    let arrived = publish::arrived(app, &row.declared).await?;
    let planned = manifest::plan(&row.declared, &arrived)?;
    let actor = row.opened_by.clone();
    let policy = app.db.policy().await?;
    let checked = (&planned[..], &arrived, &policy);
    publish::commit_in(tx, (row, &actor), checked, made_at).await?;
    Ok(())
}

/// Everything that `release` signs.
fn subjects() -> BTreeSet<Subject> {
    let first_party = [Kind::Core, Kind::Platform, Kind::Workspace, Kind::Client];
    let packages = first_party.into_iter().filter_map(PackageName::of_kind);
    packages
        .map(Subject::Package)
        .chain([Subject::Matrix, Subject::Bundles, Subject::Scripts])
        .collect()
}
