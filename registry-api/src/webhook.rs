//! Webhooks: addresses that are told of changes, signed as Standard Webhooks
//! (<https://www.standardwebhooks.com>) says.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::Event;

/// Body of `POST webhooks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewWebhook {
    /// Where changes are sent: `https://host/path`.
    #[cfg_attr(feature = "openapi", schema(max_length = 2048))]
    pub url: String,
    /// Which changes; all of them where empty.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(max_items = 64))]
    pub events: Vec<String>,
}

/// Answer of `POST webhooks`: the only time that the secret is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookCreated {
    /// The webhook.
    pub webhook: Webhook,
    /// What its messages are signed with: `whsec_` and base64.
    pub secret: String,
}

/// Answer of `GET webhooks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Webhooks {
    /// Every webhook, oldest first.
    pub webhooks: Vec<Webhook>,
}

/// An address that is told of changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Webhook {
    /// Its identifier.
    pub id: String,
    /// Where changes are sent.
    pub url: String,
    /// Which changes; all of them where empty.
    pub events: Vec<String>,
    /// Whether messages go out.
    pub state: WebhookState,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The last serial that it knows.
    pub delivered: u64,
    /// Failed tries in a row.
    pub failures: u64,
    /// When the next try is due; absent where none is.
    #[serde(default)]
    pub next_try: Option<Timestamp>,
    /// What became of the newest tries, newest first.
    #[serde(default)]
    pub deliveries: Vec<Delivery>,
}

/// Whether messages go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum WebhookState {
    /// They do.
    Active,
    /// Every try failed for days; `POST webhooks/{id}/resume` begins again.
    Stopped,
}

/// One try to send a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Delivery {
    /// The message's `webhook-id`.
    pub message: String,
    /// When it was tried.
    pub at: Timestamp,
    /// Whether the receiver took it.
    pub delivered: bool,
    /// The receiver's status, or why there was none.
    pub outcome: String,
}

/// The body of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// What was done: the event's type, or `ping`.
    #[serde(rename = "type")]
    pub action: String,
    /// When it was done.
    pub timestamp: Timestamp,
    /// The change; `None` in a `ping`.
    pub data: Option<Event>,
}
