//! What people have signed: put in force with the next round, and then done with.

use bytes::Bytes;
use provisioning_trust::{KeySet, Repository, SignError};

use super::{ReadSide, Rendered};
use crate::app::App;
use crate::db::proposals::{ProposalKind, ProposalRow};
use crate::problem::ServerError;

/// What people have signed and is not in force yet. What cannot be put in force any more must
/// not hold up everything else: it is set aside, and has to be signed again.
pub(super) async fn usable(
    app: &App,
    repository: &Repository,
) -> Result<Vec<ProposalRow>, ServerError> {
    let keys = app.read_side.keys();
    let mut usable = Vec::new();
    let mut probe = repository.clone();
    for row in app.db.accepted_proposals().await? {
        match probe.accept(&keys, &row.proposals, app.now()) {
            Ok(_) => usable.push(row),
            Err(error) => {
                tracing::error!("what people signed cannot be put in force: {error}");
                app.db.set_proposal_aside(&row.id).await?;
            }
        }
    }
    Ok(usable)
}

/// What can be shown now: what people have signed, and what the keys at hand sign. The rest
/// waits for people.
pub(super) fn signable(
    repository: &Repository,
    keys: &KeySet,
    accepted: &[ProposalRow],
    rendered: Vec<Rendered>,
) -> Result<Vec<Rendered>, SignError> {
    let mut shown = Vec::new();
    for target in rendered {
        if repository.can_sign(keys, &target.path)? {
            shown.push(target);
        }
    }
    for (path, text) in accepted.iter().flat_map(|row| &row.contents) {
        shown.push(Rendered {
            path: path.clone(),
            bytes: Bytes::from(text.clone()),
        });
    }
    Ok(shown)
}

impl ReadSide {
    /// After what was accepted is in force: gives up the keys that it takes from the registry,
    /// and says that it is done.
    pub(super) async fn close(
        &self,
        app: &App,
        accepted: &[ProposalRow],
    ) -> Result<(), ServerError> {
        if accepted.is_empty() {
            return Ok(());
        }
        let mut changes = accepted.iter().filter(|it| it.kind == ProposalKind::Roles);
        if let Some(first) = changes.next() {
            self.give_up_keys(app, &first.covers)?;
            for row in changes {
                self.give_up_keys(app, &row.covers)?;
            }
            self.share_keys(app).await?;
        }
        app.db.close_proposals(accepted).await?;
        Ok(())
    }
}
