//! Archives of packages, from committed content.
//!
//! A package with a manifest becomes a registry archive whose root is the manifest's folder;
//! one without becomes `<downstream_package_name>-<version>.tar.gz` with one folder at its
//! root, for specfiles. The same commit gives the same bytes.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use provisioning_package::{
    ArchiveError, ArchiveFormat, BuildOptions, Digest, Manifest, SourceFacts, Target,
    archive_file_name, build_archive, complete_manifest,
};

use crate::actions::{ActionError, base_variables, run_action};
use crate::config::Effective;
use crate::dependencies::{SourceTexts, find_manifest};
use crate::facts::{SourceError, read_facts};
use crate::git::GitError;
use crate::paths::clean;
use crate::snapshot::Snapshot;
use crate::version::{last_tag, sanitize};

/// Why an archive was not made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Git refused.
    #[error(transparent)]
    Git(#[from] GitError),
    /// An action failed.
    #[error(transparent)]
    Action(#[from] ActionError),
    /// Patches cannot be made.
    #[error(transparent)]
    Patches(#[from] crate::patches::PatchError),
    /// A tree's facts make no sense.
    #[error(transparent)]
    Facts(#[from] SourceError),
    /// The archive was refused.
    #[error("the archive of `{package}` is refused: {source}")]
    Archive {
        /// The package's key.
        package: String,
        /// Why.
        source: ArchiveError,
    },
    /// The manifest makes no sense.
    #[error("the manifest of `{package}` is refused:\n{problems}")]
    Manifest {
        /// The package's key.
        package: String,
        /// What is wrong with it.
        problems: String,
    },
    /// Nothing says which version it is.
    #[error("nothing says which version of `{package}` this is: no tag fits `{template}`")]
    NoVersion {
        /// The package's key.
        package: String,
        /// The template of its tags.
        template: String,
    },
    /// There is no specfile.
    #[error("`{package}` has no specfile: `{specfile}` is neither at the root nor in its paths")]
    NoSpecfile {
        /// The package's key.
        package: String,
        /// Where it should be.
        specfile: String,
    },
    /// No file lies under its paths.
    #[error("no committed file lies under the paths of `{package}`: {paths}")]
    Empty {
        /// The package's key.
        package: String,
        /// Its paths.
        paths: String,
    },
    /// A program that is needed did not do its work.
    #[error("`{program}` failed for `{package}`: {message}")]
    Program {
        /// The program.
        program: &'static str,
        /// The package's key.
        package: String,
        /// What it said.
        message: String,
    },
    /// The operating system refused.
    #[error("cannot write `{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// An archive that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The package's key.
    pub package: String,
    /// The version.
    pub version: String,
    /// The file.
    pub archive: PathBuf,
    /// Its digest.
    pub digest: Digest,
    /// Whether a registry takes it.
    pub is_for_registry: bool,
}

/// One package of a snapshot.
#[derive(Debug, Clone, Copy)]
pub struct BuildInput<'b> {
    /// The package's key.
    pub package: &'b str,
    /// Its values.
    pub values: &'b Effective,
    /// The content.
    pub snapshot: &'b Snapshot,
    /// An empty folder for work, on the same file system as the output.
    pub work: &'b Path,
}

/// Makes the package's archive in `output`. `mtime` is what `SOURCE_DATE_EPOCH` says.
pub fn build(
    input: &BuildInput<'_>,
    output: &Path,
    mtime: Option<u64>,
) -> Result<Built, BuildError> {
    let export = input.work.join("export");
    create(&export)?;
    let mut paths = input.values.clean_paths();
    paths.extend(input.values.text("manifest").map(clean));
    export_paths(input, &paths, &export)?;
    let read = |path: &str| fs::read_to_string(export.join(path)).ok();
    if let Some((path, text)) = find_manifest(input.values, &SourceTexts { read: &read }) {
        return for_registry(input, &export, (&path, &text), output, mtime);
    }
    let version = current_version(input)?;
    plain(input, &version, &export, output, mtime)
}

/// Makes the package's plain archive of this version in `output`, whether or not it has a
/// manifest.
pub fn build_plain(
    input: &BuildInput<'_>,
    version: &str,
    output: &Path,
) -> Result<Built, BuildError> {
    let export = input.work.join("export");
    create(&export)?;
    export_paths(input, &input.values.clean_paths(), &export)?;
    plain(input, version, &export, output, None)
}

/// The version of a package without a manifest: the action, the newest tag.
pub fn current_version(input: &BuildInput<'_>) -> Result<String, BuildError> {
    let variables = base_variables(input.package, input.values);
    let root = &input.snapshot.root;
    if let Some(outputs) = run_action("get-current-version", input.values, root, &variables)? {
        let said = outputs.last().map(|it| it.trim()).unwrap_or_default();
        if let Some(line) = said.lines().last() {
            return Ok(sanitize(line.trim()));
        }
    }
    let git = input.snapshot.at_root();
    let found = last_tag(&git, &input.snapshot.commit, input.values)?;
    let version = found.map(|(_, version)| sanitize(&version));
    version.ok_or_else(|| BuildError::NoVersion {
        package: input.package.to_owned(),
        template: input
            .values
            .text("upstream_tag_template")
            .unwrap_or_default()
            .to_owned(),
    })
}

fn export_paths(input: &BuildInput<'_>, paths: &[String], folder: &Path) -> Result<(), BuildError> {
    let listed: Vec<&str> = [
        "ls-tree",
        "-r",
        "--name-only",
        "-z",
        &input.snapshot.commit,
        "--",
    ]
    .into_iter()
    .chain(paths.iter().map(|it| if it.is_empty() { "." } else { it }))
    .collect();
    if input.snapshot.at_root().items(&listed)?.is_empty() {
        return Err(BuildError::Empty {
            package: input.package.to_owned(),
            paths: input.values.paths().join(" "),
        });
    }
    Ok(input.snapshot.export(paths, folder)?)
}

fn for_registry(
    input: &BuildInput<'_>,
    export: &Path,
    (manifest_path, text): (&str, &str),
    output: &Path,
    mtime: Option<u64>,
) -> Result<Built, BuildError> {
    let folder = manifest_path
        .rsplit_once('/')
        .map_or("", |(folder, _)| folder);
    let mut facts: SourceFacts = read_facts(&export.join(folder))?;
    if facts.version.is_none() {
        let tag = last_tag(
            &input.snapshot.at_root(),
            &input.snapshot.commit,
            input.values,
        )?;
        facts.version = tag.and_then(|(_, version)| version.parse().ok());
    }
    let parsed = Manifest::parse_with(text, &facts).map_err(|it| BuildError::Manifest {
        package: input.package.to_owned(),
        problems: it.to_string(),
    })?;
    let manifest = parsed.manifest;
    // The manifest's folder is the archive's root; the package's other paths keep their names.
    let tree = if folder.is_empty() {
        export.to_owned()
    } else {
        let tree = input.work.join("tree");
        rename(&export.join(folder), &tree)?;
        // Empty folders are part of an archive, and these are there for the manifest's alone.
        let mut above = Path::new(folder).parent();
        while let Some(path) = above.filter(|it| !it.as_os_str().is_empty()) {
            if fs::remove_dir(export.join(path)).is_err() {
                break;
            }
            above = path.parent();
        }
        move_into(export, &tree)?;
        tree
    };
    let format = ArchiveFormat::default();
    let name = archive_file_name(&manifest.name, &manifest.version, Target::Any, format);
    let mut options = BuildOptions {
        format,
        exclude: manifest.install.exclude.clone(),
        replace: BTreeMap::from([(
            Manifest::FILE.to_owned(),
            complete_manifest(text, &facts).into_bytes(),
        )]),
        ..BuildOptions::default()
    };
    if let Some(mtime) = mtime {
        options.mtime = mtime;
    }
    pack(input, &tree, &options, &output.join(name)).map(|(archive, digest)| Built {
        package: input.package.to_owned(),
        version: manifest.version.to_string(),
        archive,
        digest,
        is_for_registry: true,
    })
}

fn plain(
    input: &BuildInput<'_>,
    version: &str,
    export: &Path,
    output: &Path,
    mtime: Option<u64>,
) -> Result<Built, BuildError> {
    let tree = input.work.join("tree");
    create(&tree)?;
    let root = tree.join(root_folder(input.values, version));
    rename(&content_root(input.values, export), &root)?;
    let options = BuildOptions {
        format: ArchiveFormat::TarGz,
        mtime: mtime.unwrap_or(input.snapshot.time),
        ..BuildOptions::default()
    };
    let name = format!("{}-{version}.tar.gz", input.values.downstream_name());
    let (archive, digest) = pack(input, &tree, &options, &output.join(name))?;
    Ok(Built {
        package: input.package.to_owned(),
        version: version.to_owned(),
        archive,
        digest,
        is_for_registry: false,
    })
}

/// The one folder at the root of a package's plain archive.
pub fn root_folder(values: &Effective, version: &str) -> String {
    let template = values.text("archive_root_dir_template").unwrap_or_default();
    let name = template
        .replace("{upstream_pkg_name}", values.upstream_name())
        .replace("{version}", version);
    name.replace('/', "-")
}

/// One folder is the root of its archive; several paths keep their names.
fn content_root(values: &Effective, export: &Path) -> PathBuf {
    match values.clean_paths().as_slice() {
        [path] if export.join(path).is_dir() => export.join(path),
        _ => export.to_owned(),
    }
}

fn pack(
    input: &BuildInput<'_>,
    tree: &Path,
    options: &BuildOptions,
    archive: &Path,
) -> Result<(PathBuf, Digest), BuildError> {
    let staged = input.work.join("archive");
    let failed = |source| BuildError::Io {
        path: archive.to_owned(),
        source,
    };
    let file = fs::File::create(&staged).map_err(failed)?;
    let mut out = std::io::BufWriter::with_capacity(1 << 20, file);
    let facts = build_archive(tree, options, &mut out).map_err(|source| BuildError::Archive {
        package: input.package.to_owned(),
        source,
    })?;
    out.flush().map_err(failed)?;
    out.get_ref().sync_all().map_err(failed)?;
    rename(&staged, archive)?;
    Ok((archive.to_owned(), facts.digest))
}

/// Moves what a folder holds into another; what both have stays where it is wanted more.
fn move_into(from: &Path, to: &Path) -> Result<(), BuildError> {
    let failed = |source| BuildError::Io {
        path: from.to_owned(),
        source,
    };
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let target = to.join(entry.file_name());
        let is_folder = entry.file_type().map_err(failed)?.is_dir();
        if target.symlink_metadata().is_err() {
            rename(&entry.path(), &target)?;
        } else if is_folder && target.is_dir() {
            move_into(&entry.path(), &target)?;
        }
    }
    Ok(())
}

fn create(folder: &Path) -> Result<(), BuildError> {
    fs::create_dir_all(folder).map_err(|source| BuildError::Io {
        path: folder.to_owned(),
        source,
    })
}

fn rename(from: &Path, to: &Path) -> Result<(), BuildError> {
    fs::rename(from, to).map_err(|source| BuildError::Io {
        path: to.to_owned(),
        source,
    })
}
