//! Tested combinations: what a bundle is made of, whether it may be published, and which
//! bundle each channel points at.
//!
//! Everything here is a function of its arguments: drafts and requests come in, documents
//! of the registry and problems come out.
//!
//! | file | noun |
//! | --- | --- |
//! | `compose` | a published sequence, made from a request and the index |
//! | `problem` | why a bundle is refused |
//! | `difference` | what differs between two bundles |
//! | `changelog` | sections of a changelog, one for each version |
//! | `bisect` | which of several changes broke a test |
//! | `news` | what whoever has a bundle must hear of it |
//! | `gate` | what stands between a sequence and `stable`, judged by evidence |
//! | `promotion` | moving a sequence forward, and taking it back |
//! | `release` | what is released, as which version, and the notes of it |
//! | `update` | bundles that become stable together |
//! | `channel` | the moving names `stable`, `lts` and `testing` |
//! | `request` | what installing a bundle asks of the solver |

mod bisect;
mod changelog;
mod channel;
mod compose;
mod difference;
mod gate;
mod news;
mod problem;
mod promotion;
pub mod release;
mod request;
mod update;

pub use bisect::{Bisection, Culprit, Trial};
pub use changelog::{ChangelogSection, sections, sections_between};
pub use channel::heads;
pub use compose::{check, compose, default_state, from_draft, same_members};
pub use difference::{ChangeKind, MemberChange, member_changes};
pub use gate::{
    GateName, GateVerdict, Judgement, KnownEvidence, covers, covers_upgrade, gates_now, judge,
};
pub use news::{BundleNews, SUPPORT_ENDS_SOON_DAYS, news};
pub use problem::BundleProblem;
pub use promotion::{Promotion, PromotionProblem, promote, withdraw};
pub use request::{foreign_digests, wanted};
pub use update::{DAYS_IN_TESTING, KARMA_REJECTED, KARMA_STABLE, collect, karma, update_status};
