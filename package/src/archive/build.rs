//! From a folder to an archive, the same bytes anywhere.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;
use zstd::stream::raw::CParameter;

use super::error::ArchiveError;
use super::globs::ExcludeGlobs;
use super::gzip::GzipWriter;
use super::limits::{ARCHIVE_BYTES_MAX, ARCHIVE_MTIME_MAX, ZSTD_WINDOW_LOG_MAX};
use super::member::{Member, MemberKind};
use super::refusal::Refusal;
use super::scan::{Scan, scan};
use super::stream::check_expansion;
use super::write::{write_end, write_header, write_padding};
use super::{ArchiveFacts, BuildOptions};
use crate::archive_format::ArchiveFormat;
use crate::digest::{Digest, HashingWriter};

/// A part of every archive's digest: another level is another digest.
const ZSTD_LEVEL: i32 = 9;

const COPY_BUFFER_BYTES: usize = 128 * 1024;

/// Packs everything under `tree` but `.git` and what `options` exclude. The same content
/// under the same names gives the same bytes, whoever packs it, where and when; of modes only
/// "executable" is kept. Memory is constant but for the list of entries. After an error,
/// what `out` has got is no archive.
pub fn build_archive(
    tree: &Path,
    options: &BuildOptions,
    out: &mut impl Write,
) -> Result<ArchiveFacts, ArchiveError> {
    let exclude = ExcludeGlobs::new(&options.exclude)?;
    let scan = scan(tree, &exclude, &options.replace)?;
    let mut packer =
        Packer::new(options.format, HashingWriter::new(Bounded::new(out))).map_err(output_error)?;
    let mut buffer = vec![0; COPY_BUFFER_BYTES];
    for member in &scan.members {
        write_member(tree, options, member, &mut packer, &mut buffer)?;
    }
    write_end(&mut packer).map_err(output_error)?;
    let hashing = packer.finish().map_err(output_error)?;
    let (_, digest, size) = hashing.finish();
    facts(options.format, &scan, digest, size)
}

fn facts(
    format: ArchiveFormat,
    scan: &Scan,
    digest: Digest,
    size: u64,
) -> Result<ArchiveFacts, ArchiveError> {
    check_expansion(scan.unpacked, size)?;
    Ok(ArchiveFacts {
        format,
        digest,
        size,
        unpacked: scan.unpacked,
        entries: scan.members.len() as u64,
    })
}

fn write_member(
    tree: &Path,
    options: &BuildOptions,
    member: &Member,
    packer: &mut impl Write,
    buffer: &mut [u8],
) -> Result<(), ArchiveError> {
    let mtime = options.mtime.min(ARCHIVE_MTIME_MAX);
    write_header(packer, member, mtime).map_err(output_error)?;
    let MemberKind::File { size, .. } = member.kind else {
        return Ok(());
    };
    if let Some(content) = options.replace.get(&member.path) {
        packer.write_all(content).map_err(output_error)?;
    } else {
        copy_file(&tree.join(&member.path), size, packer, buffer)?;
    }
    write_padding(packer, size).map_err(output_error)
}

/// Copies exactly `size` bytes; a file that has more or fewer by now changed under our hands,
/// and a header with the wrong size would break the archive.
fn copy_file(
    path: &Path,
    size: u64,
    packer: &mut impl Write,
    buffer: &mut [u8],
) -> Result<(), ArchiveError> {
    let changed = || ArchiveError::Changed { path: path.into() };
    let mut file = open_file(path)?;
    let mut left = size;
    loop {
        let count = fill(&mut file, buffer).map_err(ArchiveError::io("read", path))?;
        left = left.checked_sub(count as u64).ok_or_else(changed)?;
        packer.write_all(&buffer[..count]).map_err(output_error)?;
        if count < buffer.len() {
            break;
        }
    }
    if left == 0 { Ok(()) } else { Err(changed()) }
}

/// Reads until the buffer is full or the file ends. A compressor may choose differently when
/// it gets the same bytes in other pieces, and file systems differ in how much one read gives.
fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(problem) if problem.kind() == io::ErrorKind::Interrupted => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok(filled)
}

/// Opens what was a regular file a moment ago, and waits for nothing if it became a pipe.
fn open_file(path: &Path) -> Result<File, ArchiveError> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(ArchiveError::io("open", path))?;
    let metadata = file.metadata().map_err(ArchiveError::io("look at", path))?;
    if metadata.is_file() {
        Ok(file)
    } else {
        Err(ArchiveError::Changed { path: path.into() })
    }
}

/// An error of the writer, or a limit that it met.
fn output_error(error: io::Error) -> ArchiveError {
    ArchiveError::from_io(error).unwrap_or_else(|source| ArchiveError::Output { source })
}

/// Either compressor.
enum Packer<W: Write> {
    Zstd(zstd::stream::write::Encoder<'static, W>),
    Gzip(GzipWriter<W>),
}

impl<W: Write> Packer<W> {
    fn new(format: ArchiveFormat, out: W) -> io::Result<Self> {
        match format {
            ArchiveFormat::TarZst => {
                let mut encoder = zstd::stream::write::Encoder::new(out, ZSTD_LEVEL)?;
                encoder.set_parameter(CParameter::WindowLog(ZSTD_WINDOW_LOG_MAX - 1))?;
                encoder.include_checksum(true)?;
                Ok(Self::Zstd(encoder))
            }
            ArchiveFormat::TarGz => Ok(Self::Gzip(GzipWriter::new(out)?)),
        }
    }

    fn finish(self) -> io::Result<W> {
        match self {
            Self::Zstd(encoder) => encoder.finish(),
            Self::Gzip(writer) => writer.finish(),
        }
    }
}

impl<W: Write> Write for Packer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Zstd(encoder) => encoder.write(bytes),
            Self::Gzip(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Zstd(encoder) => encoder.flush(),
            Self::Gzip(writer) => writer.flush(),
        }
    }
}

/// Stops at the longest archive that anybody would read.
struct Bounded<W> {
    out: W,
    left: u64,
}

impl<W> Bounded<W> {
    fn new(out: W) -> Self {
        Self {
            out,
            left: ARCHIVE_BYTES_MAX,
        }
    }
}

impl<W: Write> Write for Bounded<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            let detail = format!("it is longer than {ARCHIVE_BYTES_MAX} bytes");
            ArchiveError::whole(Refusal::TooLarge, detail).into_io()
        })?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
