//! How every role stands: for people, for metrics and for readiness.

use jiff::Timestamp;
use provisioning_registry_api::session::SessionState;
use provisioning_registry_api::trust::{KeyPlace, RoleStatus, TrustStatus};

use crate::app::App;
use crate::problem::ServerError;

/// Most sessions that are counted.
const COUNTED_MAX: u64 = 1_000;
/// The roles that people ought to sign.
const FOR_PEOPLE: [&str; 4] = ["root", "targets", "release", "extensions"];

/// How every role stands; the 256 bins are one.
pub(crate) async fn status(app: &App) -> Result<TrustStatus, ServerError> {
    Ok(TrustStatus {
        roles: roles(app)?,
        awaiting_signature: awaiting(app).await?,
    })
}

/// How much waits for a `release` signature, as far as that is known without putting the next
/// release together: anyone may ask this.
async fn awaiting(app: &App) -> Result<u64, ServerError> {
    if !super::asks_people(app) {
        return Ok(0);
    }
    if let Some(open) = app.db.open_release().await? {
        return Ok(open.contents.len().max(1) as u64);
    }
    let state = SessionState::AwaitingSignature;
    Ok(app.db.sessions_in(state, COUNTED_MAX).await?.len() as u64)
}

/// How every role stands, from memory: for metrics.
pub(crate) fn roles(app: &App) -> Result<Vec<RoleStatus>, ServerError> {
    let view = app.read_side.view();
    let keys = app.read_side.keys();
    let states = view.repository.roles();
    let mut roles = Vec::new();
    for name in [
        "root",
        "targets",
        "release",
        "extensions",
        "bins",
        "snapshot",
        "timestamp",
    ] {
        let of = if name == "bins" { "bin-00" } else { name };
        let mine = states
            .iter()
            .filter(|it| it.name == name || (name == "bins" && it.name.starts_with("bin-")));
        let (mut version, mut expires) = (u64::MAX, Timestamp::MAX);
        for state in mine {
            version = version.min(state.version);
            expires = expires.min(state.expires);
        }
        let roster = view.repository.roster(of)?;
        let online = view.repository.is_online(&keys, of)?;
        roles.push(RoleStatus {
            role: name.to_owned(),
            version,
            expires,
            threshold: roster.threshold() as u64,
            keys: roster
                .ids()
                .map(|id| KeyPlace {
                    id: id.to_owned(),
                    online: keys.label_of(id).is_some(),
                })
                .collect(),
            online,
            should_move: online && FOR_PEOPLE.contains(&name),
        });
    }
    Ok(roles)
}

/// Roles whose signature has ended, so that clients refuse this registry: it is not ready.
pub(crate) fn unsettled(app: &App) -> Vec<String> {
    let now = app.now();
    let states = app.read_side.view().repository.roles();
    let ended = states.into_iter().filter(|it| it.expires <= now);
    ended
        .map(|it| format!("`{}` expired on {}", it.name, it.expires))
        .collect()
}
