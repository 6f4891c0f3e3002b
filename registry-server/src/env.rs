//! The only place that reads the clock and the environment (beyond clap's flags).

use jiff::Timestamp;
use provisioning_registry_server::Clock;

/// What the world around the process says.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    pub(crate) clock: Clock,
    /// `AWS_…`, for storage in buckets.
    pub(crate) storage_options: Vec<(String, String)>,
    /// What is logged: `warn`, `provisioning_registry_server=debug`.
    pub(crate) log: String,
}

/// Reads the world.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads clock and environment"
)]
pub(crate) fn read() -> Environment {
    Environment {
        clock: Timestamp::now,
        storage_options: std::env::vars()
            .filter(|(key, _)| key.starts_with("AWS_"))
            .map(|(key, value)| (key.to_ascii_lowercase(), value))
            .collect(),
        log: std::env::var("PROVISIONING_REGISTRY_LOG")
            .unwrap_or_else(|_| "warn,provisioning_registry_server=info".to_owned()),
    }
}
