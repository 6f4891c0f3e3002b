//! Which paths an entry may have.

use super::error::ArchiveError;
use super::limits::{ENTRY_LEVELS_MAX, ENTRY_NAME_BYTES_MAX, ENTRY_PATH_BYTES_MAX};
use super::refusal::Refusal;

/// The path of an entry: relative, inside, and the same on every target. Unusual names
/// (`..foo`, `-rf`, `~`, blanks, any script, backslashes as in systemd's unit names) are
/// fine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryPath {
    text: String,
    has_slash: bool,
}

impl EntryPath {
    /// Reads a path as an archive or a file system gives it. A leading `./` and the trailing
    /// `/` of folders are accepted and dropped.
    pub fn parse(bytes: &[u8]) -> Result<Self, ArchiveError> {
        let lossy = || String::from_utf8_lossy(bytes);
        let refuse = |refusal, detail: &str| Err(ArchiveError::entry(refusal, &lossy(), detail));
        let Ok(text) = std::str::from_utf8(bytes) else {
            return refuse(Refusal::PathNotUtf8, "the path is not UTF-8");
        };
        if text.chars().any(is_control) {
            return refuse(
                Refusal::PathControl,
                "the path has a control character in it",
            );
        }
        // Zip Slip and its ancestors (CVE-2001-1267, CVE-2007-4559): `/etc/passwd`.
        if text.starts_with('/') {
            return refuse(Refusal::PathAbsolute, "the path is absolute");
        }
        if is_absolute_elsewhere(text) {
            let detail = "the path is absolute on Windows";
            return refuse(Refusal::PathAbsolute, detail);
        }
        let (text, has_slash) = match text.strip_suffix('/') {
            Some(text) => (text, true),
            None => (text, false),
        };
        let text = match text {
            "." => "",
            other => other.strip_prefix("./").unwrap_or(other),
        };
        if text.is_empty() && (bytes == b"." || bytes == b"./") {
            return Ok(Self {
                text: String::new(),
                has_slash,
            });
        }
        if text.len() > ENTRY_PATH_BYTES_MAX {
            let detail = format!("the path is longer than {ENTRY_PATH_BYTES_MAX} bytes");
            return refuse(Refusal::PathTooLong, &detail);
        }
        let mut levels = 0;
        for name in text.split('/') {
            levels += 1;
            if let Some((refusal, detail)) = name_problem(name) {
                return refuse(refusal, detail);
            }
        }
        if levels > ENTRY_LEVELS_MAX {
            let detail = format!("the path is deeper than {ENTRY_LEVELS_MAX} levels");
            return refuse(Refusal::PathTooDeep, &detail);
        }
        Ok(Self {
            text: text.to_owned(),
            has_slash,
        })
    }

    /// The path, without `./` before or `/` after it; empty for the root itself.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether this is the root of the archive itself (`.` or `./`).
    pub fn is_root(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether it was written with a `/` at its end.
    pub(super) fn has_slash(&self) -> bool {
        self.has_slash
    }

    pub(super) fn into_string(self) -> String {
        self.text
    }
}

/// What is wrong with one name of a path.
fn name_problem(name: &str) -> Option<(Refusal, &'static str)> {
    match name {
        // `a//b` is `a/b` for some readers and the root for others.
        "" => Some((Refusal::PathEmpty, "the path has an empty name in it")),
        // `a/./b` is a second spelling of `a/b`, which would hide a duplicate.
        "." => Some((Refusal::PathDot, "the path has `.` in it")),
        // Zip Slip: `a/../../etc/cron.d/x` leaves the folder that it is unpacked into.
        ".." => Some((Refusal::PathEscapes, "the path has `..` in it")),
        // The same for readers that take `\` for `/`, such as shares and other systems' tools.
        name if climbs_elsewhere(name) => Some((
            Refusal::PathEscapes,
            "the path has `..` beside a backslash in it",
        )),
        name if name.len() > ENTRY_NAME_BYTES_MAX => Some((
            Refusal::PathTooLong,
            "one name in the path is longer than file systems take (255 bytes)",
        )),
        _ => None,
    }
}

/// Whether Windows reads this as a path from a drive's or a network's root. A backslash
/// elsewhere is a character as any other.
pub(super) fn is_absolute_elsewhere(text: &str) -> bool {
    let is_drive =
        matches!(text.as_bytes(), [drive, b':', b'/' | b'\\', ..] if drive.is_ascii_alphabetic());
    is_drive || text.starts_with(r"\\")
}

/// Whether one name has a `..` in it for whoever takes `\` for `/`.
pub(super) fn climbs_elsewhere(name: &str) -> bool {
    name.contains('\\') && name.split('\\').any(|it| it == "..")
}

/// Control characters, and the invisible ones that make text read in another order or break
/// its line: a name with them shows as another name ("Trojan Source", CVE-2021-42574).
pub(super) fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}')
        || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusual_names_and_a_leading_dot_slash_are_fine() {
        for (written, read) in [
            ("..foo", "..foo"),
            ("foo..", "foo.."),
            ("...", "..."),
            ("-rf", "-rf"),
            ("~", "~"),
            ("a b", "a b"),
            (" ", " "),
            ("日本/\u{5e9}", "日本/\u{5e9}"),
            ("x\\x2d.slice", "x\\x2d.slice"),
            (r"..a\b..", r"..a\b.."),
            (r"\a", r"\a"),
            ("a:b", "a:b"),
            ("c:", "c:"),
            ("./a", "a"),
            ("a/", "a"),
            (".", ""),
            ("./", ""),
            ("./...", "..."),
        ] {
            assert_eq!(EntryPath::parse(written.as_bytes()).unwrap().as_str(), read);
        }
    }

    #[test]
    fn paths_that_leave_or_alias_are_refused() {
        for (bad, code) in [
            ("", "archive-path-empty"),
            ("/", "archive-path-absolute"),
            ("/a", "archive-path-absolute"),
            ("..", "archive-path-escapes"),
            ("../a", "archive-path-escapes"),
            ("./../a", "archive-path-escapes"),
            ("a/..", "archive-path-escapes"),
            (r"..\..\x", "archive-path-escapes"),
            (r"a/b\..\c", "archive-path-escapes"),
            (r"a\..", "archive-path-escapes"),
            (r"C:\x", "archive-path-absolute"),
            ("c:/x", "archive-path-absolute"),
            (r"\\host\share\x", "archive-path-absolute"),
            ("a//b", "archive-path-empty"),
            (".//a", "archive-path-empty"),
            ("a//", "archive-path-empty"),
            ("a/./b", "archive-path-dot"),
            ("./.", "archive-path-dot"),
            ("a\0b", "archive-path-control-character"),
            ("a\nb", "archive-path-control-character"),
            ("a\u{85}", "archive-path-control-character"),
            ("a\u{202e}b", "archive-path-control-character"),
        ] {
            let problem = EntryPath::parse(bad.as_bytes()).unwrap_err();
            assert_eq!(problem.code(), code, "{bad:?}");
        }
        let problem = EntryPath::parse(b"a\xff").unwrap_err();
        assert_eq!(problem.code(), "archive-path-not-utf8");
    }

    #[test]
    fn length_and_depth_end_exactly_at_their_limits() {
        let name = "a".repeat(127);
        let long = vec![name; 8].join("/") + "b";
        assert_eq!(long.len(), 1024);
        assert!(EntryPath::parse(long.as_bytes()).is_ok());
        assert!(EntryPath::parse(format!("{long}b").as_bytes()).is_err());
        let deep = vec!["a"; 64].join("/");
        assert!(EntryPath::parse(deep.as_bytes()).is_ok());
        assert!(EntryPath::parse(format!("{deep}/a").as_bytes()).is_err());
        assert!(EntryPath::parse("a".repeat(255).as_bytes()).is_ok());
        assert!(EntryPath::parse("a".repeat(256).as_bytes()).is_err());
    }
}
