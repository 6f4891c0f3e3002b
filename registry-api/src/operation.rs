//! What an operator switches and what a caller may ask how often.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Answer of `GET switches`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Switches {
    /// Every switch that is thrown.
    pub switches: Vec<Switch>,
}

/// Something that is held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Switch {
    /// What is held back: `read-only`, `publishing`, `new-names`, `package:NAME`,
    /// `actor:NAME`.
    pub name: String,
    /// Why, for people.
    pub reason: String,
    /// Who threw it.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
}

/// Body of `PUT switches/{switch}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ThrowSwitch {
    /// Why, for people.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 1000))]
    pub reason: String,
}

/// Answer of `GET me/limits`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OwnLimits {
    /// How often the one who asks may ask.
    pub rates: Vec<RateStatus>,
    /// Bytes of one archive.
    pub archive_bytes_max: u64,
    /// Bytes of one JSON body.
    pub json_bytes_max: u64,
}

/// How often something may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RateStatus {
    /// Which requests: `read`, `write`, `login`.
    pub name: String,
    /// Requests that may come at once after a rest; absent where there is no limit.
    #[serde(default)]
    pub quota: Option<u64>,
    /// Seconds of rest after which all of the quota is there again.
    #[serde(default)]
    pub window_seconds: Option<u64>,
    /// Requests that may come now.
    #[serde(default)]
    pub remaining: Option<u64>,
}
