//! Tar bytes for a list of members: nothing in them depends on who packs, where or when.

use std::io::{self, Write};

use super::member::{Member, MemberKind};
use super::pax::write_record;

const BLOCK_BYTES: usize = 512;
const NAME_BYTES: usize = 100;
const PREFIX_BYTES: usize = 155;

/// What the header of an extended header is called; no reader looks at it.
const PAX_NAME: &[u8] = b"././@PaxHeader";

/// Largest size in octal digits.
const OCTAL_SIZE_MAX: u64 = 0o77_777_777_777;

/// Writes one member's header, with an extended one before it only where a name is too long.
pub(super) fn write_header(out: &mut impl Write, member: &Member, mtime: u64) -> io::Result<()> {
    let (type_flag, mode, size, link) = match &member.kind {
        MemberKind::File { executable, size } => {
            (b'0', if *executable { 0o755 } else { 0o644 }, *size, "")
        }
        MemberKind::Folder => (b'5', 0o755, 0, ""),
        MemberKind::Symlink { target } => (b'2', 0o777, 0, target.as_str()),
        MemberKind::HardLink { to } => (b'1', 0o644, 0, to.as_str()),
    };
    let mut path = member.path.clone();
    if member.kind == MemberKind::Folder {
        path.push('/');
    }
    let split = split(&path);
    let mut records = Vec::new();
    if split.is_none() {
        records.extend(write_record("path", &path));
    }
    if link.len() > NAME_BYTES {
        records.extend(write_record("linkpath", link));
    }
    if !records.is_empty() {
        let header = header(
            (b"", PAX_NAME),
            b'x',
            0o644,
            records.len() as u64,
            b"",
            mtime,
        );
        out.write_all(&header)?;
        out.write_all(&records)?;
        write_padding(out, records.len() as u64)?;
    }
    let (prefix, name) = split.unwrap_or(("", cut(&path)));
    let names = (prefix.as_bytes(), name.as_bytes());
    let header = header(names, type_flag, mode, size, cut(link).as_bytes(), mtime);
    out.write_all(&header)
}

/// Zeros up to the next block.
pub(super) fn write_padding(out: &mut impl Write, size: u64) -> io::Result<()> {
    let padding = size.next_multiple_of(BLOCK_BYTES as u64) - size;
    let zeros = [0; BLOCK_BYTES];
    out.write_all(&zeros[..usize::try_from(padding).expect("less than a block")])
}

/// The end marker.
pub(super) fn write_end(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK_BYTES])
}

/// A path as POSIX's prefix and name fields, if it fits: the name as long as possible.
fn split(path: &str) -> Option<(&str, &str)> {
    if path.len() <= NAME_BYTES {
        return Some(("", path));
    }
    // The slash at a folder's end belongs to its name.
    let body = &path[..path.len() - 1];
    body.match_indices('/')
        .map(|(at, _)| (&path[..at], &path[at + 1..]))
        .find(|(prefix, name)| prefix.len() <= PREFIX_BYTES && name.len() <= NAME_BYTES)
}

/// As much of a long name as fits a field, in whole characters.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(NAME_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A POSIX header: owner 0 without names, no device.
fn header(
    (prefix, name): (&[u8], &[u8]),
    type_flag: u8,
    mode: u32,
    size: u64,
    link: &[u8],
    mtime: u64,
) -> [u8; BLOCK_BYTES] {
    let mut header = [0; BLOCK_BYTES];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name);
    put(100, format!("{mode:07o}").as_bytes());
    put(108, b"0000000");
    put(116, b"0000000");
    if size <= OCTAL_SIZE_MAX {
        put(124, format!("{size:011o}").as_bytes());
    } else {
        put(124, &[0x80]);
        put(128, &size.to_be_bytes());
    }
    put(136, format!("{mtime:011o}").as_bytes());
    put(148, b"        ");
    put(156, &[type_flag]);
    put(157, link);
    put(257, b"ustar\x0000");
    put(329, b"0000000");
    put(337, b"0000000");
    put(345, prefix);
    let sum: u32 = header.iter().map(|it| u32::from(*it)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}
