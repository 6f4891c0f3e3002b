//! The repository and the configuration that a `source` command works on.

use std::path::{Path, PathBuf};

use provisioning_sources::config::{
    self, FindError, FoundConfig, Purpose, ReadOptions, SourceConfig, UnknownPackage, find_config,
};
use provisioning_sources::git::Git;
use provisioning_sources::problem::{Problems, Severity};
use provisioning_sources::tree::FolderTree;
use serde::Serialize;
use tempfile::TempDir;

use super::RepositoryArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};

/// Longest configuration that is read, in bytes.
const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

/// A repository with the text of its configuration.
#[derive(Debug)]
pub(crate) struct Repository {
    /// Its root.
    pub(crate) root: PathBuf,
    /// The configuration's path, from the root where it lies inside.
    pub(crate) file: String,
    /// What it is called.
    pub(crate) name: String,
    text: String,
    /// The clone of a URL, which ends with this value.
    clone: Option<TempDir>,
}

/// A problem as data.
#[derive(Debug, Serialize)]
pub(crate) struct ProblemDocument {
    file: String,
    line: usize,
    column: usize,
    severity: &'static str,
    message: String,
}

impl Repository {
    /// Finds the repository and reads its configuration's text.
    pub(crate) fn open(
        args: &RepositoryArgs,
        purpose: Purpose,
        context: &Context,
    ) -> Outcome<Self> {
        let (folder, clone) = locate(args.repository(), context)?;
        let found = match &args.source_config {
            Some(file) => given(file, &folder, context),
            None => find_config(&folder, purpose)?,
        };
        let path = found.root.join(&found.file);
        let name = match &clone {
            Some(_) => name_of_url(args.repository()),
            None => name_of_folder(&found.root),
        };
        Ok(Self {
            text: read_text(&path)?,
            root: found.root,
            file: found.file,
            name,
            clone,
        })
    }

    /// Whether it is the clone of a URL, which ends with the command.
    pub(crate) fn is_clone(&self) -> bool {
        self.clone.is_some()
    }

    /// The configuration, and everything that is wrong with it.
    pub(crate) fn read(&self) -> (Option<SourceConfig>, Problems) {
        let tree = FolderTree::new(&self.root);
        let options = ReadOptions {
            file: &self.file,
            repository: &self.name,
            tree: Some(&tree),
        };
        let reading = config::read(&self.text, &options);
        (reading.config, reading.problems)
    }

    /// The configuration; one with mistakes is refused, and warnings are said.
    pub(crate) fn config(&self, context: &Context) -> Outcome<SourceConfig> {
        let (config, problems) = self.read();
        match config {
            Some(config) => {
                self.warn(&problems, context);
                Ok(config)
            }
            None => Err(self.refusal(&problems)),
        }
    }

    /// Says the warnings among some problems.
    pub(crate) fn warn(&self, problems: &Problems, context: &Context) {
        for problem in problems.sorted() {
            if problem.severity == Severity::Warning {
                context.output.warning(&format!("{}:{problem}", self.file));
            }
        }
    }

    /// A failure that lists every problem.
    pub(crate) fn refusal(&self, problems: &Problems) -> Failure {
        let all = problems.sorted();
        let errors = all.iter().filter(|it| it.severity == Severity::Error);
        let message = match errors.count() {
            1 => format!("`{}` has a mistake", self.file),
            count => format!("`{}` has {count} mistakes", self.file),
        };
        let line = |it: &&provisioning_sources::problem::Problem| {
            let warning = match it.severity {
                Severity::Error => "",
                Severity::Warning => "warning: ",
            };
            format!("{}:{}: {warning}{}", self.file, it.at, it.message)
        };
        let data = serde_json::to_value(self.documents(problems))
            .expect("problems are structs with text keys");
        Failure::new("invalid-source-configuration", message)
            .with_causes(all.iter().map(line))
            .with_explanation(serde_json::json!({ "problems": data }))
    }

    /// Problems as data.
    pub(crate) fn documents(&self, problems: &Problems) -> Vec<ProblemDocument> {
        let document = |it: &provisioning_sources::problem::Problem| ProblemDocument {
            file: self.file.clone(),
            line: it.at.line,
            column: it.at.column,
            severity: match it.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            message: it.message.clone(),
        };
        problems.sorted().into_iter().map(document).collect()
    }
}

/// The folder that was named, or a clone of the URL that was.
fn locate(written: &str, context: &Context) -> Outcome<(PathBuf, Option<TempDir>)> {
    let folder = context.env.absolute(Path::new(written));
    if folder.is_dir() {
        let folder = folder.canonicalize();
        let folder = folder.map_err(|it| Failure::io("read", Path::new(written), &it))?;
        return Ok((folder, None));
    }
    if !is_url(written) {
        let failure = Failure::new("no-repository", format!("no folder `{written}`"));
        return Err(failure.with_hint("`-C` takes a folder, or a URL that git can clone"));
    }
    let clone = tempfile::tempdir().map_err(|problem| Failure::no_scratch(&problem))?;
    let folder = clone.path().join("repository");
    context.output.status(&format!("Cloning {written}"));
    Git::clone(written, &folder)?;
    Ok((folder, Some(clone)))
}

/// A URL, or `user@host:path` as ssh has it.
fn is_url(written: &str) -> bool {
    let before_colon = written.split_once(':').map(|(host, _)| host);
    written.contains("://") || before_colon.is_some_and(|it| it.contains('@') && !it.contains('/'))
}

fn name_of_url(url: &str) -> String {
    let path = url.trim_end_matches('/');
    let last = path.rsplit(['/', ':']).next().unwrap_or(path);
    last.strip_suffix(".git").unwrap_or(last).to_owned()
}

fn name_of_folder(root: &Path) -> String {
    let name = root.file_name().map(|it| it.to_string_lossy().into_owned());
    name.unwrap_or_else(|| "repository".to_owned())
}

/// The file of `--source-config`: from where the user stands, else from the repository.
fn given(file: &Path, folder: &Path, context: &Context) -> FoundConfig {
    let typed = context.env.absolute(file);
    let path = if typed.exists() {
        typed
    } else {
        folder.join(file)
    };
    let path = path.canonicalize().unwrap_or(path);
    let root = folder.to_owned();
    let inside = path.strip_prefix(&root).unwrap_or(&path);
    FoundConfig {
        file: inside.to_string_lossy().into_owned(),
        root,
    }
}

fn read_text(path: &Path) -> Outcome<String> {
    let failed = |problem: std::io::Error| Failure::io("read", path, &problem);
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > CONFIG_BYTES_MAX {
        let message = format!(
            "`{}` is longer than {CONFIG_BYTES_MAX} bytes",
            path.display()
        );
        return Err(Failure::new("invalid-source-configuration", message));
    }
    std::fs::read_to_string(path).map_err(failed)
}

impl From<FindError> for Failure {
    fn from(problem: FindError) -> Self {
        let failure = Self::new("no-source-configuration", problem.to_string());
        match problem {
            FindError::None(_) => failure.with_hint(
                "write a `.provisioning.yaml` in the repository's root, or name a file with \
                 `--source-config FILE`",
            ),
            FindError::Several { .. } => {
                failure.with_hint("keep one of them, or name it with `--source-config FILE`")
            }
            FindError::Io { source, .. } => failure.with_chain(&source),
        }
    }
}

impl From<UnknownPackage> for Failure {
    fn from(problem: UnknownPackage) -> Self {
        let failure = Self::new("unknown-package", problem.to_string()).with_exit(Exit::Failed);
        match problem {
            UnknownPackage::None { known, .. } => {
                failure.with_hint(format!("it has: {}", known.join(", ")))
            }
            UnknownPackage::Several { .. } => failure.with_hint("name the package by its key"),
        }
    }
}

impl From<provisioning_sources::git::GitError> for Failure {
    fn from(problem: provisioning_sources::git::GitError) -> Self {
        let failure = Self::new("git", problem.to_string());
        match std::error::Error::source(&problem) {
            Some(source) => failure.with_chain(source).with_hint("install `git`"),
            None => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_called_as_the_end_of_its_url() {
        for url in [
            "https://host/a/copr.git",
            "https://host/a/copr/",
            "git@host:copr.git",
        ] {
            assert!(is_url(url), "{url}");
            assert_eq!(name_of_url(url), "copr");
        }
        assert!(!is_url("./a:b"));
    }
}
