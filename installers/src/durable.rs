//! Files that are whole or absent: temporary name, sync, rename.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::InstallError;

/// What every unfinished file and folder of ours begins with; the next writer removes them.
pub(crate) const UNFINISHED: &str = ".tmp-";

/// The only key that is read before a file's schema is known.
#[derive(serde::Deserialize)]
struct Schema {
    schema: u64,
}

/// Reads one of our JSON files; a newer schema is told apart from damage.
pub(crate) fn from_json<T: DeserializeOwned>(
    path: &Path,
    bytes: &[u8],
    newest: u32,
) -> Result<T, InstallError> {
    let damaged = |it: serde_json::Error| InstallError::Damaged {
        path: path.to_owned(),
        reason: it.to_string(),
    };
    let head: Schema = serde_json::from_slice(bytes).map_err(damaged)?;
    if head.schema > u64::from(newest) {
        return Err(InstallError::Newer {
            path: path.to_owned(),
            schema: head.schema,
        });
    }
    serde_json::from_slice(bytes).map_err(damaged)
}

/// The bytes of one of our JSON files.
pub(crate) fn to_json(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("our own shapes have string keys");
    bytes.push(b'\n');
    bytes
}

/// The same for a file that is long and that nobody reads by eye.
pub(crate) fn to_compact_json(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(value).expect("our own shapes have string keys");
    bytes.push(b'\n');
    bytes
}

/// Writes `bytes` beside `path`, syncs them, and renames them into place.
pub(crate) fn write_file(path: &Path, bytes: &[u8], mode: u32) -> Result<(), InstallError> {
    let temporary = beside(path);
    write(&temporary, bytes, mode)
        .and_then(|file| file.sync_all())
        .map_err(|it| InstallError::io("write", &temporary, it))?;
    fs::rename(&temporary, path).map_err(|it| InstallError::io("write", path, it))
}

/// Writes `bytes` to `path`, not waiting for the disk: for what nothing points at before
/// [`sync_file_system`] has made all of it durable at once.
pub(crate) fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), InstallError> {
    write(path, bytes, mode)
        .map(drop)
        .map_err(|it| InstallError::io("write", path, it))
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<File> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path)?;
    file.write_all(bytes)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    Ok(file)
}

/// Makes `path` a link to `target`, replacing a link or file that is there, in one instant.
pub(crate) fn replace_link(path: &Path, target: &Path) -> Result<(), InstallError> {
    let temporary = beside(path);
    remove_if_there(&temporary)?;
    std::os::unix::fs::symlink(target, &temporary)
        .and_then(|()| fs::rename(&temporary, path))
        .map_err(|it| InstallError::io("write", path, it))
}

/// The name that a file has before it is finished.
pub(crate) fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{UNFINISHED}{name}"))
}

/// Creates a folder and its parents, open to every reader whatever the umask says: what
/// root installs with umask 077 is still for everybody.
pub(crate) fn make_folder(path: &Path) -> Result<(), InstallError> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_folder(parent)?;
    }
    let open = fs::Permissions::from_mode(0o755);
    match fs::create_dir(path) {
        Ok(()) => fs::set_permissions(path, open),
        Err(problem) if problem.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(problem) => Err(problem),
    }
    .map_err(|it| InstallError::io("create", path, it))
}

/// Removes a file or link; one that is not there is as good.
pub(crate) fn remove_if_there(path: &Path) -> Result<(), InstallError> {
    match fs::remove_file(path) {
        Err(problem) if problem.kind() != io::ErrorKind::NotFound => {
            Err(InstallError::io("remove", path, problem))
        }
        _ => Ok(()),
    }
}

/// Removes a tree, read-only folders included.
pub(crate) fn remove_tree(path: &Path) -> Result<(), InstallError> {
    make_removable(path);
    match fs::remove_dir_all(path) {
        Err(problem) if problem.kind() != io::ErrorKind::NotFound => {
            Err(InstallError::io("remove", path, problem))
        }
        _ => Ok(()),
    }
}

/// Puts a tree where another stands, and that one where the first was. On Linux this is one
/// instant, so that whoever runs a program from there never misses it.
pub(crate) fn exchange(folder: &Path, place: &Path) -> Result<(), InstallError> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        if renameat_with(CWD, folder, CWD, place, RenameFlags::EXCHANGE).is_ok() {
            return Ok(());
        }
    }
    // Some file systems cannot do it: three renames, through a name that is swept.
    let aside = place.with_file_name(format!(
        "{UNFINISHED}old-{}",
        place.file_name().unwrap_or_default().to_string_lossy()
    ));
    remove_tree(&aside)?;
    fs::rename(place, &aside)
        .and_then(|()| fs::rename(folder, place))
        .and_then(|()| fs::rename(&aside, folder))
        .map_err(|it| InstallError::io("write", place, it))
}

/// Gives folders back their write bit; what fails here fails again, with its name, when it
/// is removed.
pub(crate) fn make_removable(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o755));
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|it| it.is_dir()) {
            make_removable(&entry.path());
        }
    }
}

/// Makes everything that was written to the file system of `folder` survive a power cut.
#[cfg(target_os = "linux")]
pub(crate) fn sync_file_system(folder: &Path) -> Result<(), InstallError> {
    let file = File::open(folder).map_err(|it| InstallError::io("open", folder, it))?;
    rustix::fs::syncfs(&file).map_err(|it| InstallError::io("sync", folder, it.into()))
}

/// Makes everything below `folder` survive a power cut, file by file: this system cannot
/// do it for a file system at once.
#[cfg(not(target_os = "linux"))]
pub(crate) fn sync_file_system(folder: &Path) -> Result<(), InstallError> {
    let fail = |path: &Path, it| InstallError::io("sync", path, it);
    for entry in fs::read_dir(folder).map_err(|it| fail(folder, it))? {
        let entry = entry.map_err(|it| fail(folder, it))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(|it| fail(&path, it))?;
        if kind.is_dir() {
            sync_file_system(&path)?;
        } else if kind.is_file() {
            sync_folder(&path)?;
        }
    }
    sync_folder(folder)
}

/// Makes the names in a folder (or the bytes of a file) survive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), InstallError> {
    File::open(folder)
        .and_then(|it| it.sync_all())
        .map_err(|it| InstallError::io("sync", folder, it))
}
