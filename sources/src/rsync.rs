//! Files copied from one tree to another, with the meaning that rsync's arguments have.
//!
//! Packit hands `files_to_sync` to `rsync --archive`; here the same is done to the trees of
//! two commits as values. A slash at the end of a source or destination, globs, missing
//! sources, `mkpath`, `delete` and `filters` mean what they mean there. No path leaves either
//! tree, and no link is followed, because there is nothing but the two trees to look at.

use std::collections::BTreeSet;

use globset::GlobBuilder;

use crate::config::FileItem;
use crate::objects::{Files, has_folder};

pub mod filter;

use filter::{Filters, InvalidFilter, Side};

/// Why files are not copied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SyncError {
    /// A path goes above its tree.
    #[error("`{0}` leaves its repository")]
    Leaves(String),
    /// A path goes through a link.
    #[error("`{path}` goes through the link `{link}`")]
    Link {
        /// The path.
        path: String,
        /// The link in it.
        link: String,
    },
    /// A file is where a folder is needed, or a folder where a file is.
    #[error("`{path}` would take the place of the {what} `{other}`")]
    Place {
        /// What is to be written.
        path: String,
        /// `file` or `folder`.
        what: &'static str,
        /// What is there.
        other: String,
    },
    /// The folders of the destination are not there.
    #[error("the destination `{0}` has no folder to be in: set `mkpath: true`")]
    NoFolder(String),
    /// A submodule is no file.
    #[error("`{0}` is a submodule, which cannot be copied")]
    Submodule(String),
    /// A filter rule makes no sense.
    #[error(transparent)]
    Filter(#[from] InvalidFilter),
}

/// A source with all that its argument means.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sent {
    /// From the source tree's root.
    path: String,
    /// What the names of its files begin with at the destination.
    name: String,
    is_folder: bool,
}

/// Copies what an item names; which file of the destination came from which of the source.
pub fn sync(
    source: &Files,
    destination: &mut Files,
    item: &FileItem,
) -> Result<Vec<(String, String)>, SyncError> {
    let filters = Filters::parse(&item.filters)?;
    let mut sent = Vec::new();
    for written in &item.sources {
        sent.extend(expand(source, written)?);
    }
    if sent.is_empty() {
        return Ok(Vec::new());
    }
    let target = Target::of(item, &sent, destination)?;
    let mut pairs = Vec::new();
    for it in &sent {
        for (from, relative) in files_of(source, it) {
            if !filters.keep_out(&relative, Side::Sender) {
                pairs.push((from, target.path(&relative), relative));
            }
        }
    }
    if item.deletes {
        let kept: BTreeSet<&str> = pairs.iter().map(|(_, to, _)| to.as_str()).collect();
        delete(destination, &sent, &target, &kept, &filters);
    }
    for (from, to, _) in &pairs {
        put(source, destination, from, to)?;
    }
    Ok(pairs.into_iter().map(|(from, to, _)| (to, from)).collect())
}

/// Where in the source tree a new file of the destination belongs by an item, if anywhere.
pub fn origin(
    source: &Files,
    destination: &Files,
    item: &FileItem,
    path: &str,
) -> Result<Option<String>, SyncError> {
    let filters = Filters::parse(&item.filters)?;
    let folder = inner(&item.destination)?;
    let Some(relative) = below(path, &folder) else {
        return Ok(None);
    };
    for written in &item.sources {
        let found = expand(source, written)?;
        for sent in found.iter().filter(|it| it.is_folder) {
            let inside = if sent.name.is_empty() {
                Some(relative)
            } else {
                below(relative, &sent.name)
            };
            if let Some(inside) = inside
                && !filters.keep_out(relative, Side::Sender)
            {
                return Ok(Some(join(&sent.path, inside)));
            }
        }
        let is_folder = folder.is_empty()
            || item.destination.ends_with('/')
            || has_folder(destination, &folder);
        let pattern = inner(written)?;
        let (parent, last) = pattern.rsplit_once('/').unwrap_or(("", &pattern));
        if is_folder
            && !written.ends_with('/')
            && !relative.contains('/')
            && matches_segment(last, relative)
            && !filters.keep_out(relative, Side::Sender)
        {
            return Ok(Some(join(parent, relative)));
        }
    }
    Ok(None)
}

/// The folder, or the one file, that is copied to.
struct Target {
    path: String,
    is_folder: bool,
}

impl Target {
    fn of(item: &FileItem, sent: &[Sent], destination: &Files) -> Result<Self, SyncError> {
        let path = inner(&item.destination)?;
        let above = path.match_indices('/').map(|(at, _)| &path[..at]);
        for folder in above {
            if let Some(entry) = destination.get(folder) {
                if entry.is_link() {
                    return Err(SyncError::Link {
                        path: path.clone(),
                        link: folder.to_owned(),
                    });
                }
                return Err(SyncError::Place {
                    path: path.clone(),
                    what: "file",
                    other: folder.to_owned(),
                });
            }
        }
        let is_there = has_folder(destination, &path);
        let is_folder = is_there
            || item.destination.ends_with('/')
            || sent.len() > 1
            || sent.iter().any(|it| it.is_folder);
        if let Some(entry) = destination.get(&path)
            && is_folder
        {
            return Err(if entry.is_link() {
                SyncError::Link {
                    path: format!("{path}/"),
                    link: path.clone(),
                }
            } else {
                SyncError::Place {
                    path: format!("{path}/"),
                    what: "file",
                    other: path.clone(),
                }
            });
        }
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        if !is_there && !item.makes_folders && !has_folder(destination, parent) {
            return Err(SyncError::NoFolder(item.destination.clone()));
        }
        Ok(Self { path, is_folder })
    }

    fn path(&self, relative: &str) -> String {
        if self.is_folder {
            join(&self.path, relative)
        } else {
            self.path.clone()
        }
    }
}

/// Deletes, in the folders that are sent, what was not sent and no rule protects.
fn delete(
    destination: &mut Files,
    sent: &[Sent],
    target: &Target,
    kept: &BTreeSet<&str>,
    filters: &Filters,
) {
    let folders = sent.iter().filter(|it| it.is_folder);
    let folders: Vec<String> = folders.map(|it| it.name.clone()).collect();
    destination.retain(|path, _| {
        let Some(relative) = below(path, &target.path) else {
            return true;
        };
        let is_sent = |it: &String| it.is_empty() || below(relative, it).is_some();
        kept.contains(path.as_str())
            || !folders.iter().any(is_sent)
            || filters.keep_out(relative, Side::Receiver)
    });
}

fn put(source: &Files, destination: &mut Files, from: &str, to: &str) -> Result<(), SyncError> {
    let entry = &source[from];
    if entry.is_submodule() {
        return Err(SyncError::Submodule(from.to_owned()));
    }
    if has_folder(destination, to) {
        return Err(SyncError::Place {
            path: to.to_owned(),
            what: "folder",
            other: format!("{to}/"),
        });
    }
    // As rsync has it: a file or link gives way to a folder.
    for (at, _) in to.match_indices('/') {
        destination.remove(&to[..at]);
    }
    destination.insert(to.to_owned(), entry.clone());
    Ok(())
}

/// The files of a source: each with its name in the transfer.
fn files_of(source: &Files, sent: &Sent) -> Vec<(String, String)> {
    if !sent.is_folder {
        return vec![(sent.path.clone(), sent.name.clone())];
    }
    let inside = source
        .range(sent.path.clone()..)
        .take_while(|(path, _)| path.starts_with(&sent.path));
    inside
        .filter_map(|(path, _)| {
            let relative = below(path, &sent.path)?;
            Some((path.clone(), join(&sent.name, relative)))
        })
        .collect()
}

/// What a source as it is written means in this tree; nothing if it is not there.
fn expand(source: &Files, written: &str) -> Result<Vec<Sent>, SyncError> {
    let pattern = inner(written)?;
    let contents = written.ends_with('/') || pattern.is_empty();
    let paths = if pattern.contains(['*', '?', '[']) && !is_there(source, &pattern) {
        glob(source, &pattern)
    } else {
        vec![pattern]
    };
    let mut sent = Vec::new();
    for path in paths {
        for (at, _) in path.match_indices('/') {
            if source
                .get(&path[..at])
                .is_some_and(crate::objects::Entry::is_link)
            {
                return Err(SyncError::Link {
                    link: path[..at].to_owned(),
                    path: path.clone(),
                });
            }
        }
        let entry = source.get(&path);
        if entry.is_some_and(crate::objects::Entry::is_link) && contents {
            return Err(SyncError::Link {
                path: format!("{path}/"),
                link: path,
            });
        }
        let is_folder = entry.is_none() && has_folder(source, &path);
        // A missing source is no mistake, nor is a file that was to be a folder.
        if !is_folder && (entry.is_none() || contents) {
            continue;
        }
        let last = path.rsplit('/').next().unwrap_or(&path).to_owned();
        sent.push(Sent {
            name: if contents { String::new() } else { last },
            path,
            is_folder,
        });
    }
    Ok(sent)
}

fn is_there(files: &Files, path: &str) -> bool {
    files.contains_key(path) || has_folder(files, path)
}

/// The files and folders that a glob of Python's fits, in order.
fn glob(files: &Files, pattern: &str) -> Vec<String> {
    let segments: Vec<&str> = pattern.split('/').collect();
    let mut found = BTreeSet::new();
    for path in files.keys() {
        let mut parts = path.split('/');
        let head: Vec<&str> = parts.by_ref().take(segments.len()).collect();
        let fits = head.len() == segments.len()
            && segments
                .iter()
                .zip(&head)
                .all(|(segment, part)| matches_segment(segment, part));
        if fits {
            found.insert(head.join("/"));
        }
    }
    found.into_iter().collect()
}

fn matches_segment(pattern: &str, name: &str) -> bool {
    if pattern == name {
        return true;
    }
    if !pattern.contains(['*', '?', '[']) || (name.starts_with('.') && !pattern.starts_with('.')) {
        return false;
    }
    let pattern = pattern.replace("**", "*");
    let pattern = pattern.replace('{', "[{]").replace('}', "[}]");
    let glob = GlobBuilder::new(&pattern).literal_separator(true).build();
    glob.is_ok_and(|it| it.compile_matcher().is_match(name))
}

/// A path inside of its tree, as git writes it.
fn inner(written: &str) -> Result<String, SyncError> {
    let mut depth = 0_usize;
    for part in written.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                let up = depth.checked_sub(1);
                depth = up.ok_or_else(|| SyncError::Leaves(written.to_owned()))?;
            }
            _ => depth += 1,
        }
    }
    if written.starts_with('/') {
        return Err(SyncError::Leaves(written.to_owned()));
    }
    Ok(crate::paths::clean(written))
}

/// What follows a folder in a path.
fn below<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    if folder.is_empty() {
        return Some(path);
    }
    path.strip_prefix(folder)?.strip_prefix('/')
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else if name.is_empty() {
        folder.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

#[cfg(test)]
mod tests;
