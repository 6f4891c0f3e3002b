//! The folder that an archive is unpacked into before anything of it is in its final place.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
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
    root: PathBuf,
    buffer: Vec<u8>,
}

impl Stage {
    /// Makes a stage in `parent`.
    pub(super) fn new(parent: &Path) -> Result<Self, ArchiveError> {
        let folder = tempfile::Builder::new()
            .prefix(STAGE_PREFIX)
            .tempdir_in(parent)
            .map_err(ArchiveError::io("make a folder in", parent))?;
        // One level deeper, so that the outer folder keeps others out until the end.
        let root = folder.path().join("root");
        DirBuilder::new()
            .create(&root)
            .map_err(ArchiveError::io("make the folder", &root))?;
        set_mode(&root, 0o755)?;
        Ok(Self {
            folder,
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

/// Sets the mode through the open file: whatever the umask is, and following nothing.
fn finish_file(file: &File, path: &Path, executable: bool) -> Result<(), ArchiveError> {
    let mode = if executable { 0o755 } else { 0o644 };
    file.set_permissions(Permissions::from_mode(mode))
        .map_err(ArchiveError::io("set the mode of", path))
}

fn set_mode(folder: &Path, mode: u32) -> Result<(), ArchiveError> {
    std::fs::set_permissions(folder, Permissions::from_mode(mode))
        .map_err(ArchiveError::io("set the mode of", folder))
}
