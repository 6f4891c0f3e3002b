//! Archives that somebody made to do harm: refused with the right code by every door, and
//! nothing anywhere is touched.

mod corpus;
mod framing;
pub(crate) mod raw;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use provisioning_package::{
    ArchiveError, ArchiveFormat, Arrived, Digest, Promise, inspect_archive, unpack_archive,
    unpack_arriving,
};
use raw::compress;

use crate::closed::Pieces;

const FORMATS: [ArchiveFormat; 2] = [ArchiveFormat::TarZst, ArchiveFormat::TarGz];

/// Everything below a folder: kind, mode, content or target, and time of change.
pub(crate) fn snapshot(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let metadata = folder.symlink_metadata().unwrap();
        let stamp = format!(
            "{} {} {}",
            metadata.mode(),
            metadata.ctime(),
            metadata.ctime_nsec()
        );
        found.insert(folder.clone(), stamp);
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            if metadata.is_dir() {
                folders.push(path);
                continue;
            }
            let content = if metadata.is_symlink() {
                fs::read_link(&path).unwrap().into_os_string()
            } else {
                fs::read_to_string(&path).unwrap().into()
            };
            let stamp = format!(
                "{} {} {}",
                metadata.mode(),
                content.display(),
                metadata.ctime_nsec()
            );
            found.insert(path, stamp);
        }
    }
    found
}

/// How many links stand below a folder.
fn walk_links(folder: &Path) -> usize {
    let mut found = 0;
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        found += match entry.file_type().unwrap() {
            it if it.is_dir() => walk_links(&entry.path()),
            it => usize::from(it.is_symlink()),
        };
    }
    found
}

/// A neighbourhood with things to steal and to break, and three places to unpack into.
struct Arena {
    home: tempfile::TempDir,
    archive: PathBuf,
}

impl Arena {
    fn new() -> Self {
        let outer = tempfile::tempdir().unwrap();
        let arena = outer.path().join("arena");
        fs::create_dir_all(arena.join("outside")).unwrap();
        fs::write(arena.join("outside/secret"), "secret").unwrap();
        fs::write(arena.join("secret"), "secret").unwrap();
        fs::create_dir(arena.join("empty")).unwrap();
        fs::create_dir(arena.join("full")).unwrap();
        fs::write(arena.join("full/mine"), "mine").unwrap();
        symlink("../outside", arena.join("full/way-out")).unwrap();
        Self {
            archive: outer.path().join("archive"),
            home: outer,
        }
    }

    fn root(&self) -> PathBuf {
        self.home.path().join("arena")
    }

    /// Unpacks in one pass. Whoever does so removes what is there after a refusal, so this does.
    fn arriving(&self, bytes: &[u8]) -> Result<Arrived, ArchiveError> {
        let stage = self.root().join("stage");
        let promise = Promise {
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
            unpacked: None,
            entries: None,
        };
        let arrived = unpack_arriving(&mut Pieces::of(bytes, 1000), &promise, &stage);
        let links = walk_links(&stage);
        assert_eq!(links, 0, "links are made last, and only of what is good");
        let _ = fs::remove_dir_all(&stage);
        arrived
    }

    /// Tries every door with these bytes; gives the code that all of them agree on.
    fn code(&self, bytes: &[u8], name: &str) -> &'static str {
        fs::write(&self.archive, bytes).unwrap();
        let before = snapshot(&self.root());
        let inspected = inspect_archive(&self.archive).map(|_| ());
        let problem = inspected.expect_err(name);
        assert!(problem.is_refusal(), "{name}: {problem}");
        for to in ["new", "new/deep/er", "empty", "full"] {
            let unpacked = unpack_archive(&self.archive, &self.root().join(to)).map(|_| ());
            let again = unpacked.expect_err(name);
            assert_eq!(again.code(), problem.code(), "{name}");
            assert_eq!(snapshot(&self.root()), before, "{name} into {to}");
        }
        let arriving = self.arriving(bytes).map(|_| ()).expect_err(name);
        assert_eq!(arriving.code(), problem.code(), "{name}");
        let mut after = snapshot(&self.root());
        let mut before = before;
        // The stage stood in it, so its own time differs.
        assert!(after.remove(&self.root()).is_some() && before.remove(&self.root()).is_some());
        assert_eq!(after, before, "{name} while it arrives");
        problem.code()
    }
}

#[test]
fn every_hostile_archive_is_refused_and_touches_nothing() {
    let arena = Arena::new();
    let cases = corpus::all();
    assert!(cases.len() > 250, "{}", cases.len());
    let mut wrong = Vec::new();
    for (name, tar, code) in &cases {
        for format in FORMATS {
            let found = arena.code(&compress(tar, format), name);
            if found != *code {
                wrong.push(format!("{name} ({format}): {found} instead of {code}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
