//! A source repository that begins to have packages: what their downstream repositories have
//! comes into `.distro`, their patches become commits, and `.distro/source-git.yaml` says so.
//!
//! As Packit's `source-git init` does for one package, for several at once. Everything is made
//! out of objects; the caller moves the branch once, or not at all.

use std::path::{Path, PathBuf};

use super::DownstreamError;
use crate::config::SOURCE_GIT_FILE;
use crate::git::{Git, GitError};
use crate::objects::{
    CommitText, Entry, Files, copy_blobs, list, read_blob, write_blob, write_commit, write_tree,
};
use crate::paths::clean;
use crate::problem::Problems;
use crate::specfile::Specfile;
use crate::trailers::{FROM_DOWNSTREAM, PACKAGE, with};
use crate::yaml::{self, Node};

/// The folder of what is downstream's.
const DISTRO: &str = ".distro";

/// A package that a repository is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPackage {
    /// Its key.
    pub key: String,
    /// Its name downstream.
    pub downstream_name: String,
    /// Its paths.
    pub paths: Vec<String>,
    /// Its downstream repository, where there is one already.
    pub repository: Option<PathBuf>,
    /// The branch of that repository; its own if none is named.
    pub branch: Option<String>,
}

/// Why a repository was not initialised.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Git or a repository refused.
    #[error(transparent)]
    Downstream(#[from] DownstreamError),
    /// There is a configuration already.
    #[error("`{0}` is there already")]
    Configured(String),
    /// A path is not there.
    #[error("the path `{path}` of `{package}` is not in the source repository")]
    NoPath {
        /// The package's key.
        package: String,
        /// The path.
        path: String,
    },
    /// A downstream repository is none.
    #[error("`{}`, the downstream repository of `{package}`, is no git repository", folder.display())]
    NoRepository {
        /// The package's key.
        package: String,
        /// The folder.
        folder: PathBuf,
    },
    /// A patch does not go with the source.
    #[error("the patch `{patch}` of `{package}` does not apply: {message}")]
    Patch {
        /// The package's key.
        package: String,
        /// The patch.
        patch: String,
        /// What git said.
        message: String,
    },
}

impl From<GitError> for InitError {
    fn from(problem: GitError) -> Self {
        Self::Downstream(problem.into())
    }
}

/// Reads a list of packages: `downstream_package_name`, `path` or `paths`, `dist_git_path`,
/// `dist_git_branch`, and `package` where the key is another. Every problem is found.
pub fn read_packages(text: &str) -> (Vec<NewPackage>, Problems) {
    let mut problems = Problems::default();
    let mut packages: Vec<NewPackage> = Vec::new();
    let document = match yaml::read(text) {
        Ok(document) => document,
        Err(problem) => {
            problems.error(problem.at, problem.message);
            return (packages, problems);
        }
    };
    let Some(items) = document.root.list() else {
        problems.error(document.root.at, "expected a list of packages");
        return (packages, problems);
    };
    for item in items {
        if let Some(package) = read_package(item, &mut problems) {
            if packages.iter().any(|it| it.key == package.key) {
                problems.error(
                    item.at,
                    format!("the package `{}` is there twice", package.key),
                );
            }
            packages.push(package);
        }
    }
    if packages.is_empty() && !problems.has_errors() {
        problems.error(document.root.at, "no package is named");
    }
    (packages, problems)
}

fn read_package(item: &Node, problems: &mut Problems) -> Option<NewPackage> {
    let Some(entries) = item.table() else {
        problems.error(item.at, "a package must be a table");
        return None;
    };
    let (mut name, mut key, mut paths, mut repository, mut branch) =
        (None, None, Vec::new(), None, None);
    for entry in entries {
        let text = entry.node.text();
        match (entry.key.as_str(), text) {
            ("downstream_package_name", Some(text)) => name = Some(text.to_owned()),
            ("package", Some(text)) => key = Some(text.to_owned()),
            ("path", Some(text)) => paths.push(text.to_owned()),
            ("paths", _) if entry.node.list().is_some() => {
                let items = entry.node.list().unwrap_or_default();
                paths.extend(items.iter().filter_map(Node::text).map(str::to_owned));
            }
            ("dist_git_path", Some(text)) => repository = Some(PathBuf::from(text)),
            ("dist_git_branch", Some(text)) => branch = Some(text.to_owned()),
            (
                "downstream_package_name"
                | "package"
                | "path"
                | "dist_git_path"
                | "dist_git_branch",
                None,
            ) => {
                problems.error(entry.node.at, format!("`{}` must be text", entry.key));
            }
            ("paths", _) => problems.error(entry.node.at, "`paths` must be a list of text"),
            (other, _) => problems.error(entry.at, format!("no such key: `{other}`")),
        }
    }
    let Some(name) = name.or_else(|| key.clone()) else {
        problems.error(item.at, "`downstream_package_name` is missing");
        return None;
    };
    for bad in [Some(&name), key.as_ref()].into_iter().flatten() {
        if bad.is_empty() || bad.contains(['/', '\0', '\n']) || bad.starts_with('.') {
            problems.error(item.at, format!("`{bad}` is no name for a package"));
            return None;
        }
    }
    if let Some(bad) = paths
        .iter()
        .find(|it| it.starts_with('/') || it.split('/').any(|part| part == ".."))
    {
        problems.error(item.at, format!("the path `{bad}` leaves the repository"));
        return None;
    }
    if paths.is_empty() {
        paths.push("./".to_owned());
    }
    Some(NewPackage {
        key: key.unwrap_or_else(|| name.clone()),
        downstream_name: name,
        paths,
        repository,
        branch,
    })
}

/// A package, checked, with what its downstream repository has.
struct Known<'n> {
    new: &'n NewPackage,
    downstream: Option<(Git, String, Files)>,
}

/// Makes the commits that give the source repository its packages, on top of `head`; the last
/// of them.
pub fn init(
    source: &Git,
    head: &str,
    packages: &[NewPackage],
    upstream_ref: Option<&str>,
) -> Result<String, InitError> {
    let mut files = list(source, head)?;
    if files.contains_key(SOURCE_GIT_FILE) {
        return Err(InitError::Configured(SOURCE_GIT_FILE.to_owned()));
    }
    let known = check(packages, &files)?;
    let url = source.text(&["remote", "get-url", "origin"]).ok();
    let config = config_text(&known, upstream_ref, url.as_deref());
    let blob = |text: &str| -> Result<Entry, GitError> {
        Ok(Entry {
            mode: "100644".to_owned(),
            id: write_blob(source, text.as_bytes())?,
        })
    };
    files.insert(SOURCE_GIT_FILE.to_owned(), blob(&config)?);
    // What a project ignores may be just what a distribution keeps.
    files.insert(
        format!("{DISTRO}/.gitignore"),
        blob("# Nothing is ignored here.\n!*\n")?,
    );
    let tree = write_tree(source, &files)?;
    let mut tip = write_commit(
        source,
        &tree,
        &[head],
        None,
        "Initialize as a source-git repository",
    )?;
    for package in &known {
        if let Some((git, commit, theirs)) = &package.downstream {
            tip = bring(source, package.new, git, commit, theirs, &mut files, &tip)?;
        }
    }
    Ok(tip)
}

fn check<'n>(packages: &'n [NewPackage], files: &Files) -> Result<Vec<Known<'n>>, InitError> {
    let mut known = Vec::new();
    for new in packages {
        for path in &new.paths {
            let path = clean(path);
            if !files.contains_key(&path) && !crate::objects::has_folder(files, &path) {
                return Err(InitError::NoPath {
                    package: new.key.clone(),
                    path,
                });
            }
        }
        let downstream = match &new.repository {
            None => None,
            Some(folder) if !super::branches::is_repository(folder) => {
                return Err(InitError::NoRepository {
                    package: new.key.clone(),
                    folder: folder.clone(),
                });
            }
            Some(folder) => {
                let git = Git::new(folder);
                let commit = git.commit(new.branch.as_deref().unwrap_or("HEAD"))?;
                let theirs = list(&git, &commit)?;
                Some((git, commit, theirs))
            }
        };
        known.push(Known { new, downstream });
    }
    Ok(known)
}

/// One package's downstream files, then its patches, as commits.
fn bring(
    source: &Git,
    new: &NewPackage,
    git: &Git,
    commit: &str,
    theirs: &Files,
    files: &mut Files,
    tip: &str,
) -> Result<String, InitError> {
    let is_kept = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        let is_patch =
            !path.contains('/') && Path::new(path).extension().is_some_and(|it| it == "patch");
        !is_patch && path != "sources" && !path.starts_with(".git") && !name.starts_with(".git")
    };
    let kept: Vec<(&String, &Entry)> = theirs.iter().filter(|(path, _)| is_kept(path)).collect();
    copy_blobs(git, source, kept.iter().map(|(_, entry)| entry.id.as_str()))?;
    for (path, entry) in &kept {
        files.insert(format!("{DISTRO}/{}/{path}", new.key), (*entry).clone());
    }
    let mut patches = Vec::new();
    let spec_name = format!("{}.spec", new.downstream_name);
    let spec_path = format!("{DISTRO}/{}/{spec_name}", new.key);
    if let Some(entry) = files.get(&spec_path).cloned() {
        let text = String::from_utf8_lossy(&read_blob(source, &entry.id)?).into_owned();
        let mut spec = Specfile::new(&text);
        patches = spec.take_patches();
        let id = write_blob(source, spec.text().as_bytes())?;
        files.insert(spec_path, Entry { id, ..entry });
    }
    let trailers = [(FROM_DOWNSTREAM, commit), (PACKAGE, new.key.as_str())];
    let message = format!("{}: take what its downstream repository has", new.key);
    let tree = write_tree(source, files)?;
    let mut tip = write_commit(source, &tree, &[tip], None, &with(&message, &trailers))?;
    for (number, name) in patches {
        let Some(entry) = theirs.get(&name) else {
            continue;
        };
        let content = read_blob(git, &entry.id)?;
        let number = number.to_string();
        let mut trailers = vec![("Patch-name", name.as_str()), ("Patch-id", number.as_str())];
        trailers.extend([(FROM_DOWNSTREAM, commit), (PACKAGE, new.key.as_str())]);
        let tree = applied(source, new, &name, &content, files)?;
        let text = mail(&content, &name);
        let author = (!text.email.is_empty()).then_some(&text);
        tip = write_commit(
            source,
            &tree,
            &[&tip],
            author,
            &with(&text.message, &trailers),
        )?;
        *files = list(source, &tip)?;
    }
    Ok(tip)
}

/// The tree with a patch.
fn applied(
    source: &Git,
    new: &NewPackage,
    name: &str,
    content: &[u8],
    files: &Files,
) -> Result<String, InitError> {
    let folder = tempfile::tempdir().map_err(GitError::Start)?;
    let git = source
        .clone()
        .with("GIT_INDEX_FILE", folder.path().join("index"));
    let tree = write_tree(source, files)?;
    git.run(&["read-tree", &tree])?;
    let mut words = vec![
        "apply".to_owned(),
        "--cached".to_owned(),
        "--whitespace=nowarn".to_owned(),
    ];
    if let [path] = new.paths.as_slice()
        && !clean(path).is_empty()
    {
        words.push(format!("--directory={}", clean(path)));
    }
    words.push("-".to_owned());
    git.feed(&words, content)
        .map_err(|problem| InitError::Patch {
            package: new.key.clone(),
            patch: name.to_owned(),
            message: problem.to_string(),
        })?;
    Ok(git.text(&["write-tree"])?)
}

/// Author, time and message of a patch that is a mail; what it is called, for one that is not.
fn mail(content: &[u8], name: &str) -> CommitText {
    let text = String::from_utf8_lossy(content);
    let head: Vec<&str> = text.lines().take_while(|it| !it.is_empty()).collect();
    let field = |field: &str| {
        let found = head.iter().find_map(|it| it.strip_prefix(field));
        found.map(|it| it.trim().to_owned()).unwrap_or_default()
    };
    let from = field("From:");
    let (person, email) = from.split_once('<').unwrap_or((from.as_str(), ""));
    let subject = field("Subject:");
    let subject = match subject.split_once(']') {
        Some((mark, rest)) if mark.starts_with("[PATCH") => rest.trim().to_owned(),
        _ => subject,
    };
    let body = text.split_once("\n\n").map_or("", |(_, it)| it);
    let body = body.split("\n---\n").next().unwrap_or_default().trim();
    let is_mail = !subject.is_empty();
    CommitText {
        name: person.trim().trim_matches('"').to_owned(),
        email: email.trim_end_matches('>').trim().to_owned(),
        date: field("Date:"),
        message: if is_mail {
            format!("{subject}\n\n{body}").trim().to_owned()
        } else {
            format!("Apply patch {name}")
        },
    }
}

fn config_text(known: &[Known<'_>], upstream_ref: Option<&str>, url: Option<&str>) -> String {
    let mut text = String::new();
    let mut line = |it: &str| {
        text.push_str(it);
        text.push('\n');
    };
    if let Some(url) = url {
        line(&format!("upstream_project_url: {}", quoted(url)));
    }
    if let Some(upstream) = upstream_ref {
        line(&format!("upstream_ref: {}", quoted(upstream)));
    }
    line(&format!("patch_generation_ignore_paths: [{DISTRO}]"));
    line("sync_changelog: true");
    line("packages:");
    for it in known {
        let new = it.new;
        line(&format!("  {}:", quoted(&new.key)));
        line(&format!(
            "    downstream_package_name: {}",
            quoted(&new.downstream_name)
        ));
        line("    paths:");
        for path in &new.paths {
            line(&format!("    - {}", quoted(path)));
        }
        let Some((_, _, theirs)) = &it.downstream else {
            continue;
        };
        let spec = format!("{}.spec", new.downstream_name);
        let folder = format!("{DISTRO}/{}/", new.key);
        if theirs.contains_key(&spec) {
            line(&format!(
                "    specfile_path: {}",
                quoted(&format!("{folder}{spec}"))
            ));
        }
        line("    files_to_sync:");
        line(&format!("    - src: [{}]", quoted(&folder)));
        line("      dest: .");
        line("      delete: true");
        line("      filters:");
        for filter in ["protect .git*", "protect sources", "exclude .gitignore"] {
            line(&format!("      - {filter}"));
        }
    }
    text
}

/// Text as YAML reads it back: JSON is YAML.
fn quoted(text: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_./".contains(it);
    let begins = text.starts_with(|it: char| it.is_ascii_alphabetic());
    let is_word = matches!(
        text.to_ascii_lowercase().as_str(),
        "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
    );
    if begins && !is_word && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_packages_is_read_with_every_mistake_in_it() {
        let (packages, problems) = read_packages(
            "- downstream_package_name: copr-backend\n  path: backend\n  dist_git_path: rpms/copr-backend\n  dist_git_branch: rawhide\n- {package: cli, downstream_package_name: copr-cli, paths: [cli, common]}\n",
        );
        assert!(!problems.has_errors());
        assert_eq!(packages[0].key, "copr-backend");
        assert_eq!(packages[0].branch.as_deref(), Some("rawhide"));
        assert_eq!(
            (packages[1].key.as_str(), packages[1].paths.len()),
            ("cli", 2)
        );
        let (_, problems) = read_packages(
            "- {path: ../x, package: a}\n- {paths: 3}\n- x\n- {package: b, color: 1}\n",
        );
        let said: Vec<String> = problems.sorted().iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "1:3: the path `../x` leaves the repository",
                "2:3: `downstream_package_name` is missing",
                "2:11: `paths` must be a list of text",
                "3:3: a package must be a table",
                "4:16: no such key: `color`",
            ]
        );
    }

    #[test]
    fn a_patch_that_is_a_mail_has_an_author() {
        let text = mail(b"From 1 Mon\nFrom: Ada <a@b>\nDate: Mon, 1 Jan 2024 10:00:00 +0100\nSubject: [PATCH 1/2] fix it\n\nwhy\n---\n x | 1 +\n", "a.patch");
        assert_eq!((text.name.as_str(), text.email.as_str()), ("Ada", "a@b"));
        assert_eq!(text.message, "fix it\n\nwhy");
        assert_eq!(mail(b"--- a/x\n", "a.patch").message, "Apply patch a.patch");
    }
}
