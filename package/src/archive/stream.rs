//! From a compressed file to tar bytes that are bounded in every way.
//!
//! The layers, from below: the file (length limit, digest), one zstd frame or gzip member
//! after another (window limit), and a guard that counts what comes out.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;

use super::error::{ArchiveError, NAMELESS};
use super::limits::{
    ARCHIVE_BYTES_MAX, ARCHIVE_STREAM_BYTES_MAX, COMPRESSION_FRAMES_MAX, EXPANSION_FREE_BYTES,
    EXPANSION_RATIO_MAX, ZSTD_WINDOW_BYTES_MAX, ZSTD_WINDOW_LOG_MAX,
};
use super::refusal::Refusal;
use crate::archive_format::ArchiveFormat;
use crate::digest::{Digest, HashingReader};

const READ_BUFFER_BYTES: usize = 128 * 1024;

/// The longest zstd frame header there is (RFC 8878, section 3.1.1.1), with its magic.
const ZSTD_HEADER_BYTES_MAX: usize = 18;

/// Tar bytes out of a compressed file. Ends for good at the first error.
pub(super) struct TarStream<'f> {
    frames: Frames<'f>,
    format: ArchiveFormat,
    size: u64,
    given: u64,
    is_at_end: bool,
}

impl<'f> TarStream<'f> {
    /// Begins at the file's current position, which must be its start.
    pub(super) fn new(file: &'f File, size: u64) -> Result<Self, ArchiveError> {
        if size > ARCHIVE_BYTES_MAX {
            return Err(too_large(size));
        }
        let raw = FileReader {
            file,
            left: ARCHIVE_BYTES_MAX,
        };
        let hashing = BufReader::with_capacity(READ_BUFFER_BYTES, HashingReader::new(raw));
        Self::of(Raw::File(hashing), size)
    }

    /// The bytes of an archive of `size` bytes as they arrive; whoever gives them counts and
    /// hashes them.
    pub(super) fn of_arriving(bytes: &'f mut dyn BufRead, size: u64) -> Result<Self, ArchiveError> {
        if size > ARCHIVE_BYTES_MAX {
            return Err(too_large(size));
        }
        Self::of(Raw::Arriving(bytes), size)
    }

    fn of(raw: Raw<'f>, size: u64) -> Result<Self, ArchiveError> {
        let mut source = Pushback::new(raw);
        let head = source.peek(4).map_err(into_error)?;
        let format = ArchiveFormat::sniff(head).ok_or_else(|| {
            let detail = "neither a zstd nor a gzip archive (`.tar.zst`, `.tar.gz`)";
            ArchiveError::whole(Refusal::UnknownFormat, detail)
        })?;
        Ok(Self {
            frames: Frames {
                state: State::Between(source),
                format,
                count: 0,
            },
            format,
            size,
            given: 0,
            is_at_end: false,
        })
    }

    pub(super) fn format(&self) -> ArchiveFormat {
        self.format
    }

    /// How many tar bytes it has given.
    pub(super) fn given(&self) -> u64 {
        self.given
    }

    /// Whether a reader has met the end.
    pub(super) fn is_at_end(&self) -> bool {
        self.is_at_end
    }

    /// The file's digest and length, once everything was read; `None` for bytes that arrive.
    pub(super) fn finish(self) -> Option<(Digest, u64)> {
        match self.frames.state {
            State::Between(Pushback {
                inner: Raw::File(file),
                ..
            }) => Some(file.into_inner().finish()),
            State::Between(_) | State::Zstd(_) | State::Gzip(_) | State::Broken => None,
        }
    }

    fn check(&self) -> Result<(), ArchiveError> {
        // Decompression bombs: 42.zip, and gzip's and zstd's own (CVE-2016-4972 and others).
        // The whole file counts, so that the verdict does not depend on what comes first.
        if self.given > ARCHIVE_STREAM_BYTES_MAX {
            let detail = format!("it unpacks to more than {ARCHIVE_STREAM_BYTES_MAX} bytes");
            return Err(ArchiveError::whole(Refusal::UnpackedTooLarge, detail));
        }
        check_expansion(self.given, self.size)
    }
}

fn too_large(size: u64) -> ArchiveError {
    let detail = format!("{size} bytes are too many: {ARCHIVE_BYTES_MAX} is the most");
    ArchiveError::whole(Refusal::TooLarge, detail)
}

/// Refuses growth beyond [`EXPANSION_RATIO_MAX`].
pub(super) fn check_expansion(unpacked: u64, size: u64) -> Result<(), ArchiveError> {
    if unpacked > EXPANSION_FREE_BYTES && unpacked > size.saturating_mul(EXPANSION_RATIO_MAX) {
        let detail = format!("it unpacks to more than {EXPANSION_RATIO_MAX} times its size");
        return Err(ArchiveError::whole(Refusal::ExpansionRatio, detail));
    }
    Ok(())
}

impl Read for TarStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_at_end || buffer.is_empty() {
            return Ok(0);
        }
        let count = self.frames.read(buffer).map_err(|it| {
            // What is not ours already is the decompressor's own complaint.
            let error = into_error(it);
            error.into_io()
        })?;
        self.given += count as u64;
        self.is_at_end = count == 0;
        self.check().map_err(ArchiveError::into_io)?;
        Ok(count)
    }
}

/// An error of a layer below: ours comes out as it went in, everything else is a complaint
/// about the compressed data.
pub(super) fn into_error(error: io::Error) -> ArchiveError {
    let kind = error.kind();
    match ArchiveError::from_io(error) {
        Ok(own) => own,
        Err(_) if kind == io::ErrorKind::UnexpectedEof => {
            ArchiveError::whole(Refusal::Truncated, "the compressed data ends too early")
        }
        Err(other) => {
            let detail = format!("the compressed data is damaged: {other}");
            ArchiveError::whole(Refusal::Corrupt, detail)
        }
    }
}

/// The file itself; marks its errors so that no layer above takes them for bad data.
#[derive(Debug)]
struct FileReader<'f> {
    file: &'f File,
    left: u64,
}

impl Read for FileReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = (&mut &*self.file).read(buffer);
        if matches!(&result, Err(it) if it.kind() == io::ErrorKind::Interrupted) {
            return result;
        }
        let count = result.map_err(|source| {
            let failed = ArchiveError::Io {
                action: "read",
                path: NAMELESS.into(),
                source,
            };
            failed.into_io()
        })?;
        // The length was checked already; a file that grows meanwhile must stay bounded too.
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            let detail = format!("more than {ARCHIVE_BYTES_MAX} bytes");
            ArchiveError::whole(Refusal::TooLarge, detail).into_io()
        })?;
        Ok(count)
    }
}

type Source<'f> = Pushback<Raw<'f>>;

/// Where the compressed bytes come from.
enum Raw<'f> {
    File(BufReader<HashingReader<FileReader<'f>>>),
    Arriving(&'f mut dyn BufRead),
}

impl BufRead for Raw<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self {
            Self::File(file) => file.fill_buf(),
            Self::Arriving(bytes) => bytes.fill_buf(),
        }
    }

    fn consume(&mut self, count: usize) {
        match self {
            Self::File(file) => file.consume(count),
            Self::Arriving(bytes) => bytes.consume(count),
        }
    }
}

impl Read for Raw<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Arriving(bytes) => bytes.read(buffer),
        }
    }
}

/// One frame or member after the other, as one stream (RFC 8878, RFC 1952).
struct Frames<'f> {
    state: State<'f>,
    format: ArchiveFormat,
    count: u64,
}

enum State<'f> {
    Between(Source<'f>),
    Zstd(zstd::stream::read::Decoder<'static, Source<'f>>),
    Gzip(Box<GzDecoder<Source<'f>>>),
    Broken,
}

impl Read for Frames<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = match &mut self.state {
                State::Between(_) => 0,
                State::Zstd(decoder) => decoder.read(buffer)?,
                State::Gzip(decoder) => decoder.read(buffer)?,
                State::Broken => return Ok(0),
            };
            if count > 0 {
                return Ok(count);
            }
            let source = match std::mem::replace(&mut self.state, State::Broken) {
                State::Between(source) => source,
                State::Zstd(decoder) => decoder.finish(),
                State::Gzip(decoder) => decoder.into_inner(),
                State::Broken => return Ok(0),
            };
            self.state = self.next_frame(source)?;
            if matches!(self.state, State::Between(_)) {
                return Ok(0);
            }
        }
    }
}

impl Frames<'_> {
    /// Begins the next frame, or stays between frames at the end of the file.
    fn next_frame<'f>(&mut self, mut source: Source<'f>) -> io::Result<State<'f>> {
        let head = source.peek(ZSTD_HEADER_BYTES_MAX)?;
        if head.is_empty() {
            return Ok(State::Between(source));
        }
        self.count += 1;
        check_frame(head, self.format, self.count).map_err(ArchiveError::into_io)?;
        match self.format {
            ArchiveFormat::TarZst => {
                let decoder = zstd::stream::read::Decoder::with_buffer(source)?;
                let mut decoder = decoder.single_frame();
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Ok(State::Zstd(decoder))
            }
            ArchiveFormat::TarGz => Ok(State::Gzip(Box::new(GzDecoder::new(source)))),
        }
    }
}

/// Whether what follows is another frame that we want to read.
fn check_frame(head: &[u8], format: ArchiveFormat, count: u64) -> Result<(), ArchiveError> {
    // Empty frames cost a reader far more than their few bytes.
    if count > COMPRESSION_FRAMES_MAX {
        let detail = format!("more than {COMPRESSION_FRAMES_MAX} compressed frames");
        return Err(ArchiveError::whole(Refusal::TooManyFrames, detail));
    }
    // Every decompressor drops a skippable frame without a word: a place to carry what no
    // inspection sees.
    if format == ArchiveFormat::TarZst && is_skippable(head) {
        let detail = "a zstd frame that readers skip: archives carry nothing but entries";
        return Err(ArchiveError::whole(Refusal::SkippableFrame, detail));
    }
    if ArchiveFormat::sniff(head) != Some(format) {
        let detail = "something else follows the compressed data";
        return Err(ArchiveError::whole(Refusal::TrailingData, detail));
    }
    if format == ArchiveFormat::TarZst && zstd_window(head) > Some(ZSTD_WINDOW_BYTES_MAX) {
        let detail = format!(
            "its zstd window is larger than {ZSTD_WINDOW_BYTES_MAX} bytes; pack it without \
             `--long` and `--ultra`"
        );
        return Err(ArchiveError::whole(Refusal::WindowTooLarge, detail));
    }
    Ok(())
}

fn is_skippable(head: &[u8]) -> bool {
    matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// The window that a frame header asks for; `None` when the header is cut, which the
/// decompressor reports (RFC 8878, section 3.1.1.1).
pub(super) fn zstd_window(head: &[u8]) -> Option<u64> {
    let descriptor = *head.get(4)?;
    if descriptor & 0x20 == 0 {
        let window = u64::from(*head.get(5)?);
        let base = 1_u64 << (10 + (window >> 3));
        return Some(base + base / 8 * (window & 7));
    }
    // A single segment has no window descriptor: its whole content is the window.
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let length = [1, 2, 4, 8][usize::from(descriptor >> 6)];
    let field = head.get(5 + dictionary..5 + dictionary + length)?;
    let mut bytes = [0; 8];
    bytes[..length].copy_from_slice(field);
    let value = u64::from_le_bytes(bytes);
    Some(if length == 2 { value + 256 } else { value })
}

/// A buffered reader whose next bytes can be looked at, however its buffer falls.
struct Pushback<R> {
    held: Vec<u8>,
    start: usize,
    inner: R,
}

impl<R: BufRead> Pushback<R> {
    fn new(inner: R) -> Self {
        Self {
            held: Vec::new(),
            start: 0,
            inner,
        }
    }

    /// The next `count` bytes, fewer only at the end.
    fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        self.held.drain(..self.start);
        self.start = 0;
        let missing = count.saturating_sub(self.held.len()) as u64;
        (&mut self.inner)
            .take(missing)
            .read_to_end(&mut self.held)?;
        Ok(&self.held[..count.min(self.held.len())])
    }
}

impl<R: BufRead> BufRead for Pushback<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start < self.held.len() {
            return Ok(&self.held[self.start..]);
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        if self.start < self.held.len() {
            self.start += count;
        } else {
            self.inner.consume(count);
        }
    }
}

impl<R: BufRead> Read for Pushback<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}
