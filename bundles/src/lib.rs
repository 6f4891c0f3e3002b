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
//! | `channel` | the moving names `stable`, `lts` and `testing` |
//! | `request` | what installing a bundle asks of the solver |

mod channel;
mod compose;
mod problem;
mod request;

pub use channel::heads;
pub use compose::{check, compose, default_state, from_draft, same_members};
pub use problem::BundleProblem;
pub use request::{foreign_digests, wanted};
