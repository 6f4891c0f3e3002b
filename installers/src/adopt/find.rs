//! Looking for packages that stand in a prefix.

use super::{BTreeMap, InstallError, Kind, Manifest, PackageName, Path, PathBuf, Prefix, Version};
use super::{fs, io, layout};

/// How deep below the prefix a package may stand.
const DEPTH_MAX: usize = 5;

/// Largest manifest that is read, in bytes.
const MANIFEST_BYTES_MAX: u64 = 1024 * 1024;

/// A folder that looks like a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingTree {
    /// The folder.
    pub root: PathBuf,
    /// The package that it looks like.
    pub name: PackageName,
    /// The version that its manifest says; `None` without a manifest.
    pub version: Option<Version>,
}

/// Finds every package that stands in a prefix: folders with a manifest, and folders where a
/// package of one of the `named` would stand.
pub fn find_trees(
    prefix: &Prefix,
    named: &[PackageName],
) -> Result<Vec<StandingTree>, InstallError> {
    let mut trees = Vec::new();
    let mut folders = vec![(prefix.root().to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        trees.extend(with_manifest(&folder));
        if depth >= DEPTH_MAX {
            continue;
        }
        for (path, kind) in entries(&folder)? {
            // Below our own folder, or that of another prefix inside this one, only what
            // somebody put there by hand is of interest.
            let is_ours = folder.ends_with("lib/provisioning")
                && ["store", "generations", "adopted", "saved", "client"]
                    .iter()
                    .any(|it| path.ends_with(it));
            if kind.is_dir() && !is_ours {
                folders.push((path, depth + 1));
            }
        }
    }
    for name in named {
        let standing = [
            layout::place(name.kind(), name),
            format!("extensions/{name}"),
            format!("lib/provisioning/{name}"),
            name.to_string(),
        ];
        let is_known = trees.iter().any(|it| it.name == *name);
        let found = standing.iter().map(|it| prefix.root().join(it));
        if let Some(root) = found
            .into_iter()
            .find(|it| !it.is_symlink() && it.is_dir() && !is_known)
        {
            let (name, version) = (name.clone(), None);
            trees.push(StandingTree {
                root,
                name,
                version,
            });
        }
    }
    trees.sort_by(|a, b| (&a.name, &a.root).cmp(&(&b.name, &b.root)));
    Ok(trees)
}

fn with_manifest(folder: &Path) -> Option<StandingTree> {
    // Where somebody works on a package it is not installed.
    if folder.join(".git").symlink_metadata().is_ok() {
        return None;
    }
    let file = folder.join(Manifest::FILE);
    let facts = fs::symlink_metadata(&file).ok()?;
    if !facts.is_file() || facts.len() > MANIFEST_BYTES_MAX {
        return None;
    }
    let parsed = Manifest::parse(&fs::read_to_string(file).ok()?).ok()?;
    // The client is in no generation.
    let is_installable = parsed.manifest.kind != Kind::Client;
    is_installable.then(|| StandingTree {
        root: folder.to_owned(),
        name: parsed.manifest.name,
        version: Some(parsed.manifest.version),
    })
}

/// Every file and link below a folder, links not followed.
pub(super) fn files_below(folder: &Path) -> Result<Vec<PathBuf>, InstallError> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for (path, kind) in entries(&folder)? {
            if kind.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn entries(folder: &Path) -> Result<BTreeMap<PathBuf, fs::FileType>, InstallError> {
    let failed = |it| InstallError::io("read", folder, it);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(problem) => return Err(failed(problem)),
    };
    entries
        .map(|entry| {
            let entry = entry.map_err(failed)?;
            Ok((entry.path(), entry.file_type().map_err(failed)?))
        })
        .collect()
}
