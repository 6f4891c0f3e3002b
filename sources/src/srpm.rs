//! Source RPMs of packages, with Packit's rules for version, release and changelog.
//!
//! `rpmbuild` makes them from a snapshot. Times come from the commit, so that one commit gives
//! one source RPM wherever and whenever it is built.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::actions::{Variables, base_variables, run_action};
use crate::build::{BuildError, BuildInput, current_version, root_folder};
use crate::dependencies::{SourceTexts, find_specfile};
use crate::patches::{add_to_specfile, make_patches, upstream_commit};
use crate::specfile::Specfile;
use crate::version::{last_tag, sanitize};

/// A tree from which `rpmbuild` can build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The specfile; its sources lie beside it.
    pub specfile: PathBuf,
    /// The version of the sources.
    pub version: String,
}

/// Prepares a package's specfile and sources in its snapshot: archive, specfile, actions.
pub fn prepare_sources(input: &BuildInput<'_>) -> Result<Prepared, BuildError> {
    let root = &input.snapshot.root;
    let mut variables = base_variables(input.package, input.values);
    run_action("post-upstream-clone", input.values, root, &variables)?;
    let read = |path: &str| fs::read_to_string(root.join(path)).ok();
    let texts = SourceTexts { read: &read };
    let Some((path, _)) = find_specfile(input.values, &texts) else {
        return Err(BuildError::NoSpecfile {
            package: input.package.to_owned(),
            specfile: input.values.specfile().unwrap_or_default().to_owned(),
        });
    };
    let specfile = root.join(path);
    let version = match current_version(input) {
        Err(BuildError::NoVersion { .. }) => sanitize(&query(input, &specfile, "%{VERSION}")?),
        other => other?,
    };
    let folder = root_folder(input.values, &version);
    variables.insert("PACKIT_PROJECT_VERSION", version.clone());
    variables.insert("PACKIT_PROJECT_NAME_VERSION", folder.clone());
    let archive = make_archive(input, &specfile, &version, &variables)?;
    if !input.values.is_true("preserve_spec") {
        change_specfile(input, &specfile, &version, &archive, &mut variables)?;
    }
    add_patches(input, &specfile, &variables)?;
    run_action("post-modifications", input.values, root, &variables)?;
    Ok(Prepared { specfile, version })
}

/// Builds the package's source RPM in `output`.
pub fn build_srpm(input: &BuildInput<'_>, output: &Path) -> Result<PathBuf, BuildError> {
    let prepared = prepare_sources(input)?;
    let made = input.work.join("srpm");
    // rpm writes these folders into the header, so they must be called the same everywhere.
    let here = Path::new("/proc/self/cwd");
    rpmbuild(input, &prepared.specfile, "-bs", here, &made)?;
    let files = collect(&made, output)?;
    files.into_iter().next().ok_or_else(|| BuildError::Program {
        program: "rpmbuild",
        package: input.package.to_owned(),
        message: "no source RPM was made".to_owned(),
    })
}

/// Builds the package's binary RPMs in `output`.
pub fn build_rpms(input: &BuildInput<'_>, output: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let prepared = prepare_sources(input)?;
    let made = input.work.join("rpms");
    let beside = prepared.specfile.parent().unwrap_or(input.work).to_owned();
    rpmbuild(input, &prepared.specfile, "-bb", &beside, &made)?;
    collect(&made, output)
}

/// The archive, beside the specfile; its name.
fn make_archive(
    input: &BuildInput<'_>,
    specfile: &Path,
    version: &str,
    variables: &Variables,
) -> Result<String, BuildError> {
    let root = &input.snapshot.root;
    let beside = specfile.parent().unwrap_or(root);
    let outputs = run_action("create-archive", input.values, root, variables)?;
    let made = match &outputs {
        // The last line that is a file is the archive.
        Some(outputs) => outputs
            .iter()
            .rev()
            .flat_map(|it| it.lines().rev())
            .map(|it| root.join(it.trim()))
            .find(|it| it.is_file())
            .ok_or_else(|| BuildError::Program {
                program: "create-archive",
                package: input.package.to_owned(),
                message: "no line of its output is the path of a file".to_owned(),
            })?,
        None => own_archive(input, version, beside)?,
    };
    let name = made.file_name().unwrap_or_default().to_owned();
    let target = beside.join(&name);
    if target != made {
        fs::copy(&made, &target).map_err(|source| BuildError::Io {
            path: target.clone(),
            source,
        })?;
    }
    Ok(name.to_string_lossy().into_owned())
}

/// The archive without the commits on top of the upstream, which are patches.
fn own_archive(
    input: &BuildInput<'_>,
    version: &str,
    beside: &Path,
) -> Result<PathBuf, BuildError> {
    let mut snapshot = input.snapshot.clone();
    if let Some(upstream) = upstream_ref(input) {
        snapshot.commit = upstream_commit(&input.snapshot.at_root(), upstream)?;
    }
    let input = BuildInput {
        snapshot: &snapshot,
        ..*input
    };
    Ok(crate::build::build_plain(&input, version, beside)?.archive)
}

fn upstream_ref<'i>(input: &BuildInput<'i>) -> Option<&'i str> {
    input
        .values
        .text("upstream_ref")
        .filter(|it| !it.is_empty())
}

/// The patches of a package with an upstream, beside the specfile and named in it.
fn add_patches(
    input: &BuildInput<'_>,
    specfile: &Path,
    variables: &Variables,
) -> Result<(), BuildError> {
    let root = &input.snapshot.root;
    if upstream_ref(input).is_none()
        || run_action("create-patches", input.values, root, variables)?.is_some()
    {
        return Ok(());
    }
    let git = input.snapshot.at_root();
    let patches = make_patches(&git, &input.snapshot.commit, input.values)?;
    let beside = specfile.parent().unwrap_or(root);
    for patch in &patches {
        let path = beside.join(&patch.name);
        fs::write(&path, &patch.content).map_err(|source| BuildError::Io { path, source })?;
    }
    let failed = |source| BuildError::Io {
        path: specfile.to_owned(),
        source,
    };
    let mut spec = Specfile::new(&fs::read_to_string(specfile).map_err(failed)?);
    add_to_specfile(&mut spec, &patches, input.values)?;
    fs::write(specfile, spec.text()).map_err(failed)
}

fn change_specfile(
    input: &BuildInput<'_>,
    path: &Path,
    version: &str,
    archive: &str,
    variables: &mut Variables,
) -> Result<(), BuildError> {
    let values = input.values;
    let snapshot_id = snapshot_id(input)?;
    let original = query(input, path, "%{RELEASE}")?;
    let number = original.split('.').next().unwrap_or("1").to_owned();
    let mut spec_version = version.to_owned();
    variables.insert("PACKIT_PROJECT_SNAPSHOTID", snapshot_id.clone());
    variables.insert("PACKIT_PROJECT_COMMIT", input.snapshot.commit.clone());
    variables.insert("PACKIT_PROJECT_ARCHIVE", archive.to_owned());
    variables.insert("PACKIT_PROJECT_BRANCH", sanitize(&input.snapshot.branch));
    variables.insert("PACKIT_RPMSPEC_RELEASE", format!("{number}.{snapshot_id}"));
    if let Some(suffix) = values.text("version_suffix") {
        spec_version.push_str(&expand(suffix, variables));
    }
    variables.insert("PACKIT_RPMSPEC_VERSION", spec_version.clone());
    let release = match values.text("release_suffix") {
        Some(suffix) if suffix.contains('{') => expand(suffix, variables),
        Some(suffix) if !suffix.is_empty() => format!("{number}.{suffix}"),
        Some(_) | None => format!("{number}.{snapshot_id}"),
    };
    let root = &input.snapshot.root;
    if run_action("fix-spec-file", values, root, variables)?.is_some() {
        return Ok(());
    }
    let failed = |source| BuildError::Io {
        path: path.to_owned(),
        source,
    };
    let mut specfile = Specfile::new(&fs::read_to_string(path).map_err(failed)?);
    let id = values.text("spec_source_id").unwrap_or("Source0");
    let digits = id.trim_start_matches(|it: char| !it.is_ascii_digit());
    if !specfile.set_source(digits.parse().unwrap_or(0), archive) {
        return Err(BuildError::Program {
            program: "specfile",
            package: input.package.to_owned(),
            message: format!("`{}` has no `{id}`", path.display()),
        });
    }
    specfile.set_root_folder(&root_folder(values, version));
    specfile.set_tag("Version", &spec_version);
    if values.is_true("update_release") {
        let tail = "%{?dist}";
        let tail = if release.ends_with(tail) { "" } else { tail };
        specfile.set_tag("Release", &format!("{release}{tail}"));
        let head = changelog_head(input, &format!("{spec_version}-{release}"))?;
        specfile.add_changelog(&head, &changelog_text(input, variables)?);
    }
    fs::write(path, specfile.text()).map_err(failed)
}

fn changelog_head(input: &BuildInput<'_>, version: &str) -> Result<String, BuildError> {
    let git = input.snapshot.at_root().with("TZ", "UTC0");
    let format = "--format=%cd %cn <%ce>";
    let date = "--date=format-local:%a %b %d %Y";
    let head = git.text(&["show", "--no-patch", date, format, &input.snapshot.commit])?;
    Ok(format!("{head} - {version}"))
}

/// The action, the commits since the newest tag, else the commit.
fn changelog_text(input: &BuildInput<'_>, variables: &Variables) -> Result<String, BuildError> {
    let root = &input.snapshot.root;
    if let Some(outputs) = run_action("changelog-entry", input.values, root, variables)? {
        let text = outputs.concat();
        if !text.trim().is_empty() {
            return Ok(text.trim_end().to_owned());
        }
    }
    let git = input.snapshot.at_root();
    let commit = &input.snapshot.commit;
    if let Some((tag, _)) = last_tag(&git, commit, input.values)? {
        let range = format!("{tag}..{commit}");
        let format = "--pretty=format:- %s (%an)";
        let paths = input.values.clean_paths();
        let mut words = vec!["log", "--no-merges", format, range.as_str(), "--"];
        words.extend(
            paths
                .iter()
                .map(|it| if it.is_empty() { "." } else { it.as_str() }),
        );
        let said = git.text(&words)?;
        if !said.is_empty() {
            return Ok(said);
        }
    }
    Ok(format!("- Development snapshot ({commit})"))
}

/// `<time>.<branch>.<commits since the tag>.g<hash>`.
fn snapshot_id(input: &BuildInput<'_>) -> Result<String, BuildError> {
    let git = input.snapshot.at_root().with("TZ", "UTC0");
    let date = "--date=format-local:%Y%m%d%H%M%S000000";
    let commit = input.snapshot.commit.as_str();
    let time = git.text(&["show", "--no-patch", date, "--format=%cd", commit])?;
    let described = git.text(&["describe", "--tags", "--long", "--match", "*", commit]);
    let since = described.ok().map(|it| {
        let mut parts: Vec<&str> = it.rsplitn(3, '-').take(2).collect();
        parts.reverse();
        format!(".{}", parts.join("."))
    });
    let branch = sanitize(&input.snapshot.branch);
    Ok(format!("{time}.{branch}{}", since.unwrap_or_default()))
}

/// A template with its `{VARIABLE}`s replaced.
fn expand(template: &str, variables: &Variables) -> String {
    let mut text = template.to_owned();
    for (name, value) in variables {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    text
}

/// What rpm makes of a specfile's header.
fn query(input: &BuildInput<'_>, specfile: &Path, format: &str) -> Result<String, BuildError> {
    let folder = specfile.parent().unwrap_or(Path::new("."));
    let output = Command::new("rpmspec")
        .args([
            "-q",
            "--srpm",
            "--define",
            "dist %{nil}",
            "--qf",
            format,
            "--define",
        ])
        .arg(define("_sourcedir", folder))
        .arg(specfile)
        .output();
    said(input, "rpmspec", output).map(|it| it.trim().to_owned())
}

fn rpmbuild(
    input: &BuildInput<'_>,
    specfile: &Path,
    what: &str,
    folder: &Path,
    made: &Path,
) -> Result<(), BuildError> {
    let sources = specfile.parent().unwrap_or(Path::new("."));
    let mut command = Command::new("rpmbuild");
    command
        .arg(what)
        .current_dir(sources)
        .env("SOURCE_DATE_EPOCH", input.snapshot.time.to_string());
    let folders = [
        ("_sourcedir", folder),
        ("_specdir", folder),
        ("_topdir", folder),
        ("_srcrpmdir", made),
        ("_rpmdir", made),
    ];
    for (name, folder) in folders {
        command.arg("--define").arg(define(name, folder));
    }
    for pinned in [
        "_buildhost localhost",
        "use_source_date_epoch_as_buildtime 1",
        "clamp_mtime_to_source_date_epoch 1",
    ] {
        command.args(["--define", pinned]);
    }
    command.arg(specfile);
    said(input, "rpmbuild", command.output()).map(|_| ())
}

fn define(name: &str, folder: &Path) -> OsString {
    let mut text = OsString::from(format!("{name} "));
    text.push(folder);
    text
}

fn said(
    input: &BuildInput<'_>,
    program: &'static str,
    output: std::io::Result<std::process::Output>,
) -> Result<String, BuildError> {
    let failed = |message: String| BuildError::Program {
        program,
        package: input.package.to_owned(),
        message,
    };
    let output = output.map_err(|problem| failed(problem.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(failed(
        String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    ))
}

/// Moves every RPM at or below `made` into `output`.
fn collect(made: &Path, output: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let mut open = vec![made.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        let failed = |source| BuildError::Io {
            path: folder.clone(),
            source,
        };
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|it| it == "rpm") {
                let target = output.join(path.file_name().unwrap_or_default());
                fs::rename(&path, &target).map_err(failed)?;
                found.push(target);
            }
        }
    }
    found.sort();
    Ok(found)
}
