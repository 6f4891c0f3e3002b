//! Why an archive, or a tree that should become one, is refused.

/// Why an archive, or a tree that should become one, is refused. The same reason has the same
/// code at build, at publish and at unpack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// The file is longer than the limit.
    TooLarge,
    /// Neither zstd nor gzip.
    UnknownFormat,
    /// The compressed data is damaged.
    Corrupt,
    /// It ends before its end marker.
    Truncated,
    /// A zstd frame wants more memory than readers have to give.
    WindowTooLarge,
    /// A zstd frame that every reader skips.
    SkippableFrame,
    /// More zstd frames or gzip members than the limit.
    TooManyFrames,
    /// Something follows the end.
    TrailingData,
    /// It grows more than any honest archive.
    ExpansionRatio,
    /// Its files take more room than the limit.
    UnpackedTooLarge,
    /// It lists more than the limit.
    TooManyEntries,
    /// Its paths take more memory than the limit.
    NamesTooLarge,
    /// A tar header that readers would understand differently.
    HeaderInvalid,
    /// An extended header and the header after it name different sizes.
    SizeDisagrees,
    /// An extended header that is malformed or means what we do not know.
    ExtensionInvalid,
    /// An extended header longer than the limit.
    ExtensionTooLarge,
    /// A sparse file.
    SparseFile,
    /// A block or character device.
    Device,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// Any other kind of entry.
    EntryType,
    /// setuid, setgid, sticky, or a capability.
    SpecialMode,
    /// A folder or link that carries data.
    UnexpectedData,
    /// A path without a name, or with an empty one in it.
    PathEmpty,
    /// A path that begins with `/`.
    PathAbsolute,
    /// A path with `..` in it.
    PathEscapes,
    /// A path with `.` in it, other than at its beginning.
    PathDot,
    /// A path with a control character in it.
    PathControl,
    /// A path that is not UTF-8.
    PathNotUtf8,
    /// A path or a name longer than the limit.
    PathTooLong,
    /// A path deeper than the limit.
    PathTooDeep,
    /// A file whose name ends like a folder's.
    PathSlash,
    /// The same path twice.
    Duplicate,
    /// Two paths that are one on some file systems.
    Collision,
    /// A path that is a file for one entry and a folder for another.
    Conflict,
    /// A path that leads through a link.
    ThroughSymlink,
    /// A link to an absolute path.
    SymlinkAbsolute,
    /// A link that leads out of the archive.
    SymlinkEscapes,
    /// A link whose target is no path.
    SymlinkInvalid,
    /// A hard link to something else than an earlier file.
    HardLinkTarget,
}

impl Refusal {
    /// Every reason, for documentation and tests.
    pub const ALL: [Self; 40] = [
        Self::TooLarge,
        Self::UnknownFormat,
        Self::Corrupt,
        Self::Truncated,
        Self::WindowTooLarge,
        Self::SkippableFrame,
        Self::TooManyFrames,
        Self::TrailingData,
        Self::ExpansionRatio,
        Self::UnpackedTooLarge,
        Self::TooManyEntries,
        Self::NamesTooLarge,
        Self::HeaderInvalid,
        Self::SizeDisagrees,
        Self::ExtensionInvalid,
        Self::ExtensionTooLarge,
        Self::SparseFile,
        Self::Device,
        Self::Fifo,
        Self::Socket,
        Self::EntryType,
        Self::SpecialMode,
        Self::UnexpectedData,
        Self::PathEmpty,
        Self::PathAbsolute,
        Self::PathEscapes,
        Self::PathDot,
        Self::PathControl,
        Self::PathNotUtf8,
        Self::PathTooLong,
        Self::PathTooDeep,
        Self::PathSlash,
        Self::Duplicate,
        Self::Collision,
        Self::Conflict,
        Self::ThroughSymlink,
        Self::SymlinkAbsolute,
        Self::SymlinkEscapes,
        Self::SymlinkInvalid,
        Self::HardLinkTarget,
    ];

    /// The stable code, for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "archive-too-large",
            Self::UnknownFormat => "archive-format-unknown",
            Self::Corrupt => "archive-corrupt",
            Self::Truncated => "archive-truncated",
            Self::WindowTooLarge => "archive-window-too-large",
            Self::SkippableFrame => "archive-skippable-frame",
            Self::TooManyFrames => "archive-too-many-frames",
            Self::TrailingData => "archive-trailing-data",
            Self::ExpansionRatio => "archive-expansion-ratio",
            Self::UnpackedTooLarge => "archive-unpacked-too-large",
            Self::TooManyEntries => "archive-too-many-entries",
            Self::NamesTooLarge => "archive-names-too-large",
            Self::HeaderInvalid => "archive-header-invalid",
            Self::SizeDisagrees => "archive-size-disagrees",
            Self::ExtensionInvalid => "archive-extension-invalid",
            Self::ExtensionTooLarge => "archive-extension-too-large",
            Self::SparseFile => "archive-sparse-file",
            Self::Device => "archive-device",
            Self::Fifo => "archive-fifo",
            Self::Socket => "archive-socket",
            Self::EntryType => "archive-entry-type",
            Self::SpecialMode => "archive-special-mode",
            Self::UnexpectedData => "archive-unexpected-data",
            Self::PathEmpty => "archive-path-empty",
            Self::PathAbsolute => "archive-path-absolute",
            Self::PathEscapes => "archive-path-escapes",
            Self::PathDot => "archive-path-dot",
            Self::PathControl => "archive-path-control-character",
            Self::PathNotUtf8 => "archive-path-not-utf8",
            Self::PathTooLong => "archive-path-too-long",
            Self::PathTooDeep => "archive-path-too-deep",
            Self::PathSlash => "archive-path-trailing-slash",
            Self::Duplicate => "archive-duplicate-entry",
            Self::Collision => "archive-name-collision",
            Self::Conflict => "archive-path-conflict",
            Self::ThroughSymlink => "archive-path-through-symlink",
            Self::SymlinkAbsolute => "archive-symlink-absolute",
            Self::SymlinkEscapes => "archive-symlink-escapes",
            Self::SymlinkInvalid => "archive-symlink-invalid",
            Self::HardLinkTarget => "archive-hard-link-target",
        }
    }
}
