//! The registry from outside: a real process, a real database, real files.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod bundles;
mod connections;
mod crash;
mod database;
mod documentation;
mod identity;
mod life;
mod matrix;
mod mixed;
mod publish;
mod python;
mod read_side;
mod registry;
mod repeats;
mod requests;
mod sessions;
mod several;
mod start;
mod tokens;
mod trust;
mod trusted;
mod upgrade;
mod upkeep;
mod versions;
mod yank;
