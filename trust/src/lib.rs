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
//! | `repository` | the signer's state: create, load, apply, refresh, accept |
//! | `proposal`, `roster` | a role's next version while it waits for people's signatures |
//! | `change` | who may sign, changed: keys added, taken away, moved offline |
//! | `drill` | a rehearsal with throw-away keys |
//! | `transport` | where bytes come from: a trait of the caller |
//! | `verifier` | what checks metadata: a trait of ours over `sigstore-tuf` |
//! | `store` | the client's trusted state on disk |
//! | `client` | first contact, refresh, verified targets |
//! | `copy` | the metadata of mirrors and exported files |
//! | `document` | signed documents that are no metadata |
//! | `durable` | whole files or no files |
//!
//! The clock is an argument everywhere; the environment is never read.

mod change;
mod client;
mod copy;
mod document;
mod drill;
mod durable;
mod error;
mod keys;
mod layout;
mod metadata;
mod proposal;
mod public_key;
mod repository;
mod roster;
mod store;
mod transport;
mod verifier;

pub use change::{Change, KEYED_ROLES, KeyChange, RoleFiles, RoleStanding};
pub use client::{Anchor, OFFLINE_AGE_MAX_DEFAULT, TrustedRegistry, forget_import, is_imported};
pub use copy::{CopyScope, KeptFile, MetadataCopy};
pub use document::{NoPublicKey, VerifyingKey};
pub use drill::{DrillStep, drill};
pub use error::{DrillError, SignError, TrustError};
pub use keys::{KeySet, PAPER_WORDS, SigningKey};
pub use metadata::{PublicKey, Signature, canonical_json};
pub use proposal::{OFFLINE_ROLES, PROPOSAL_BYTES_MAX, Proposal};
pub use repository::{MetadataFile, Repository, RolePlan, RoleState, TargetChange, TargetFacts};
pub use roster::{Roster, Standing};
pub use transport::{FilesInMemory, Transport, TransportError};
