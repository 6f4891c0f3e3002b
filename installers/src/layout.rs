//! Where each kind of package lands, and what its manifest makes of its files.
//!
//! Defaults where `[install]` is silent: `bin` is every executable file directly in `bin/`
//! for core, platform and extensions (the core's own `bin/provisioning` left out, since
//! that command is the client's), none for workspace and client; `cli` is the core's
//! `cli/provisioning`, else its `bin/provisioning`; `config` is empty.

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use provisioning_package::{ArchiveEntry, EntryKind, Kind, Manifest, PackageName, VersionReq};

use crate::error::InstallError;

/// The client's own command, which no package may take.
pub(crate) const CLIENT_COMMAND: &str = "provisioning";

/// Where the core's command line is when its manifest does not say.
const CLI_DEFAULTS: [&str; 2] = ["cli/provisioning", "bin/provisioning"];

/// What an install makes of one package's files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Commands, and the file that each is.
    pub commands: BTreeMap<String, String>,
    /// The file that gets unknown subcommands; core only.
    pub cli: Option<String>,
    /// Configuration files.
    pub config: Vec<String>,
    /// Packages that it needs; those that it only bounds are left out.
    pub dependencies: BTreeMap<PackageName, VersionReq>,
    /// Commands that it needs at run time.
    pub requires: BTreeMap<String, VersionReq>,
}

/// Where a package's tree stands in a generation.
pub(crate) fn place(kind: Kind, name: &PackageName) -> String {
    match kind {
        Kind::Core => "lib/provisioning/core".to_owned(),
        Kind::Platform => "share/provisioning/platform".to_owned(),
        Kind::Extension => format!("share/provisioning/extensions/{name}"),
        Kind::Workspace => "share/provisioning/templates".to_owned(),
        // The client is in no generation; this is where `self update` keeps it.
        Kind::Client => "lib/provisioning/client".to_owned(),
    }
}

impl Contents {
    /// Decides what an install makes of an archive's entries.
    pub fn read(manifest: &Manifest, entries: &[ArchiveEntry]) -> Result<Self, InstallError> {
        let commands = match manifest.install.bin.as_slice() {
            [] => default_commands(manifest.kind, entries),
            declared => declared_commands(manifest, declared, entries)?,
        };
        Ok(Self {
            commands,
            cli: command_line(manifest, entries)?,
            config: config_files(&manifest.install.config, entries),
            dependencies: manifest
                .dependencies
                .iter()
                .filter(|(_, it)| !it.optional)
                .map(|(name, it)| (name.clone(), it.req.clone()))
                .collect(),
            requires: manifest.requires.clone(),
        })
    }
}

fn default_commands(kind: Kind, entries: &[ArchiveEntry]) -> BTreeMap<String, String> {
    match kind {
        Kind::Core | Kind::Platform | Kind::Extension => entries
            .iter()
            .filter_map(|it| Some((it.path.strip_prefix("bin/")?, it)))
            .filter(|(name, it)| {
                !name.contains('/') && *name != CLIENT_COMMAND && may_run(&it.kind)
            })
            .map(|(name, it)| (name.to_owned(), it.path.clone()))
            .collect(),
        Kind::Workspace | Kind::Client => BTreeMap::new(),
    }
}

fn declared_commands(
    manifest: &Manifest,
    declared: &[String],
    entries: &[ArchiveEntry],
) -> Result<BTreeMap<String, String>, InstallError> {
    declared
        .iter()
        .map(|path| {
            let path = path.trim_start_matches("./");
            if !is_executable(entries, path) {
                return Err(no_such_command(manifest, path));
            }
            let name = path.rsplit('/').next().unwrap_or(path);
            Ok((name.to_owned(), path.to_owned()))
        })
        .collect()
}

fn command_line(
    manifest: &Manifest,
    entries: &[ArchiveEntry],
) -> Result<Option<String>, InstallError> {
    if manifest.kind != Kind::Core {
        return Ok(None);
    }
    match &manifest.install.cli {
        Some(path) => {
            let path = path.trim_start_matches("./");
            if is_executable(entries, path) {
                Ok(Some(path.to_owned()))
            } else {
                Err(no_such_command(manifest, path))
            }
        }
        None => Ok(CLI_DEFAULTS
            .into_iter()
            .find(|it| is_executable(entries, it))
            .map(str::to_owned)),
    }
}

/// Regular files that a glob of `config` matches; `*` stays inside one folder.
fn config_files(globs: &[String], entries: &[ArchiveEntry]) -> Vec<String> {
    let Some(set) = glob_set(globs) else {
        return Vec::new();
    };
    entries
        .iter()
        .filter(|it| matches!(it.kind, EntryKind::File { .. }) && set.is_match(&it.path))
        .map(|it| it.path.clone())
        .collect()
}

/// `None` when there is nothing to match; a glob that does not parse was refused with the
/// manifest and matches nothing here.
fn glob_set(globs: &[String]) -> Option<GlobSet> {
    let mut builder = GlobSetBuilder::new();
    for glob in globs {
        let glob = glob.trim_start_matches("./");
        if let Ok(parsed) = GlobBuilder::new(glob).literal_separator(true).build() {
            builder.add(parsed);
        }
    }
    builder.build().ok().filter(|it| !it.is_empty())
}

/// Whether `path` is something that may be run.
fn is_executable(entries: &[ArchiveEntry], path: &str) -> bool {
    let entry = entries.iter().find(|it| it.path == path);
    entry.is_some_and(|it| may_run(&it.kind))
}

/// An executable file, or a link (whose end the archive rules keep inside the package).
fn may_run(kind: &EntryKind) -> bool {
    match kind {
        EntryKind::File { executable } => *executable,
        EntryKind::Symlink { .. } => true,
        EntryKind::Folder => false,
    }
}

fn no_such_command(manifest: &Manifest, path: &str) -> InstallError {
    InstallError::NoSuchCommand {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        path: path.to_owned(),
    }
}
