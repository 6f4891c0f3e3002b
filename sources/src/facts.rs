//! `version.toml` and the metadata of `Cargo.toml`.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use provisioning_package::{SourceFacts, Version, VersionReq};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Longest file that facts are read from, in bytes.
pub const FACTS_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Where a core keeps its version.
const VERSION_FILE: &str = "version.toml";

/// Where a platform may keep its requirement.
const CARGO_FILE: &str = "Cargo.toml";

/// Why the facts of a source tree cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file is there but does not say what it should.
    #[error("{}:{line}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong, as a lower-case phrase.
        message: String,
    },
    /// The operating system refused.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Reads what the tree says outside its manifest. A file that is not there says nothing; one
/// that is there and wrong is an error, because the author meant something by it.
///
/// - `version.toml`: `version = "3.2.1"`, or under `[version]` the key `version`,
///   or a table `[package]` or `[core]` with it.
/// - `Cargo.toml`: `core-version` under `[package.metadata.provisioning]` or
///   `[workspace.metadata.provisioning]`; where both say something, the package's counts.
pub fn read_facts(tree: &Path) -> Result<SourceFacts, SourceError> {
    Ok(SourceFacts {
        version: read_version(&tree.join(VERSION_FILE))?,
        core_version: read_core_version(&tree.join(CARGO_FILE))?,
    })
}

fn read_version(path: &Path) -> Result<Option<Version>, SourceError> {
    let Some(text) = read_text(path)? else {
        return Ok(None);
    };
    let source = Source { path, text: &text };
    let document = source.document()?;
    let root = document.get_ref();
    let written = ["version", "package", "core"]
        .into_iter()
        .filter_map(|key| root.get(key))
        .find_map(|value| match value.get_ref() {
            DeValue::Table(table) => table.get("version"),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => Some(value),
        });
    let Some(written) = written else {
        return Err(source.invalid(&(0..0), "`version` is missing: write `version = \"1.2.3\"`"));
    };
    let text = source.text(written, "version")?;
    Version::parse(text).map(Some).map_err(|problem| {
        let shown = text.escape_debug();
        let message = format!("`{shown}` is not a SemVer version: {problem}");
        source.invalid(&written.span(), message)
    })
}

fn read_core_version(path: &Path) -> Result<Option<VersionReq>, SourceError> {
    let Some(text) = read_text(path)? else {
        return Ok(None);
    };
    let source = Source { path, text: &text };
    let document = source.document()?;
    let written = ["package", "workspace"].into_iter().find_map(|owner| {
        ["metadata", "provisioning", "core-version"]
            .into_iter()
            .try_fold(document.get_ref().get(owner)?, |value, key| {
                value.get_ref().get(key)
            })
    });
    let Some(written) = written else {
        return Ok(None);
    };
    let text = source.text(written, "core-version")?;
    VersionReq::parse(text).map(Some).map_err(|problem| {
        let shown = text.escape_debug();
        let message = format!("`{shown}` is not a version requirement: {problem}");
        source.invalid(&written.span(), message)
    })
}

/// The file's text; `None` if there is no such file.
fn read_text(path: &Path) -> Result<Option<String>, SourceError> {
    let failed = |source| SourceError::Io {
        path: path.to_owned(),
        source,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(problem) => return Err(failed(problem)),
    };
    let mut bytes = Vec::new();
    file.take(FACTS_FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    let invalid = |message: String| SourceError::Invalid {
        path: path.to_owned(),
        line: 1,
        message,
    };
    if bytes.len() as u64 > FACTS_FILE_BYTES_MAX {
        let message = format!("longer than {FACTS_FILE_BYTES_MAX} bytes");
        return Err(invalid(message));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(invalid("not UTF-8 text".to_owned())),
    }
}

/// A file that is being read, for messages.
struct Source<'t> {
    path: &'t Path,
    text: &'t str,
}

impl<'t> Source<'t> {
    fn document(&self) -> Result<Spanned<DeTable<'t>>, SourceError> {
        DeTable::parse(self.text).map_err(|problem| {
            let span = problem.span().unwrap_or(0..0);
            self.invalid(&span, problem.message().replace('\n', ", "))
        })
    }

    fn text<'v>(&self, value: &'v Spanned<DeValue<'_>>, key: &str) -> Result<&'v str, SourceError> {
        value.get_ref().as_str().ok_or_else(|| {
            let found = value.get_ref().type_str();
            let message = format!("`{key}` must be a string, found a TOML {found}");
            self.invalid(&value.span(), message)
        })
    }

    fn invalid(&self, span: &Range<usize>, message: impl Into<String>) -> SourceError {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        SourceError::Invalid {
            path: self.path.to_owned(),
            line: before.matches('\n').count() + 1,
            message: message.into(),
        }
    }
}
