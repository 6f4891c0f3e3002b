//! How an archive is packed, and what its file is called.

use std::fmt;

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::name::PackageName;
use crate::target::Target;

/// How an archive is packed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ArchiveFormat {
    /// zstd, the default.
    #[default]
    #[serde(rename = "tar.zst")]
    TarZst,
    /// gzip, for bare machines and old tools.
    #[serde(rename = "tar.gz")]
    TarGz,
}

impl ArchiveFormat {
    /// The file ending without its first dot, also used in JSON and text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TarZst => "tar.zst",
            Self::TarGz => "tar.gz",
        }
    }

    /// The format that the first bytes of a file tell (RFC 8878 section 3.1.1, RFC 1952
    /// section 2.3.1); its name plays no part.
    pub fn sniff(head: &[u8]) -> Option<Self> {
        if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Some(Self::TarZst)
        } else if head.starts_with(&[0x1f, 0x8b]) {
            Some(Self::TarGz)
        } else {
            None
        }
    }
}

impl fmt::Display for ArchiveFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What an archive's file is called: `provisioning-ext-mongodb-1.2.0.tar.zst`; the target
/// is left out for `any`.
pub fn archive_file_name(
    name: &PackageName,
    version: &Version,
    target: Target,
    format: ArchiveFormat,
) -> String {
    let full = name.full();
    match target {
        Target::Any => format!("{full}-{version}.{format}"),
        Target::LinuxX86_64 | Target::LinuxArm64 | Target::MacosX86_64 | Target::MacosArm64 => {
            format!("{full}-{version}-{target}.{format}")
        }
    }
}
