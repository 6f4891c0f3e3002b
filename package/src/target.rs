//! What an archive runs on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What an archive runs on: `any`, or one operating system and processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Target {
    /// Runs everywhere; excludes every other target of the same version.
    #[serde(rename = "any")]
    Any,
    /// Linux on 64-bit x86.
    #[serde(rename = "linux-x86_64")]
    LinuxX86_64,
    /// Linux on 64-bit Arm.
    #[serde(rename = "linux-arm64")]
    LinuxArm64,
    /// macOS on 64-bit x86.
    #[serde(rename = "macos-x86_64")]
    MacosX86_64,
    /// macOS on 64-bit Arm.
    #[serde(rename = "macos-arm64")]
    MacosArm64,
}

impl Target {
    /// Every target, `any` first.
    pub const ALL: [Self; 5] = [
        Self::Any,
        Self::LinuxX86_64,
        Self::LinuxArm64,
        Self::MacosX86_64,
        Self::MacosArm64,
    ];

    /// The word used in archive names, JSON and text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::LinuxX86_64 => "linux-x86_64",
            Self::LinuxArm64 => "linux-arm64",
            Self::MacosX86_64 => "macos-x86_64",
            Self::MacosArm64 => "macos-arm64",
        }
    }

    /// The target that this program was built for, or `None` on a machine that we have
    /// no archives for (only `any` archives install there).
    pub const fn host() -> Option<Self> {
        if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            Some(Self::LinuxX86_64)
        } else if cfg!(all(target_os = "linux", target_arch = "aarch64")) {
            Some(Self::LinuxArm64)
        } else if cfg!(all(target_os = "macos", target_arch = "x86_64")) {
            Some(Self::MacosX86_64)
        } else if cfg!(all(target_os = "macos", target_arch = "aarch64")) {
            Some(Self::MacosArm64)
        } else {
            None
        }
    }

    /// Whether an archive for this target runs on a machine of target `machine`.
    pub fn runs_on(self, machine: Self) -> bool {
        self == Self::Any || self == machine
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text is no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a target: expected `any`, `linux-x86_64`, `linux-arm64`, `macos-x86_64` or \
     `macos-arm64`"
)]
pub struct UnknownTarget(String);

impl FromStr for Target {
    type Err = UnknownTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|it| it.as_str() == text)
            .ok_or_else(|| UnknownTarget(text.to_owned()))
    }
}
