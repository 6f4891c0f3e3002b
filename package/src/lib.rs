//! What a package is: its name, version, manifest, archive and digest.
//!
//! This crate is the vocabulary of all others. It does no I/O but reading and writing
//! archives, knows no async, and is the only place that uses `tar`, `zstd` and `sha2`.
//!
//! | file | noun |
//! | --- | --- |
//! | `kind` | core, platform, extension, workspace, client |
//! | `name`, `bundle_name` | what packages and bundles are called |
//! | `target` | what an archive runs on |
//! | `spec` | what a user types |
//! | `digest` | sha256, also while streaming |
//! | `manifest` | the author's `manifest.toml` |
//! | `archive` | building, inspecting and unpacking archives; every limit; exports |

mod archive;
mod archive_format;
mod bundle_name;
mod digest;
mod extension_type;
mod kind;
mod manifest;
mod name;
mod spec;
mod target;

pub use archive::{
    ARCHIVE_BYTES_MAX, ARCHIVE_ENTRIES_MAX, ARCHIVE_MTIME_DEFAULT, ARCHIVE_MTIME_MAX,
    ARCHIVE_NAMES_BYTES_MAX, ARCHIVE_STREAM_BYTES_MAX, ARCHIVE_UNPACKED_BYTES_MAX, ArchiveEntry,
    ArchiveError, ArchiveFacts, ArchiveReport, Arrived, BuildOptions, COMPRESSION_FRAMES_MAX,
    Chunks, ENTRY_LEVELS_MAX, ENTRY_NAME_BYTES_MAX, ENTRY_PATH_BYTES_MAX, EXPANSION_FREE_BYTES,
    EXPANSION_RATIO_MAX, EXPORT_ENTRIES_MAX, EXTENDED_HEADER_BYTES_MAX, EXTENDED_HEADERS_BYTES_MAX,
    EntryKind, EntryPath, ExcludeGlobs, ExportEntry, ExportReader, ExportWriter, FileChunks,
    InvalidGlob, Promise, Refusal, Unpacked, ZSTD_WINDOW_BYTES_MAX, ZSTD_WINDOW_LOG_MAX,
    build_archive, export_order, inspect_archive, unpack_archive, unpack_arriving,
};
pub use archive_format::{ArchiveFormat, archive_file_name};
pub use bundle_name::{BUNDLE_NAME_CHARS_MAX, BundleName, InvalidBundleName};
pub use digest::{Digest, Hasher, HashingReader, HashingWriter, InvalidDigest};
pub use extension_type::{ExtensionType, UnknownExtensionType};
pub use kind::{Kind, UnknownKind};
pub use manifest::{
    InstallSection, MANIFEST_BYTES_MAX, Manifest, ManifestDependency, ManifestErrors, ManifestNote,
    ParsedManifest, SourceFacts, TestSection, check_install, complete_manifest,
};
pub use name::{CHANNELS, InvalidName, NAME_CHARS_MAX, PackageName};
pub use semver::{Version, VersionReq};
pub use spec::{InvalidSpec, SPEC_BYTES_MAX, Selector, Spec};
pub use target::{Target, UnknownTarget};
