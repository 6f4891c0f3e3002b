//! Where the configuration of a repository is.

use std::io;
use std::path::{Path, PathBuf};

/// Names in a repository's root; the first is ours, the others Packit's.
const NAMES: &[&str] = &[
    ".provisioning.yaml",
    ".packit.yaml",
    ".packit.yml",
    "packit.yaml",
    "packit.yml",
];

/// Packit's name for the configuration of a source-git repository.
pub const SOURCE_GIT_FILE: &str = ".distro/source-git.yaml";

/// What a configuration is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Builds and jobs: the root's file before source-git's.
    Source,
    /// Downstream repositories: source-git's file before the root's.
    Downstream,
}

/// A configuration that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundConfig {
    /// The repository's root.
    pub root: PathBuf,
    /// The file's path from there.
    pub file: String,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// There is none.
    #[error("no source configuration in `{}`", .0.display())]
    None(PathBuf),
    /// There are several, and nobody can tell which one counts.
    #[error("`{}` has several source configurations: {}", folder.display(), names.join(", "))]
    Several {
        /// The folder.
        folder: PathBuf,
        /// Their names.
        names: Vec<String>,
    },
    /// The operating system refused.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Finds the configuration of `folder`, or of the git repository that `folder` lies in.
pub fn find_config(folder: &Path, purpose: Purpose) -> Result<FoundConfig, FindError> {
    let mut next = Some(folder);
    while let Some(root) = next {
        if let Some(file) = in_folder(root, purpose)? {
            return Ok(FoundConfig {
                root: root.to_owned(),
                file,
            });
        }
        // Above the root of a repository somebody else's files begin.
        let is_root = root.join(".git").exists();
        let is_in_one = || root.ancestors().skip(1).any(|it| it.join(".git").exists());
        next = root.parent().filter(|_| !is_root && is_in_one());
    }
    Err(FindError::None(folder.to_owned()))
}

fn in_folder(folder: &Path, purpose: Purpose) -> Result<Option<String>, FindError> {
    let mut names = Vec::new();
    for name in NAMES {
        if is_file(&folder.join(name))? {
            names.push((*name).to_owned());
        }
    }
    if names.len() > 1 {
        return Err(FindError::Several {
            folder: folder.to_owned(),
            names,
        });
    }
    let at_root = names.pop();
    let of_source_git = is_file(&folder.join(SOURCE_GIT_FILE))?.then(|| SOURCE_GIT_FILE.to_owned());
    Ok(match purpose {
        Purpose::Source => at_root.or(of_source_git),
        Purpose::Downstream => of_source_git.or(at_root),
    })
}

fn is_file(path: &Path) -> Result<bool, FindError> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(metadata.is_file()),
        Err(problem)
            if matches!(
                problem.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(false)
        }
        Err(source) => Err(FindError::Io {
            path: path.to_owned(),
            source,
        }),
    }
}
