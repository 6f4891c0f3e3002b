//! The registry from outside: a real process, a real database, real files.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod audit;
mod bundles;
mod connections;
mod crash;
mod database;
mod documentation;
mod fuzz;
mod gates;
mod identity;
mod life;
mod limits;
mod matrix;
mod mixed;
mod operations;
mod publish;
mod python;
mod read_side;
mod registry;
mod repeats;
mod requests;
mod search;
mod sessions;
mod several;
mod start;
mod tls;
mod tokens;
mod tracing;
mod trust;
mod trusted;
mod upgrade;
mod upkeep;
mod versions;
mod webhooks;
mod yank;
