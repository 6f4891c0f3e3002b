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
pub(crate) const KEYS: [Key; 18] = [
    key("registry", "PROVISIONING_REGISTRY"),
    key("root-fingerprint", "PROVISIONING_ROOT_FINGERPRINT"),
    key("prefix", "PROVISIONING_PREFIX"),
    key("json", "PROVISIONING_JSON"),
    key("color", "PROVISIONING_COLOR"),
    key("pager", "PROVISIONING_PAGER"),
    key("offline", "PROVISIONING_OFFLINE"),
    key("quiet", "PROVISIONING_QUIET"),
    key("verbose", "PROVISIONING_VERBOSE"),
    key("yes", "PROVISIONING_YES"),
    key("lock-timeout", "PROVISIONING_LOCK_TIMEOUT"),
    key("min-age", "PROVISIONING_MIN_AGE"),
    key("cache-dir", "PROVISIONING_CACHE_DIR"),
    key("cache-max-size", "PROVISIONING_CACHE_MAX_SIZE"),
    key("max-offline-age", "PROVISIONING_MAX_OFFLINE_AGE"),
    key("mirrors", "PROVISIONING_MIRRORS"),
    key("ca-file", "PROVISIONING_CA_FILE"),
    key("credential-helper", "PROVISIONING_CREDENTIAL_HELPER"),
];

/// The least likeness of a setting that is offered instead.
const LIKENESS_MIN: f64 = 0.75;

/// The setting that was probably meant.
pub(crate) fn nearest_key(name: &str) -> Option<&'static str> {
    let likeness = |it: &Key| strsim::jaro_winkler(name, it.name);
    KEYS.iter()
        .filter(|it| likeness(it) >= LIKENESS_MIN)
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
        .map(|it| it.name)
}

const fn key(name: &'static str, variable: &'static str) -> Key {
    Key { name, variable }
}
