//! The wire: what registry and client say to each other.
//!
//! Serde shapes, paths and error codes, and nothing that acts: no I/O, no async. The read
//! side (`index`, `discovery`, `bundle`, `paths`) is static files; the write side
//! (`session`, `settings`, `identity`, `token`, `trusted`, `life`, `command`, `evidence`, `update`, `problem`) is JSON over HTTP under `api/v1/`.

pub mod bundle;
pub mod command;
pub mod discovery;
pub mod event;
pub mod evidence;
pub mod identity;
pub mod index;
pub mod life;
mod null;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod operation;
pub mod paths;
pub mod problem;
pub mod session;
pub mod settings;
pub mod token;
pub mod trust;
pub mod trusted;
pub mod update;
pub mod webhook;
