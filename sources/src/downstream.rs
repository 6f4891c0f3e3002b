//! Downstream repositories: one for each package, each receiving its sources.
//!
//! What goes there is `files_to_sync`; without it the specfile, as Packit has it; without
//! one the content of the package's paths, rooted as in its archive. Commits of the two
//! repositories are paired by trailers ([`crate::trailers`]). Everything is made out of
//! objects first; branches move at the end, all or none ([`branches`]).

use std::collections::BTreeMap;

use crate::config::{Effective, FileItem};
use crate::dependencies::{SourceTexts, find_specfile};
use crate::git::GitError;
use crate::objects::Files;
use crate::paths::{clean, is_in};
use crate::rsync::{SyncError, origin, sync};

pub mod back;
pub mod branches;
pub mod init;
pub mod point;
pub mod propose;
pub mod remote;
pub mod update;

/// Why two repositories were not brought together.
#[derive(Debug, thiserror::Error)]
pub enum DownstreamError {
    /// Git refused.
    #[error(transparent)]
    Git(#[from] GitError),
    /// `files_to_sync` cannot be followed.
    #[error("`files_to_sync` of `{package}`: {source}")]
    Sync {
        /// The package's key.
        package: String,
        /// Why.
        source: SyncError,
    },
    /// Patches cannot be made.
    #[error(transparent)]
    Patches(#[from] crate::patches::PatchError),
    /// A repository has work in it.
    #[error("`{0}` has changes that are not committed")]
    Dirty(String),
    /// A repository is on no branch.
    #[error("`{0}` is on no branch")]
    NoBranch(String),
    /// A trailer names a commit that is not there.
    #[error("`{commit}`, which the trailer `{trailer}` in `{repository}` names, is not there")]
    Unknown {
        /// The repository with the trailer.
        repository: String,
        /// The trailer.
        trailer: &'static str,
        /// The commit that it names.
        commit: String,
    },
    /// No trailer pairs the repositories.
    #[error("no commit pairs `{package}` with its downstream repository `{repository}`")]
    Unpaired {
        /// The package's key.
        package: String,
        /// The downstream repository.
        repository: String,
    },
    /// The other end has commits that come first.
    #[error("`{ahead}` has {commits} commits of `{package}` that `{behind}` has not")]
    Ahead {
        /// The package's key.
        package: String,
        /// The repository with the commits.
        ahead: String,
        /// The one without them.
        behind: String,
        /// How many.
        commits: usize,
    },
    /// A downstream commit changes what is made from the source.
    #[error("the downstream commit `{commit}` changes `{path}`, which is made from the source")]
    Made {
        /// The commit.
        commit: String,
        /// The file.
        path: String,
    },
    /// Both ends changed the same lines.
    #[error("the downstream commit `{commit}` and the source both change `{path}`")]
    Conflict {
        /// The downstream commit.
        commit: String,
        /// The file in the source.
        path: String,
    },
    /// There is no such branch downstream.
    #[error("`{repository}` has no branch `{branch}`")]
    NoTarget {
        /// The downstream repository.
        repository: String,
        /// The branch.
        branch: String,
    },
    /// An action failed.
    #[error(transparent)]
    Action(#[from] crate::actions::ActionError),
    /// Nothing goes downstream.
    #[error("nothing of `{0}` goes downstream: no file is where its configuration says")]
    Nothing(String),
}

/// Which files of a package go where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    package: String,
    items: Vec<FileItem>,
    /// The downstream specfile whose changelog is downstream's own.
    own_changelog: Option<String>,
    /// Whether it is of the package's paths, because nobody said what goes downstream: then
    /// what the source takes away goes downstream too, and what downstream alone has stays.
    is_of_paths: bool,
}

impl Mapping {
    /// The mapping of a package of the source tree `source`. `config_file` is what Packit
    /// sends along with a specfile for a repository of one package.
    pub fn of(
        package: &str,
        values: &Effective,
        source: &Files,
        config_file: Option<&str>,
    ) -> Self {
        let specfile = specfile(values, source);
        let named = values.files_to_sync();
        let named_nothing = named.is_empty();
        let downstream_spec = format!("{}.spec", values.downstream_name());
        let items = match (&specfile, named.is_empty()) {
            (_, false) => named,
            (Some(path), true) => {
                let file = |from: &str, to: &str| item(from, to);
                let mut items = vec![file(path, &downstream_spec)];
                items.extend(config_file.map(|it| file(it, it)));
                items
            }
            (None, true) => of_paths(values, source),
        };
        let own_changelog = (!values.is_true("sync_changelog")).then_some(downstream_spec);
        Self {
            package: package.to_owned(),
            is_of_paths: specfile.is_none() && named_nothing,
            items,
            own_changelog,
        }
    }

    /// Whether a file that the source takes away is taken away downstream.
    pub fn is_of_paths(&self) -> bool {
        self.is_of_paths
    }

    /// The downstream specfile whose changelog is downstream's own.
    pub fn own_changelog(&self) -> Option<&str> {
        self.own_changelog.as_deref()
    }

    /// Brings `destination` to what `source` says; which downstream file is of which source
    /// file.
    pub fn send(
        &self,
        source: &Files,
        destination: &mut Files,
    ) -> Result<Vec<(String, String)>, DownstreamError> {
        let mut pairs = Vec::new();
        for item in &self.items {
            let sent = sync(source, destination, item).map_err(|it| self.failed(it))?;
            pairs.extend(sent);
        }
        Ok(pairs)
    }

    /// Where downstream files are from, as the two trees stand.
    pub fn origins<'m>(
        &'m self,
        source: &'m Files,
        destination: &'m Files,
    ) -> Result<Origins<'m>, DownstreamError> {
        let mut known = Vec::new();
        for item in &self.items {
            let mut scratch = destination.clone();
            let sent = sync(source, &mut scratch, item).map_err(|it| self.failed(it))?;
            known.push(sent.into_iter().collect());
        }
        Ok(Origins {
            mapping: self,
            source,
            destination,
            known,
        })
    }

    /// Whether what is missing at this downstream path is meant to be gone.
    pub fn deletes(&self, path: &str) -> bool {
        let items = self.items.iter();
        let items = items.filter(|it| it.deletes || self.is_of_paths);
        items
            .map(|it| clean(&it.destination))
            .any(|it| is_in(path, &it))
    }

    /// Whether a source file may have a part in what goes downstream.
    pub fn concerns(&self, path: &str) -> bool {
        let sources = self.items.iter().flat_map(|it| it.sources.iter());
        sources.map(|it| fixed_part(it)).any(|it| is_in(path, &it))
    }

    fn failed(&self, source: SyncError) -> DownstreamError {
        DownstreamError::Sync {
            package: self.package.clone(),
            source,
        }
    }
}

/// Where downstream files are from.
#[derive(Debug)]
pub struct Origins<'m> {
    mapping: &'m Mapping,
    source: &'m Files,
    destination: &'m Files,
    /// For each item, which downstream file is of which source file.
    known: Vec<BTreeMap<String, String>>,
}

impl Origins<'_> {
    /// The source file that a downstream file is of, there or yet to be.
    pub fn of(&self, path: &str) -> Result<Option<String>, DownstreamError> {
        // The item that writes last is the one that counts.
        for (item, known) in self.mapping.items.iter().zip(&self.known).rev() {
            if let Some(from) = known.get(path) {
                return Ok(Some(from.clone()));
            }
            let new = origin(self.source, self.destination, item, path);
            if let Some(from) = new.map_err(|it| self.mapping.failed(it))? {
                return Ok(Some(from));
            }
        }
        Ok(None)
    }
}

/// The package's specfile in a source tree.
pub fn specfile(values: &Effective, source: &Files) -> Option<String> {
    let read = |path: &str| source.contains_key(path).then(String::new);
    let found = find_specfile(values, &SourceTexts { read: &read });
    found.map(|(path, _)| path)
}

/// The part of a source before its first glob.
fn fixed_part(written: &str) -> String {
    let clean = clean(written);
    let fixed = clean
        .split('/')
        .take_while(|it| !it.contains(['*', '?', '[']));
    fixed.collect::<Vec<_>>().join("/")
}

/// One file or folder to one place.
fn item(from: &str, to: &str) -> FileItem {
    FileItem {
        sources: vec![from.to_owned()],
        destination: to.to_owned(),
        makes_folders: true,
        deletes: false,
        filters: Vec::new(),
    }
}

/// The content of the package's paths: one folder is the root, several paths keep their names.
fn of_paths(values: &Effective, source: &Files) -> Vec<FileItem> {
    let paths = values.clean_paths();
    let is_file = |path: &String| source.contains_key(path);
    match paths.as_slice() {
        [path] if path.is_empty() => vec![item("./", ".")],
        [path] if !is_file(path) => vec![item(&format!("{path}/"), ".")],
        several => {
            let one = |path: &String| {
                let slash = if is_file(path) { "" } else { "/" };
                let path = format!("{path}{slash}");
                item(&path, &path)
            };
            several.iter().map(one).collect()
        }
    }
}
