//! What moved out of the way, so that it can move back.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use super::{Deserialize, Digest, InstallError, Path, PathBuf, Prefix, Serialize};
use super::{digest_on_disk, durable, fs, io};
use crate::links;

/// The newest form of the journal.
const JOURNAL_SCHEMA: u32 = 1;

/// One file that moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Move {
    pub(crate) from: PathBuf,
    pub(crate) to: PathBuf,
    /// Whether it is kept where it moved to.
    pub(crate) keep: bool,
    /// What it held when it was found to be spare. With other bytes it is kept after all.
    #[serde(default)]
    pub(crate) spare: Option<Digest>,
}

/// A folder as it stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Standing {
    path: PathBuf,
    mode: u32,
}

/// Everything that moves.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Journal {
    schema: u32,
    moves: Vec<Move>,
    /// Folders that may go since nothing is left in them, the outer ones first.
    #[serde(default)]
    folders: Vec<Standing>,
    /// Folders of an installation that were not there, the outer ones first.
    #[serde(default)]
    absent: Vec<PathBuf>,
}

impl Journal {
    /// Notes what is about to move, durably, and moves it.
    /// Folders below `folders` that are empty then go too: nothing in them is anybody's.
    pub(crate) fn carry_out(
        prefix: &Prefix,
        moves: &[Move],
        folders: &[PathBuf],
    ) -> Result<(), InstallError> {
        let journal = Self {
            schema: JOURNAL_SCHEMA,
            moves: moves.to_vec(),
            folders: standing(prefix, moves, folders),
            absent: absent(prefix),
        };
        durable::write_file(&prefix.adopting(), &durable::to_json(&journal), 0o644)?;
        durable::sync_folder(&prefix.base())?;
        for it in moves {
            relocate(&it.from, &it.to)?;
        }
        for folder in folders.iter().filter(|it| *it != prefix.root()) {
            remove_empty(folder);
        }
        prune(prefix, moves.iter().map(|it| it.from.as_path()));
        Ok(())
    }

    fn read(prefix: &Prefix) -> Result<Option<Self>, InstallError> {
        let path = prefix.adopting();
        match fs::read(&path) {
            Ok(bytes) => durable::from_json(&path, &bytes, JOURNAL_SCHEMA).map(Some),
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(problem) => Err(InstallError::io("read", &path, problem)),
        }
    }
}

/// After the switch, removes what moved and need not be kept; where there was none, moves
/// everything back. Can be done again.
pub(crate) fn settle(prefix: &Prefix, has_switched: bool) -> Result<(), InstallError> {
    let Some(journal) = Journal::read(prefix)? else {
        return Ok(());
    };
    if !has_switched {
        links::remove_all(prefix)?;
    }
    for it in &journal.moves {
        let has_moved = it.to.symlink_metadata().is_ok();
        if has_switched {
            if has_moved && !it.keep && digest_on_disk(&it.to)? == it.spare {
                durable::remove_if_there(&it.to)?;
            }
        } else if has_moved && it.from.symlink_metadata().is_err() {
            relocate(&it.to, &it.from)?;
        }
    }
    prune(prefix, journal.moves.iter().map(|it| it.to.as_path()));
    if !has_switched {
        journal.restore_folders()?;
    }
    durable::remove_if_there(&prefix.adopting())
}

impl Journal {
    /// Folders that went come back, and those that came go.
    fn restore_folders(&self) -> Result<(), InstallError> {
        for it in &self.folders {
            durable::make_folder(&it.path)?;
            fs::set_permissions(&it.path, fs::Permissions::from_mode(it.mode))
                .map_err(|problem| InstallError::io("write", &it.path, problem))?;
        }
        for path in self.absent.iter().rev() {
            // One that holds something by now stays.
            let _ = fs::remove_dir(path);
        }
        Ok(())
    }
}

/// The folders that may go: all below `folders`, and those that a moving file stands in.
fn standing(prefix: &Prefix, moves: &[Move], folders: &[PathBuf]) -> Vec<Standing> {
    let mut found = BTreeSet::new();
    for it in moves {
        let above = it.from.ancestors().skip(1);
        let inside = above.take_while(|it| it.starts_with(prefix.root()) && *it != prefix.root());
        found.extend(inside.map(Path::to_path_buf));
    }
    for folder in folders.iter().filter(|it| *it != prefix.root()) {
        add_folders(folder, &mut found);
    }
    let stands = |path: PathBuf| {
        let facts = fs::symlink_metadata(&path)
            .ok()
            .filter(fs::Metadata::is_dir)?;
        let mode = facts.permissions().mode() & 0o7777;
        Some(Standing { path, mode })
    };
    found.into_iter().filter_map(stands).collect()
}

/// Adds a folder and every one below it; links are not followed.
fn add_folders(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    if !folder.symlink_metadata().is_ok_and(|it| it.is_dir()) {
        return;
    }
    found.insert(folder.to_owned());
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        add_folders(&entry.path(), found);
    }
}

/// The folders outside our own that an installation makes and that are not there.
fn absent(prefix: &Prefix) -> Vec<PathBuf> {
    let share = prefix.share();
    let made = [share.parent().map(Path::to_path_buf), Some(prefix.bin())];
    let mut made: Vec<PathBuf> = made.into_iter().flatten().collect();
    made.retain(|it| it.symlink_metadata().is_err());
    made
}

fn relocate(from: &Path, to: &Path) -> Result<(), InstallError> {
    if let Some(folder) = to.parent() {
        durable::make_folder(folder)?;
    }
    fs::rename(from, to).map_err(|it| InstallError::io("move", from, it))
}

/// Removes a folder if there is nothing below it but folders.
fn remove_empty(folder: &Path) {
    if !folder.symlink_metadata().is_ok_and(|it| it.is_dir()) {
        return;
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        remove_empty(&entry.path());
    }
    // One that is not empty stays.
    let _ = fs::remove_dir(folder);
}

/// Removes folders that became empty, up to the prefix.
fn prune<'a>(prefix: &Prefix, gone: impl Iterator<Item = &'a Path>) {
    let folders: BTreeSet<&Path> = gone.filter_map(Path::parent).collect();
    for folder in folders.into_iter().rev() {
        let above = folder.ancestors();
        let inside = above.take_while(|it| it.starts_with(prefix.root()) && *it != prefix.root());
        for it in inside {
            if *it == prefix.base() || fs::remove_dir(it).is_err() {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_undone_leaves_every_folder_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let prefix = Prefix::new(folder.path());
        let root = folder.path().join("core");
        let (empty, private) = (root.join("empty/deep"), root.join("private"));
        for it in [&empty, &private, &prefix.base()] {
            fs::create_dir_all(it).unwrap();
        }
        fs::set_permissions(&private, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(private.join("file"), "mine").unwrap();
        let moves = [Move {
            from: private.join("file"),
            to: prefix.adopted().join("core/private/file"),
            keep: true,
            spare: None,
        }];
        Journal::carry_out(&prefix, &moves, std::slice::from_ref(&root)).unwrap();
        assert!(!root.exists());
        links::add(&prefix, &["tool"].into()).unwrap();
        settle(&prefix, false).unwrap();
        assert_eq!(fs::read(private.join("file")).unwrap(), b"mine");
        assert!(empty.is_dir());
        let mode = fs::metadata(&private).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let left = [
            prefix.bin(),
            prefix.share(),
            prefix.adopted(),
            prefix.adopting(),
        ];
        assert!(left.iter().all(|it| it.symlink_metadata().is_err()));
    }
}
