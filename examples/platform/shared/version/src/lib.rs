//! The version that every service of the platform reports.
//!
//! It stands alone so that another number rebuilds nothing but this and the `main`s.

/// `$PROVISIONING_PLATFORM_VERSION` at build time, else the Cargo workspace's version.
pub const VERSION: &str = match option_env!("PROVISIONING_PLATFORM_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};
