//! What changed: the event feed that everyone may read, and the audit log for those who
//! look after the registry.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Answer of `GET events?after=SERIAL`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Events {
    /// Changes, oldest first; those of one serial are never torn apart.
    pub events: Vec<Event>,
    /// The serial to ask for next: of the last change here, or of the registry where it has
    /// nothing newer.
    pub next: u64,
    /// Whether there are more changes now.
    #[serde(default)]
    pub more: bool,
}

/// One change of the visible registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Event {
    /// The registry's serial with it.
    pub serial: u64,
    /// Tells changes of one serial apart; 1 for the first.
    pub position: u64,
    /// When it was made.
    pub at: Timestamp,
    /// What was done: `publish`, `yank`, `unyank`, `push-matrix`, `publish-bundle`, ….
    #[serde(rename = "type")]
    pub action: String,
    /// To what: `mongodb@1.2.0`, `matrix`, `stable-3.2 1`.
    pub subject: String,
    /// With which content: digests, a reason, a state.
    #[serde(default)]
    pub detail: String,
}

/// Answer of `GET audit?after=NUMBER`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditLog {
    /// Lines, oldest first.
    pub entries: Vec<AuditEntry>,
    /// The number to ask for next; absent where nothing follows.
    #[serde(default)]
    pub next: Option<u64>,
    /// The end of the chain, whatever part of it was asked for.
    pub head: AuditHead,
}

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditEntry {
    /// Rises by one with every line.
    pub number: u64,
    /// The registry's serial at the time.
    pub serial: u64,
    /// Tells lines of one serial apart.
    pub position: u64,
    /// When, as it was hashed.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub at: String,
    /// Who.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject: String,
    /// With which content.
    #[serde(default)]
    pub detail: String,
    /// Whether the event feed tells it too.
    pub is_event: bool,
    /// sha256 over `[hash of the line before, number, serial, position, at, actor, action,
    /// subject, detail, is_event]` as JSON without blanks.
    pub hash: String,
}

/// The end of the audit log's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditHead {
    /// The number of the last line; 0 before the first.
    pub number: u64,
    /// Its hash; empty before the first.
    pub hash: String,
}
