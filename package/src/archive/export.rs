//! The container of an exported registry: plain tar, written in exactly one way.
//!
//! An export holds a registry's read side as files, sorted by path, so that `tar tf` lists it
//! and `tar x` makes a folder that any web server can serve. Archives in it are compressed
//! already, so it is not compressed again and nothing in it can grow.
//!
//! The reader accepts only what the writer makes: it writes the header of every entry again
//! and compares. So two readers cannot understand one export differently. Contents and names
//! are checked by whoever reads them: every file of a registry is signed or named by its
//! digest.

use std::cmp::Ordering;
use std::io::{self, Read, Write};

use super::entry_path::EntryPath;
use super::error::ArchiveError;
use super::limits::{ARCHIVE_BYTES_MAX, ARCHIVE_MTIME_DEFAULT, EXPORT_ENTRIES_MAX};
use super::member::{Member, MemberKind};
use super::pax::Pax;
use super::refusal::Refusal;
use super::write::{write_end, write_header, write_padding};

const BLOCK_BYTES: usize = 512;

/// What the export is called by code that only has it open.
const NAMELESS_EXPORT: &str = "the export";

/// Longest extended header: a path of the greatest length, and its key.
const EXTENDED_BYTES_MAX: usize = 2048;

/// Writes an export, file after file, in the order of their paths.
#[derive(Debug)]
pub struct ExportWriter<W> {
    out: W,
    last: Option<String>,
    count: u64,
}

impl<W: Write> ExportWriter<W> {
    /// Begins an export.
    pub fn new(out: W) -> Self {
        Self {
            out,
            last: None,
            count: 0,
        }
    }

    /// Adds the next file; `data` must give exactly `size` bytes, and `path` must come after
    /// every path before it.
    pub fn add(&mut self, path: &str, size: u64, data: &mut dyn Read) -> Result<(), ArchiveError> {
        check_next(self.last.as_deref(), path, size, self.count)?;
        let member = file(path, size);
        let fail = |source| ArchiveError::Output { source };
        write_header(&mut self.out, &member, ARCHIVE_MTIME_DEFAULT).map_err(fail)?;
        let copied = io::copy(&mut data.take(size), &mut self.out).map_err(fail)?;
        let more = data.read(&mut [0]).map_err(fail)?;
        if copied != size || more != 0 {
            return Err(ArchiveError::Changed { path: path.into() });
        }
        write_padding(&mut self.out, size).map_err(fail)?;
        self.last = Some(path.to_owned());
        self.count += 1;
        Ok(())
    }

    /// Ends the export and gives back what it was written to, flushed.
    pub fn finish(mut self) -> Result<W, ArchiveError> {
        let fail = |source| ArchiveError::Output { source };
        write_end(&mut self.out).map_err(fail)?;
        self.out.flush().map_err(fail)?;
        Ok(self.out)
    }
}

/// One file of an export: what its header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportEntry {
    /// Where it is below the registry's base.
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
}

/// Reads an export, file after file. The content of the current file is what [`Read`] gives.
#[derive(Debug)]
pub struct ExportReader<R> {
    inner: R,
    left: u64,
    padding: usize,
    last: Option<String>,
    count: u64,
}

impl<R: Read> ExportReader<R> {
    /// A reader at the beginning of an export.
    pub fn new(inner: R) -> Self {
        Self {
            inner,
            left: 0,
            padding: 0,
            last: None,
            count: 0,
        }
    }

    /// The next file; `None` once the export ended as it must. What was not read of the file
    /// before is skipped.
    pub fn next_entry(&mut self) -> Result<Option<ExportEntry>, ArchiveError> {
        self.finish_entry()?;
        let mut head = self.block()?.to_vec();
        if head.iter().all(|it| *it == 0) {
            return self.end();
        }
        let mut path = None;
        if head[156] == b'x' {
            let size = number(&head[124..136]).and_then(|it| usize::try_from(it).ok());
            let size = size.filter(|it| *it <= EXTENDED_BYTES_MAX);
            let size = size.ok_or_else(|| changed("an extended header that is too long"))?;
            for _ in 0..size.div_ceil(BLOCK_BYTES) {
                head.extend_from_slice(&self.block()?);
            }
            path = Pax::parse(&head[BLOCK_BYTES..BLOCK_BYTES + size])?.path;
            head.extend_from_slice(&self.block()?);
        }
        let last = &head[head.len() - BLOCK_BYTES..];
        let path = path.unwrap_or_else(|| path_of(last));
        let path = String::from_utf8(path).map_err(|_| changed("a path that is no text"))?;
        let size = number(&last[124..136]).ok_or_else(|| changed("a size that is none"))?;
        check_next(self.last.as_deref(), &path, size, self.count)?;
        let mut ours = Vec::with_capacity(head.len());
        write_header(&mut ours, &file(&path, size), ARCHIVE_MTIME_DEFAULT).map_err(into_error)?;
        if ours != head {
            return Err(changed(
                "a header that `provisioning export` does not write",
            ));
        }
        self.left = size;
        self.padding = padding_of(size);
        self.last = Some(path.clone());
        self.count += 1;
        Ok(Some(ExportEntry { path, size }))
    }

    /// Skips what is left of the current file, and its padding, which must be zeros.
    fn finish_entry(&mut self) -> Result<(), ArchiveError> {
        let mut sink = io::sink();
        io::copy(self, &mut sink).map_err(into_error)?;
        let mut padding = [0; BLOCK_BYTES];
        let padding = &mut padding[..std::mem::take(&mut self.padding)];
        self.inner.read_exact(padding).map_err(into_error)?;
        if padding.iter().any(|it| *it != 0) {
            return Err(changed("bytes between two files"));
        }
        Ok(())
    }

    fn end(&mut self) -> Result<Option<ExportEntry>, ArchiveError> {
        if self.block()?.iter().any(|it| *it != 0) {
            return Err(changed("something after the end marker"));
        }
        let mut more = [0];
        if self.inner.read(&mut more).map_err(into_error)? != 0 {
            let detail = "something follows the end of the export";
            return Err(ArchiveError::whole(Refusal::TrailingData, detail));
        }
        Ok(None)
    }

    fn block(&mut self) -> Result<[u8; BLOCK_BYTES], ArchiveError> {
        let mut block = [0; BLOCK_BYTES];
        self.inner.read_exact(&mut block).map_err(into_error)?;
        Ok(block)
    }
}

impl<R: Read> Read for ExportReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        let count = self.inner.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        Ok(count)
    }
}

/// The order of the files in an export: name by name, bytewise.
pub fn export_order(left: &str, right: &str) -> Ordering {
    left.split('/').cmp(right.split('/'))
}

/// Whether a file may come next: a plain path, behind every one before it and below none of
/// them, within the limits. What is sorted has no duplicates.
fn check_next(last: Option<&str>, path: &str, size: u64, count: u64) -> Result<(), ArchiveError> {
    let parsed = EntryPath::parse(path.as_bytes())?;
    if parsed.as_str() != path || path.is_empty() {
        let detail = "the path is not in its plain form";
        return Err(ArchiveError::entry(Refusal::Corrupt, path, detail));
    }
    if let Some(last) = last {
        // In this order a file comes right before what would be below it, so that a look at
        // the one before is enough.
        let below = path
            .strip_prefix(last)
            .is_some_and(|it| it.starts_with('/'));
        if export_order(last, path).is_ge() || below {
            let detail = "the files are not in the order of their paths";
            return Err(ArchiveError::entry(Refusal::Corrupt, path, detail));
        }
    }
    if size > ARCHIVE_BYTES_MAX {
        let detail = format!("more than {ARCHIVE_BYTES_MAX} bytes");
        return Err(ArchiveError::entry(Refusal::TooLarge, path, detail));
    }
    if count >= EXPORT_ENTRIES_MAX {
        let detail = format!("more than {EXPORT_ENTRIES_MAX} files");
        return Err(ArchiveError::whole(Refusal::TooManyEntries, detail));
    }
    Ok(())
}

fn file(path: &str, size: u64) -> Member {
    Member {
        path: path.to_owned(),
        kind: MemberKind::File {
            executable: false,
            size,
        },
    }
}

/// The path that a header without an extended one spells.
fn path_of(header: &[u8]) -> Vec<u8> {
    let text = |field: &[u8]| field.split(|it| *it == 0).next().unwrap_or(&[]).to_vec();
    let (name, prefix) = (text(&header[..100]), text(&header[345..500]));
    if prefix.is_empty() {
        return name;
    }
    [prefix, vec![b'/'], name].concat()
}

/// A number in octal digits, or as big-endian bytes behind a marker.
fn number(field: &[u8]) -> Option<u64> {
    if let [0x80, 0, 0, 0, rest @ ..] = field {
        return Some(u64::from_be_bytes(rest.try_into().ok()?));
    }
    let digits = std::str::from_utf8(field.strip_suffix(&[0])?).ok()?;
    digits.bytes().all(|it| it.is_ascii_digit()).then_some(())?;
    u64::from_str_radix(digits, 8).ok()
}

fn padding_of(size: u64) -> usize {
    let block = BLOCK_BYTES as u64;
    usize::try_from((block - size % block) % block).unwrap_or_default()
}

fn changed(what: &str) -> ArchiveError {
    ArchiveError::whole(
        Refusal::Corrupt,
        format!("it is no export, or was changed: {what}"),
    )
}

/// Whether the file ends too early, or cannot be read at all.
fn into_error(source: io::Error) -> ArchiveError {
    if source.kind() == io::ErrorKind::UnexpectedEof {
        return ArchiveError::whole(Refusal::Truncated, "the export ends too early");
    }
    ArchiveError::Io {
        action: "read",
        path: NAMELESS_EXPORT.into(),
        source,
    }
}
