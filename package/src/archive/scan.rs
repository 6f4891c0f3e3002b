//! What a folder holds, judged by the rules for archives before anything is packed.

use std::collections::BTreeMap;
use std::fs::{DirEntry, Metadata};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::entry_path::EntryPath;
use super::error::ArchiveError;
use super::globs::ExcludeGlobs;
use super::layout::Layout;
use super::limits::ARCHIVE_ENTRIES_MAX;
use super::links::check_links;
use super::member::{Member, MemberKind, link_target, too_many_entries};
use super::refusal::Refusal;

/// The name that is left out at every level: a repository's own data, which differs in every
/// clone, and the file of that name in worktrees and submodules, which names a place on the
/// author's machine.
const GIT: &str = ".git";

/// What a folder holds, sorted by path, bytewise.
pub(super) struct Scan {
    pub(super) members: Vec<Member>,
    pub(super) unpacked: u64,
}

/// Reads a folder and judges it: what cannot be unpacked is not packed.
pub(super) fn scan(
    tree: &Path,
    exclude: &ExcludeGlobs,
    replace: &BTreeMap<String, Vec<u8>>,
) -> Result<Scan, ArchiveError> {
    let mut found = BTreeMap::new();
    let mut folders: Vec<(PathBuf, String)> = vec![(tree.to_owned(), String::new())];
    while let Some((folder, above)) = folders.pop() {
        let read = std::fs::read_dir(&folder).map_err(ArchiveError::io("read", &folder))?;
        for entry in read {
            let entry = entry.map_err(ArchiveError::io("read", &folder))?;
            let Some((path, kind)) = look_at(&entry, &above, exclude)? else {
                continue;
            };
            if kind == MemberKind::Folder {
                folders.push((entry.path(), format!("{path}/")));
            }
            found.insert(path, kind);
            if found.len() as u64 > ARCHIVE_ENTRIES_MAX {
                return Err(too_many_entries());
            }
        }
    }
    put_replacements(&mut found, replace)?;
    judge(found)
}

/// One entry of a folder; `None` if it stays behind.
fn look_at(
    entry: &DirEntry,
    above: &str,
    exclude: &ExcludeGlobs,
) -> Result<Option<(String, MemberKind)>, ArchiveError> {
    let name = entry.file_name();
    if name == GIT {
        return Ok(None);
    }
    let path = [above.as_bytes(), name.as_bytes()].concat();
    if std::str::from_utf8(&path).is_ok_and(|it| exclude.matches_itself(it)) {
        return Ok(None);
    }
    let path = EntryPath::parse(&path)?.into_string();
    let on_disk = entry.path();
    let metadata = on_disk
        .symlink_metadata()
        .map_err(ArchiveError::io("look at", &on_disk))?;
    let kind = kind_of(&on_disk, &path, &metadata)?;
    Ok(Some((path, kind)))
}

fn kind_of(on_disk: &Path, path: &str, metadata: &Metadata) -> Result<MemberKind, ArchiveError> {
    let refuse = |refusal, what: &str| Err(ArchiveError::entry(refusal, path, what));
    let kind = metadata.file_type();
    let mode = metadata.permissions().mode();
    if kind.is_dir() {
        // setgid and sticky bits of folders are inherited from where a tree happens to lie,
        // and give nobody anything once the folder is 0755.
        Ok(MemberKind::Folder)
    } else if kind.is_symlink() {
        let target = std::fs::read_link(on_disk).map_err(ArchiveError::io("read", on_disk))?;
        let target = link_target(target.as_os_str().as_bytes(), path)?;
        Ok(MemberKind::Symlink { target })
    } else if kind.is_file() {
        if mode & 0o7000 != 0 {
            return refuse(Refusal::SpecialMode, "a setuid, setgid or sticky bit");
        }
        Ok(MemberKind::File {
            executable: mode & 0o111 != 0,
            size: metadata.len(),
        })
    } else if kind.is_fifo() {
        refuse(Refusal::Fifo, "a named pipe")
    } else if kind.is_socket() {
        refuse(Refusal::Socket, "a socket")
    } else {
        refuse(Refusal::Device, "a device")
    }
}

/// Contents that replace the tree's own keep the mode of the file that they replace.
fn put_replacements(
    found: &mut BTreeMap<String, MemberKind>,
    replace: &BTreeMap<String, Vec<u8>>,
) -> Result<(), ArchiveError> {
    for (path, content) in replace {
        let path = EntryPath::parse(path.as_bytes())?.into_string();
        let executable = matches!(
            found.get(&path),
            Some(MemberKind::File {
                executable: true,
                ..
            })
        );
        let size = content.len() as u64;
        found.insert(path, MemberKind::File { executable, size });
    }
    Ok(())
}

fn judge(found: BTreeMap<String, MemberKind>) -> Result<Scan, ArchiveError> {
    let mut layout = Layout::new();
    let members: Vec<Member> = found
        .into_iter()
        .map(|(path, kind)| Member { path, kind })
        .collect();
    for member in &members {
        layout.add(member.clone())?;
    }
    check_links(&mut layout)?;
    Ok(Scan {
        members,
        unpacked: layout.unpacked(),
    })
}
