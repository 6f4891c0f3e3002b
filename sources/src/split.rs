//! A package's history as a repository of its own.
//!
//! `git fast-export` limited to the package's paths feeds `git fast-import`: commits that touch
//! nothing of the package fall away, the others keep author, time, message and their merges,
//! and tags of the package follow. The marks of both lie in the new repository, so that the
//! next run adds only what is new. A repository that is not ours is refused.

use std::fs;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use crate::config::{Effective, SourceConfig};
use crate::git::{Git, GitError};
use crate::paths::is_in;
use crate::version::version_of;

/// Where the marks of the export are, in the new repository's `.git`.
const EXPORT_MARKS: &str = "provisioning-export-marks";
/// Where the marks of the import are.
const IMPORT_MARKS: &str = "provisioning-import-marks";

/// Why a history was not split.
#[derive(Debug, thiserror::Error)]
pub enum SplitError {
    /// Git refused.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The place is taken.
    #[error("`{}` is there and was not made by a split", .0.display())]
    Occupied(PathBuf),
    /// Somebody works there.
    #[error("`{}` has changes that are not committed", .0.display())]
    Dirty(PathBuf),
    /// The repository is on no branch.
    #[error("`{}` is on no branch", .0.display())]
    NoBranch(PathBuf),
    /// The stream between the two gits broke.
    #[error("cannot hand the history of `{package}` over: {message}")]
    Stream {
        /// The package's key.
        package: String,
        /// What was said.
        message: String,
    },
    /// The operating system refused.
    #[error("cannot write `{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A package that was split off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitPackage {
    /// Its key.
    pub package: String,
    /// Its repository.
    pub folder: PathBuf,
    /// How many commits the branch has.
    pub commits: u64,
    /// How many of them are new.
    pub added: u64,
}

/// Refuses, before anything is written, a target that is not ours or has work in it.
pub fn check_target(folder: &Path) -> Result<(), SplitError> {
    let is_empty = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => true,
        Err(_) => false,
    };
    if is_empty {
        return Ok(());
    }
    if !folder.join(".git").join(IMPORT_MARKS).is_file() {
        return Err(SplitError::Occupied(folder.to_owned()));
    }
    let status = Git::new(folder).text(&["status", "--porcelain"])?;
    if status.is_empty() {
        Ok(())
    } else {
        Err(SplitError::Dirty(folder.to_owned()))
    }
}

/// Splits a package of the repository `source` off into `folder`.
pub fn split(
    source: &Git,
    package: &str,
    values: &Effective,
    folder: &Path,
) -> Result<SplitPackage, SplitError> {
    check_target(folder)?;
    let branch = source.text(&["rev-parse", "--abbrev-ref", "HEAD"])?;
    if branch == "HEAD" {
        return Err(SplitError::NoBranch(source.folder().to_owned()));
    }
    fs::create_dir_all(folder).map_err(|problem| SplitError::Io {
        path: folder.to_owned(),
        source: problem,
    })?;
    let target = Git::new(folder);
    if !folder.join(".git").exists() {
        let initial = format!("--initial-branch={branch}");
        target.run(&["init", "--quiet", &initial])?;
    }
    let full = format!("refs/heads/{branch}");
    let before = count(&target, &full);
    transfer(source, &target, package, values, &full)?;
    let commits = count(&target, &full);
    if commits > 0 {
        target.run(&["reset", "--quiet", "--hard", &full])?;
    }
    Ok(SplitPackage {
        package: package.to_owned(),
        folder: folder.to_owned(),
        commits,
        added: commits.saturating_sub(before),
    })
}

/// Committed files that belong to no package.
pub fn left_over(source: &Git, config: &SourceConfig) -> Result<Vec<String>, GitError> {
    let paths: Vec<String> = config
        .packages
        .iter()
        .flat_map(|(_, it)| it.effective.clean_paths())
        .collect();
    let files = source.items(&["ls-tree", "-r", "--name-only", "-z", "HEAD"])?;
    let is_left = |file: &String| !paths.iter().any(|it| is_in(file, it));
    Ok(files.into_iter().filter(is_left).collect())
}

fn count(git: &Git, revision: &str) -> u64 {
    let counted = git.text(&["rev-list", "--count", revision]);
    counted.ok().and_then(|it| it.parse().ok()).unwrap_or(0)
}

fn transfer(
    source: &Git,
    target: &Git,
    package: &str,
    values: &Effective,
    branch: &str,
) -> Result<(), SplitError> {
    let marks = |name: &str| {
        target
            .folder()
            .join(".git")
            .join(name)
            .display()
            .to_string()
    };
    let paths = values.clean_paths();
    let tags = source.text(&["tag", "--list", "--merged", "HEAD"])?;
    let tags = tags.lines().filter(|it| version_of(values, it).is_some());
    let tags: Vec<String> = tags.map(|it| format!("refs/tags/{it}")).collect();
    let mut words = vec![
        "fast-export".to_owned(),
        "--signed-tags=strip".to_owned(),
        "--tag-of-filtered-object=rewrite".to_owned(),
        "--reencode=yes".to_owned(),
        format!("--import-marks-if-exists={}", marks(EXPORT_MARKS)),
        format!("--export-marks={}", marks(EXPORT_MARKS)),
        branch.to_owned(),
    ];
    words.extend(tags);
    words.push("--".to_owned());
    words.extend(paths.iter().filter(|it| !it.is_empty()).cloned());
    let failed = |message: String| SplitError::Stream {
        package: package.to_owned(),
        message,
    };
    let mut export = source
        .command(&words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|it| failed(it.to_string()))?;
    let mut import = target
        .command(&[
            "fast-import".to_owned(),
            "--quiet".to_owned(),
            format!("--import-marks-if-exists={}", marks(IMPORT_MARKS)),
            format!("--export-marks={}", marks(IMPORT_MARKS)),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|it| failed(it.to_string()))?;
    let reader = export.stdout.take().expect("the export's output is piped");
    let writer = import.stdin.take().expect("the import's input is piped");
    let root = root_of(&paths);
    let passed = pass(
        BufReader::new(reader),
        BufWriter::new(writer),
        root.as_deref(),
    );
    let (exported, imported) = (ended(export), ended(import));
    exported.map_err(failed)?;
    imported.map_err(failed)?;
    passed.map_err(|it| failed(it.to_string()))
}

fn ended(child: Child) -> Result<(), String> {
    let output = child.wait_with_output().map_err(|it| it.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

/// The folder that becomes the new root: that of a package of one path.
fn root_of(paths: &[String]) -> Option<String> {
    match paths {
        [path] if !path.is_empty() => Some(format!("{path}/")),
        _ => None,
    }
}

/// Copies a stream of `fast-export` and takes `root` off every path in it.
fn pass(mut from: impl io::BufRead, mut to: impl Write, root: Option<&str>) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if from.read_until(b'\n', &mut line)? == 0 {
            return to.flush();
        }
        if let Some(length) = data_length(&line) {
            to.write_all(&line)?;
            io::copy(&mut (&mut from).take(length), &mut to)?;
        } else {
            to.write_all(&without_root(&line, root))?;
        }
    }
}

fn data_length(line: &[u8]) -> Option<u64> {
    let number = line.strip_prefix(b"data ")?.trim_ascii_end();
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// `M 100644 :5 a/b` and `D a/b` without `a/`; a path in quotes too.
fn without_root(line: &[u8], root: Option<&str>) -> Vec<u8> {
    let Some(root) = root else {
        return line.to_vec();
    };
    let at = if line.starts_with(b"M ") {
        let blanks = line.iter().enumerate().filter(|(_, it)| **it == b' ');
        blanks.map(|(at, _)| at + 1).nth(2)
    } else if line.starts_with(b"D ") {
        Some(2)
    } else {
        None
    };
    let Some((head, path)) = at.and_then(|it| line.split_at_checked(it)) else {
        return line.to_vec();
    };
    let (quote, path) = match path.strip_prefix(b"\"") {
        Some(rest) => (&b"\""[..], rest),
        None => (&b""[..], path),
    };
    let path = path.strip_prefix(root.as_bytes()).unwrap_or(path);
    [head, quote, path].concat()
}
