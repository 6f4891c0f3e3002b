//! From tar bytes to members: the headers, one after another, with their extensions applied.
//!
//! The `tar` crate finds the headers, in its raw mode: left to itself it would read extended
//! headers into memory whatever their size, follow sparse maps, and pick one of two sizes
//! that disagree. Those decisions are made here, and the answer to every doubt is no.

use std::fs::File;
use std::io::{self, Read, Seek as _};

use super::entry_path::{EntryPath, is_control};
use super::error::{ArchiveError, NAMELESS};
use super::header::RawHeader;
use super::limits::{
    ARCHIVE_ENTRIES_MAX, ARCHIVE_UNPACKED_BYTES_MAX, ENTRY_PATH_BYTES_MAX,
    EXTENDED_HEADER_BYTES_MAX, EXTENDED_HEADERS_BYTES_MAX,
};
use super::pax::Pax;
use super::refusal::Refusal;
use super::stream::{TarStream, into_error};
use crate::archive_format::ArchiveFormat;
use crate::digest::Digest;

/// One file, folder or link, as its header says; whether it fits the others is not checked
/// here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) path: String,
    pub(super) kind: MemberKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MemberKind {
    File { executable: bool, size: u64 },
    HardLink { to: String },
    Folder,
    Symlink { target: String },
}

/// The archive as a whole, after its last byte.
pub(super) struct Walked {
    pub(super) format: ArchiveFormat,
    pub(super) digest: Digest,
    pub(super) size: u64,
}

/// Gives every member and its data to `visit`, then checks that the archive ends as it must.
pub(super) fn walk(
    file: &mut File,
    visit: &mut dyn FnMut(Member, &mut dyn Read) -> Result<(), ArchiveError>,
) -> Result<Walked, ArchiveError> {
    let io_error = |source| ArchiveError::Io {
        action: "read",
        path: NAMELESS.into(),
        source,
    };
    file.rewind().map_err(io_error)?;
    let size = file.metadata().map_err(io_error)?.len();
    let stream = walk_stream(TarStream::new(file, size)?, visit)?;
    let format = stream.format();
    let (digest, size) = stream
        .finish()
        .ok_or_else(|| truncated("it ends too early"))?;
    Ok(Walked {
        format,
        digest,
        size,
    })
}

/// The same for a stream from wherever; it is at its end then.
pub(super) fn walk_stream<'f>(
    stream: TarStream<'f>,
    visit: &mut dyn FnMut(Member, &mut dyn Read) -> Result<(), ArchiveError>,
) -> Result<TarStream<'f>, ArchiveError> {
    let mut archive = tar::Archive::new(stream);
    let mut next = 0;
    let result = visit_members(&mut archive, &mut next, visit);
    let mut stream = archive.into_inner();
    match result {
        Ok(()) => check_end(&mut stream, next)?,
        Err(Failure::Ours(error)) => return Err(error),
        Err(Failure::Tar(error)) => return Err(tar_error(error, stream.is_at_end())),
    }
    Ok(stream)
}

/// An error that is an [`ArchiveError`] already, or one that came through the `tar` crate.
enum Failure {
    Ours(ArchiveError),
    Tar(io::Error),
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Self {
        Self::Ours(error)
    }
}

fn visit_members(
    archive: &mut tar::Archive<TarStream<'_>>,
    next: &mut u64,
    visit: &mut dyn FnMut(Member, &mut dyn Read) -> Result<(), ArchiveError>,
) -> Result<(), Failure> {
    let mut headers = 0;
    let mut extended = 0;
    let mut pending = Pending::default();
    for entry in archive.entries().map_err(Failure::Tar)?.raw(true) {
        let mut entry = entry.map_err(Failure::Tar)?;
        // Extended headers count too: an archive of nothing else is no lighter to read.
        headers += 1;
        if headers > 3 * ARCHIVE_ENTRIES_MAX {
            return Err(too_many_entries().into());
        }
        let bytes = *entry.header().as_bytes();
        let header = RawHeader::new(&bytes)?;
        let size = header.size()?;
        if size != entry.size() {
            let detail = "the size in the header reads in two ways";
            return Err(ArchiveError::whole(Refusal::HeaderInvalid, detail).into());
        }
        if size > ARCHIVE_UNPACKED_BYTES_MAX {
            let detail = format!("a size above {ARCHIVE_UNPACKED_BYTES_MAX} bytes");
            return Err(ArchiveError::whole(Refusal::UnpackedTooLarge, detail).into());
        }
        *next = entry.raw_file_position() + size.next_multiple_of(512);
        if pending.take_extension(&header, size, &mut entry)? {
            extended += size;
            if extended > EXTENDED_HEADERS_BYTES_MAX {
                let detail = format!(
                    "its extended headers take more than {EXTENDED_HEADERS_BYTES_MAX} bytes"
                );
                return Err(ArchiveError::whole(Refusal::ExtensionTooLarge, detail).into());
            }
            continue;
        }
        let member = std::mem::take(&mut pending).member(&header, size)?;
        let Some(member) = member else {
            continue;
        };
        let mut data = Data {
            entry: &mut entry,
            left: size,
        };
        visit(member, &mut data)?;
    }
    if pending != Pending::default() {
        let detail = "an extended header describes an entry that does not follow";
        return Err(ArchiveError::whole(Refusal::ExtensionInvalid, detail).into());
    }
    Ok(())
}

/// The data of one member; ends with an error where the archive ends before it.
struct Data<'e, R> {
    entry: &'e mut R,
    left: u64,
}

impl<R: Read> Read for Data<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.entry.read(buffer)?;
        self.left -= count as u64;
        if count == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(truncated("it ends in the middle of a file").into_io());
        }
        Ok(count)
    }
}

/// What extended headers say about the next member.
#[derive(Default, PartialEq, Eq)]
struct Pending {
    pax: Option<Pax>,
    long_path: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

impl Pending {
    /// Takes an extended header in; `false` if it is none.
    fn take_extension(
        &mut self,
        header: &RawHeader<'_>,
        size: u64,
        data: &mut dyn Read,
    ) -> Result<bool, ArchiveError> {
        let is_global = header.type_flag() == b'g';
        match header.type_flag() {
            b'x' | b'g' | b'L' | b'K' if header.is_old() => {
                Err(extension("an extended header in a dialect that knows none"))
            }
            b'x' | b'g' => {
                let pax = Pax::parse(&read_extension(size, EXTENDED_HEADER_BYTES_MAX, data)?)?;
                match (is_global, pax.is_harmless()) {
                    // `git archive` writes its commit there; a path or size for every entry
                    // that follows is nothing but a trap.
                    (true, true) => Ok(true),
                    (true, false) => Err(extension("a path or size that holds for all entries")),
                    (false, _) if self.pax.is_some() => Err(extension("two for one entry")),
                    (false, _) => {
                        self.pax = Some(pax);
                        Ok(true)
                    }
                }
            }
            b'L' => set_once(&mut self.long_path, size, data),
            b'K' => set_once(&mut self.long_link, size, data),
            _ => Ok(false),
        }
    }

    /// The member that the header and what preceded it describe; `None` for the root folder.
    fn member(self, header: &RawHeader<'_>, size: u64) -> Result<Option<Member>, ArchiveError> {
        let is_gnu = self.long_path.is_some() || self.long_link.is_some();
        // No writer mixes them, and readers differ in which one wins and to which header a
        // size belongs (CVE-2025-62518, "TARmageddon").
        if is_gnu && self.pax.is_some() {
            return Err(extension("both GNU and POSIX ones for one entry"));
        }
        let pax = self.pax.unwrap_or_default();
        let path = match self.long_path.or(pax.path) {
            Some(path) => path,
            None => header.path()?,
        };
        let shown = String::from_utf8_lossy(&path).into_owned();
        // A size that only some readers see moves every header behind it.
        if pax.size.is_some_and(|it| it != size) {
            let detail = "the extended header and the header name different sizes";
            return Err(ArchiveError::entry(Refusal::SizeDisagrees, &shown, detail));
        }
        check_type(header.type_flag(), &shown)?;
        let path = EntryPath::parse(&path)?;
        let long_link = self.long_link.or(pax.link);
        let kind = kind(header, size, long_link, &path)?;
        if path.is_root() {
            if kind == MemberKind::Folder {
                return Ok(None);
            }
            let detail = "only a folder can be the archive's root";
            return Err(ArchiveError::entry(Refusal::Conflict, &shown, detail));
        }
        let path = path.into_string();
        Ok(Some(Member { path, kind }))
    }
}

/// Refuses everything but files, folders and links, by name.
fn check_type(type_flag: u8, path: &str) -> Result<(), ArchiveError> {
    let (refusal, what) = match type_flag {
        b'0' | 0 | b'1' | b'2' | b'5' => return Ok(()),
        // A device that anybody may open gives the disk away.
        b'3' | b'4' => (Refusal::Device, "a device"),
        // A reader of a pipe waits for ever.
        b'6' => (Refusal::Fifo, "a named pipe"),
        b'S' => (
            Refusal::SparseFile,
            "a sparse file; pack it with its holes filled",
        ),
        _ => (
            Refusal::EntryType,
            "an entry that is no file, folder or link",
        ),
    };
    Err(ArchiveError::entry(refusal, path, what))
}

fn kind(
    header: &RawHeader<'_>,
    size: u64,
    long_link: Option<Vec<u8>>,
    path: &EntryPath,
) -> Result<MemberKind, ArchiveError> {
    let refuse = |refusal, detail: &str| Err(ArchiveError::entry(refusal, path.as_str(), detail));
    let mode = header.mode()?;
    // setuid and setgid programs run with the powers of whoever unpacked them; root, often.
    if mode & 0o7000 != 0 {
        return refuse(Refusal::SpecialMode, "a setuid, setgid or sticky bit");
    }
    let type_flag = header.type_flag();
    let is_file = matches!(type_flag, b'0' | 0);
    let is_link = matches!(type_flag, b'1' | b'2');
    // Some readers skip such data and some take it for the next header.
    if !is_file && size > 0 {
        return refuse(
            Refusal::UnexpectedData,
            "a folder or link that carries data",
        );
    }
    // Some readers make a folder of it.
    if type_flag != b'5' && path.has_slash() {
        return refuse(Refusal::PathSlash, "a file or link whose path ends in `/`");
    }
    if !is_link && long_link.is_some() {
        return refuse(
            Refusal::ExtensionInvalid,
            "a link target for something that is no link",
        );
    }
    let link = || long_link.map_or_else(|| header.link(), Ok);
    Ok(match type_flag {
        b'1' => {
            let to = EntryPath::parse(&link()?)?;
            if to.has_slash() {
                let detail = "a hard link to a path that ends in `/`";
                return refuse(Refusal::HardLinkTarget, detail);
            }
            MemberKind::HardLink {
                to: to.into_string(),
            }
        }
        b'2' => MemberKind::Symlink {
            target: link_target(&link()?, path.as_str())?,
        },
        b'5' => MemberKind::Folder,
        _ => MemberKind::File {
            executable: mode & 0o111 != 0,
            size,
        },
    })
}

/// The target of a symlink as text; where it leads is decided when all entries are known.
pub(super) fn link_target(bytes: &[u8], path: &str) -> Result<String, ArchiveError> {
    let refuse = |detail: &str| Err(ArchiveError::entry(Refusal::SymlinkInvalid, path, detail));
    let Ok(target) = std::str::from_utf8(bytes) else {
        return refuse("the link's target is not UTF-8");
    };
    if target.is_empty() {
        return refuse("the link has no target");
    }
    if target.len() > ENTRY_PATH_BYTES_MAX {
        return refuse("the link's target is too long");
    }
    if target.chars().any(is_control) {
        return refuse("the link's target has a control character in it");
    }
    Ok(target.to_owned())
}

fn set_once(
    slot: &mut Option<Vec<u8>>,
    size: u64,
    data: &mut dyn Read,
) -> Result<bool, ArchiveError> {
    if slot.is_some() {
        return Err(extension("two for one entry"));
    }
    let mut name = read_extension(size, EXTENDED_HEADER_BYTES_MAX, data)?;
    // GNU tar ends the name with one NUL; names with more of them are judged as paths.
    if name.last() == Some(&0) {
        name.pop();
    }
    *slot = Some(name);
    Ok(true)
}

/// Reads an extended header, whose size was checked before memory is given to it.
fn read_extension(size: u64, most: u64, data: &mut dyn Read) -> Result<Vec<u8>, ArchiveError> {
    if size > most {
        let detail = format!("an extended header of {size} bytes: {most} is the most");
        return Err(ArchiveError::whole(Refusal::ExtensionTooLarge, detail));
    }
    let mut bytes = Vec::new();
    data.take(size)
        .read_to_end(&mut bytes)
        .map_err(into_error)?;
    if bytes.len() as u64 != size {
        return Err(truncated("it ends in an extended header"));
    }
    Ok(bytes)
}

/// Two blocks of zeros and nothing but zeros behind them: what follows the end is read by
/// some readers and invisible to others (the archive in an archive's tail).
fn check_end(stream: &mut TarStream<'_>, next: u64) -> Result<(), ArchiveError> {
    let found = stream.given().saturating_sub(next);
    let mut zeros = found;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = stream.read(&mut buffer).map_err(into_error)?;
        if count == 0 {
            break;
        }
        if buffer[..count].iter().any(|it| *it != 0) {
            let detail = "data follows the end of the archive";
            return Err(ArchiveError::whole(Refusal::TrailingData, detail));
        }
        zeros += count as u64;
    }
    if zeros < 1024 {
        return Err(truncated("it has no end marker (two blocks of zeros)"));
    }
    Ok(())
}

/// What the `tar` crate says about a header, or a layer below says through it.
fn tar_error(error: io::Error, is_at_end: bool) -> ArchiveError {
    match ArchiveError::from_io(error) {
        Ok(own) => own,
        Err(_) if is_at_end => truncated("it ends in the middle of an entry"),
        Err(other) => {
            let detail = format!("a header is damaged: {other}");
            ArchiveError::whole(Refusal::HeaderInvalid, detail)
        }
    }
}

/// The refusal of an archive or tree with more entries than the limit.
pub(super) fn too_many_entries() -> ArchiveError {
    let detail = format!("more than {ARCHIVE_ENTRIES_MAX} entries");
    ArchiveError::whole(Refusal::TooManyEntries, detail)
}

fn truncated(detail: &str) -> ArchiveError {
    ArchiveError::whole(Refusal::Truncated, detail)
}

fn extension(detail: &str) -> ArchiveError {
    let detail = format!("extended headers: {detail}");
    ArchiveError::whole(Refusal::ExtensionInvalid, detail)
}
