//! The folder that an archive is unpacked into before anything of it is in its final place.
//!
//! Whoever unpacks holds a lock on the folder, which the kernel releases when it dies: the
//! next one that unpacks into the same place removes the folders that nobody holds.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::error::ArchiveError;
use super::stream::into_error;
use crate::digest::{Digest, Hasher};

/// What names of staging folders begin with; a leftover of a killed run is known by it.
const STAGE_PREFIX: &str = ".provisioning-unpack-";

const COPY_BUFFER_BYTES: usize = 128 * 1024;

/// A private folder, removed with everything in it when dropped.
///
/// Everything below it was made by this process, and no path of an archive leads through a
/// link, so plain paths are safe here; files are still only ever created, never opened.
pub(super) struct Stage {
    folder: TempDir,
    _lock: File,
    root: PathBuf,
    buffer: Vec<u8>,
}

impl Stage {
    /// Makes a stage in `parent`.
    pub(super) fn new(parent: &Path) -> Result<Self, ArchiveError> {
        sweep(parent);
        let (folder, lock) =
            locked_folder(parent).map_err(ArchiveError::io("make a folder in", parent))?;
        // One level deeper, so that the outer folder keeps others out until the end.
        let root = folder.path().join("root");
        DirBuilder::new()
            .create(&root)
            .map_err(ArchiveError::io("make the folder", &root))?;
        set_mode(&root, 0o755)?;
        Ok(Self {
            folder,
            _lock: lock,
            root,
            buffer: vec![0; COPY_BUFFER_BYTES],
        })
    }

    /// Where the entries are.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Makes a folder and the ones above it.
    pub(super) fn add_folder(&self, path: &str) -> Result<(), ArchiveError> {
        let mut at = self.root.clone();
        for name in path.split('/') {
            at.push(name);
            match DirBuilder::new().create(&at) {
                Ok(()) => set_mode(&at, 0o755)?,
                Err(problem) if problem.kind() == io::ErrorKind::AlreadyExists => {}
                Err(problem) => return Err(ArchiveError::io("make the folder", &at)(problem)),
            }
        }
        Ok(())
    }

    /// Writes a file and gives its digest and length.
    pub(super) fn add_file(
        &mut self,
        path: &str,
        executable: bool,
        data: &mut dyn Read,
    ) -> Result<(Digest, u64), ArchiveError> {
        let at = self.root.join(path);
        let mut file = self.create(path, &at)?;
        let mut hasher = Hasher::new();
        loop {
            let count = match data.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(problem) if problem.kind() == io::ErrorKind::Interrupted => continue,
                Err(problem) => return Err(into_error(problem)),
            };
            let bytes = &self.buffer[..count];
            hasher.update(bytes);
            file.write_all(bytes)
                .map_err(ArchiveError::io("write", &at))?;
        }
        finish_file(&file, &at, executable)?;
        Ok(hasher.finish())
    }

    /// Copies an earlier file: what becomes of a hard link.
    pub(super) fn copy_file(
        &self,
        path: &str,
        from: &str,
        executable: bool,
    ) -> Result<(), ArchiveError> {
        let at = self.root.join(path);
        let source = self.root.join(from);
        let mut reader = File::open(&source).map_err(ArchiveError::io("open", &source))?;
        let mut file = self.create(path, &at)?;
        io::copy(&mut reader, &mut file).map_err(ArchiveError::io("write", &at))?;
        finish_file(&file, &at, executable)
    }

    pub(super) fn add_symlink(&self, path: &str, target: &str) -> Result<(), ArchiveError> {
        let at = self.root.join(path);
        let mut result = symlink(target, &at);
        if matches!(&result, Err(it) if it.kind() == io::ErrorKind::NotFound) {
            self.add_parent(path)?;
            result = symlink(target, &at);
        }
        result.map_err(ArchiveError::io("make the link", &at))
    }

    /// Removes the stage and says if that fails.
    pub(super) fn close(self) -> Result<(), ArchiveError> {
        let path = self.folder.path().to_owned();
        self.folder
            .close()
            .map_err(ArchiveError::io("remove the folder", &path))
    }

    /// Creates a file that must not be there, and the folders above it where they are not
    /// listed themselves.
    fn create(&self, path: &str, at: &Path) -> Result<File, ArchiveError> {
        let options = || {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600);
            options
        };
        let mut result = options().open(at);
        if matches!(&result, Err(it) if it.kind() == io::ErrorKind::NotFound) {
            self.add_parent(path)?;
            result = options().open(at);
        }
        result.map_err(ArchiveError::io("create", at))
    }

    fn add_parent(&self, path: &str) -> Result<(), ArchiveError> {
        match path.rsplit_once('/') {
            Some((parent, _)) => self.add_folder(parent),
            None => Ok(()),
        }
    }
}

/// Makes a folder and takes its lock. One that was swept in between, before it was locked,
/// is made again.
fn locked_folder(parent: &Path) -> io::Result<(TempDir, File)> {
    loop {
        let folder = tempfile::Builder::new()
            .prefix(STAGE_PREFIX)
            .tempdir_in(parent)?;
        let Ok(lock) = File::open(folder.path()) else {
            continue;
        };
        lock.lock()?;
        let is_same = fs::symlink_metadata(folder.path())
            .is_ok_and(|it| lock.metadata().is_ok_and(|ours| ours.ino() == it.ino()));
        if is_same {
            return Ok((folder, lock));
        }
    }
}

/// Removes what killed runs left. What cannot be removed now may be another user's.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_stage = name.as_encoded_bytes().starts_with(STAGE_PREFIX.as_bytes());
        if !is_stage || !entry.file_type().is_ok_and(|it| it.is_dir()) {
            continue;
        }
        if let Ok(folder) = File::open(entry.path())
            && folder.try_lock().is_ok()
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Sets the mode through the open file: whatever the umask is, and following nothing.
fn finish_file(file: &File, path: &Path, executable: bool) -> Result<(), ArchiveError> {
    let mode = if executable { 0o755 } else { 0o644 };
    file.set_permissions(Permissions::from_mode(mode))
        .map_err(ArchiveError::io("set the mode of", path))
}

fn set_mode(folder: &Path, mode: u32) -> Result<(), ArchiveError> {
    fs::set_permissions(folder, Permissions::from_mode(mode))
        .map_err(ArchiveError::io("set the mode of", folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stages(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn a_stage_of_a_killed_run_is_removed_and_one_in_use_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(".provisioning-unpack-Left12/root/deep");
        fs::create_dir_all(left).unwrap();
        let first = Stage::new(folder.path()).unwrap();
        assert_eq!(stages(folder.path()), 1, "only the one in use");
        let second = Stage::new(folder.path()).unwrap();
        assert_eq!(stages(folder.path()), 2);
        first.close().unwrap();
        second.close().unwrap();
        assert_eq!(stages(folder.path()), 0);
    }

    #[test]
    fn stages_made_at_once_do_not_sweep_each_other() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let mut stage = Stage::new(folder.path()).unwrap();
                        stage.add_file("a", false, &mut &b"x"[..]).unwrap();
                        stage.close().unwrap();
                    }
                });
            }
        });
        assert_eq!(stages(folder.path()), 0);
    }
}
