//! What moved out of the way, so that it can move back.

use std::collections::BTreeSet;

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

/// Everything that moves.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Journal {
    schema: u32,
    moves: Vec<Move>,
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
    durable::remove_if_there(&prefix.adopting())
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
