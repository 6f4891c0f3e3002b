//! The crate from outside: what goes in, what comes out.

mod choices;
mod deep;
mod refusals;
mod sample;
mod shelf;
