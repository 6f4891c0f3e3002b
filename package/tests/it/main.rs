//! What this crate promises, tried from outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod build;
mod closed;
mod export;
mod hostile;
mod manifest;
mod odd;
mod place;
mod random;
mod real;
mod roundtrip;
