//! Taking over what stands in a prefix that no generation manages: archives that somebody
//! unpacked by hand, or the installation of an older tool.
//!
//! Found are folders with a `manifest.toml`, and for packages that are named also folders at
//! the places where a package of that name would be. Each is compared, file by file, with the
//! registry's archive of that version. What is the same is ours; what was changed is kept:
//! configuration where configuration belongs, everything else under
//! `P/lib/provisioning/adopted`; what no archive has is not ours and is not touched.
//!
//! The old files make way in the same transaction that installs generation 1. What moved is
//! noted first ([`Journal`]): killed before the switch, whoever comes next moves all of it
//! back; killed after it, they finish.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use provisioning_package::{
    ArchiveReport, Digest, EntryKind, Kind, Manifest, PackageName, Version,
};
use serde::{Deserialize, Serialize};

use crate::config_files::{self, ConfigRecord, digest_on_disk};
use crate::durable;
use crate::error::InstallError;
use crate::layout::{self, Contents};
use crate::plan::Choice;
use crate::prefix::Prefix;
use crate::repair::free_name;

mod find;
mod journal;

pub use find::{StandingTree, find_trees};
pub(crate) use journal::{Journal, Move, settle};

/// A tree compared with the archive that it should be.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// The package.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// Where it stands.
    pub root: PathBuf,
    /// How many of its files are as the archive has them.
    pub same: usize,
    /// Files that are not.
    pub changed: Vec<PathBuf>,
    /// Files of the archive that are not there.
    pub missing: Vec<PathBuf>,
    /// Files that the archive does not have; they stay.
    pub foreign: Vec<PathBuf>,
    #[serde(skip)]
    choice: Choice,
    #[serde(skip)]
    contents: Contents,
    #[serde(skip)]
    ours: BTreeMap<PathBuf, String>,
    /// What those that are the same hold, so that one that is edited meanwhile is told.
    #[serde(skip)]
    same_bytes: BTreeMap<PathBuf, Digest>,
    #[serde(skip)]
    commands: BTreeMap<String, Digest>,
}

/// What taking over would move, and what stands in its way.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TakeOver {
    /// Files that are kept although something else takes their place, and where.
    pub saved: Vec<Saved>,
    /// Files of others at places that must be ours: refused unless they may be set aside.
    pub in_the_way: Vec<PathBuf>,
    #[serde(skip)]
    pub(crate) moves: Vec<Move>,
    #[serde(skip)]
    roots: Vec<PathBuf>,
    #[serde(skip)]
    pub(crate) clears: BTreeSet<PathBuf>,
    #[serde(skip)]
    pub(crate) edits: BTreeMap<(PackageName, String), PathBuf>,
}

/// A file that is kept elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// Where it stood.
    pub from: PathBuf,
    /// Where it is kept.
    pub to: PathBuf,
}

impl Compared {
    /// What was found to be installed.
    pub fn choice(&self) -> &Choice {
        &self.choice
    }
}

/// Compares a tree with its archive, of which `report` and `digests` tell. Reads only.
pub fn compare(
    tree: &StandingTree,
    choice: Choice,
    report: &ArchiveReport,
    digests: &BTreeMap<String, Digest>,
) -> Result<Compared, InstallError> {
    let manifest = crate::store::read_manifest(&choice, report.manifest.as_deref())?;
    let contents = Contents::read(&manifest, &report.entries)?;
    let commands = contents
        .commands
        .iter()
        .filter_map(|(command, path)| Some((command.clone(), *digests.get(path)?)))
        .collect();
    let mut compared = Compared {
        name: choice.name.clone(),
        version: choice.version.clone(),
        root: tree.root.clone(),
        same: 0,
        changed: Vec::new(),
        missing: Vec::new(),
        foreign: Vec::new(),
        choice,
        contents,
        ours: BTreeMap::new(),
        same_bytes: BTreeMap::new(),
        commands,
    };
    for entry in &report.entries {
        let place = tree.root.join(&entry.path);
        let is_same = match &entry.kind {
            EntryKind::Folder => continue,
            _ if is_behind_a_link(&tree.root, &entry.path) => {
                compared.missing.push(place);
                continue;
            }
            EntryKind::File { .. } => {
                let facts = fs::symlink_metadata(&place);
                let fits = facts.is_ok_and(|it| it.is_file() && it.len() == entry.size);
                fits && digest_on_disk(&place)? == digests.get(&entry.path).copied()
            }
            EntryKind::Symlink { target } => {
                fs::read_link(&place).is_ok_and(|it| it == Path::new(target))
            }
        };
        if is_same {
            compared.same += 1;
            if let Some(digest) = digest_on_disk(&place)? {
                compared.same_bytes.insert(place.clone(), digest);
            }
        } else if place.symlink_metadata().is_ok() {
            compared.changed.push(place.clone());
        } else {
            compared.missing.push(place);
            continue;
        }
        compared.ours.insert(place, entry.path.clone());
    }
    Ok(compared)
}

/// Whether a link stands on the way to a file of a tree: what is behind it may be anywhere,
/// outside the prefix too, and is not ours.
fn is_behind_a_link(root: &Path, path: &str) -> bool {
    let mut folders = path.match_indices('/');
    folders.any(|(at, _)| root.join(&path[..at]).is_symlink())
}

/// Decides what moves, for all of `compared` together. `foreign` may be set aside where
/// `set_aside` says so. Reads only.
pub fn take_over(
    prefix: &Prefix,
    compared: &mut [Compared],
    set_aside: bool,
) -> Result<TakeOver, InstallError> {
    let mut over = TakeOver::default();
    let mut ours: BTreeSet<PathBuf> = BTreeSet::new();
    for it in compared.iter() {
        ours.extend(it.ours.keys().cloned());
    }
    for it in compared.iter_mut() {
        if it.root != prefix.root() {
            over.roots.push(it.root.clone());
            let files = find::files_below(&it.root)?;
            it.foreign = files.into_iter().filter(|it| !ours.contains(it)).collect();
        }
        let changed: BTreeSet<&PathBuf> = it.changed.iter().collect();
        for (place, path) in &it.ours {
            let is_changed = changed.contains(place);
            over.moves_away(prefix, place, it.same_bytes.get(place).copied());
            if is_changed && it.contents.config.contains(path) {
                let key = (it.name.clone(), path.clone());
                over.edits.insert(key, place.clone());
            }
        }
    }
    for it in compared.iter() {
        for (command, digest) in &it.commands {
            let place = prefix.bin().join(command);
            if ours.contains(&place) || place.symlink_metadata().is_err() {
                over.clears.insert(place);
                continue;
            }
            let leads_to_ours = fs::canonicalize(&place).is_ok_and(|it| ours.contains(&it));
            let is_copy = digest_on_disk(&place)? == Some(*digest);
            if leads_to_ours || is_copy {
                over.moves_away(prefix, &place, digest_on_disk(&place)?);
                over.clears.insert(place);
            } else {
                over.stands_in_the_way(prefix, place, set_aside);
            }
        }
    }
    for place in [Some(prefix.share()), prefix.extensions()]
        .into_iter()
        .flatten()
    {
        over.clear_folder(prefix, place, &ours, set_aside)?;
    }
    Ok(over)
}

impl TakeOver {
    /// Moves one file away. It is kept, unless all that it holds is known by `spare`.
    fn moves_away(&mut self, prefix: &Prefix, from: &Path, spare: Option<Digest>) {
        let inside = from.strip_prefix(prefix.root()).unwrap_or(from);
        let to = free_name(&prefix.adopted().join(inside));
        if spare.is_none() {
            self.saved.push(Saved {
                from: from.to_owned(),
                to: to.clone(),
            });
        }
        self.moves.push(Move {
            from: from.to_owned(),
            to,
            keep: spare.is_none(),
            spare,
        });
    }

    fn stands_in_the_way(&mut self, prefix: &Prefix, place: PathBuf, set_aside: bool) {
        if set_aside {
            self.moves_away(prefix, &place, None);
            self.clears.insert(place);
        } else {
            self.in_the_way.push(place);
        }
    }

    /// A folder where a link of ours must stand: all that is in it moves, or is in the way.
    fn clear_folder(
        &mut self,
        prefix: &Prefix,
        place: PathBuf,
        ours: &BTreeSet<PathBuf>,
        set_aside: bool,
    ) -> Result<(), InstallError> {
        let Ok(facts) = fs::symlink_metadata(&place) else {
            return Ok(());
        };
        if !facts.is_dir() {
            // A link of an older tool into what is taken over is as good as ours.
            let is_ours = fs::canonicalize(&place)
                .is_ok_and(|end| ours.iter().any(|it| it.starts_with(&end)));
            if is_ours {
                self.moves_away(prefix, &place, digest_on_disk(&place)?);
                self.clears.insert(place);
            } else if !crate::links::is_free(prefix, &place) {
                self.stands_in_the_way(prefix, place, set_aside);
            }
            return Ok(());
        }
        for file in find::files_below(&place)? {
            if !ours.contains(&file) {
                self.stands_in_the_way(prefix, file, set_aside);
            }
        }
        self.clears.insert(place);
        Ok(())
    }

    /// Every path that is free once everything has moved.
    pub(crate) fn clears(&self, path: &Path) -> bool {
        self.clears.contains(path)
    }

    /// Moves everything out of the way. What fails here, or dies, is undone by [`settle`].
    pub(crate) fn carry_out(&self, prefix: &Prefix) -> Result<(), InstallError> {
        let folders: Vec<_> = self
            .roots
            .iter()
            .cloned()
            .chain([prefix.share()])
            .chain(prefix.extensions())
            .collect();
        Journal::carry_out(prefix, &self.moves, &folders)
    }

    /// Configuration that was edited goes where configuration belongs, unless a file is there
    /// already.
    pub(crate) fn keep_edits(
        &self,
        prefix: &Prefix,
        records: &mut [ConfigRecord],
    ) -> Result<(), InstallError> {
        for record in records.iter_mut().filter(|it| it.before.is_none()) {
            let key = (record.package.clone(), record.path.clone());
            let Some(file) = self.edits.get(&key) else {
                continue;
            };
            if let Some(digest) = digest_on_disk(file)? {
                config_files::keep_bytes(prefix, &digest, file)?;
                record.after = Some(digest);
            }
        }
        Ok(())
    }
}
