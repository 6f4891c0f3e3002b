//! Whole files or no files, also when the power goes.
//!
//! A file is written beside its place under another name, synced, renamed and its folder
//! synced. Whoever writes holds a lock on the other name, which the kernel releases when it
//! dies: [`sweep`] removes the files that nobody holds. Reading never follows a symlink as the last component: the trusted state of root
//! may lie in a folder that somebody else could once write to.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use tempfile::NamedTempFile;

/// What every unfinished file begins with.
const UNFINISHED: &[u8] = b".tmp";

/// Makes `folder` and its parents, mode 0700, and refuses a symlink in its place.
pub(crate) fn create_private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    if fs::symlink_metadata(folder)?.is_dir() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::NotADirectory,
        "is not a folder (symlinks are not followed here)",
    ))
}

/// Opens `path` to lock it, making it where it is missing. Nothing is truncated, and a
/// symlink is an error.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    Ok(File::from(rustix::fs::open(path, flags, mode)?))
}

/// Writes `bytes` to `path`, mode 0600, replacing what was there in one step.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path
        .parent()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "has no folder"))?;
    // NamedTempFile creates with O_EXCL and mode 0600; the rename replaces a symlink
    // instead of following it.
    let mut file = locked_file(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// Writes `bytes` to `path` in one step, without waiting for the disk: for what can be had
/// again and is checked when it is read.
pub(crate) fn write_cache(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = locked_file(folder)?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Removes what killed runs left in `folder`. What cannot be removed is in nobody's way.
pub(crate) fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_left = entry.file_name().as_encoded_bytes().starts_with(UNFINISHED)
            && entry.file_type().is_ok_and(|it| it.is_file());
        if is_left
            && let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// An unfinished file in `folder`, locked. One that was swept in between, before it was
/// locked, is made again.
fn locked_file(folder: &Path) -> io::Result<NamedTempFile> {
    loop {
        let file = NamedTempFile::new_in(folder)?;
        file.as_file().lock()?;
        let ours = file.as_file().metadata()?.ino();
        if fs::symlink_metadata(file.path()).is_ok_and(|it| it.ino() == ours) {
            return Ok(file);
        }
    }
}

/// Deletes a file that held a secret: its bytes are overwritten first. One that is not there
/// is deleted already.
pub(crate) fn delete_secret(path: &Path) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => File::from(descriptor),
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
    file.write_all(&vec![0; length])?;
    file.sync_all()?;
    fs::remove_file(path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Reads `path`; `None` where nothing is. A symlink, a folder or a pipe is an error.
pub(crate) fn read_file(path: &Path, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => File::from(descriptor),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "is not a regular file",
        ));
    }
    let mut bytes = Vec::new();
    file.take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("is larger than {bytes_max} bytes"),
        ));
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_written_file_is_private_and_read_back_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        write_file(&path, b"one").unwrap();
        write_file(&path, b"two").unwrap();
        assert_eq!(read_file(&path, 3).unwrap().as_deref(), Some(&b"two"[..]));
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_symlink_is_neither_read_nor_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        let link = folder.path().join("link");
        fs::write(&victim, "untouched").unwrap();
        symlink(&victim, &link).unwrap();
        assert!(read_file(&link, 100).is_err());
        write_file(&link, b"mine").unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"untouched");
        assert_eq!(
            read_file(&link, 100).unwrap().as_deref(),
            Some(&b"mine"[..])
        );
    }

    #[test]
    fn a_file_larger_than_the_limit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("big");
        write_file(&path, &[0; 11]).unwrap();
        assert!(read_file(&path, 10).is_err());
        assert!(
            read_file(&folder.path().join("absent"), 10)
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn leftovers_of_killed_runs_are_swept_and_files_in_use_are_not() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".tmpAb12"), "half").unwrap();
        fs::write(folder.path().join("root.json"), "whole").unwrap();
        let used = locked_file(folder.path()).unwrap();
        sweep(folder.path());
        assert!(used.path().exists());
        drop(used);
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1);
    }
}
