//! Every path under a prefix, in one place.
//!
//! The layout is a contract (`P` is the prefix): `P/bin`, `P/share/provisioning`,
//! `P/extensions` and `P/etc/provisioning` are what people see, `P/lib/provisioning` is
//! ours alone. Nothing here writes.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use provisioning_package::{Digest, Kind, PackageName};

use crate::error::InstallError;
use crate::generation::Generation;
use crate::record;

/// Prefixes that many programs share: there `P/extensions` would be a stranger.
const SHARED_PREFIXES: [&str; 4] = ["/", "/usr", "/usr/local", "/opt"];

/// The root that installs are made under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    root: PathBuf,
    /// Archives that other prefixes have unpacked, and the root of each such prefix.
    shared: BTreeMap<Digest, PathBuf>,
}

impl Prefix {
    /// The prefix at `root`, which should be absolute and need not exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            shared: BTreeMap::new(),
        }
    }

    /// The same prefix, which takes these archives' trees from other prefixes where its own
    /// store has not got them; see [`shared_trees`](crate::shared_trees).
    #[must_use]
    pub fn sharing(mut self, shared: BTreeMap<Digest, PathBuf>) -> Self {
        self.shared = shared;
        self
    }

    /// The other prefix that an archive's tree is taken from.
    pub(crate) fn shared(&self, digest: &Digest) -> Option<Self> {
        self.shared.get(digest).map(Self::new)
    }

    /// The prefix itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `P/bin`: commands.
    pub fn bin(&self) -> PathBuf {
        self.root.join("bin")
    }

    /// `P/share/provisioning`: a link to what the current generation shares.
    pub fn share(&self) -> PathBuf {
        self.root.join("share/provisioning")
    }

    /// `P/extensions`: a link to the installed extensions. `None` for a prefix that many
    /// programs share (`/usr/local`), where a folder of that name would puzzle people.
    pub fn extensions(&self) -> Option<PathBuf> {
        let is_shared = SHARED_PREFIXES.iter().any(|it| Path::new(it) == self.root);
        (!is_shared).then(|| self.root.join("extensions"))
    }

    /// `P/etc/provisioning`: the user's configuration files.
    pub fn etc(&self) -> PathBuf {
        self.root.join("etc/provisioning")
    }

    /// `P/etc/provisioning/<name>/<path>`: where one configuration file stands.
    pub fn config_file(&self, name: &PackageName, path: &str) -> PathBuf {
        self.etc().join(name.as_str()).join(path)
    }

    /// `P/lib/provisioning`: ours alone.
    pub fn base(&self) -> PathBuf {
        self.root.join("lib/provisioning")
    }

    /// The link that names the current generation.
    pub fn current(&self) -> PathBuf {
        self.base().join("current")
    }

    /// Unpacked archives.
    pub fn store(&self) -> PathBuf {
        self.base().join("store")
    }

    /// One unpacked archive.
    pub fn store_folder(&self, digest: &Digest) -> PathBuf {
        self.store().join(digest.hex())
    }

    /// What was unpacked, one file for each store folder.
    pub fn receipts(&self) -> PathBuf {
        self.base().join("receipts")
    }

    /// What was unpacked into [`Self::store_folder`].
    pub fn receipt(&self, digest: &Digest) -> PathBuf {
        self.receipts().join(format!("{}.json", digest.hex()))
    }

    /// Every generation.
    pub fn generations(&self) -> PathBuf {
        self.base().join("generations")
    }

    /// One generation.
    pub fn generation(&self, number: u64) -> PathBuf {
        self.generations().join(number.to_string())
    }

    /// A second copy of every `generation.json`, under its digest.
    pub(crate) fn records(&self) -> PathBuf {
        self.base().join("records")
    }

    /// What stood where a repair put the right thing, for whoever misses it.
    pub fn saved(&self) -> PathBuf {
        self.base().join("saved")
    }

    /// Files that an adoption kept because something else took their place.
    pub fn adopted(&self) -> PathBuf {
        self.base().join("adopted")
    }

    /// Notes what an adoption moved.
    pub(crate) fn adopting(&self) -> PathBuf {
        self.base().join("adopting.json")
    }

    /// Configuration files as users had edited them, by digest, for rollbacks.
    pub fn edited(&self) -> PathBuf {
        self.base().join("edited")
    }

    /// The file that writers lock.
    pub fn lock(&self) -> PathBuf {
        self.base().join("lock")
    }

    /// Names the generation whose work after the switch may be unfinished.
    pub fn pending(&self) -> PathBuf {
        self.base().join("pending")
    }

    /// The path of an installed package's tree, through the current generation.
    pub fn package_tree(&self, kind: Kind, name: &PackageName) -> PathBuf {
        self.current().join(crate::layout::place(kind, name))
    }

    /// The number of the current generation; `None` before the first install.
    pub fn current_number(&self) -> Result<Option<u64>, InstallError> {
        let link = self.current();
        match fs::read_link(&link) {
            Ok(target) => number_of(&target)
                .map(Some)
                .ok_or_else(|| InstallError::Foreign { path: link }),
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(problem) if problem.kind() == io::ErrorKind::InvalidInput => {
                Err(InstallError::Foreign { path: link })
            }
            Err(problem) if problem.kind() == io::ErrorKind::NotADirectory => {
                Err(InstallError::NotAFolder {
                    path: no_folder(&self.base()),
                })
            }
            Err(problem) => Err(InstallError::io("read", &link, problem)),
        }
    }

    /// What is installed; `None` before the first install.
    pub fn current_generation(&self) -> Result<Option<Generation>, InstallError> {
        // A reader never waits, so a writer may replace the link between our two reads, and
        // `gc` may then remove what it led to: look again while it moves.
        let mut number = self.current_number()?;
        loop {
            let Some(seen) = number else { return Ok(None) };
            let problem = match self.read_generation(seen) {
                Ok(generation) => return Ok(Some(generation)),
                Err(problem) => problem,
            };
            number = self.current_number()?;
            if number == Some(seen) {
                return Err(problem);
            }
        }
    }

    /// One generation by its number.
    pub fn read_generation(&self, number: u64) -> Result<Generation, InstallError> {
        Generation::read(&self.generation(number).join(Generation::FILE))
    }

    /// Every generation up to the current one, oldest first. What lies above the current
    /// number was never switched to.
    pub fn history(&self) -> Result<Vec<Generation>, InstallError> {
        let Some(current) = self.current_number()? else {
            return Ok(Vec::new());
        };
        let mut numbers: Vec<u64> = self
            .generation_numbers()?
            .into_iter()
            .filter(|it| *it <= current)
            .collect();
        numbers.sort_unstable();
        let mut history = Vec::new();
        for number in numbers {
            match self.read_generation(number) {
                // `gc` took it away just now.
                Err(_) if number < current && !self.generation(number).exists() => {}
                // A damaged one is read from its second copy, so that nobody is kept from
                // going back to the others.
                Err(problem) => {
                    let kept = record::read(self, number).map(|(_, it)| it);
                    history.push(kept.ok_or(problem)?);
                }
                Ok(read) => history.push(read),
            }
        }
        Ok(history)
    }

    /// The numbers of every generation folder, current or not.
    pub(crate) fn generation_numbers(&self) -> Result<Vec<u64>, InstallError> {
        let folder = self.generations();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(problem) => return Err(InstallError::io("read", &folder, problem)),
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|it| InstallError::io("read", &folder, it))?;
            numbers.extend(entry.file_name().to_str().and_then(strict_number));
        }
        Ok(numbers)
    }
}

/// What stands on the way to `path` and is no folder.
fn no_folder(path: &Path) -> PathBuf {
    let mut way: Vec<&Path> = path.ancestors().collect();
    way.reverse();
    let found = way.into_iter().find(|it| it.exists() && !it.is_dir());
    found.unwrap_or(path).to_owned()
}

/// `generations/12` is 12; everything else is not ours.
fn number_of(target: &Path) -> Option<u64> {
    strict_number(target.to_str()?.strip_prefix("generations/")?)
}

/// A number as we write it: no sign, no leading zero.
fn strict_number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text && number > 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_that_we_write_name_a_generation() {
        assert_eq!(number_of(Path::new("generations/12")), Some(12));
        for bad in [
            "generations/012",
            "generations/0",
            "generations/+1",
            "12",
            "/x/generations/1",
        ] {
            assert_eq!(number_of(Path::new(bad)), None, "{bad}");
        }
    }

    #[test]
    fn a_shared_prefix_gets_no_extensions_folder() {
        assert!(Prefix::new("/usr/local").extensions().is_none());
        assert!(
            Prefix::new("/home/ana/.provisioning")
                .extensions()
                .is_some()
        );
    }
}
