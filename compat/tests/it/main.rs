//! The crate from outside: what goes in, what comes out.
#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot set up is a failed test"
)]

mod choices;
mod deep;
mod peers;
mod reading;
mod refusals;
mod sample;
mod shelf;
