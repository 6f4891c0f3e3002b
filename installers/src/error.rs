//! Why an install was refused or failed, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use provisioning_package::{ArchiveError, Digest, ManifestErrors, PackageName, Version};

use crate::lock::Holder;

/// Why an install was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Another process writes to this prefix.
    #[error("the prefix `{}` is locked by {holder}", path.display())]
    Locked {
        /// The prefix.
        path: PathBuf,
        /// Who holds it, as far as is known.
        holder: Holder,
    },
    /// The user may not write where the install must.
    #[error("cannot write `{}`", path.display())]
    NotWritable {
        /// What could not be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no room.
    #[error("the disk that holds `{}` is full", path.display())]
    DiskFull {
        /// What could not be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Any other file error.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried: a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something stands where only our own files may.
    #[error("`{}` is not ours", path.display())]
    Foreign {
        /// What stands there.
        path: PathBuf,
    },
    /// A file stands where a folder of the prefix must be.
    #[error("`{}` is no folder", path.display())]
    NotAFolder {
        /// What stands there.
        path: PathBuf,
    },
    /// A newer client wrote this state.
    #[error("`{}` was written by a newer client (schema {schema}, this one reads {})", path.display(), crate::GENERATION_SCHEMA)]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        schema: u64,
    },
    /// One of our own files cannot be read any more.
    #[error("`{}` is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Two owners for one path.
    #[error("{}", one_per_line(.0))]
    Collisions(Vec<Collision>),
    /// An archive breaks a rule.
    #[error("the archive of `{name}` is refused")]
    Archive {
        /// Whose archive.
        name: PackageName,
        /// The rule.
        source: ArchiveError,
    },
    /// An archive's manifest cannot be read.
    #[error("the manifest of `{name}` is refused: {}", notes(source))]
    Manifest {
        /// Whose manifest.
        name: PackageName,
        /// Everything that is wrong with it.
        source: ManifestErrors,
    },
    /// An archive is not what the registry's signed index says.
    #[error("the archive of `{name}` is not what the registry signed: {reason}")]
    Mismatch {
        /// Whose archive.
        name: PackageName,
        /// What differs.
        reason: String,
    },
    /// A manifest names a command that the archive has not got.
    #[error(
        "`{name}` {version} names `{path}` as a command, which is no executable file of its archive"
    )]
    NoSuchCommand {
        /// Whose manifest.
        name: PackageName,
        /// Its version.
        version: Version,
        /// The path that it names.
        path: String,
    },
    /// Another prefix's tree could not be taken: it went away, or is not what its receipt says.
    #[error("cannot take what another prefix has unpacked")]
    NotShared(#[source] Box<Self>),
    /// Neither the store nor the caller has this archive.
    #[error("`{name}` {version} ({}) is not in the store", digest.prefixed())]
    NotInStore {
        /// The package.
        name: PackageName,
        /// Its version.
        version: Version,
        /// Its archive.
        digest: Digest,
    },
    /// Another writer changed the prefix after the plan was made.
    #[error("generation {found:?} is current, the plan was made for {expected:?}")]
    Stale {
        /// What the plan was made for.
        expected: Option<u64>,
        /// What is current.
        found: Option<u64>,
    },
    /// Something failed after the switch: what is left to do, the next command does.
    #[error(
        "generation {generation} is current, but its links and configuration files are not all in place"
    )]
    Unfinished {
        /// The generation.
        generation: u64,
        /// What failed.
        source: Box<InstallError>,
    },
    /// A rollback to something that is not there.
    #[error("{0}")]
    NoGeneration(String),
}

/// Two owners for one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collision {
    /// The path under the prefix.
    pub path: PathBuf,
    /// The package that wants it.
    pub wanted_by: String,
    /// Who has it, as words.
    pub owner: String,
}

impl fmt::Display for Collision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is wanted by {} but belongs to {}",
            self.path.display(),
            self.wanted_by,
            self.owner
        )
    }
}

impl InstallError {
    /// Wraps a file error, and tells "not allowed" from everything else.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        let is_forbidden = matches!(
            source.kind(),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
        );
        let is_full = matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        );
        if is_full {
            return Self::DiskFull { path, source };
        }
        if is_forbidden && action != "read" {
            return Self::NotWritable { path, source };
        }
        Self::Io {
            action,
            path,
            source,
        }
    }

    /// The stable word for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Locked { .. } => "lock-held",
            Self::NotWritable { .. } => "not-writable",
            Self::DiskFull { .. } => "disk-full",
            Self::Io { .. } => "io",
            Self::Foreign { .. } => "foreign-file",
            Self::NotAFolder { .. } => "not-a-folder",
            Self::Newer { .. } => "newer-client",
            Self::Damaged { .. } => "damaged-state",
            Self::Collisions(_) => "collision",
            Self::Archive { .. } => "archive-refused",
            Self::Manifest { .. } => "manifest-refused",
            Self::Mismatch { .. } => "digest-mismatch",
            Self::NoSuchCommand { .. } => "no-such-command",
            Self::NotInStore { .. } => "not-in-store",
            Self::NotShared(_) => "not-shared",
            Self::Stale { .. } => "stale-plan",
            Self::NoGeneration(_) => "no-generation",
            Self::Unfinished { .. } => "unfinished",
        }
    }

    /// Whether another writer holds the lock (exit 6).
    pub const fn is_locked(&self) -> bool {
        matches!(self, Self::Locked { .. })
    }

    /// Whether bytes are not what they must be (exit 4).
    pub const fn is_verification(&self) -> bool {
        matches!(
            self,
            Self::Archive { .. } | Self::Manifest { .. } | Self::Mismatch { .. }
        )
    }

    /// What to do about it, as sentences with commands.
    pub fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Locked { .. } => "wait for it, or give it longer with `--lock-timeout 600`".into(),
            Self::NotWritable { source, .. } if source.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                "its file system is mounted read-only: mount it for writing, or use another prefix with `--prefix`".into()
            }
            Self::NotAFolder { .. } => "name the folder to install under with `--prefix`".into(),
            Self::NotWritable { .. } => {
                "use a prefix that you own (`--prefix ~/.provisioning`), or run as the owner of this one".into()
            }
            Self::Foreign { path } => format!(
                "move `{}` away, or use another prefix with `--prefix`",
                path.display()
            ),
            Self::Newer { .. } => "update this client: `provisioning self update`".into(),
            Self::Damaged { .. } => "mend it: `provisioning verify --repair`".into(),
            Self::DiskFull { .. } => {
                "make room (`provisioning gc` removes old generations, `provisioning cache prune` downloads), then run the same command again".into()
            }
            Self::Collisions(_) => {
                "move the file away, uninstall one of the two packages, or use another prefix with `--prefix`; nothing was changed".into()
            }
            Self::NotShared(_) => "run the same command again".into(),
            Self::NotInStore { name, version, .. } => {
                format!("fetch it again: `provisioning install {name}@{version}`")
            }
            Self::Unfinished { source, .. } => {
                let mut hints = source.hints();
                hints.push("the next command finishes it: `provisioning list`".into());
                return hints;
            }
            Self::NoGeneration(_) => "`provisioning history` lists the generations".into(),
            Self::Archive { .. } | Self::Manifest { .. } | Self::Mismatch { .. } | Self::NoSuchCommand { .. } => {
                "tell the package's author; nothing was changed".into()
            }
            Self::Stale { .. } => "run the command again".into(),
            Self::Io { action: "read", path, source } if source.kind() == io::ErrorKind::PermissionDenied => {
                format!("`ls -ld {}` shows who may read it: run this as its owner", path.display())
            }
            Self::Io { action: "read", .. } => {
                "look after the disk; `provisioning verify --repair` mends what is damaged".into()
            }
            Self::Io { .. } => {
                "look after the disk, then run the same command again: what is installed is whole".into()
            }
        };
        vec![hint]
    }
}

fn one_per_line(collisions: &[Collision]) -> String {
    let lines: Vec<_> = collisions.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

fn notes(errors: &ManifestErrors) -> String {
    let lines: Vec<_> = errors
        .0
        .iter()
        .map(|it| format!("line {}: {}", it.line, it.message))
        .collect();
    lines.join("; ")
}
