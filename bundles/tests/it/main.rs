//! The crate from outside: drafts and requests in, documents and problems out.
#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot set up is a failed test"
)]

mod channels;
mod publishing;
mod shelf;
