//! The route table, a file for each part of the registry: every path, its method, the
//! action that it needs, its handler and what it says about itself.

mod administration;
mod identity;
mod life;
mod publishing;
mod reading;
mod releasing;
mod trust;
mod webhooks;

pub(super) use administration::administration;
pub(super) use identity::identity;
pub(super) use life::life;
pub(super) use publishing::publishing;
pub(super) use reading::reading;
pub(super) use releasing::releasing;
pub(super) use trust::trust;
pub(super) use webhooks::webhooks;
