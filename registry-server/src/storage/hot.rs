//! Small files that are asked for often, in memory.
//!
//! Only files that never change under their name are kept: names that hold a digest, or a number
//! that the database gave out once. What was taken away meanwhile (by another process) may be
//! served for a minute longer; nothing that is signed refers to it.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use provisioning_package::Digest;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// The largest file that is kept.
pub(crate) const HOT_BYTES_MAX: u64 = 256 * 1024;
/// Bytes of all files that are kept.
const ALL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// About how many files that is.
const FILES: usize = 16 * 1024;
/// How long one is served before its storage is asked again.
const KEPT_FOR: Duration = Duration::from_mins(1);

/// A small file.
#[derive(Debug)]
pub(crate) struct HotFile {
    pub(crate) bytes: Bytes,
    digest: OnceLock<String>,
    since: Instant,
}

impl HotFile {
    /// The digest of its bytes, in hexadecimal digits.
    pub(crate) fn digest(&self) -> &str {
        self.digest.get_or_init(|| Digest::of(&self.bytes).hex())
    }
}

/// The files that are kept.
#[derive(Debug, Clone)]
pub(super) struct Hot(Arc<Cache<String, Arc<HotFile>, ByBytes>>);

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<String, Arc<HotFile>> for ByBytes {
    fn weight(&self, path: &String, file: &Arc<HotFile>) -> u64 {
        (path.len() + file.bytes.len()) as u64
    }
}

impl Default for Hot {
    fn default() -> Self {
        Self(Arc::new(Cache::with_weighter(
            FILES,
            ALL_BYTES_MAX,
            ByBytes,
        )))
    }
}

impl Hot {
    /// The file at `path`, if it is kept.
    pub(super) fn get(&self, path: &str) -> Option<Arc<HotFile>> {
        let found = self.0.get(path)?;
        (found.since.elapsed() < KEPT_FOR).then_some(found)
    }

    /// Keeps a file, where its name says that it never changes.
    pub(super) fn keep(&self, path: &str, bytes: Bytes) -> Arc<HotFile> {
        let file = Arc::new(HotFile {
            bytes,
            digest: OnceLock::new(),
            since: Instant::now(),
        });
        if never_changes(path) {
            self.0.insert(path.to_owned(), Arc::clone(&file));
        }
        file
    }

    /// Forgets a file.
    pub(super) fn forget(&self, path: &str) {
        self.0.remove(path);
    }
}

/// Whether all bytes that are ever under this name are the same.
fn never_changes(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or_default();
    match path.split('/').next() {
        Some("archives" | "targets") => true,
        Some("metadata") => file.starts_with(|it: char| it.is_ascii_digit()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_mean_the_same_bytes_for_ever_are_kept() {
        let hot = Hot::default();
        for (path, is_kept) in [
            ("archives/sha256/aa", true),
            ("targets/index/extension/aa.redis.json", true),
            ("metadata/12.snapshot.json", true),
            ("metadata/timestamp.json", false),
            (".well-known/provisioning-registry.json", false),
        ] {
            hot.keep(path, Bytes::from_static(b"x"));
            assert_eq!(hot.get(path).is_some(), is_kept, "{path}");
            hot.forget(path);
            assert!(hot.get(path).is_none(), "{path}");
        }
    }
}
