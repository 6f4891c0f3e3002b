//! What the registry decides: pure, from values to values.

pub(crate) mod access;
pub(crate) mod bundle;
pub(crate) mod declaration;
pub(crate) mod deletion;
pub(crate) mod gate;
pub(crate) mod grant;
pub(crate) mod manifest;
pub(crate) mod pinned;
pub(crate) mod policy;
pub(crate) mod proof;
pub(crate) mod quota;
pub(crate) mod reservation;
pub(crate) mod session;
pub(crate) mod similar;
pub(crate) mod text;
pub(crate) mod version;
