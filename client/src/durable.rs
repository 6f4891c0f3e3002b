//! Small files that are replaced whole: written beside, flushed, renamed.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::failure::{Failure, Outcome};

/// Who may read a file that we write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Whoever the folder lets in.
    Everyone,
    /// The owner alone: the file holds a secret.
    Owner,
}

/// Replaces `path` with `bytes`: after a crash it is the old file or the new one, whole.
/// The mode is set before the bytes are written, so that a secret is at no time readable.
pub(crate) fn replace_file(path: &Path, bytes: &[u8], readers: Readers) -> Outcome<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let failed = |problem: std::io::Error| Failure::io("write", path, &problem);
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mode = match readers {
        Readers::Everyone => 0o644,
        Readers::Owner => 0o600,
    };
    let mut staged = tempfile::Builder::new()
        .prefix(".provisioning-")
        .permissions(std::fs::Permissions::from_mode(mode))
        .tempfile_in(folder)
        .map_err(failed)?;
    staged.write_all(bytes).map_err(failed)?;
    staged.as_file().sync_all().map_err(failed)?;
    staged.persist(path).map_err(|it| failed(it.error))?;
    sync_folder(folder)
}

/// Replaces `path` with `bytes`, for its owner alone, not waiting for the disk: for what can
/// be found again and is checked when it is read.
pub(crate) fn replace_unsynced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut staged = tempfile::Builder::new()
        .prefix(".provisioning-")
        .tempfile_in(folder)?;
    staged.write_all(bytes)?;
    staged.persist(path).map_err(|it| it.error)?;
    Ok(())
}

/// Makes renames inside `folder` survive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> Outcome<()> {
    std::fs::File::open(folder)
        .and_then(|it| it.sync_all())
        .map_err(|problem| Failure::io("flush", folder, &problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_file_is_readable_by_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/secret");
        replace_file(&path, b"one", Readers::Owner).unwrap();
        replace_file(&path, b"two", Readers::Owner).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
