//! Filter rules of rsync, as `files_to_sync` has them.
//!
//! `exclude`, `include`, `hide`, `show`, `protect`, `risk` and `clear`, long and short, with
//! the modifiers `!`, `s`, `r` and `p`. Rules that read files (`merge`, `dir-merge`) or look
//! outside of the trees are refused.

use globset::{GlobBuilder, GlobMatcher};

/// A rule that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the filter `{rule}` {problem}")]
pub struct InvalidFilter {
    /// As it is written.
    pub rule: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Filter rules; the first that fits counts.
#[derive(Debug, Clone, Default)]
pub struct Filters(Vec<Rule>);

/// Which end a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What is sent.
    Sender,
    /// What may be deleted.
    Receiver,
}

#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a mark of a rule, and none depends on another"
)]
struct Rule {
    keeps_out: bool,
    of_sender: bool,
    of_receiver: bool,
    negated: bool,
    folders_only: bool,
    anchored: bool,
    whole_path: bool,
    /// Also everything below (`dir/***`).
    below: bool,
    matcher: GlobMatcher,
}

impl Filters {
    /// Reads rules as rsync's `--filter` takes them.
    pub fn parse(written: &[String]) -> Result<Self, InvalidFilter> {
        let mut rules = Vec::new();
        for rule in written {
            let wrong = |problem: &str| InvalidFilter {
                rule: rule.clone(),
                problem: problem.to_owned(),
            };
            let text = rule.trim_start();
            if text == "!" || text == "clear" {
                rules.clear();
                continue;
            }
            let end = text.find([' ', '_']);
            let end = end.ok_or_else(|| wrong("has no pattern: `exclude PATTERN`"))?;
            let (word, pattern) = (&text[..end], &text[end + 1..]);
            let (kind, modifiers) = kind(word).ok_or_else(|| {
                wrong(
                    "is none of exclude, include, hide, show, protect, risk and clear: rules \
                     that read files are not followed",
                )
            })?;
            if pattern.is_empty() {
                return Err(wrong("has an empty pattern"));
            }
            rules.push(Rule::parse(kind, modifiers, pattern).map_err(|it| wrong(&it))?);
        }
        Ok(Self(rules))
    }

    /// Whether the rules keep a path out, on one side: it, or a folder above it. Paths count
    /// from the root of what is transferred.
    pub fn keep_out(&self, path: &str, side: Side) -> bool {
        let folders = path.match_indices('/').map(|(at, _)| (&path[..at], true));
        let mut all = folders.chain([(path, false)]);
        all.any(|(path, is_folder)| {
            let rule = self.0.iter().find(|it| it.fits(path, is_folder, side));
            rule.is_some_and(|it| it.keeps_out)
        })
    }
}

/// What a word means: the letter of its short form, and its modifiers.
fn kind(word: &str) -> Option<(char, &str)> {
    let (name, modifiers) = word.split_once(',').unwrap_or((word, ""));
    let long = match name {
        "exclude" => Some('-'),
        "include" => Some('+'),
        "hide" => Some('H'),
        "show" => Some('S'),
        "protect" => Some('P'),
        "risk" => Some('R'),
        _ => None,
    };
    if let Some(long) = long {
        return Some((long, modifiers));
    }
    let letter = name.chars().next()?;
    let is_known = "-+HSPR".contains(letter);
    let rest = name.get(letter.len_utf8()..)?;
    is_known.then_some((
        letter,
        if modifiers.is_empty() {
            rest
        } else {
            modifiers
        },
    ))
}

impl Rule {
    fn parse(kind: char, modifiers: &str, pattern: &str) -> Result<Self, String> {
        if let Some(other) = modifiers.chars().find(|it| !"!srp".contains(*it)) {
            return Err(format!("has the modifier `{other}`, which is not followed"));
        }
        let only = |letter: char| modifiers.contains(letter);
        let either = only('s') == only('r');
        let (of_sender, of_receiver) = match kind {
            'H' | 'S' => (true, false),
            'P' | 'R' => (false, true),
            _ => (either || only('s'), either || only('r')),
        };
        let anchored = pattern.starts_with('/');
        let text = pattern.trim_start_matches('/');
        let below = text.ends_with("/***");
        let text = text.strip_suffix("/***").unwrap_or(text);
        let folders_only = text.ends_with('/') || below;
        let text = text.trim_end_matches('/');
        let whole_path = anchored || text.contains('/') || text.contains("**");
        // rsync has no braces; to a glob they would be alternatives.
        let text = text.replace('{', "[{]").replace('}', "[}]");
        let glob = GlobBuilder::new(&text).literal_separator(true).build();
        Ok(Self {
            keeps_out: "-HP".contains(kind),
            of_sender,
            of_receiver,
            negated: only('!'),
            folders_only,
            anchored,
            whole_path,
            below,
            matcher: glob
                .map_err(|it| format!("is no pattern: {}", it.kind()))?
                .compile_matcher(),
        })
    }

    fn fits(&self, path: &str, is_folder: bool, side: Side) -> bool {
        let counts = match side {
            Side::Sender => self.of_sender,
            Side::Receiver => self.of_receiver,
        };
        counts && (self.matches(path, is_folder) != self.negated)
    }

    fn matches(&self, path: &str, is_folder: bool) -> bool {
        if self.below {
            let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
            let mut own = is_folder.then_some(path).into_iter().chain(folders);
            return own.any(|it| self.matches_name(it));
        }
        (is_folder || !self.folders_only) && self.matches_name(path)
    }

    fn matches_name(&self, path: &str) -> bool {
        if !self.whole_path {
            return self
                .matcher
                .is_match(path.rsplit('/').next().unwrap_or(path));
        }
        if self.matcher.is_match(path) {
            return true;
        }
        // A pattern with a slash that is not anchored fits the end of a path.
        !self.anchored
            && path
                .match_indices('/')
                .any(|(at, _)| self.matcher.is_match(&path[at + 1..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out(rules: &[&str], path: &str, side: Side) -> bool {
        let rules: Vec<String> = rules.iter().map(|it| (*it).to_owned()).collect();
        Filters::parse(&rules).unwrap().keep_out(path, side)
    }

    #[test]
    fn rules_fit_as_rsyncs_do() {
        use Side::{Receiver, Sender};
        for (rules, path, side, expected) in [
            (&["exclude .gitignore"][..], "a/.gitignore", Sender, true),
            (&["exclude .gitignore"], "a/.gitignore", Receiver, true),
            (&["protect .git*"], ".github/x", Receiver, true),
            (&["protect .git*"], ".github/x", Sender, false),
            (&["- /a"], "b/a", Sender, false),
            (&["- a/b"], "x/a/b/c", Sender, true),
            (&["- *.o"], "a/b.o", Sender, true),
            (&["- a*b"], "a/b", Sender, false),
            (&["- /a/**/b"], "a/x/y/b", Sender, true),
            (&["+ keep", "- *"], "keep", Sender, false),
            (&["+ keep", "- *"], "other", Sender, true),
            (&["+ a/***", "- *"], "a/b/c", Sender, false),
            (&["- dir/"], "dir", Sender, false),
            (&["- dir/"], "dir/x", Sender, true),
            (&["-r x"], "x", Sender, false),
            (&["-,r x"], "x", Receiver, true),
            (&["- x", "!"], "x", Sender, false),
            (&["-! *.c"], "a.h", Sender, true),
            (&["- {a,b}"], "a", Sender, false),
        ] {
            assert_eq!(out(rules, path, side), expected, "{rules:?} {path}");
        }
    }

    #[test]
    fn rules_that_read_files_or_say_nothing_are_refused() {
        for rule in [
            ". /etc/passwd",
            ": .rules",
            "merge x",
            "exclude",
            "- ",
            "-/ x",
            "x y",
        ] {
            assert!(Filters::parse(&[rule.to_owned()]).is_err(), "{rule}");
        }
    }
}
