//! What changes users, teams, owners and tokens: one function for each change, for routes
//! and the operator's command line alike. Each writes the change and its line in the audit
//! log in one transaction.

use jiff::{SignedDuration, Timestamp};
use provisioning_registry_api::identity::{Invitation, check_name};

use crate::db::{Db, WriteTx};
use crate::problem::{Code, Refusal, ServerError};
use crate::random::random_hex;

mod issuers;
mod owners;
mod teams;
mod tokens;
mod users;

pub(crate) use issuers::unknown_issuer;
pub(crate) use tokens::{read_grants, token_expiry, token_id};

/// How long an invitation waits for its answer.
const INVITATION_DAYS: i64 = 30;

/// Who changes something, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Acting<'a> {
    pub(crate) db: &'a Db,
    /// As the audit log calls them.
    pub(crate) actor: &'a str,
    pub(crate) now: Timestamp,
}

/// Whether a change needs the yes of the one that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    /// They are invited.
    Asked,
    /// An administrator decides.
    NotNeeded,
}

impl Acting<'_> {
    fn audit(&self, tx: &mut WriteTx, action: &str, subject: &str, detail: &str) {
        tx.audit(self.now, self.actor, action, subject, detail);
    }

    fn invitation(&self, subject: String, user: &str, role: &str) -> Invitation {
        Invitation {
            id: random_hex::<8>(),
            subject,
            user: user.to_owned(),
            role: role.to_owned(),
            invited_by: self.actor.to_owned(),
            expires_at: self.now + SignedDuration::from_hours(24 * INVITATION_DAYS),
        }
    }

    async fn require_user(&self, name: &str) -> Result<(), ServerError> {
        match self.db.user(name).await? {
            Some(_) => Ok(()),
            None => Err(unknown_user(name).into()),
        }
    }
}

pub(crate) fn unknown_user(name: &str) -> Refusal {
    Refusal::new(
        Code::UserUnknown,
        format!("this registry has no user `{name}`"),
    )
    .hint("an administrator adds users: `provisioning-registry user add NAME`")
}

fn named(text: &str) -> Result<&str, Refusal> {
    check_name(text).map_err(|error| Refusal::new(Code::IdentityInvalid, error.to_string()))?;
    Ok(text)
}
