//! RFC 9457 problem documents: what the write side answers when it refuses.
//!
//! `code` is the stable part that programs may match on; `docs/http-api.md` lists each.

use serde::{Deserialize, Serialize};

/// The media type of a problem document.
pub const PROBLEM_CONTENT_TYPE: &str = "application/problem+json";

/// A refused request, as RFC 9457 section 3 shapes it, with our extension members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[error("{detail}")]
pub struct Problem {
    /// `about:blank`-style reference to the documentation of `code`.
    #[serde(rename = "type", default)]
    pub type_uri: String,
    /// The status' meaning, the same for every problem of one code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: String,
    /// What went wrong this time, with its values.
    pub detail: String,
    /// What to do about it, as sentences or commands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
    /// The single problems where one request has many (a manifest's lines).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// The request, to find it in the server's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}
