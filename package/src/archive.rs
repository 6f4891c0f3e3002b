//! Archives: building them so that the same tree gives the same bytes anywhere, and reading
//! ones that a stranger made.
//!
//! Everything that enters or leaves goes through the same rules, so a tree that cannot be
//! unpacked cannot be built either, and both say so with the same code ([`Refusal`]). The
//! `tar` crate only finds the headers; it never writes a file. Nothing here may write outside
//! the folder that it was given, follow a link that an archive made, or hold a file's content
//! in memory.
//!
//! | file | noun |
//! | --- | --- |
//! | `limits` | every limit, by name |
//! | `refusal`, `error` | why something is refused, and what else can fail |
//! | `entry_path`, `fold` | which names are allowed, and which count as the same |
//! | `layout` | what stands where in one archive; collisions and links |
//! | `stream` | from a compressed file to bounded tar bytes |
//! | `header`, `pax`, `member` | from tar bytes to members |
//! | `inspect`, `unpack`, `place` | the first pass, the second, and the move into place |
//! | `chunks`, `arriving` | bytes that still arrive, and the one pass over them for a store |
//! | `crew`, `pieces` | writing on several threads, for a store |
//! | `scan`, `write`, `gzip`, `build` | from a folder to an archive |
//! | `export` | the container of an exported registry |

mod arriving;
mod build;
mod chunks;
mod crew;
mod entry_path;
mod error;
mod export;
mod fold;
mod globs;
mod gzip;
mod header;
mod inspect;
mod layout;
mod limits;
mod links;
mod member;
mod pax;
mod pieces;
mod place;
mod refusal;
mod scan;
mod stage;
mod stream;
mod unpack;
mod write;

use std::collections::BTreeMap;

use crate::archive_format::ArchiveFormat;
use crate::digest::Digest;

pub use arriving::{Arrived, Promise, unpack_arriving};
pub use build::build_archive;
pub use chunks::{Chunks, FileChunks};
pub use entry_path::EntryPath;
pub use error::ArchiveError;
pub use export::{ExportEntry, ExportReader, ExportWriter, export_order};
pub use globs::{ExcludeGlobs, InvalidGlob};
pub use inspect::inspect_archive;
pub use limits::*;
pub use refusal::Refusal;
pub use unpack::unpack_archive;

/// How [`build_archive`] packs a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildOptions {
    /// How the archive is packed.
    pub format: ArchiveFormat,
    /// Globs of what stays behind, relative to the tree; `*` stops at `/`, `**` does not.
    pub exclude: Vec<String>,
    /// Contents that take the place of the tree's own, by path; a path that the tree lacks
    /// is added.
    pub replace: BTreeMap<String, Vec<u8>>,
    /// The one time that every entry carries, in seconds since 1970.
    pub mtime: u64,
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self {
            format: ArchiveFormat::default(),
            exclude: Vec::new(),
            replace: BTreeMap::new(),
            mtime: ARCHIVE_MTIME_DEFAULT,
        }
    }
}

/// What an archive is as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveFacts {
    /// How it is packed.
    pub format: ArchiveFormat,
    /// The sha256 of the file.
    pub digest: Digest,
    /// The file's length in bytes.
    pub size: u64,
    /// The bytes of all regular files, hard links counted as the copies that they become.
    pub unpacked: u64,
    /// How many files, folders and links it lists.
    pub entries: u64,
}

/// What [`inspect_archive`] found in an archive that keeps every rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveReport {
    /// The archive as a whole.
    pub facts: ArchiveFacts,
    /// Its entries, in its order.
    pub entries: Vec<ArchiveEntry>,
    /// The text of `manifest.toml` at its root, where there is one that is readable text of
    /// at most [`MANIFEST_BYTES_MAX`](crate::MANIFEST_BYTES_MAX) bytes.
    pub manifest: Option<String>,
}

/// One file, folder or link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveEntry {
    /// Where it goes, without `./` before or `/` after it.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// A file's length in bytes; 0 for everything else.
    pub size: u64,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file; a hard link reads as the file that it copies.
    File {
        /// Whether anybody may execute it.
        executable: bool,
    },
    /// A folder.
    Folder,
    /// A relative symlink that stays inside.
    Symlink {
        /// What it points at, as written.
        target: String,
    },
}

/// What [`unpack_archive`] wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// The archive.
    pub report: ArchiveReport,
    /// The sha256 of every regular file, by path.
    pub digests: BTreeMap<String, Digest>,
}
