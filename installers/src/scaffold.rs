//! A workspace made from a template: its files are copied, those that end in `.j2`
//! rendered and the ending dropped.
//!
//! Nothing is overwritten: the new folder is built beside its place and renamed, so it is
//! there whole or not at all.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior};

use crate::durable;

/// The ending of files that are rendered.
const RENDERED: &str = ".j2";

/// Largest file that is rendered, in bytes; nobody writes a larger one by hand.
pub const SCAFFOLD_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Why a workspace could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ScaffoldError {
    /// Something is there already.
    #[error("`{}` exists and is not an empty folder", .0.display())]
    Occupied(PathBuf),
    /// A template file cannot be rendered.
    #[error("the template's `{file}` cannot be rendered: {reason}")]
    Render {
        /// The file, relative to the template.
        file: String,
        /// What the engine said.
        reason: String,
    },
    /// A file error.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Makes the folder `to` from the template in the folder `template`. `to` may be an empty
/// folder; its parents are created.
pub fn scaffold(
    template: &Path,
    to: &Path,
    variables: &BTreeMap<String, String>,
) -> Result<(), ScaffoldError> {
    if !is_free(to) {
        return Err(ScaffoldError::Occupied(to.to_owned()));
    }
    let parent = to.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent).map_err(failed("create", parent))?;
    let staging = durable::beside(to);
    let fill = || {
        fs::create_dir(&staging).map_err(failed("create", &staging))?;
        let mut engine = Environment::new();
        engine.set_syntax(whole_lines());
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        copy_folder(template, template, &staging, &engine, variables)?;
        fs::rename(&staging, to).map_err(failed("create", to))
    };
    let made = fill();
    if made.is_err() {
        let _ = fs::remove_dir_all(&staging);
    }
    made
}

/// A file ends as its author ended it.
fn whole_lines() -> SyntaxConfig {
    SyntaxConfig::builder()
        .keep_trailing_newline(true)
        .build()
        .expect("the default delimiters do not clash")
}

/// Whether nothing, or an empty folder, is at `path`. A link counts as something.
fn is_free(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Err(_) => true,
        Ok(facts) => facts.is_dir() && fs::read_dir(path).is_ok_and(|mut it| it.next().is_none()),
    }
}

fn copy_folder(
    root: &Path,
    from: &Path,
    to: &Path,
    engine: &Environment<'_>,
    variables: &BTreeMap<String, String>,
) -> Result<(), ScaffoldError> {
    for entry in fs::read_dir(from).map_err(failed("read", from))? {
        let entry = entry.map_err(failed("read", from))?;
        let (path, kind) = (entry.path(), entry.file_type());
        let kind = kind.map_err(failed("read", &path))?;
        let place = to.join(entry.file_name());
        if kind.is_dir() {
            fs::create_dir(&place).map_err(failed("create", &place))?;
            copy_folder(root, &path, &place, engine, variables)?;
        } else if kind.is_symlink() {
            let target = fs::read_link(&path).map_err(failed("read", &path))?;
            std::os::unix::fs::symlink(target, &place).map_err(failed("create", &place))?;
        } else {
            copy_file(root, &path, &place, engine, variables)?;
        }
    }
    Ok(())
}

fn copy_file(
    root: &Path,
    from: &Path,
    to: &Path,
    engine: &Environment<'_>,
    variables: &BTreeMap<String, String>,
) -> Result<(), ScaffoldError> {
    let facts = fs::metadata(from).map_err(failed("read", from))?;
    // The store is read-only; a workspace is its owner's.
    let mode = fs::Permissions::from_mode(facts.permissions().mode() & 0o777 | 0o200);
    let rendered = to.to_str().and_then(|it| it.strip_suffix(RENDERED));
    let Some(place) = rendered.map(PathBuf::from) else {
        fs::copy(from, to).map_err(failed("write", to))?;
        return fs::set_permissions(to, mode).map_err(failed("write", to));
    };
    let refused = |reason: String| ScaffoldError::Render {
        file: from
            .strip_prefix(root)
            .unwrap_or(from)
            .display()
            .to_string(),
        reason,
    };
    if facts.len() > SCAFFOLD_FILE_BYTES_MAX {
        return Err(refused(format!(
            "it is larger than {SCAFFOLD_FILE_BYTES_MAX} bytes"
        )));
    }
    let text = fs::read_to_string(from).map_err(failed("read", from))?;
    let text = engine
        .render_str(&text, variables)
        .map_err(|it| refused(it.to_string()))?;
    fs::write(&place, text).map_err(failed("write", &place))?;
    fs::set_permissions(&place, mode).map_err(failed("write", &place))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ScaffoldError {
    let path = path.to_owned();
    move |source| ScaffoldError::Io {
        action,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> BTreeMap<String, String> {
        [("name".to_owned(), "my-infra".to_owned())].into()
    }

    #[test]
    fn files_are_copied_and_templates_rendered_without_their_ending() {
        let folder = tempfile::tempdir().unwrap();
        let template = folder.path().join("t");
        fs::create_dir_all(template.join("infra")).unwrap();
        fs::write(template.join("README.md.j2"), "# {{ name }}\n").unwrap();
        fs::write(template.join("infra/raw.toml"), "x = \"{{ name }}\"").unwrap();
        let to = folder.path().join("deep/my-infra");
        scaffold(&template, &to, &variables()).unwrap();
        let read = |path: &str| fs::read_to_string(to.join(path)).unwrap();
        assert_eq!(read("README.md"), "# my-infra\n");
        assert_eq!(read("infra/raw.toml"), "x = \"{{ name }}\"");
        assert!(!to.join("README.md.j2").exists());
    }

    #[test]
    fn nothing_is_overwritten_and_an_unknown_variable_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let template = folder.path().join("t");
        fs::create_dir_all(&template).unwrap();
        fs::write(template.join("a.j2"), "{{ unknown }}").unwrap();
        let to = folder.path().join("w");
        let refused = scaffold(&template, &to, &variables()).unwrap_err();
        assert!(refused.to_string().contains("`a.j2`"), "{refused}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        fs::create_dir(&to).unwrap();
        fs::write(to.join("mine"), "").unwrap();
        let refused = scaffold(&template, &to, &variables()).unwrap_err();
        assert!(matches!(refused, ScaffoldError::Occupied(_)));
    }
}
