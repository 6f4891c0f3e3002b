//! The files of a repository, as far as a configuration asks about them.

use std::collections::BTreeSet;

mod folder;

pub use folder::FolderTree;

/// What a configuration may ask about the files it speaks of. Paths are clean and relative to
/// the repository's root; the root itself is empty.
pub trait Tree {
    /// Whether there is such a file.
    fn has_file(&self, path: &str) -> bool;

    /// Whether there is such a folder.
    fn has_folder(&self, path: &str) -> bool;

    /// The `.spec` files at or below a folder, the shallow ones first, then by name.
    fn specfiles(&self, folder: &str) -> Vec<String>;

    /// Whether this glob, as Python's `glob` understands it, matches a file or folder.
    fn has_match(&self, glob: &str) -> bool;
}

/// Whether a file is a specfile by its name.
fn is_specfile(path: &str) -> bool {
    std::path::Path::new(path)
        .extension()
        .is_some_and(|it| it == "spec")
}

/// Order for a search: what lies in the folder itself comes first.
pub fn by_depth(paths: &mut [String]) {
    paths.sort_by(|left, right| {
        let depth = |it: &str| it.matches('/').count();
        (depth(left), left).cmp(&(depth(right), right))
    });
}

/// A tree that was listed whole, for one from `git ls-tree`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    files: BTreeSet<String>,
}

impl Listing {
    /// A tree of these files.
    pub fn new(files: impl IntoIterator<Item = String>) -> Self {
        Self {
            files: files.into_iter().collect(),
        }
    }

    /// Every file, in order.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }
}

impl Tree for Listing {
    fn has_file(&self, path: &str) -> bool {
        self.files.contains(path)
    }

    fn has_folder(&self, path: &str) -> bool {
        if path.is_empty() {
            return true;
        }
        let inside = format!("{path}/");
        let next = self.files.range(inside.clone()..).next();
        next.is_some_and(|it| it.starts_with(&inside))
    }

    fn specfiles(&self, folder: &str) -> Vec<String> {
        let is_spec = |it: &&str| is_specfile(it) && crate::paths::is_in(it, folder);
        let mut found: Vec<String> = self.files().filter(is_spec).map(str::to_owned).collect();
        by_depth(&mut found);
        found
    }

    fn has_match(&self, glob: &str) -> bool {
        let clean = crate::paths::clean(glob);
        if self.has_file(&clean) || self.has_folder(&clean) {
            return true;
        }
        let Ok(matcher) = globset::GlobBuilder::new(&clean)
            .literal_separator(true)
            .build()
        else {
            return false;
        };
        let matcher = matcher.compile_matcher();
        self.files().any(|file| {
            let folders = file.match_indices('/').map(|(at, _)| &file[..at]);
            folders.chain([file]).any(|it| matcher.is_match(it))
        })
    }
}
