//! Moving an unpacked archive from its stage into its place, whole or not at all.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::error::ArchiveError;
use super::stage::Stage;
use super::{ArchiveEntry, EntryKind};

/// Entries up to which each is made durable by itself; above, one call for the whole file
/// system is cheaper.
#[cfg(target_os = "linux")]
const SINGLE_SYNCS_MAX: usize = 16;

/// Where an archive goes.
pub(super) enum Destination {
    /// A folder that is there, by its real path.
    Folder(PathBuf),
    /// A path at which nothing is.
    Nothing(PathBuf),
}

impl Destination {
    /// Looks at what is at `to`. A link there is followed, as the caller named it; nothing
    /// below it is.
    pub(super) fn find(to: &Path) -> Result<Self, ArchiveError> {
        match std::fs::canonicalize(to) {
            Ok(real) if real.is_dir() => Ok(Self::Folder(real)),
            Ok(path) => Err(ArchiveError::Occupied { path }),
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => {
                // A link that leads nowhere: making its target would follow it.
                if to.symlink_metadata().is_ok() {
                    return Err(ArchiveError::Occupied { path: to.into() });
                }
                let to = std::path::absolute(to).map_err(ArchiveError::io("find", to))?;
                Ok(Self::Nothing(to))
            }
            Err(problem) => Err(ArchiveError::io("look at", to)(problem)),
        }
    }

    /// Refuses where an entry would meet something. A folder may meet a folder.
    pub(super) fn check(&self, entries: &[ArchiveEntry]) -> Result<(), ArchiveError> {
        let Self::Folder(root) = self else {
            return Ok(());
        };
        let mut folders = HashSet::new();
        let mut absent = HashSet::new();
        for entry in entries {
            let is_folder = entry.kind == EntryKind::Folder;
            let ends = entry.path.match_indices('/').map(|(end, _)| (end, true));
            let ends = ends.chain([(entry.path.len(), is_folder)]);
            for (end, is_folder) in ends {
                let path = &entry.path[..end];
                if absent.contains(path) {
                    break;
                }
                if folders.contains(path) && is_folder {
                    continue;
                }
                let at = root.join(path);
                match at.symlink_metadata() {
                    Ok(found) if found.is_dir() && is_folder => {
                        folders.insert(path);
                    }
                    Ok(_) => return Err(ArchiveError::Occupied { path: at }),
                    Err(problem) if problem.kind() == io::ErrorKind::NotFound => {
                        absent.insert(path);
                        break;
                    }
                    Err(problem) => return Err(ArchiveError::io("look at", &at)(problem)),
                }
            }
        }
        Ok(())
    }

    /// Makes what must exist before the stage does.
    pub(super) fn prepare(self) -> Result<Prepared, ArchiveError> {
        let mut prepared = Prepared {
            destination: self,
            made: Vec::new(),
        };
        if let Self::Nothing(to) = &prepared.destination {
            let missing: Vec<PathBuf> = to
                .ancestors()
                .skip(1)
                .take_while(|it| !it.exists())
                .map(Path::to_owned)
                .collect();
            for folder in missing.into_iter().rev() {
                DirBuilder::new()
                    .create(&folder)
                    .map_err(ArchiveError::io("make the folder", &folder))?;
                prepared.made.push(folder);
            }
        }
        Ok(prepared)
    }
}

/// A destination that is ready for the move; undoes its own folders unless it happens.
pub(super) struct Prepared {
    destination: Destination,
    made: Vec<PathBuf>,
}

impl Prepared {
    /// Makes the stage beside the destination: on the same file system, never in the system's
    /// temporary folder. Inside it where beside cannot be: a mount point, or a folder whose
    /// parent belongs to somebody else.
    pub(super) fn stage(&self) -> Result<Stage, ArchiveError> {
        match &self.destination {
            Destination::Nothing(to) => Stage::new(parent_of(to)),
            Destination::Folder(to) => {
                let device = |path: &Path| path.metadata().map(|it| it.dev()).ok();
                let beside = to.parent().filter(|it| device(it) == device(to));
                beside
                    .and_then(|it| Stage::new(it).ok())
                    .map_or_else(|| Stage::new(to), Ok)
            }
        }
    }

    /// Moves everything from the stage into place.
    pub(super) fn commit(mut self, stage: Stage) -> Result<(), ArchiveError> {
        match &self.destination {
            Destination::Nothing(to) => {
                rename_new(&CWD, stage.root(), &CWD, to, to)?;
                for made in self.made.iter().chain([to]) {
                    sync_folder(parent_of(made))?;
                }
            }
            Destination::Folder(to) => {
                let mut merge = Merge {
                    from: open_folder(stage.root())?,
                    to: open_folder(to)?,
                    root: to,
                    moved: Vec::new(),
                };
                if let Err(problem) = merge.run() {
                    merge.undo();
                    return Err(problem);
                }
            }
        }
        self.made.clear();
        stage.close()
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        for folder in self.made.iter().rev() {
            // Only empty folders go; if somebody used one meanwhile it is theirs.
            if std::fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}

/// Moves entries into a folder that has others already.
struct Merge<'t> {
    from: OwnedFd,
    to: OwnedFd,
    root: &'t Path,
    moved: Vec<PathBuf>,
}

impl Merge<'_> {
    fn run(&mut self) -> Result<(), ArchiveError> {
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            let from = self.open_below(&self.from, &folder)?;
            let to = self.open_below(&self.to, &folder)?;
            for name in names_in(&from).map_err(|it| self.failed("read", &folder, it))? {
                let path = folder.join(&name);
                if is_folder(&to, &name) && is_folder(&from, &name) {
                    folders.push(path);
                    continue;
                }
                rename_new(
                    &from,
                    Path::new(&name),
                    &to,
                    Path::new(&name),
                    &self.root.join(&path),
                )?;
                self.moved.push(path);
            }
            rustix::fs::fsync(&to).map_err(|it| self.failed("sync", &folder, it))?;
        }
        Ok(())
    }

    /// Puts everything back into the stage, which is then removed.
    fn undo(&mut self) {
        for path in self.moved.drain(..).rev() {
            let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
                continue;
            };
            let below = |root: &OwnedFd| open_path_below(root, folder);
            if let (Ok(from), Ok(to)) = (below(&self.to), below(&self.from)) {
                // The first problem is the one that is reported.
                let _ = rustix::fs::renameat(&from, name, &to, name);
            }
        }
    }

    fn open_below(&self, root: &OwnedFd, folder: &Path) -> Result<OwnedFd, ArchiveError> {
        open_path_below(root, folder).map_err(|it| self.failed("open", folder, it))
    }

    fn failed(&self, action: &'static str, path: &Path, problem: Errno) -> ArchiveError {
        ArchiveError::io(action, &self.root.join(path))(problem.into())
    }
}

/// Opens a folder below another without following any link on the way: whoever can write
/// there might put one in between the check and the move (CVE-2021-20316's kind of race).
fn open_path_below(root: &OwnedFd, folder: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut at = rustix::fs::openat(root, ".", flags, Mode::empty())?;
    for name in folder {
        at = rustix::fs::openat(&at, name, flags, Mode::empty())?;
    }
    Ok(at)
}

fn names_in(folder: &OwnedFd) -> Result<Vec<OsString>, Errno> {
    use std::os::unix::ffi::OsStrExt as _;
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn is_folder(folder: &OwnedFd, name: &OsStr) -> bool {
    rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|it| FileType::from_raw_mode(it.st_mode) == FileType::Directory)
}

/// Renames and refuses to replace anything, in one step where the file system can.
fn rename_new(
    from_folder: &impl AsFd,
    from: &Path,
    to_folder: &impl AsFd,
    to: &Path,
    shown: &Path,
) -> Result<(), ArchiveError> {
    let occupied = || ArchiveError::Occupied { path: shown.into() };
    let flags = RenameFlags::NOREPLACE;
    match rustix::fs::renameat_with(from_folder, from, to_folder, to, flags) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            if rustix::fs::statat(to_folder, to, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
                return Err(occupied());
            }
            rustix::fs::renameat(from_folder, from, to_folder, to)
                .map_err(|it| ArchiveError::io("move into place", shown)(it.into()))
        }
        Err(Errno::EXIST | Errno::NOTEMPTY) => Err(occupied()),
        Err(problem) => Err(ArchiveError::io("move into place", shown)(problem.into())),
        Ok(()) => Ok(()),
    }
}

/// Makes everything below `root` durable before it is moved.
pub(super) fn sync_tree(root: &Path, entries: &[ArchiveEntry]) -> Result<(), ArchiveError> {
    #[cfg(target_os = "linux")]
    if entries.len() > SINGLE_SYNCS_MAX {
        let folder = open_folder(root)?;
        return rustix::fs::syncfs(folder)
            .map_err(|it| ArchiveError::io("sync the file system of", root)(it.into()));
    }
    let mut folders = HashSet::from([Path::new("")]);
    for entry in entries {
        let path = Path::new(&entry.path);
        match entry.kind {
            EntryKind::File { .. } => sync_folder(&root.join(path))?,
            EntryKind::Folder => {
                folders.insert(path);
            }
            EntryKind::Symlink { .. } => {}
        }
        folders.extend(path.ancestors().skip(1));
    }
    folders
        .iter()
        .try_for_each(|it| sync_folder(&root.join(it)))
}

/// Makes one file, or the names in one folder, durable.
fn sync_folder(path: &Path) -> Result<(), ArchiveError> {
    File::open(path)
        .and_then(|it| it.sync_all())
        .map_err(ArchiveError::io("sync", path))
}

fn open_folder(path: &Path) -> Result<OwnedFd, ArchiveError> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
        .map_err(|it| ArchiveError::io("open", path)(it.into()))
}

fn parent_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}
