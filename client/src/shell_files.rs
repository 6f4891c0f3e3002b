//! Completions and manual pages in the prefix, where shells and `man` look for them.
//!
//! They belong to the client, not to a generation: written by the bootstrap script through
//! `completions --install` and again by `self update`. The files are in
//! `P/lib/provisioning/shell`, which is ours alone; what stands in `P/share` are links to
//! them, so that a file of somebody else's is never replaced and ours can always be told.

use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use clap_complete::Shell;
use provisioning_installers::Prefix;

use crate::durable::{Readers, replace_file};
use crate::failure::{Failure, Outcome};

/// The command that the files are for.
const NAME: &str = "provisioning";

/// Where each completion script stands below `P/share`.
const SCRIPTS: [(&str, Script); 5] = [
    (
        "bash-completion/completions/provisioning",
        Script::Of(Shell::Bash),
    ),
    ("zsh/site-functions/_provisioning", Script::Of(Shell::Zsh)),
    (
        "fish/vendor_completions.d/provisioning.fish",
        Script::Of(Shell::Fish),
    ),
    ("nushell/vendor/autoload/provisioning.nu", Script::OfNushell),
    ("powershell/provisioning.ps1", Script::Of(Shell::PowerShell)),
];

/// Where manual pages stand below `P/share`.
const PAGES: &str = "man/man1";

/// Which shell a completion script is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    /// One that `clap_complete` knows.
    Of(Shell),
    /// Nushell.
    OfNushell,
}

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Placed {
    /// The links in `P/share`.
    pub(crate) links: Vec<PathBuf>,
    /// Paths that somebody else's files stand at.
    pub(crate) taken: Vec<PathBuf>,
}

/// The completion script of a shell.
pub(crate) fn script(of: Script, tree: &mut clap::Command) -> Vec<u8> {
    let mut script = Vec::new();
    match of {
        Script::Of(shell) => clap_complete::generate(shell, tree, NAME, &mut script),
        Script::OfNushell => {
            clap_complete::generate(clap_complete_nushell::Nushell, tree, NAME, &mut script);
        }
    }
    script
}

/// Writes every script and page of this client below the prefix. Pages of commands that it
/// no longer has go.
pub(crate) fn place(prefix: &Prefix, tree: &clap::Command) -> Outcome<Placed> {
    let folder = folder(prefix);
    let share = prefix.root().join("share");
    let mut wanted: Vec<String> = Vec::new();
    for (path, of) in SCRIPTS {
        let bytes = script(of, &mut tree.clone());
        replace_file(&folder.join(path), &bytes, Readers::Everyone)?;
        wanted.push(path.to_owned());
    }
    for (name, bytes) in pages(tree)? {
        let path = format!("{PAGES}/{name}");
        replace_file(&folder.join(&path), &bytes, Readers::Everyone)?;
        wanted.push(path);
    }
    let mut placed = Placed::default();
    for path in wanted {
        let link = share.join(&path);
        if set_link(&link, &folder.join(&path), prefix.root())? {
            placed.links.push(link);
        } else {
            placed.taken.push(link);
        }
    }
    for link in links(prefix) {
        if !placed.links.contains(&link) {
            remove(&link)?;
        }
    }
    Ok(placed)
}

/// Every link of ours in `P/share`, for whoever takes the client away. The files behind them
/// go with `P/lib/provisioning`.
pub(crate) fn links(prefix: &Prefix) -> Vec<PathBuf> {
    let share = prefix.root().join("share");
    let scripts = SCRIPTS.iter().map(|(path, _)| share.join(path));
    let pages = std::fs::read_dir(share.join(PAGES)).into_iter().flatten();
    let pages = pages.flatten().map(|it| it.path());
    let mut found: Vec<PathBuf> = scripts.chain(pages).filter(|it| is_ours(it)).collect();
    found.sort();
    found
}

/// The folder that is ours alone.
pub(crate) fn folder(prefix: &Prefix) -> PathBuf {
    prefix.base().join("shell")
}

/// The manual pages: file name and content.
pub(crate) fn pages(tree: &clap::Command) -> Outcome<Vec<(String, Vec<u8>)>> {
    let scratch = tempfile::tempdir().map_err(|it| Failure::no_scratch(&it))?;
    let place = scratch.path();
    let failed = |it: std::io::Error| Failure::io("write manual pages to", place, &it);
    clap_mangen::generate_to(tree.clone(), place).map_err(failed)?;
    let mut pages = Vec::new();
    for entry in std::fs::read_dir(place).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let bytes = std::fs::read(entry.path()).map_err(failed)?;
        pages.push((entry.file_name().to_string_lossy().into_owned(), bytes));
    }
    pages.sort();
    Ok(pages)
}

/// Makes `link` lead to `file`; whether it could be, since somebody else's file stays.
fn set_link(link: &Path, file: &Path, root: &Path) -> Outcome<bool> {
    let failed = |it: std::io::Error| Failure::io("write", link, &it);
    let inside = link.strip_prefix(root).unwrap_or(link);
    let up = inside.components().count().saturating_sub(1);
    let file = file.strip_prefix(root).unwrap_or(file);
    let target: PathBuf = std::iter::repeat_n(Component::ParentDir, up)
        .map(|it| Path::new(it.as_os_str()).to_path_buf())
        .chain([file.to_path_buf()])
        .collect();
    if link.symlink_metadata().is_ok() {
        if !is_ours(link) {
            return Ok(false);
        }
        if std::fs::read_link(link).is_ok_and(|it| it == target) {
            return Ok(true);
        }
        remove(link)?;
    }
    let folder = link.parent().unwrap_or(root);
    std::fs::create_dir_all(folder).map_err(failed)?;
    symlink(target, link).map_err(failed)?;
    Ok(true)
}

/// Whether something is a link into our own folder.
fn is_ours(link: &Path) -> bool {
    let target = std::fs::read_link(link);
    target.is_ok_and(|it| it.to_string_lossy().contains("../lib/provisioning/shell/"))
}

fn remove(link: &Path) -> Outcome<()> {
    std::fs::remove_file(link).map_err(|it| Failure::io("remove", link, &it))
}
