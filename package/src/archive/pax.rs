//! Extended headers (POSIX.1-2001, "pax"): `LENGTH KEY=VALUE` lines about the next entry.

use std::collections::HashSet;

use super::error::ArchiveError;
use super::refusal::Refusal;

/// What extended headers say that matters here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pax {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
}

/// Keys that change nothing that we unpack. Every other one might change what another reader
/// unpacks, so it is refused rather than skipped.
const HARMLESS: [&str; 12] = [
    "atime",
    "comment",
    "ctime",
    "gid",
    "gname",
    "mtime",
    "uid",
    "uname",
    "LIBARCHIVE.creationtime",
    "SCHILY.dev",
    "SCHILY.ino",
    "SCHILY.nlink",
];

/// The same, as beginnings: attributes, which are never applied.
const HARMLESS_PREFIXES: [&str; 5] = [
    "LIBARCHIVE.xattr.",
    "RHT.security.selinux",
    "SCHILY.acl.",
    "SCHILY.fflags",
    "SCHILY.xattr.",
];

impl Pax {
    /// Reads the data of an extended header.
    pub(super) fn parse(data: &[u8]) -> Result<Self, ArchiveError> {
        let mut pax = Self::default();
        let mut seen = HashSet::new();
        let mut rest = data;
        while !rest.is_empty() {
            let (key, value, after) = record(rest)?;
            rest = after;
            // Readers differ in whether the first or the last one wins.
            if !seen.insert(key) {
                return Err(invalid(&format!("`{}` twice", key.escape_debug())));
            }
            pax.take(key, value)?;
        }
        Ok(pax)
    }

    /// Whether it says nothing that matters.
    pub(super) fn is_harmless(&self) -> bool {
        *self == Self::default()
    }

    fn take(&mut self, key: &str, value: &[u8]) -> Result<(), ArchiveError> {
        match key {
            "path" | "linkpath" if value.is_empty() => Err(invalid("an empty path")),
            "path" => {
                self.path = Some(value.to_vec());
                Ok(())
            }
            "linkpath" => {
                self.link = Some(value.to_vec());
                Ok(())
            }
            "size" => {
                self.size = Some(decimal(value).ok_or_else(|| invalid("a size that is none"))?);
                Ok(())
            }
            "hdrcharset" | "charset" if value == b"ISO-IR 10646 2000 UTF-8" => Ok(()),
            // A sparse map says that the entry's data is not its content.
            key if key.starts_with("GNU.sparse.")
                || matches!(key, "SCHILY.realsize" | "SUN.holesdata") =>
            {
                let detail = "a sparse file; pack it with its holes filled";
                Err(ArchiveError::whole(Refusal::SparseFile, detail))
            }
            // A capability gives a program root's powers just as setuid does.
            key if key.ends_with(".xattr.security.capability") => {
                let detail = "a file capability, which is refused as setuid is";
                Err(ArchiveError::whole(Refusal::SpecialMode, detail))
            }
            key if HARMLESS.contains(&key)
                || HARMLESS_PREFIXES.iter().any(|it| key.starts_with(it)) =>
            {
                Ok(())
            }
            key => Err(invalid(&format!(
                "the unknown key `{}`",
                key.escape_debug()
            ))),
        }
    }
}

/// Splits off the first record: its key, its value, and what follows.
fn record(data: &[u8]) -> Result<(&str, &[u8], &[u8]), ArchiveError> {
    let malformed = || invalid("a malformed record");
    let blank = data
        .iter()
        .position(|it| *it == b' ')
        .ok_or_else(malformed)?;
    let length = decimal(&data[..blank]).ok_or_else(malformed)?;
    let length = usize::try_from(length).map_err(|_| malformed())?;
    // Length, blank, one character of key, `=` and the newline.
    if length > data.len() || length < blank + 4 || data[length - 1] != b'\n' {
        return Err(malformed());
    }
    let (line, rest) = data.split_at(length);
    let line = &line[blank + 1..length - 1];
    let equals = line
        .iter()
        .position(|it| *it == b'=')
        .ok_or_else(malformed)?;
    let key = std::str::from_utf8(&line[..equals]).map_err(|_| malformed())?;
    if key.is_empty() {
        return Err(malformed());
    }
    Ok((key, &line[equals + 1..], rest))
}

/// Digits and nothing else: `parse` would take a `+`.
fn decimal(text: &[u8]) -> Option<u64> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn invalid(what: &str) -> ArchiveError {
    let detail = format!("an extended header has {what}");
    ArchiveError::whole(Refusal::ExtensionInvalid, detail)
}

/// One record, as it is written: its length counts its own digits.
pub(super) fn write_record(key: &str, value: &str) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_records_read_back_at_every_length() {
        for length in 1..1100 {
            let path = "p".repeat(length);
            let pax = Pax::parse(&write_record("path", &path)).unwrap();
            assert_eq!(pax.path, Some(path.into_bytes()));
        }
    }

    #[test]
    fn malformed_and_doubled_records_are_refused() {
        for bad in [
            &b"x"[..],
            b"11 path=abc\n",
            b"14 path=abcd\n",
            b"+12 path=ab\n",
            b"12 path=abc\n12 path=abd\n",
            b"9 size=\n",
            b"10 size=+\n",
            b"11 path=abcd",
            b"99999999999999999999 path=a\n",
            b"8 path=\n",
            b"5 =a\n",
        ] {
            let code = Pax::parse(bad).unwrap_err().code();
            assert_eq!(code, "archive-extension-invalid", "{bad:?}");
        }
    }
}
