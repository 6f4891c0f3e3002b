//! What waits for people's signatures: the next `release`, and changes of keys.
//!
//! While the registry holds the keys of `release`, nothing waits. Once they are with people,
//! a first-party publish stops before its transaction, and every other first-party change
//! (a yank, a bundle, the matrix) is kept and not shown. The next `release` is then made of
//! all of that together: the waiting sessions are committed in a transaction that is taken
//! back, and what would be readable is rendered from it. Nothing of it is believed by anyone
//! before enough engineers have signed its bytes on their own machines.
//!
//! | file | noun |
//! | --- | --- |
//! | `task` | the release that waits, made or found |
//! | `accept` | a signature that arrived, and what it makes visible |
//! | `roles` | changes of keys, and the keys that the registry gives up |
//! | `standing` | how every role stands |

use provisioning_trust::SignError;

use crate::app::App;
use crate::problem::{Code, Refusal, ServerError};

mod accept;
mod roles;
mod standing;
mod task;

pub(crate) use accept::add_signature;
pub(crate) use roles::{make_online_key, put_roles};
pub(crate) use standing::{roles, status, unsettled};
pub(crate) use task::task;

/// Whether this registry must ask people before a first-party change is visible.
pub(crate) fn asks_people(app: &App) -> bool {
    let view = app.read_side.view();
    let keys = app.read_side.keys();
    !view.repository.is_online(&keys, "release").unwrap_or(true)
}

/// What is wrong with something that people sent to be signed or put in force.
pub(crate) fn refused(error: &SignError) -> ServerError {
    let code = match error.code() {
        "base-moved" => Code::BaseMoved,
        "unsigned" => Code::Unsigned,
        _ => Code::ProposalInvalid,
    };
    Refusal::new(code, error.to_string()).into()
}
