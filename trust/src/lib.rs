//! Who is believed: the registry's files are a TUF repository, signed here and checked here.
//!
//! Two halves that share shapes and nothing else. The **signer** ([`KeySet`], [`Repository`])
//! runs in the registry; it is ours, pure, and returns files for the caller to write. The
//! **client** ([`TrustedRegistry`]) runs on every machine that installs; what it accepts is
//! decided by the `sigstore-tuf` crate alone, behind a trait of ours. There is no flag that
//! turns verification off.
//!
//! | file | noun |
//! | --- | --- |
//! | `keys` | Ed25519 keys, and the folder that keeps them |
//! | `metadata` | the TUF 1.0 file shapes and their canonical bytes |
//! | `layout` | our roles: what each may sign, how long it lives |
//! | `repository` | the signer's state: create, load, apply, refresh |
//! | `transport` | where bytes come from: a trait of the caller |
//! | `verifier` | what checks metadata: a trait of ours over `sigstore-tuf` |
//! | `store` | the client's trusted state on disk |
//! | `client` | first contact, refresh, verified targets |
//! | `copy` | the metadata of mirrors and exported files |
//! | `durable` | whole files or no files |
//!
//! The clock is an argument everywhere; the environment is never read.

mod client;
mod copy;
mod durable;
mod error;
mod keys;
mod layout;
mod metadata;
mod repository;
mod store;
mod transport;
mod verifier;

pub use client::{Anchor, OFFLINE_AGE_MAX_DEFAULT, TrustedRegistry, forget_import, is_imported};
pub use copy::{CopyScope, KeptFile, MetadataCopy};
pub use error::{SignError, TrustError};
pub use keys::{KeySet, SigningKey};
pub use metadata::canonical_json;
pub use repository::{MetadataFile, Repository, RoleState, TargetChange, TargetFacts};
pub use transport::{Transport, TransportError};
