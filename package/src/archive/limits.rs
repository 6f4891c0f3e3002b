//! Every limit of an archive, by name and with its unit.

/// Longest archive file, in bytes.
pub const ARCHIVE_BYTES_MAX: u64 = 2 * GIB;

/// Most bytes that all files of one archive unpack to.
pub const ARCHIVE_UNPACKED_BYTES_MAX: u64 = 8 * GIB;

/// Most tar bytes, headers and padding included, that one archive decompresses to.
pub const ARCHIVE_STREAM_BYTES_MAX: u64 = 9 * GIB;

/// Most entries of one archive; folders that are only implied are counted apart, by the
/// same limit.
pub const ARCHIVE_ENTRIES_MAX: u64 = 200_000;

/// Longest path of an entry and longest target of a link, in bytes.
pub const ENTRY_PATH_BYTES_MAX: usize = 1024;

/// Longest single name in a path, in bytes: what Linux and macOS file systems take.
pub const ENTRY_NAME_BYTES_MAX: usize = 255;

/// Deepest path, in names.
pub const ENTRY_LEVELS_MAX: usize = 64;

/// Most bytes that all paths and link targets of one archive take together, so that the list
/// of entries stays small in memory.
pub const ARCHIVE_NAMES_BYTES_MAX: u64 = 64 * MIB;

/// Largest zstd window that is read, in bytes; it bounds the memory of every reader.
pub const ZSTD_WINDOW_BYTES_MAX: u64 = 1 << ZSTD_WINDOW_LOG_MAX;

/// The same as a power of two, which is how zstd is told.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Most times that an archive may grow when it is unpacked.
pub const EXPANSION_RATIO_MAX: u64 = 1000;

/// Unpacked bytes up to which growth is not judged: small files of one repeated byte are
/// common and harmless.
pub const EXPANSION_FREE_BYTES: u64 = 64 * MIB;

/// Most zstd frames or gzip members of one archive; parallel compressors write several.
pub const COMPRESSION_FRAMES_MAX: u64 = 65_536;

/// Longest extended header, in bytes; it is the only part of a tar that is read into memory
/// whole, before its content is known.
pub const EXTENDED_HEADER_BYTES_MAX: u64 = 64 * 1024;

/// Most bytes that all extended headers of one archive take together: they cost a reader far
/// more than the file content that they could have been.
pub const EXTENDED_HEADERS_BYTES_MAX: u64 = 256 * MIB;

/// The time of every entry when nobody gives another: 2000-01-01T00:00:00Z. Not 0, which
/// some tools take for "unknown".
pub const ARCHIVE_MTIME_DEFAULT: u64 = 946_684_800;

/// Latest time that a plain tar header can hold, in seconds since 1970.
pub const ARCHIVE_MTIME_MAX: u64 = 0o77_777_777_777;

/// Most files of one exported registry.
pub const EXPORT_ENTRIES_MAX: u64 = 1_000_000;

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;
