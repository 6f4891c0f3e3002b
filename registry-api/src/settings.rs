//! What an administrator sets for a whole registry.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Answer of `GET settings` and `PUT settings/{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RegistrySettings {
    /// Every setting's name and value.
    pub settings: BTreeMap<String, String>,
}

/// Body of `PUT settings/{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetValue {
    /// The new value.
    pub value: String,
}
