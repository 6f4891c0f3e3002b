//! Working copies that stand in the place of installed packages.
//!
//! A link is laid over what is installed: the package below it, if there is one, stays as
//! it was solved and comes back when the link goes. So no solve ever sees a working copy,
//! and nothing of it is copied: what its author saves is what runs.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use provisioning_package::{
    ARCHIVE_ENTRIES_MAX, ArchiveEntry, EntryKind, Kind, Manifest, PackageName, Version, VersionReq,
};
use serde::{Deserialize, Serialize};

use crate::error::InstallError;
use crate::generation::Generation;
use crate::layout::Contents;
use crate::plan::{Choice, NewState, Plan, plan};

/// Folders of a working copy that are no part of its package.
const SKIPPED: [&str; 3] = [".git", "target", "node_modules"];

/// A working copy, and what an install makes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linked {
    /// The kind that its manifest states.
    pub kind: Kind,
    /// The name that its manifest states.
    pub name: PackageName,
    /// The version that its manifest stated when it was linked.
    pub version: Version,
    /// The folder, absolute.
    pub path: PathBuf,
    /// Commands in `P/bin`, and the file of the folder that each is.
    #[serde(default)]
    pub commands: BTreeMap<String, String>,
    /// The file that gets every subcommand that the client does not know; core only.
    #[serde(default)]
    pub cli: Option<String>,
    /// Commands that it needs at run time.
    #[serde(default)]
    pub requires: BTreeMap<String, VersionReq>,
}

impl Linked {
    /// Reads the working copy in `folder`, whose manifest is `manifest`.
    pub fn read(folder: &Path, manifest: &Manifest) -> Result<Self, InstallError> {
        let path = fs::canonicalize(folder).map_err(|it| InstallError::io("read", folder, it))?;
        let mut entries = Vec::new();
        list(&path, &path, &mut entries)?;
        let contents = Contents::read(manifest, &entries)?;
        Ok(Self {
            kind: manifest.kind,
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            path,
            commands: contents.commands,
            cli: contents.cli,
            requires: contents.requires,
        })
    }

    /// Whether the folder is still a package's.
    pub fn is_there(&self) -> bool {
        self.path.join(Manifest::FILE).is_file()
    }

    /// As the rest of this crate sees what an install makes of a package. Configuration
    /// stays the installed package's.
    pub(crate) fn contents(&self) -> Contents {
        Contents {
            commands: self.commands.clone(),
            cli: self.cli.clone(),
            config: Vec::new(),
            dependencies: BTreeMap::new(),
            requires: self.requires.clone(),
        }
    }
}

/// The plan that lays a working copy over what is installed. One of the same package that
/// is there already gives way.
pub fn plan_link(current: Option<&Generation>, linked: Linked, reason: String) -> Plan {
    let mut plan = unchanged(current, reason);
    plan.linked.retain(|it| it.name != linked.name);
    plan.linked.push(linked);
    plan.linked
        .sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    plan
}

/// The plan that takes working copies away.
pub fn plan_unlink(current: &Generation, names: &[PackageName], reason: String) -> Plan {
    let mut plan = unchanged(Some(current), reason);
    plan.linked.retain(|it| !names.contains(&it.name));
    plan
}

fn unchanged(current: Option<&Generation>, reason: String) -> Plan {
    let packages = current.into_iter().flat_map(|it| &it.packages);
    let mut plan = plan(
        current,
        NewState {
            packages: packages.map(Choice::of).collect(),
            requests: current.map(|it| it.requests.clone()).unwrap_or_default(),
            reason,
            warnings: Vec::new(),
        },
    );
    plan.changes_requests = true;
    plan
}

/// The files of a working copy, as an archive of it would list them.
fn list(root: &Path, folder: &Path, entries: &mut Vec<ArchiveEntry>) -> Result<(), InstallError> {
    let failed = |it| InstallError::io("read", folder, it);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let facts = entry.metadata().map_err(failed)?;
        let path = entry.path();
        let is_skipped = SKIPPED.iter().any(|it| entry.file_name() == *it);
        let Some(inside) = path.strip_prefix(root).ok().and_then(Path::to_str) else {
            continue;
        };
        if facts.is_dir() {
            if !is_skipped {
                list(root, &path, entries)?;
            }
            continue;
        }
        if entries.len() as u64 >= ARCHIVE_ENTRIES_MAX {
            return Ok(());
        }
        let kind = if facts.is_symlink() {
            EntryKind::Symlink {
                target: String::new(),
            }
        } else {
            EntryKind::File {
                executable: facts.permissions().mode() & 0o111 != 0,
            }
        };
        entries.push(ArchiveEntry {
            path: inside.to_owned(),
            kind,
            size: facts.len(),
        });
    }
    Ok(())
}
