//! The crate from outside: what goes in, what comes out.

mod sample;
mod shelf;
