//! Paths and globs of a repository: which file belongs to what.
//!
//! A path in a configuration is relative to the repository's root; a folder stands for
//! everything in it. Globs are those of GitHub's path filters: `*` stays in a folder, `**`
//! does not, a pattern begins at the root, and `!` takes away what an earlier pattern
//! matched. A `!` before every other pattern always takes away, as in git's pathspecs.
//! Nothing here looks at a disk.

use globset::{Glob, GlobBuilder, GlobMatcher};

/// Most alternatives that one glob may have.
const GLOB_BYTES_MAX: usize = 1024;

/// Why a glob is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGlob {
    /// It is no glob.
    #[error("`{glob}` is no glob: {message}")]
    Syntax {
        /// What was written.
        glob: String,
        /// What is wrong with it.
        message: String,
    },
    /// It goes above the repository's root.
    #[error("`{0}` leaves the repository")]
    Leaves(String),
    /// It says nothing.
    #[error("a pattern is empty")]
    Empty,
    /// It is too long to be meant.
    #[error("a pattern is longer than {GLOB_BYTES_MAX} bytes")]
    Long,
}

/// Whether this is a pattern that [`Patterns`] takes.
pub fn check_glob(written: &str) -> Result<(), InvalidGlob> {
    Pattern::parse(written).map(|_| ())
}

/// A path as git writes it: no `./` before it, no `/` behind it; the root is empty.
pub fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Whether `file` is `path` or lies in it; both clean.
pub fn is_in(file: &str, path: &str) -> bool {
    path.is_empty()
        || file == path
        || file
            .strip_prefix(path)
            .is_some_and(|it| it.starts_with('/'))
}

/// A list of patterns, some of which may take away.
#[derive(Debug, Clone)]
pub struct Patterns(Vec<Pattern>);

#[derive(Debug, Clone)]
struct Pattern {
    written: String,
    takes_away: bool,
    matcher: Matcher,
}

#[derive(Debug, Clone)]
enum Matcher {
    /// Everything at or below this clean path.
    Below(String),
    /// What one of these globs matches.
    Glob(Vec<GlobMatcher>),
}

impl Patterns {
    /// Reads patterns as they are written in a configuration.
    pub fn parse<'p>(written: impl IntoIterator<Item = &'p str>) -> Result<Self, InvalidGlob> {
        let patterns: Result<_, _> = written.into_iter().map(Pattern::parse).collect();
        patterns.map(Self)
    }

    /// The pattern that lets `file` in; `None` if it is not in.
    ///
    /// Where nothing but exclusions was written, everything else is in.
    pub fn find(&self, file: &str) -> Option<&str> {
        let first = self.0.iter().position(|it| !it.takes_away);
        let leading = first.unwrap_or(self.0.len());
        let (always, in_order) = self.0.split_at(leading);
        if always.iter().any(|it| it.is_match(file)) {
            return None;
        }
        if in_order.is_empty() && !always.is_empty() {
            return Some("./");
        }
        let last = in_order.iter().rev().find(|it| it.is_match(file))?;
        (!last.takes_away).then_some(last.written.as_str())
    }
}

impl Pattern {
    fn parse(written: &str) -> Result<Self, InvalidGlob> {
        if written.len() > GLOB_BYTES_MAX {
            return Err(InvalidGlob::Long);
        }
        let (takes_away, body) = match written.strip_prefix('!') {
            Some(body) => (true, body),
            None => (false, written),
        };
        if body.is_empty() {
            return Err(InvalidGlob::Empty);
        }
        if body.split('/').any(|it| it == "..") {
            return Err(InvalidGlob::Leaves(written.to_owned()));
        }
        Ok(Self {
            written: written.to_owned(),
            takes_away,
            matcher: Matcher::parse(written, body)?,
        })
    }

    fn is_match(&self, file: &str) -> bool {
        match &self.matcher {
            Matcher::Below(path) => is_in(file, path),
            Matcher::Glob(globs) => globs.iter().any(|it| it.is_match(file)),
        }
    }
}

impl Matcher {
    fn parse(written: &str, body: &str) -> Result<Self, InvalidGlob> {
        let path = clean(body);
        if !path.contains(['*', '?', '[', '{', '\\']) {
            return Ok(Self::Below(path));
        }
        let path = if body.ends_with('/') {
            format!("{path}/**")
        } else {
            path
        };
        let globs: Result<_, _> = spread(&path)
            .iter()
            .map(|it| {
                matcher(it).map_err(|problem| InvalidGlob::Syntax {
                    glob: written.to_owned(),
                    message: problem.kind().to_string(),
                })
            })
            .collect();
        globs.map(Self::Glob)
    }
}

fn matcher(glob: &str) -> Result<GlobMatcher, globset::Error> {
    let glob: Glob = GlobBuilder::new(glob)
        .literal_separator(true)
        .backslash_escape(true)
        .build()?;
    Ok(glob.compile_matcher())
}

/// `**` beside other characters crosses folders for GitHub (`**.js`), which globset has no
/// word for: `a**b` is `a*b` or `a*/**/*b`.
fn spread(glob: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for (at, part) in glob.split('/').enumerate() {
        let slash = if at == 0 { "" } else { "/" };
        let forms = match part.split_once("**") {
            Some((before, after)) if part != "**" && !after.contains("**") => {
                vec![
                    format!("{before}*{after}"),
                    format!("{before}*/**/*{after}"),
                ]
            }
            Some(_) | None => vec![part.to_owned()],
        };
        all = all
            .iter()
            .flat_map(|before| {
                forms
                    .iter()
                    .map(move |form| format!("{before}{slash}{form}"))
            })
            .collect();
        if all.len() > 16 {
            break;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(patterns: &[&str], inside: &[&str], outside: &[&str]) {
        let read = Patterns::parse(patterns.iter().copied()).unwrap();
        for file in inside {
            assert!(read.find(file).is_some(), "{patterns:?} has {file}");
        }
        for file in outside {
            assert!(read.find(file).is_none(), "{patterns:?} has not {file}");
        }
    }

    #[test]
    fn a_folder_stands_for_everything_in_it_and_nothing_beside() {
        check(
            &["backend"],
            &["backend", "backend/a/b"],
            &["backend2/a", "x/backend/a"],
        );
        check(&["./backend/"], &["backend/a"], &["backends"]);
        check(&["./"], &["a", "a/b"], &[]);
        check(&["."], &["a"], &[]);
        check(&[], &[], &["a"]);
    }

    #[test]
    fn a_star_stays_in_its_folder_and_two_stars_do_not() {
        check(&["*.md"], &["README.md"], &["doc/a.md"]);
        check(&["docs/*"], &["docs/a"], &["docs/a/b"]);
        check(&["docs/**"], &["docs/a", "docs/a/b"], &["docs2/a"]);
        check(
            &["**/README.md"],
            &["README.md", "a/b/README.md"],
            &["a/README.mdx"],
        );
        check(&["**.js"], &["a.js", "x/y/a.js"], &["a.jsx"]);
        check(&["src/**/*.c"], &["src/a.c", "src/x/a.c"], &["a.c"]);
        check(&["**"], &["a", "a/b", ".hidden"], &[]);
        check(&["*"], &["a"], &["a/b"]);
        check(&["a/?.c"], &["a/b.c"], &["a/bb.c"]);
        check(&["{a,b}/**"], &["a/x", "b/x"], &["c/x"]);
    }

    #[test]
    fn an_exclusion_takes_away_what_came_before_and_may_be_taken_back() {
        check(
            &["backend", "!backend/doc", "backend/doc/api"],
            &["backend/x", "backend/doc/api/y"],
            &["backend/doc/y"],
        );
    }

    #[test]
    fn an_exclusion_before_everything_else_always_holds() {
        check(
            &["!backend/doc", "backend"],
            &["backend/x"],
            &["backend/doc/x"],
        );
        check(&["!doc"], &["src/x"], &["doc/x"]);
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for written in ["", "!", "a[", "../a", "a/../../b"] {
            assert!(check_glob(written).is_err(), "{written}");
        }
    }

    #[test]
    fn a_clean_path_is_as_git_writes_it() {
        for (written, clean_path) in [("./", ""), ("./a//b/", "a/b"), ("a/../b", "b"), ("a", "a")] {
            assert_eq!(clean(written), clean_path);
        }
    }
}
