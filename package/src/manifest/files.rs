//! Whether the files that `[install]` names are in the archive.

use super::Manifest;
use crate::archive::{ArchiveEntry, EntryKind, ExcludeGlobs};

/// What `[install]` promises and the archive lacks, as lower-case phrases: programs that are
/// absent or that nobody may execute, and `config` globs that match no file. Empty when all
/// is well.
pub fn check_install(manifest: &Manifest, entries: &[ArchiveEntry]) -> Vec<String> {
    let install = &manifest.install;
    let programs = install.bin.iter().chain(&install.cli);
    let mut problems: Vec<String> = programs
        .filter_map(|path| program_problem(path, entries))
        .collect();
    for glob in &install.config {
        let Ok(globs) = ExcludeGlobs::new(std::slice::from_ref(glob)) else {
            continue;
        };
        let is_file = |it: &&ArchiveEntry| it.kind != EntryKind::Folder;
        if !entries
            .iter()
            .filter(is_file)
            .any(|it| globs.is_match(&it.path))
        {
            problems.push(format!("`config` names `{glob}`, which matches no file"));
        }
    }
    problems
}

fn program_problem(path: &str, entries: &[ArchiveEntry]) -> Option<String> {
    let Some(entry) = entries.iter().find(|it| it.path == path) else {
        return Some(format!("`{path}` is not in the package"));
    };
    match &entry.kind {
        EntryKind::File { executable: true } | EntryKind::Symlink { .. } => None,
        EntryKind::File { executable: false } => Some(format!(
            "`{path}` is not executable: run `chmod +x {path}` and build again"
        )),
        EntryKind::Folder => Some(format!("`{path}` is a folder, not a program")),
    }
}
