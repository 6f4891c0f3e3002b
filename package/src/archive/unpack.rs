//! Unpacking: check everything, write it beside its place, make it durable, move it there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::error::ArchiveError;
use super::inspect::{inspect_file, open_archive, with_path};
use super::member::{Member, MemberKind, walk};
use super::place::{Destination, sync_tree};
use super::stage::Stage;
use super::{ArchiveEntry, ArchiveReport, EntryKind, Unpacked};
use crate::digest::Digest;

/// Unpacks an archive into the folder `to`, which may exist: nothing in it is overwritten or
/// followed. The archive is read twice; the first pass checks every rule and limit and writes
/// nothing, so a refusal leaves everything as it was. Files come out with mode 0644 or 0755,
/// whatever the umask, and belong to whoever unpacks.
pub fn unpack_archive(file: &Path, to: &Path) -> Result<Unpacked, ArchiveError> {
    let mut archive = open_archive(file)?;
    let report = inspect_file(&mut archive).map_err(|it| with_path(it, file))?;
    let digests = unpack_open(&mut archive, file, &report, to)?;
    Ok(Unpacked { report, digests })
}

fn unpack_open(
    archive: &mut File,
    file: &Path,
    report: &ArchiveReport,
    to: &Path,
) -> Result<BTreeMap<String, Digest>, ArchiveError> {
    let destination = Destination::find(to)?;
    destination.check(&report.entries)?;
    let prepared = destination.prepare()?;
    let mut stage = prepared.stage()?;
    let digests =
        write_entries(archive, file, report, &mut stage).map_err(|it| with_path(it, file))?;
    sync_tree(stage.root(), &report.entries)?;
    prepared.commit(stage)?;
    Ok(digests)
}

/// The second pass. The archive may have changed since the first, so every member must be
/// the very one that was checked, and at the end the digest must be the same.
fn write_entries(
    archive: &mut File,
    path: &Path,
    report: &ArchiveReport,
    stage: &mut Stage,
) -> Result<BTreeMap<String, Digest>, ArchiveError> {
    let changed = || ArchiveError::Changed {
        path: path.to_owned(),
    };
    let mut digests = BTreeMap::new();
    let mut expected = report.entries.iter();
    let walked = walk(archive, &mut |member, data| {
        let entry = expected.next().ok_or_else(changed)?;
        if !is_same(&member, entry) {
            return Err(changed());
        }
        write_entry(&member, entry, data, stage, &mut digests).and_then(|length| {
            // The length was promised by the header and checked against every limit.
            if length == entry.size {
                Ok(())
            } else {
                Err(changed())
            }
        })
    });
    let walked = walked?;
    if walked.digest != report.facts.digest || expected.next().is_some() {
        return Err(changed());
    }
    Ok(digests)
}

fn is_same(member: &Member, entry: &ArchiveEntry) -> bool {
    member.path == entry.path
        && match (&member.kind, &entry.kind) {
            (
                MemberKind::File { executable, size },
                EntryKind::File {
                    executable: checked,
                },
            ) => executable == checked && *size == entry.size,
            (MemberKind::HardLink { .. }, EntryKind::File { .. })
            | (MemberKind::Folder, EntryKind::Folder) => true,
            (MemberKind::Symlink { target }, EntryKind::Symlink { target: checked }) => {
                target == checked
            }
            (
                MemberKind::File { .. }
                | MemberKind::HardLink { .. }
                | MemberKind::Folder
                | MemberKind::Symlink { .. },
                EntryKind::File { .. } | EntryKind::Folder | EntryKind::Symlink { .. },
            ) => false,
        }
}

/// Writes one entry and gives how many bytes it has.
fn write_entry(
    member: &Member,
    entry: &ArchiveEntry,
    data: &mut dyn Read,
    stage: &mut Stage,
    digests: &mut BTreeMap<String, Digest>,
) -> Result<u64, ArchiveError> {
    match &member.kind {
        MemberKind::File { executable, .. } => {
            let (digest, length) = stage.add_file(&member.path, *executable, data)?;
            digests.insert(member.path.clone(), digest);
            Ok(length)
        }
        MemberKind::HardLink { to } => {
            let Some(digest) = digests.get(to).copied() else {
                let path = to.into();
                return Err(ArchiveError::Changed { path });
            };
            let executable = entry.kind == EntryKind::File { executable: true };
            stage.copy_file(&member.path, to, executable)?;
            digests.insert(member.path.clone(), digest);
            Ok(entry.size)
        }
        MemberKind::Folder => stage.add_folder(&member.path).map(|()| 0),
        MemberKind::Symlink { target } => stage.add_symlink(&member.path, target).map(|()| 0),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::{BuildOptions, build_archive};

    /// An archive of one file with this content.
    fn archive(name: &str, content: &str) -> Vec<u8> {
        let tree = tempfile::tempdir().unwrap();
        std::fs::write(tree.path().join(name), content).unwrap();
        let mut bytes = Vec::new();
        build_archive(tree.path(), &BuildOptions::default(), &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn an_archive_that_changes_between_the_passes_is_caught() {
        for (name, content) in [("a", "other"), ("b", "first"), ("a", "longer than before")] {
            let home = tempfile::tempdir().unwrap();
            let path = home.path().join("archive");
            std::fs::write(&path, archive("a", "first")).unwrap();
            let mut file = open_archive(&path).unwrap();
            let report = inspect_file(&mut file).unwrap();
            // Rewritten in place: the open file sees it.
            let mut rewritten = File::create(&path).unwrap();
            rewritten.write_all(&archive(name, content)).unwrap();
            let mut stage = Stage::new(home.path()).unwrap();
            let problem = write_entries(&mut file, &path, &report, &mut stage).unwrap_err();
            assert_eq!(problem.code(), "changed-while-read", "{name} {content}");
            drop(stage);
            let left = std::fs::read_dir(home.path()).unwrap().count();
            assert_eq!(left, 1, "the stage is gone");
        }
    }
}
