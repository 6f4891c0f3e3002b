//! A workspace made from a template, and moved to a newer one.
//!
//! A template is a folder. Files that end in `.j2` or `.jinja` are rendered and lose that
//! ending, names that hold `{{` or `{%` are rendered, everything else is copied, and
//! `template.toml` says what is asked. What a template gives is a [`Tree`] in memory;
//! merging is a function of three trees, and one transaction writes what comes out.
//!
//! | file | noun |
//! | --- | --- |
//! | `tree` | files and links by path; which paths a template may have |
//! | `variable` | what a template asks, and which answers it takes |
//! | `template` | a folder and its `template.toml` become a tree |
//! | `merge`, `similar` | base, ours and theirs become changes and conflicts |
//! | `change` | changes are written, all or none |
//!
//! A template computes text and nothing else: it reads no file, no environment and no
//! network, ends in bounded time, and cannot name a path outside the workspace.

use std::io;
use std::path::{Path, PathBuf};

mod change;
mod merge;
mod similar;
mod template;
mod tree;
mod variable;

pub use change::{apply_changes, make_folder_of, recover_changes};
pub use merge::{Conflict, ConflictKind, FileAction, FileChange, Labels, Merged, merge};
pub use template::{SCAFFOLD_FILE_BYTES_MAX, Template};
pub use tree::{Node, Tree, read_tree_at};
pub use variable::{Answer, Answers, Variable};

/// Why a workspace could not be made or moved.
#[derive(Debug, thiserror::Error)]
pub enum ScaffoldError {
    /// Something is there already.
    #[error("`{}` exists and is not an empty folder", .0.display())]
    Occupied(PathBuf),
    /// Files that would have to be overwritten.
    #[error("{} already there: `{}`", are(.0.len()), .0.join("`, `"))]
    Clashes(Vec<String>),
    /// `template.toml` cannot be used.
    #[error("the template's `template.toml` cannot be used: {0}")]
    Settings(String),
    /// A template file cannot be rendered.
    #[error("the template's `{file}` cannot be rendered: {reason}")]
    Render {
        /// The file, relative to the template.
        file: String,
        /// What the engine said.
        reason: String,
    },
    /// A path that a template may not have.
    #[error("the template's `{path}` is refused: {reason}")]
    Path {
        /// The path, as rendered.
        path: String,
        /// Why.
        reason: String,
    },
    /// Another process changes the same workspace.
    #[error("another `workspace update` works in `{}`", .0.display())]
    Busy(PathBuf),
    /// A file error.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ScaffoldError {
    /// The stable word for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Occupied(_) => "workspace-exists",
            Self::Clashes(_) => "would-overwrite",
            Self::Settings(_) | Self::Render { .. } | Self::Path { .. } => "template-refused",
            Self::Busy(_) => "workspace-busy",
            Self::Io { .. } => "io",
        }
    }
}

fn are(count: usize) -> String {
    match count {
        1 => "a file is".to_owned(),
        _ => format!("{count} files are"),
    }
}

/// Names the file of a file error.
fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ScaffoldError {
    let path = path.to_owned();
    move |source| ScaffoldError::Io {
        action,
        path,
        source,
    }
}
