//! The settings that exist: key in files, and variable.

/// One setting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    /// The key in configuration files; the flag is `--` and this.
    pub(crate) name: &'static str,
    /// The environment variable.
    pub(crate) variable: &'static str,
}

/// Every setting, in the order of `config show`.
pub(crate) const KEYS: [Key; 11] = [
    key("registry", "PROVISIONING_REGISTRY"),
    key("root-fingerprint", "PROVISIONING_ROOT_FINGERPRINT"),
    key("prefix", "PROVISIONING_PREFIX"),
    key("json", "PROVISIONING_JSON"),
    key("color", "PROVISIONING_COLOR"),
    key("offline", "PROVISIONING_OFFLINE"),
    key("quiet", "PROVISIONING_QUIET"),
    key("verbose", "PROVISIONING_VERBOSE"),
    key("lock-timeout", "PROVISIONING_LOCK_TIMEOUT"),
    key("min-age", "PROVISIONING_MIN_AGE"),
    key("cache-dir", "PROVISIONING_CACHE_DIR"),
];

const fn key(name: &'static str, variable: &'static str) -> Key {
    Key { name, variable }
}
