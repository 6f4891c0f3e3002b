//! The first pass: every rule and every limit, and nothing written.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::error::ArchiveError;
use super::error::NAMELESS;
use super::layout::Layout;
use super::links::check_links;
use super::member::{MemberKind, walk};
use super::stream::{check_expansion, into_error};
use super::{ArchiveFacts, ArchiveReport};
use crate::manifest::{MANIFEST_BYTES_MAX, Manifest};

/// Reads a whole archive and checks every rule and every limit; writes nothing. Memory is
/// constant but for the list of entries.
pub fn inspect_archive(file: &Path) -> Result<ArchiveReport, ArchiveError> {
    inspect_file(&mut open_archive(file)?).map_err(|it| with_path(it, file))
}

/// Opens an archive; only a regular file can be read twice.
pub(super) fn open_archive(path: &Path) -> Result<File, ArchiveError> {
    let metadata = std::fs::metadata(path).map_err(ArchiveError::io("read", path))?;
    if !metadata.is_file() {
        let source =
            std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is not a regular file");
        return Err(ArchiveError::io("read", path)(source));
    }
    File::open(path).map_err(ArchiveError::io("open", path))
}

pub(super) fn inspect_file(file: &mut File) -> Result<ArchiveReport, ArchiveError> {
    let mut layout = Layout::new();
    let mut manifest = None;
    let walked = walk(file, &mut |member, data| {
        let is_manifest = member.path == Manifest::FILE;
        let readable = matches!(
            &member.kind,
            MemberKind::File { size, .. } if *size <= MANIFEST_BYTES_MAX as u64
        );
        layout.add(member)?;
        if is_manifest && readable {
            manifest = read_text(data)?;
        }
        Ok(())
    })?;
    check_links(&mut layout)?;
    check_expansion(layout.unpacked(), walked.size)?;
    let facts = ArchiveFacts {
        format: walked.format,
        digest: walked.digest,
        size: walked.size,
        unpacked: layout.unpacked(),
        entries: layout.entries.len() as u64,
    };
    Ok(ArchiveReport {
        facts,
        entries: layout.entries,
        manifest,
    })
}

pub(super) fn read_text(data: &mut dyn Read) -> Result<Option<String>, ArchiveError> {
    let mut bytes = Vec::new();
    data.read_to_end(&mut bytes).map_err(into_error)?;
    Ok(String::from_utf8(bytes).ok())
}

/// Names the file that could not be read: the layers below know it as [`NAMELESS`].
pub(super) fn with_path(mut error: ArchiveError, file: &Path) -> ArchiveError {
    if let ArchiveError::Io { path, .. } = &mut error
        && path == Path::new(NAMELESS)
    {
        file.clone_into(path);
    }
    error
}
