//! Changes of keys: taken in once they are signed, checked with the client's own verifier
//! before anyone else sees them, and followed by giving up the keys that no role names.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use provisioning_registry_api::paths;
use provisioning_registry_api::trust::{MakeOnlineKey, OnlineKeyMade, PutRoles, RolesPut};
use provisioning_trust::{
    Anchor, KeySet, MetadataFile, Proposal, Repository, SigningKey, Transport, TransportError,
    TrustedRegistry,
};

use super::refused;
use crate::app::App;
use crate::db::proposals::{ProposalKind, ProposalRow, ProposalState, insert_proposal};
use crate::problem::{Code, Refusal, ServerError};
use crate::random::random_hex;
use crate::storage::Storage;

/// The roles whose keys the registry makes and holds.
const ONLINE: [&str; 3] = ["bins", "snapshot", "timestamp"];

/// Puts a signed change of keys in force, and deletes the private keys that no role names any
/// more.
pub(crate) async fn put_roles(
    app: &App,
    actor: &str,
    asked: PutRoles,
) -> Result<RolesPut, ServerError> {
    let mut proposals = Vec::new();
    for value in asked.proposals {
        let read = serde_json::from_value::<Proposal>(value).map_err(|error| {
            Refusal::new(
                Code::ProposalInvalid,
                format!("a proposal cannot be read: {error}"),
            )
        })?;
        proposals.push(read);
    }
    let view = app.read_side.view();
    let keys = app.read_side.keys();
    if asked.countersign {
        for proposal in proposals.iter_mut().filter(|it| it.role() == "root") {
            view.repository.countersign(&keys, proposal)?;
        }
    }
    let mut next = view.repository.clone();
    let files = next
        .accept(&keys, &proposals, app.now())
        .map_err(|error| refused(&error))?;
    if !files.is_empty() {
        check(app, &view.repository, &files).await?;
    }
    let deleted_keys = unneeded(&view.repository, &next, &keys)?;
    if !files.is_empty() {
        commit(app, actor, proposals, deleted_keys.clone()).await?;
    }
    let view = app.read_side.view();
    Ok(RolesPut {
        root_version: view.repository.root_version(),
        root_fingerprint: view.repository.root_fingerprint(),
        deleted_keys,
    })
}

/// The keys at hand that no role names once `next` is in force. A key that was made for a
/// change to come stays: it was never named, and is called after its role.
fn unneeded(
    before: &Repository,
    next: &Repository,
    keys: &KeySet,
) -> Result<Vec<String>, ServerError> {
    let is_unneeded = |label: &String| {
        let names = |it: &Repository| {
            let key = keys.key(label);
            key.is_some_and(|key| it.names_key(key.key_id()))
        };
        let is_candidate = ONLINE.iter().any(|role| {
            label
                .strip_prefix(role)
                .is_some_and(|it| it.starts_with('-'))
        });
        !names(next) && (names(before) || !is_candidate)
    };
    let labels = next.superfluous(keys)?;
    Ok(labels.into_iter().filter(is_unneeded).collect())
}

async fn commit(
    app: &App,
    actor: &str,
    proposals: Vec<Proposal>,
    given_up: Vec<String>,
) -> Result<(), ServerError> {
    let names: Vec<String> = proposals
        .iter()
        .map(|it| format!("{} {}", it.role(), it.version()))
        .collect();
    let row = ProposalRow {
        id: random_hex::<32>(),
        kind: ProposalKind::Roles,
        made_at: app.now(),
        proposals,
        contents: BTreeMap::new(),
        covers: given_up,
    };
    let mut tx = app.db.write().await?;
    insert_proposal(tx.connection(), &row, ProposalState::Accepted).await?;
    tx.audit(app.now(), actor, "change-keys", &names.join(", "), &row.id);
    let serial = tx.commit().await?;
    app.read_side.show_change(app, serial).await
}

/// A client that trusts what is in force now must be able to follow.
async fn check(app: &App, before: &Repository, files: &[MetadataFile]) -> Result<(), ServerError> {
    let unbelievable = |error: provisioning_trust::TrustError| {
        Refusal::new(
            Code::ProposalInvalid,
            format!("no client would follow this change: {error}"),
        )
    };
    let anchor = Anchor {
        metadata: paths::METADATA.to_owned(),
        targets: paths::TARGETS.to_owned(),
        root_version: before.root_version(),
        root_fingerprint: before.root_fingerprint(),
    };
    let named = files
        .iter()
        .map(|it| (format!("{}{}", paths::METADATA, it.name), it.bytes.clone()));
    let overlay = Arc::new(Overlay {
        files: named.collect(),
        storage: app.storage.clone(),
    });
    let nowhere = app.staging.join("no-trusted-state");
    let mut client = TrustedRegistry::open_untouched(&nowhere, overlay, &anchor, None)
        .await
        .map_err(unbelievable)?;
    client.refresh(app.now()).await.map_err(unbelievable)?;
    client.role_files(app.now()).await.map_err(unbelievable)?;
    Ok(())
}

/// What would be served: new files over those that are stored.
struct Overlay {
    files: BTreeMap<String, Vec<u8>>,
    storage: Storage,
}

impl Transport for Overlay {
    fn fetch<'a>(
        &'a self,
        path: &'a str,
        _max_bytes: u64,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, TransportError>> {
        Box::pin(async move {
            if let Some(bytes) = self.files.get(path) {
                return Ok(Some(bytes.clone()));
            }
            let stored = self.storage.read(path).await;
            let stored = stored.map_err(|error| TransportError::Unreachable {
                source: Box::new(error),
            })?;
            Ok(stored.map(Into::into))
        })
    }
}

/// Makes a key for a role that the registry signs itself. It counts once a signed change
/// names it.
pub(crate) async fn make_online_key(
    app: &App,
    asked: &MakeOnlineKey,
) -> Result<OnlineKeyMade, ServerError> {
    if !ONLINE.contains(&asked.role.as_str()) {
        return Err(Refusal::new(
            Code::BadRequest,
            format!(
                "the registry makes keys for {} alone: those of `{}` are made by people",
                ONLINE.join(", "),
                asked.role
            ),
        )
        .into());
    }
    let key = SigningKey::generate()?;
    let label = format!("{}-{}", asked.role, &key.key_id()[..8]);
    let public_key = key.public_key().to_string();
    app.read_side.keep_key(app, &label, key).await?;
    Ok(OnlineKeyMade {
        role: asked.role.clone(),
        public_key,
    })
}
