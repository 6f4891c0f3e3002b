//! What this crate promises, tried from outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod build;
mod facts;
mod packit;
mod research;
mod split;
