//! One 512-byte tar header, read so strictly that no other reader can understand it
//! differently.

use super::error::ArchiveError;
use super::refusal::Refusal;

/// The fields that decide anything. Owner, times and device numbers are never looked at.
pub(super) struct RawHeader<'h> {
    bytes: &'h [u8; 512],
    dialect: Dialect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// POSIX, with a prefix field.
    Ustar,
    /// GNU, with extensions of its own.
    Gnu,
    /// From before 1988: no magic, no prefix.
    V7,
}

impl<'h> RawHeader<'h> {
    pub(super) fn new(bytes: &'h [u8; 512]) -> Result<Self, ArchiveError> {
        let dialect = match &bytes[257..265] {
            b"ustar\x0000" => Dialect::Ustar,
            b"ustar  \0" => Dialect::Gnu,
            [0, 0, 0, 0, 0, 0, 0, 0] => Dialect::V7,
            _ => return Err(invalid("the header is of no known tar dialect")),
        };
        // Some readers take GNU's reserved bytes for POSIX's prefix field and would unpack
        // the entry elsewhere.
        // A sparse map uses them too; it is refused as such. Others read a prefix from
        // headers that are older than it.
        let is_in_use = bytes[345..500].iter().any(|it| *it != 0);
        let has_prefix = dialect == Dialect::Ustar;
        if !has_prefix && is_in_use && bytes[156] != b'S' {
            return Err(invalid("reserved bytes of the header are in use"));
        }
        Ok(Self { bytes, dialect })
    }

    /// The type flag; a folder's for what is one in the oldest dialect, which knows folders by
    /// the `/` at their end.
    pub(super) fn type_flag(&self) -> u8 {
        let written = self.bytes[156];
        let is_folder = || until_nul(&self.bytes[..100]).is_ok_and(|it| it.ends_with(b"/"));
        match written {
            0 | b'0' if self.is_old() && is_folder() => b'5',
            _ => written,
        }
    }

    /// Whether extended headers may describe or precede this header.
    pub(super) fn is_old(&self) -> bool {
        self.dialect == Dialect::V7
    }

    /// How many bytes of data follow.
    pub(super) fn size(&self) -> Result<u64, ArchiveError> {
        number(&self.bytes[124..136])
    }

    /// The permission bits, without the file type that some writers put beside them.
    pub(super) fn mode(&self) -> Result<u64, ArchiveError> {
        Ok(number(&self.bytes[100..108])? & 0o7777)
    }

    /// The path, with the prefix field before it where the dialect has one.
    pub(super) fn path(&self) -> Result<Vec<u8>, ArchiveError> {
        let name = until_nul(&self.bytes[..100])?;
        if self.dialect != Dialect::Ustar {
            return Ok(name.to_vec());
        }
        let prefix = until_nul(&self.bytes[345..500])?;
        if prefix.is_empty() {
            return Ok(name.to_vec());
        }
        Ok([prefix, b"/", name].concat())
    }

    /// What a link points at.
    pub(super) fn link(&self) -> Result<Vec<u8>, ArchiveError> {
        Ok(until_nul(&self.bytes[157..257])?.to_vec())
    }
}

/// A text field. Bytes behind the NUL would be a name that only some readers see.
fn until_nul(field: &[u8]) -> Result<&[u8], ArchiveError> {
    let end = field.iter().position(|it| *it == 0).unwrap_or(field.len());
    if field[end..].iter().any(|it| *it != 0) {
        return Err(invalid("bytes follow the end of a name"));
    }
    Ok(&field[..end])
}

/// A number field: octal digits, or base 256 as GNU writes large ones. Signs, other digits
/// and negative or oversized values are where tar readers disagree (CVE-2018-20482,
/// CVE-2025-62518), so they are no numbers.
fn number(field: &[u8]) -> Result<u64, ArchiveError> {
    if field[0] & 0x80 != 0 {
        let (high, low) = field.split_at(field.len().saturating_sub(8));
        let (first, rest) = high.split_first().unwrap_or((&0x80, &[]));
        let low: Vec<u8> = if high.is_empty() {
            [&[field[0] & 0x7f], &low[1..]].concat()
        } else {
            low.to_vec()
        };
        if *first != 0x80 || rest.iter().any(|it| *it != 0) || field[0] != 0x80 {
            return Err(invalid("a number is negative or too large"));
        }
        return Ok(low.iter().fold(0, |value, it| value << 8 | u64::from(*it)));
    }
    let start = field.iter().position(|it| *it != b' ');
    let text = &field[start.unwrap_or(field.len())..];
    let end = text
        .iter()
        .position(|it| !matches!(it, b'0'..=b'7'))
        .unwrap_or(text.len());
    if text[end..].iter().any(|it| !matches!(it, 0 | b' ')) {
        return Err(invalid("a number is not octal"));
    }
    // Twelve octal digits at most: no overflow.
    let digits = text[..end].iter();
    Ok(digits.fold(0, |value, it| value << 3 | u64::from(it - b'0')))
}

fn invalid(detail: &str) -> ArchiveError {
    ArchiveError::whole(Refusal::HeaderInvalid, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_plain_octal_or_positive_base_256() {
        let read = |field: &[u8]| number(field).ok();
        assert_eq!(read(b"00000000017\0"), Some(15));
        assert_eq!(read(b"         17 "), Some(15));
        assert_eq!(read(b"777777777777"), Some(0o777_777_777_777));
        assert_eq!(read(b"\0\0\0\0\0\0\0\0\0\0\0\0"), Some(0));
        assert_eq!(read(b"\x80\0\0\0\0\0\0\0\0\0\x01\x02"), Some(258));
        assert_eq!(read(b"\x80\0\0\0\0\0\x01\x02"), Some(258));
        for bad in [
            b"+0000000017\0",
            b"-0000000017\0",
            b"0x000000017\0",
            b"00000000018\0",
            b"0000\x00000017\0",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x80\0\0\x01\0\0\0\0\0\0\0\0",
            b"\x81\0\0\0\0\0\0\0\0\0\0\0",
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
