//! What the cache holds, and what of it goes first.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::cache_lock;

/// A file of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CachedFile {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its length in bytes.
    pub(crate) size: u64,
    /// When it was last used.
    pub(crate) used: SystemTime,
    /// Whether it is a whole archive, and not a part of one.
    pub(crate) is_whole: bool,
}

/// What may stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Keeping {
    /// Only what was used less long ago than this.
    pub(crate) age_max: Option<Duration>,
    /// Only as much as this, the last used first.
    pub(crate) bytes_max: Option<u64>,
}

/// The folder that archives are kept in.
pub(crate) fn archives_folder(cache: &Path) -> PathBuf {
    cache.join("archives/sha256")
}

/// Every file of the cache, the last used first.
pub(crate) fn contents(cache: &Path) -> Vec<CachedFile> {
    let entries = fs::read_dir(archives_folder(cache));
    let mut files: Vec<CachedFile> = entries
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            Some(CachedFile {
                is_whole: entry.path().extension().is_none(),
                path: entry.path(),
                size: metadata.len(),
                used: metadata.modified().ok()?,
            })
        })
        .collect();
    files.sort_by(|left, right| (right.used, &left.path).cmp(&(left.used, &right.path)));
    files
}

/// Keeps the cache below `cap`, unless somebody else is using it just now. This process lets
/// go of it.
pub(crate) fn enforce_cap(cache: &Path, cap: u64, now: Timestamp) {
    cache_lock::let_go();
    let Ok(Some(_lock)) = cache_lock::try_alone(&archives_folder(cache)) else {
        return;
    };
    let keeping = Keeping {
        bytes_max: Some(cap),
        age_max: None,
    };
    let files = contents(cache);
    for file in to_remove(&files, keeping, SystemTime::from(now)) {
        tracing::debug!("the cache is full: `{}` goes", file.path.display());
        let _ = fs::remove_file(&file.path);
    }
}

/// The files that go: of `files`, the last used first, those that `keeping` leaves out.
pub(crate) fn to_remove(
    files: &[CachedFile],
    keeping: Keeping,
    now: SystemTime,
) -> Vec<&CachedFile> {
    let mut kept: u64 = 0;
    let mut is_full = false;
    files
        .iter()
        .filter(|file| {
            let age = now.duration_since(file.used).unwrap_or_default();
            let is_old = keeping.age_max.is_some_and(|it| age >= it);
            // Once something does not fit, nothing older stays either: what is left is what
            // was used last.
            let with = kept.saturating_add(file.size);
            is_full = is_full || keeping.bytes_max.is_some_and(|it| with > it);
            let goes = is_old || is_full;
            if !goes {
                kept = with;
            }
            goes
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, size: u64, age_secs: u64) -> CachedFile {
        CachedFile {
            path: name.into(),
            size,
            used: now() - Duration::from_secs(age_secs),
            is_whole: true,
        }
    }

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_hours(24 * 365)
    }

    fn gone(keeping: Keeping) -> Vec<String> {
        let files = [
            file("new", 60, 10),
            file("mid", 60, 100),
            file("old", 1, 1000),
        ];
        to_remove(&files, keeping, now())
            .into_iter()
            .map(|it| it.path.display().to_string())
            .collect()
    }

    #[test]
    fn the_longest_unused_go_first_until_the_cap_is_met() {
        let cap = |bytes| Keeping {
            bytes_max: Some(bytes),
            ..Keeping::default()
        };
        assert_eq!(gone(cap(121)), [""; 0]);
        assert_eq!(gone(cap(120)), ["old"]);
        assert_eq!(gone(cap(100)), ["mid", "old"]);
        assert_eq!(gone(cap(0)), ["new", "mid", "old"]);
    }

    #[test]
    fn what_was_not_used_for_long_goes_whatever_its_size() {
        let keeping = Keeping {
            age_max: Some(Duration::from_secs(100)),
            bytes_max: None,
        };
        assert_eq!(gone(keeping), ["mid", "old"]);
        assert_eq!(gone(Keeping::default()), [""; 0]);
    }
}
