//! Archives and files that lie here and were hashed here: what an engineer vouches for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use provisioning_package::{Digest, Manifest, PackageName, Version, inspect_archive};

use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Most files that are hashed for one signature.
const FILES_MAX: usize = 10_000;

/// What was hashed here.
#[derive(Debug, Clone, Default)]
pub(crate) struct LocalFiles {
    archives: BTreeMap<Digest, (PackageName, Version)>,
    others: BTreeSet<Digest>,
}

impl LocalFiles {
    /// Hashes files, and the files of folders.
    pub(crate) fn read(paths: &[PathBuf], context: &Context) -> Outcome<Self> {
        let mut found = Self::default();
        let mut left = FILES_MAX;
        for path in paths {
            found.take(&context.env.absolute(path), &mut left)?;
        }
        Ok(found)
    }

    /// Whether this archive lies here and is of that version of that package.
    pub(crate) fn has_archive(
        &self,
        digest: &Digest,
        name: &PackageName,
        version: &Version,
    ) -> bool {
        let found = self.archives.get(digest);
        found.is_some_and(|(its, of)| its == name && of == version)
    }

    /// Whether a file with these bytes lies here.
    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.others.contains(digest) || self.archives.contains_key(digest)
    }

    fn take(&mut self, path: &Path, left: &mut usize) -> Outcome<()> {
        let fail = |problem| Failure::io("read", path, &problem);
        if path.is_dir() {
            for entry in fs::read_dir(path).map_err(fail)? {
                self.take(&entry.map_err(fail)?.path(), left)?;
            }
            return Ok(());
        }
        if *left == 0 {
            return Err(Failure::usage(format!(
                "more than {FILES_MAX} files were given to hash"
            )));
        }
        *left -= 1;
        let mut file = File::open(path).map_err(fail)?;
        let digest = Digest::of_reader(&mut file).map_err(fail)?;
        // Whether it is an archive of ours is told by reading it, not by its name.
        let manifest = inspect_archive(path)
            .ok()
            .filter(|report| report.facts.digest == digest)
            .and_then(|report| Manifest::parse(&report.manifest?).ok());
        match manifest {
            Some(parsed) => {
                let facts = (parsed.manifest.name, parsed.manifest.version);
                self.archives.insert(digest, facts);
            }
            None => {
                self.others.insert(digest);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
impl LocalFiles {
    /// What a test says was hashed.
    pub(crate) fn of(archives: &[(Digest, &str, &str)], others: &[Digest]) -> Self {
        let read = |(digest, name, version): &(Digest, &str, &str)| {
            let name = PackageName::parse(name).unwrap();
            (*digest, (name, version.parse().unwrap()))
        };
        Self {
            archives: archives.iter().map(read).collect(),
            others: others.iter().copied().collect(),
        }
    }
}
