//! Globs over the paths of a package, as `[install]` writes them.

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

/// Patterns of which one is enough. `*` and `?` stop at `/`, `**` crosses it, and a pattern
/// is matched from the package's root: `*.md` is at the root, `**/*.md` anywhere.
#[derive(Debug, Clone)]
pub struct ExcludeGlobs {
    set: GlobSet,
}

/// The text is not a glob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct InvalidGlob {
    reason: String,
}

impl ExcludeGlobs {
    /// Reads the patterns. `tests/**` also means the folder `tests`, which would otherwise
    /// stay behind empty, and so does `tests/`.
    pub fn new(patterns: &[String]) -> Result<Self, InvalidGlob> {
        let mut builder = GlobSetBuilder::new();
        for pattern in patterns {
            let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
            let folder = pattern
                .strip_suffix("/**")
                .or_else(|| pattern.strip_suffix('/'));
            if let Some(folder) = folder.filter(|it| !it.is_empty() && *it != "**") {
                builder.add(glob(folder)?);
            }
            builder.add(glob(pattern)?);
        }
        let set = builder.build().map_err(invalid)?;
        Ok(Self { set })
    }

    /// Whether a pattern matches `path` itself or a folder that it lies in.
    pub fn is_match(&self, path: &str) -> bool {
        let above = path.match_indices('/').map(|(end, _)| &path[..end]);
        above.chain([path]).any(|it| self.set.is_match(it))
    }

    /// Whether a pattern matches `path` itself; for walks that skip excluded folders whole.
    pub(super) fn matches_itself(&self, path: &str) -> bool {
        self.set.is_match(path)
    }
}

fn glob(pattern: &str) -> Result<Glob, InvalidGlob> {
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .backslash_escape(true)
        .build()
        .map_err(invalid)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the form that `map_err` calls"
)]
fn invalid(problem: globset::Error) -> InvalidGlob {
    InvalidGlob {
        reason: problem.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(pattern: &str) -> ExcludeGlobs {
        ExcludeGlobs::new(&[pattern.to_owned()]).unwrap()
    }

    #[test]
    fn a_star_stops_at_a_slash_and_two_stars_do_not() {
        assert!(globs("*.md").is_match("README.md"));
        assert!(!globs("*.md").is_match("docs/README.md"));
        assert!(globs("**/*.md").is_match("docs/a/README.md"));
        assert!(globs("config/*.toml").is_match("config/a.toml"));
        assert!(!globs("config/*.toml").is_match("config/deep/a.toml"));
    }

    #[test]
    fn a_folder_pattern_takes_the_folder_and_all_below() {
        for pattern in ["tests/**", "tests/", "tests"] {
            assert!(globs(pattern).is_match("tests"), "{pattern}");
            assert!(globs(pattern).is_match("tests/a/b"), "{pattern}");
            assert!(!globs(pattern).is_match("tests2"), "{pattern}");
        }
    }
}
