//! A tree that lies in a folder of the disk, looked at only where somebody asks.

use std::path::{Path, PathBuf};

use super::{Tree, by_depth, is_specfile};
use crate::paths::{clean, is_in};

/// Most files and folders that one question looks at; what lies behind is not seen.
const ENTRIES_MAX: usize = 1_000_000;

/// How deep a search goes.
const DEPTH_MAX: usize = 64;

/// The files below a folder. Links are not followed, and `.git` is not entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderTree {
    root: PathBuf,
}

impl FolderTree {
    /// The tree of `root`.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// Every path at or below `folder` that `wanted` takes, folders included.
    fn search(&self, folder: &str, wanted: &dyn Fn(&str) -> bool) -> Vec<String> {
        let mut found = Vec::new();
        let mut seen = 0;
        let mut open = vec![(clean(folder), 0)];
        while let Some((folder, depth)) = open.pop() {
            let Ok(entries) = std::fs::read_dir(self.root.join(&folder)) else {
                continue;
            };
            for entry in entries.flatten() {
                seen += 1;
                let name = entry.file_name();
                let Some(name) = name.to_str().filter(|it| *it != ".git") else {
                    continue;
                };
                let path = clean(&format!("{folder}/{name}"));
                if wanted(&path) {
                    found.push(path.clone());
                }
                let is_folder = entry.file_type().is_ok_and(|it| it.is_dir());
                if is_folder && depth < DEPTH_MAX && seen < ENTRIES_MAX {
                    open.push((path, depth + 1));
                }
            }
        }
        found
    }
}

impl Tree for FolderTree {
    fn has_file(&self, path: &str) -> bool {
        self.root.join(path).is_file()
    }

    fn has_folder(&self, path: &str) -> bool {
        self.root.join(path).is_dir()
    }

    fn specfiles(&self, folder: &str) -> Vec<String> {
        let is_spec = |it: &str| is_specfile(it) && is_in(it, folder) && self.has_file(it);
        let mut found = if self.has_file(folder) && is_spec(folder) {
            vec![folder.to_owned()]
        } else {
            self.search(folder, &is_spec)
        };
        by_depth(&mut found);
        found
    }

    fn has_match(&self, glob: &str) -> bool {
        let path = clean(glob);
        if self.root.join(&path).symlink_metadata().is_ok() {
            return true;
        }
        let first = path.find(['*', '?', '[']).unwrap_or(path.len());
        if first == path.len() {
            return false;
        }
        let folder = path[..first]
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder);
        let matcher = globset::GlobBuilder::new(&path)
            .literal_separator(true)
            .build()
            .map(|it| it.compile_matcher());
        matcher.is_ok_and(|it| !self.search(folder, &|path| it.is_match(path)).is_empty())
    }
}
