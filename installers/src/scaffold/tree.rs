//! Files and links by path, in memory; and which paths a template may have.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use provisioning_package::EntryPath;

use super::{ScaffoldError, failed};

/// Most bytes of one tree: people write templates by hand.
const TREE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Most files of one tree.
const TREE_FILES_MAX: usize = 20_000;

/// Folders of a workspace that hold no files of people.
const OURS_ALONE: [&str; 3] = [".git", ".provisioning", ".provisioning-update"];

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A regular file.
    File {
        /// Its bytes.
        bytes: Vec<u8>,
        /// Whether it may be run.
        executable: bool,
    },
    /// A symbolic link.
    Link {
        /// What it points at, as written.
        target: String,
    },
    /// A folder that nothing is in.
    Folder,
}

/// Files, links and empty folders by path, with `/` between the parts.
pub type Tree = BTreeMap<String, Node>;

impl Node {
    /// A plain text file.
    pub fn text(text: impl Into<String>) -> Self {
        Self::File {
            bytes: text.into().into_bytes(),
            executable: false,
        }
    }

    /// What stands at `path`; `None` where nothing does. A folder that holds something is
    /// nothing by itself.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, ScaffoldError> {
        let Ok(facts) = fs::symlink_metadata(path) else {
            return Ok(None);
        };
        if facts.is_symlink() {
            let target = fs::read_link(path).map_err(failed("read", path))?;
            let target = target.to_string_lossy().into_owned();
            return Ok(Some(Self::Link { target }));
        }
        if facts.is_dir() {
            let mut entries = fs::read_dir(path).map_err(failed("read", path))?;
            return Ok(entries.next().is_none().then_some(Self::Folder));
        }
        if !facts.is_file() {
            return Ok(None);
        }
        Ok(Some(Self::File {
            bytes: fs::read(path).map_err(failed("read", path))?,
            executable: facts.permissions().mode() & 0o100 != 0,
        }))
    }
}

/// Reads what stands at `paths` in the workspace `root`. Where a file of `base` is gone,
/// everything else is read too, since it may have another name now.
pub fn read_tree_at<'a>(
    root: &Path,
    paths: impl Iterator<Item = &'a str>,
    base: &Tree,
) -> Result<Tree, ScaffoldError> {
    let mut tree = Tree::new();
    for path in paths {
        if let Some(node) = Node::read(&root.join(path))? {
            tree.insert(path.to_owned(), node);
        }
        // What earlier updates put beside it, so that nothing of it is overwritten.
        let numbered = (2..).map(|it| format!("{path}.new{it}"));
        for beside in std::iter::once(format!("{path}.new")).chain(numbered) {
            match Node::read(&root.join(&beside))? {
                Some(node) => drop(tree.insert(beside, node)),
                None => break,
            }
        }
    }
    if base.keys().all(|it| tree.contains_key(it)) {
        return Ok(tree);
    }
    let mut more = Tree::new();
    let walked = walk(root, &OURS_ALONE, &mut |path, node| {
        more.insert(path, node);
        Ok(())
    });
    // A workspace that is too large to look through has no renamed files that we know of.
    if walked.is_ok() {
        more.append(&mut tree);
        tree = more;
    }
    Ok(tree)
}

/// Calls `visit` with every file, link and empty folder below `root`, by path. Names that
/// are no text are told as they can be.
pub(super) fn walk(
    root: &Path,
    skip: &[&str],
    visit: &mut dyn FnMut(String, Node) -> Result<(), ScaffoldError>,
) -> Result<(), ScaffoldError> {
    let mut budget = Budget {
        bytes: TREE_BYTES_MAX,
        files: TREE_FILES_MAX,
    };
    walk_folder(root, "", skip, &mut budget, visit)
}

struct Budget {
    bytes: u64,
    files: usize,
}

fn walk_folder(
    folder: &Path,
    inside: &str,
    skip: &[&str],
    budget: &mut Budget,
    visit: &mut dyn FnMut(String, Node) -> Result<(), ScaffoldError>,
) -> Result<(), ScaffoldError> {
    let entries = fs::read_dir(folder).map_err(failed("read", folder))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed("read", folder))?;
        names.push(entry.file_name());
    }
    names.sort();
    for name in names {
        let text = name.to_string_lossy();
        if inside.is_empty() && skip.contains(&text.as_ref()) {
            continue;
        }
        let place = folder.join(&name);
        let path = if inside.is_empty() {
            text.into_owned()
        } else {
            format!("{inside}/{text}")
        };
        let facts = fs::symlink_metadata(&place).map_err(failed("read", &place))?;
        let left = (
            budget.bytes.checked_sub(facts.len()),
            budget.files.checked_sub(1),
        );
        let (Some(bytes), Some(files)) = left else {
            return Err(ScaffoldError::Path {
                path,
                reason: format!(
                    "more than {TREE_FILES_MAX} files or {TREE_BYTES_MAX} bytes are too many"
                ),
            });
        };
        *budget = Budget { bytes, files };
        match Node::read(&place)? {
            Some(node) => visit(path, node)?,
            None if facts.is_dir() => walk_folder(&place, &path, skip, budget, visit)?,
            None => {}
        }
    }
    Ok(())
}

/// Adds a node to a template's tree; refuses what leaves the workspace, what git would run,
/// and two owners of one path.
pub(super) fn insert(tree: &mut Tree, path: &str, node: Node) -> Result<(), ScaffoldError> {
    let refused = |reason: String| ScaffoldError::Path {
        path: path.to_owned(),
        reason,
    };
    let parsed = EntryPath::parse(path.as_bytes()).map_err(|it| refused(it.to_string()))?;
    if parsed.is_root() || parsed.as_str() != path {
        return Err(refused("it is no path of a file".to_owned()));
    }
    // A hook or a configuration in `.git` runs at the next `git status`.
    if path.split('/').any(|it| it.eq_ignore_ascii_case(".git")) {
        return Err(refused("`.git` is git's own".to_owned()));
    }
    if let Node::Link { target } = &node
        && leaves(path, target)
    {
        return Err(refused(format!(
            "it links to `{target}`, outside the workspace"
        )));
    }
    for (at, _) in path.match_indices('/') {
        if tree.get(&path[..at]).is_some_and(|it| *it != Node::Folder) {
            return Err(refused(format!("`{}` is a file", &path[..at])));
        }
    }
    let below = format!("{path}/");
    let is_folder = tree
        .range(below.clone()..)
        .next()
        .is_some_and(|(it, _)| it.starts_with(&below));
    if is_folder && node != Node::Folder {
        return Err(refused("it is a folder too".to_owned()));
    }
    if tree.insert(path.to_owned(), node).is_some() {
        return Err(refused(
            "two files of the template are rendered to it".to_owned(),
        ));
    }
    Ok(())
}

/// Whether a link at `path` may lead out of the tree: absolute, more steps up than there
/// are folders, or a step up after a step down, whose end another link decides.
fn leaves(path: &str, target: &str) -> bool {
    let mut depth = path.matches('/').count();
    let mut went_down = false;
    if target.starts_with('/') || target.is_empty() {
        return true;
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if went_down => return true,
            ".." => match depth.checked_sub(1) {
                Some(left) => depth = left,
                None => return true,
            },
            _ => went_down = true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_the_workspace_or_reach_into_git_are_refused() {
        for bad in [
            "../x",
            "a/../x",
            "/etc/passwd",
            ".git/hooks/x",
            "a/.GIT/x",
            "",
            ".",
            "a//b",
        ] {
            let refused = insert(&mut Tree::new(), bad, Node::text("x"));
            assert!(refused.is_err(), "{bad}");
        }
    }

    #[test]
    fn links_may_not_lead_out_of_the_workspace_by_any_way() {
        let check = |path: &str, target: &str, is_refused: bool| {
            let node = Node::Link {
                target: target.to_owned(),
            };
            let inserted = insert(&mut Tree::new(), path, node);
            assert_eq!(inserted.is_err(), is_refused, "{path} -> {target}");
        };
        check("a/b/link", "../../x", false);
        check("link", "a/b", false);
        check("link", "..", true);
        check("a/link", "../../x", true);
        check("link", "/etc", true);
        // Where `a/up` is a link to `..`, this one leaves.
        check("link", "a/up/..", true);
    }

    #[test]
    fn one_path_has_one_owner_and_a_file_is_no_folder() {
        let mut tree = Tree::new();
        insert(&mut tree, "a/b", Node::text("x")).unwrap();
        assert!(insert(&mut tree, "a/b", Node::text("y")).is_err());
        assert!(insert(&mut tree, "a", Node::text("y")).is_err());
        assert!(insert(&mut tree, "a/b/c", Node::text("y")).is_err());
        insert(&mut tree, "a/c", Node::text("y")).unwrap();
    }
}
