//! What stands where in one archive: duplicates, collisions, files in the place of folders,
//! and totals. The same rules judge a tree that is to be packed.

use std::collections::HashMap;

use super::error::{ArchiveError, shown};
use super::fold::fold;
use super::limits::{ARCHIVE_ENTRIES_MAX, ARCHIVE_NAMES_BYTES_MAX, ARCHIVE_UNPACKED_BYTES_MAX};
use super::links::Link;
use super::member::{Member, MemberKind, too_many_entries};
use super::refusal::Refusal;
use super::{ArchiveEntry, EntryKind};
use crate::digest::Digest;

/// A place in the archive, as an index.
pub(super) type Place = u32;

/// The archive's root.
pub(super) const ROOT: Place = 0;

/// What is known to stand at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Only a link's target names it.
    Ghost,
    /// A folder that has entries below it but none of its own.
    Implied,
    Folder,
    /// A regular file, by its number in the list of entries.
    File(u32),
    /// A symlink, by its number in the list of links.
    Symlink(u32),
}

/// A name, or its folded form, as 16 bytes: a hostile archive can name a great many long
/// ones.
type NameHash = [u8; 16];

/// A name as it is found and as it is told apart.
#[derive(Clone, Copy)]
struct Keys {
    folded: NameHash,
    exact: NameHash,
}

impl Keys {
    fn of(name: &str) -> Self {
        let exact = hash(name);
        let folded = fold(name);
        // Most names are their own folded form: half the work for archives of a great many.
        let folded = if folded == name { exact } else { hash(&folded) };
        Self { folded, exact }
    }
}

struct Node {
    parent: Place,
    name: NameHash,
    standing: Standing,
}

/// Everything that an archive lists, as a tree.
pub(super) struct Layout {
    nodes: Vec<Node>,
    children: HashMap<(Place, NameHash), Place>,
    implied: u64,
    names_bytes: u64,
    unpacked: u64,
    pub(super) entries: Vec<ArchiveEntry>,
    pub(super) links: Vec<Link>,
}

impl Layout {
    pub(super) fn new() -> Self {
        let root = Node {
            parent: ROOT,
            name: [0; 16],
            standing: Standing::Folder,
        };
        Self {
            nodes: vec![root],
            children: HashMap::new(),
            implied: 0,
            names_bytes: 0,
            unpacked: 0,
            entries: Vec::new(),
            links: Vec::new(),
        }
    }

    /// The bytes of all files so far.
    pub(super) fn unpacked(&self) -> u64 {
        self.unpacked
    }

    /// Adds the next member, or refuses it.
    pub(super) fn add(&mut self, member: Member) -> Result<&ArchiveEntry, ArchiveError> {
        if self.entries.len() as u64 >= ARCHIVE_ENTRIES_MAX {
            return Err(too_many_entries());
        }
        let Member { path, kind } = member;
        self.count_names(path.len())?;
        let (kind, size) = match kind {
            MemberKind::File { executable, size } => (EntryKind::File { executable }, size),
            MemberKind::Folder => (EntryKind::Folder, 0),
            MemberKind::HardLink { to } => self.linked_file(&path, &to)?,
            MemberKind::Symlink { target } => {
                self.count_names(target.len())?;
                (EntryKind::Symlink { target }, 0)
            }
        };
        // Counted before anything is read: overlapping or repeated content ("a better zip
        // bomb") and chains of hard links count as often as they are written.
        self.unpacked = self.unpacked.saturating_add(size);
        if self.unpacked > ARCHIVE_UNPACKED_BYTES_MAX {
            let detail = format!("it unpacks to more than {ARCHIVE_UNPACKED_BYTES_MAX} bytes");
            return Err(ArchiveError::whole(Refusal::UnpackedTooLarge, detail));
        }
        let standing = match &kind {
            EntryKind::File { .. } => Standing::File(index(self.entries.len())),
            EntryKind::Folder => Standing::Folder,
            EntryKind::Symlink { .. } => Standing::Symlink(index(self.links.len())),
        };
        let place = self.put(&path, standing)?;
        if let EntryKind::Symlink { target } = &kind {
            let folder = self.parent(place);
            let link = Link::new(&path, target, folder)?;
            self.links.push(link);
        }
        self.entries.push(ArchiveEntry { path, kind, size });
        Ok(&self.entries[self.entries.len() - 1])
    }

    pub(super) fn parent(&self, place: Place) -> Place {
        self.nodes[place as usize].parent
    }

    pub(super) fn standing(&self, place: Place) -> Standing {
        self.nodes[place as usize].standing
    }

    /// The place of `name` in a folder, under whatever spelling; made up where there is none.
    pub(super) fn child_or_ghost(
        &mut self,
        folder: Place,
        name: &str,
    ) -> Result<Place, ArchiveError> {
        let keys = Keys::of(name);
        match self.children.get(&(folder, keys.folded)) {
            Some(place) => Ok(*place),
            None => self.insert(folder, keys, Standing::Ghost),
        }
    }

    /// The earlier file that a hard link copies. Anything else is how a link is made to a
    /// file outside and then written through (CVE-2021-32803, CVE-2025-45582).
    fn linked_file(&self, path: &str, to: &str) -> Result<(EntryKind, u64), ArchiveError> {
        let standing = self.find(to).map(|place| self.standing(place));
        if let Some(Standing::File(file)) = standing {
            let entry = &self.entries[file as usize];
            return Ok((entry.kind.clone(), entry.size));
        }
        let to = shown(to);
        let detail = format!("a hard link to `{to}`, which is no earlier file of this archive");
        Err(ArchiveError::entry(Refusal::HardLinkTarget, path, detail))
    }

    /// The place that is spelled exactly so.
    fn find(&self, path: &str) -> Option<Place> {
        path.split('/').try_fold(ROOT, |folder, name| {
            let keys = Keys::of(name);
            let place = *self.children.get(&(folder, keys.folded))?;
            (self.nodes[place as usize].name == keys.exact).then_some(place)
        })
    }

    fn put(&mut self, path: &str, standing: Standing) -> Result<Place, ArchiveError> {
        let refuse = |refusal, detail: &str| Err(ArchiveError::entry(refusal, path, detail));
        let mut place = ROOT;
        let mut names = path.split('/').peekable();
        while let Some(name) = names.next() {
            let is_last = names.peek().is_none();
            let keys = Keys::of(name);
            let Some(&child) = self.children.get(&(place, keys.folded)) else {
                let new = if is_last { standing } else { Standing::Implied };
                place = self.insert(place, keys, new)?;
                continue;
            };
            place = child;
            let node = &mut self.nodes[child as usize];
            // On a file system that folds names the second one would replace the first, or
            // be written through it if it is a link (CVE-2021-21300).
            if node.name != keys.exact {
                return refuse(
                    Refusal::Collision,
                    "the path differs from an earlier one only in case or Unicode form",
                );
            }
            match (node.standing, is_last) {
                (Standing::Folder | Standing::Implied, false) => {}
                (Standing::Implied, true) if standing == Standing::Folder => {
                    node.standing = standing;
                    self.implied -= 1;
                }
                // The classic: a link first, then a file through it (CVE-2018-12015,
                // CVE-2021-37701); in either order here.
                (Standing::Symlink(_), false) => {
                    return refuse(Refusal::ThroughSymlink, "the path leads through a link");
                }
                (Standing::Implied, true) if matches!(standing, Standing::Symlink(_)) => {
                    return refuse(
                        Refusal::ThroughSymlink,
                        "a link where earlier entries have a folder",
                    );
                }
                (Standing::File(_), true) if matches!(standing, Standing::File(_)) => {
                    return refuse(Refusal::Duplicate, "the path is listed twice");
                }
                (Standing::Symlink(_), true) if matches!(standing, Standing::Symlink(_)) => {
                    return refuse(Refusal::Duplicate, "the path is listed twice");
                }
                (Standing::Folder, true) if standing == Standing::Folder => {
                    return refuse(Refusal::Duplicate, "the path is listed twice");
                }
                (
                    Standing::Ghost
                    | Standing::Implied
                    | Standing::Folder
                    | Standing::File(_)
                    | Standing::Symlink(_),
                    _,
                ) => {
                    return refuse(
                        Refusal::Conflict,
                        "the path is one thing here and another thing earlier",
                    );
                }
            }
        }
        Ok(place)
    }

    fn insert(
        &mut self,
        parent: Place,
        keys: Keys,
        standing: Standing,
    ) -> Result<Place, ArchiveError> {
        if matches!(standing, Standing::Implied | Standing::Ghost) {
            self.implied += 1;
            if self.implied > ARCHIVE_ENTRIES_MAX {
                return Err(too_many_entries());
            }
        }
        let place = index(self.nodes.len());
        self.nodes.push(Node {
            parent,
            name: keys.exact,
            standing,
        });
        self.children.insert((parent, keys.folded), place);
        Ok(place)
    }

    fn count_names(&mut self, bytes: usize) -> Result<(), ArchiveError> {
        self.names_bytes += bytes as u64;
        if self.names_bytes > ARCHIVE_NAMES_BYTES_MAX {
            let detail = format!("its paths take more than {ARCHIVE_NAMES_BYTES_MAX} bytes");
            return Err(ArchiveError::whole(Refusal::NamesTooLarge, detail));
        }
        Ok(())
    }
}

fn hash(name: &str) -> NameHash {
    let digest = Digest::of(name.as_bytes());
    let mut hash = [0; 16];
    hash.copy_from_slice(&digest.as_bytes()[..16]);
    hash
}

fn index(length: usize) -> u32 {
    u32::try_from(length).expect("the limits keep every list far below four thousand million")
}
