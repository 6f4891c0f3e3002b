//! Installs into real prefixes from real archives; and the bootstrap scripts in real shells.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod configuration;
mod crash;
mod fixture;
mod garbage;
mod install;
mod refusals;
mod repair;
mod rollback;
mod scripts;
mod sharing;
mod staging;
mod writers;
