//! What was unpacked into one store folder: the digest of every file, kept outside the
//! package's own tree so that nothing in a package can speak for itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use provisioning_package::{ArchiveEntry, Digest, EntryKind, Kind, Manifest, PackageName, Version};
use serde::{Deserialize, Serialize};

use crate::durable;
use crate::error::InstallError;
use crate::layout::Contents;
use crate::prefix::Prefix;

/// The newest form of receipt that this code reads and writes.
pub const RECEIPT_SCHEMA: u32 = 1;

/// What one store folder holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// [`RECEIPT_SCHEMA`] when it was written.
    pub schema: u32,
    /// The archive.
    pub digest: Digest,
    /// Its kind.
    pub kind: Kind,
    /// Its package.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// Regular files.
    pub files: BTreeMap<String, ReceiptFile>,
    /// Links, and where each points.
    #[serde(default)]
    pub links: BTreeMap<String, String>,
    /// Folders.
    #[serde(default)]
    pub folders: Vec<String>,
}

/// One regular file of a store folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptFile {
    /// The sha256 of its bytes.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Whether it may be run.
    #[serde(default)]
    pub executable: bool,
}

impl Receipt {
    /// The receipt of a store folder; `None` when that archive was never unpacked whole.
    pub fn read(prefix: &Prefix, digest: &Digest) -> Result<Option<Self>, InstallError> {
        let path = prefix.receipt(digest);
        match fs::read(&path) {
            Ok(bytes) => durable::from_json(&path, &bytes, RECEIPT_SCHEMA).map(Some),
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(problem) => Err(InstallError::io("read", &path, problem)),
        }
    }

    /// What an unpacked archive became.
    pub(crate) fn of(
        manifest: &Manifest,
        digest: Digest,
        entries: &[ArchiveEntry],
        digests: &[Option<Digest>],
    ) -> Self {
        let mut receipt = Self {
            schema: RECEIPT_SCHEMA,
            digest,
            kind: manifest.kind,
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            files: BTreeMap::new(),
            links: BTreeMap::new(),
            folders: Vec::new(),
        };
        for (entry, digest) in entries.iter().zip(digests) {
            match &entry.kind {
                EntryKind::File { executable } => {
                    let Some(digest) = digest else { continue };
                    let file = ReceiptFile {
                        digest: *digest,
                        size: entry.size,
                        executable: *executable,
                    };
                    receipt.files.insert(entry.path.clone(), file);
                }
                EntryKind::Folder => receipt.folders.push(entry.path.clone()),
                EntryKind::Symlink { target } => {
                    receipt.links.insert(entry.path.clone(), target.clone());
                }
            }
        }
        receipt
    }

    /// Every folder, also those that the archive only names in the paths of others; the
    /// package's own, whose path is empty, comes first.
    pub(crate) fn all_folders(&self) -> BTreeSet<String> {
        let above = |path: &String| -> Vec<String> {
            let above = Path::new(path).ancestors().skip(1);
            above
                .filter_map(|it| it.to_str().map(str::to_owned))
                .collect()
        };
        let mut folders: BTreeSet<String> = self.folders.iter().cloned().collect();
        let inside = self
            .files
            .keys()
            .chain(self.links.keys())
            .chain(&self.folders);
        folders.extend(inside.flat_map(above));
        folders.insert(String::new());
        folders
    }

    /// The entries again, as the archive listed them.
    pub(crate) fn entries(&self) -> Vec<ArchiveEntry> {
        let files = self.files.iter().map(|(path, it)| ArchiveEntry {
            path: path.clone(),
            kind: EntryKind::File {
                executable: it.executable,
            },
            size: it.size,
        });
        let links = self.links.iter().map(|(path, target)| ArchiveEntry {
            path: path.clone(),
            kind: EntryKind::Symlink {
                target: target.clone(),
            },
            size: 0,
        });
        files.chain(links).collect()
    }

    /// What an install makes of the store folder, from its own manifest.
    pub(crate) fn contents(&self, prefix: &Prefix) -> Result<Contents, InstallError> {
        let path = prefix.store_folder(&self.digest).join(Manifest::FILE);
        let text = fs::read_to_string(&path).map_err(|it| InstallError::io("read", &path, it))?;
        let parsed = Manifest::parse(&text).map_err(|source| InstallError::Manifest {
            name: self.name.clone(),
            source,
        })?;
        Contents::read(&parsed.manifest, &self.entries())
    }
}
