//! What the registry decides: pure, from values to values.

pub(crate) mod access;
pub(crate) mod audit_chain;
pub(crate) mod bundle;
pub(crate) mod client_address;
pub(crate) mod declaration;
pub(crate) mod deletion;
pub(crate) mod evidence;
pub(crate) mod gate;
pub(crate) mod grant;
pub(crate) mod manifest;
pub(crate) mod pinned;
pub(crate) mod policy;
pub(crate) mod proof;
pub(crate) mod quota;
pub(crate) mod rate;
pub(crate) mod request_id;
pub(crate) mod reservation;
pub(crate) mod search_query;
pub(crate) mod session;
pub(crate) mod similar;
pub(crate) mod switch;
pub(crate) mod text;
pub(crate) mod version;
pub(crate) mod webhook_schedule;
pub(crate) mod webhook_target;
