//! Installs into real prefixes from real archives; and the bootstrap scripts in real shells.

mod configuration;
mod crash;
mod fixture;
mod install;
mod refusals;
mod rollback;
mod scripts;
mod writers;
