//! Our roles: what each may sign, who hands it that right, and how long its word lasts.
//!
//! `targets` lists nothing itself; it hands first-party paths to `release` and community
//! extensions to `extensions`, in that order and terminating, so that no bin can ever answer
//! for a core, a bundle, the matrix or a channel. The 256 bins are all signed from the first
//! start: a bin that appears later could be hidden by whoever serves an older snapshot.

use jiff::SignedDuration;

/// How many bins `extensions` delegates to: one for each first byte of a path's sha256.
pub(crate) const BINS: usize = 256;

/// How many root keys there are, and how many of them must agree.
pub(crate) const ROOT_KEYS: usize = 3;
/// See [`ROOT_KEYS`].
pub(crate) const ROOT_THRESHOLD: usize = 2;

/// What `release` may sign.
pub(crate) const RELEASE_PATHS: [&str; 8] = [
    "versions.toml",
    "channels.json",
    "bundles/*",
    "scripts/*",
    "index/core/*",
    "index/platform/*",
    "index/workspace/*",
    "index/client/*",
];

/// What `extensions`, and through it the bins, may sign.
pub(crate) const EXTENSION_PATHS: [&str; 1] = ["index/extension/*"];

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// How long a role's signature lasts, and how old it may grow before we sign again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetime {
    pub(crate) lives: SignedDuration,
    pub(crate) renew_after: SignedDuration,
}

impl Lifetime {
    const fn new(lives_secs: i64, renew_after_secs: i64) -> Self {
        Self {
            lives: SignedDuration::from_secs(lives_secs),
            renew_after: SignedDuration::from_secs(renew_after_secs),
        }
    }

    /// The lifetime of the role called `role`.
    pub(crate) fn of(role: &str) -> Self {
        match role {
            "root" => Self::new(365 * DAY, 365 * DAY / 2),
            "snapshot" => Self::new(14 * DAY, DAY),
            "timestamp" => Self::new(48 * HOUR, HOUR),
            bin if bin.starts_with("bin-") => Self::new(30 * DAY, 15 * DAY),
            _ => Self::new(182 * DAY, 91 * DAY),
        }
    }
}

/// The name of bin number `index`: `bin-00` … `bin-ff`.
pub(crate) fn bin_name(index: usize) -> String {
    format!("bin-{index:02x}")
}

/// Whether TUF's path pattern covers `path`. `*` stands for one whole last component, which
/// is all that our own delegations use.
pub(crate) fn covers(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(folder) => path
            .strip_prefix(folder)
            .is_some_and(|name| !name.is_empty() && !name.contains('/')),
        None => pattern == path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_covers_one_component_and_no_more() {
        for (pattern, path, expected) in [
            ("bundles/*", "bundles/stable-3.2.json", true),
            ("bundles/*", "bundles/a/b.json", false),
            ("bundles/*", "bundles/", false),
            ("bundles/*", "bundles", false),
            ("versions.toml", "versions.toml", true),
            ("versions.toml", "x/versions.toml", false),
        ] {
            assert_eq!(covers(pattern, path), expected, "{pattern} {path}");
        }
    }
}
