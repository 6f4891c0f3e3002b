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

mod archive_format;
mod bundle_name;
mod digest;
mod extension_type;
mod kind;
mod name;
mod spec;
mod target;

pub use archive_format::{ArchiveFormat, archive_file_name};
pub use bundle_name::{BUNDLE_NAME_CHARS_MAX, BundleName, InvalidBundleName};
pub use digest::{Digest, Hasher, HashingReader, HashingWriter, InvalidDigest};
pub use extension_type::{ExtensionType, UnknownExtensionType};
pub use kind::{Kind, UnknownKind};
pub use name::{CHANNELS, InvalidName, NAME_CHARS_MAX, PackageName};
pub use semver::{Version, VersionReq};
pub use spec::{InvalidSpec, SPEC_BYTES_MAX, Selector, Spec};
pub use target::{Target, UnknownTarget};
