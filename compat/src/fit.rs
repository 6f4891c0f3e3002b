//! Whether one fixed set of versions fits, and whether the matrix makes sense for a
//! registry. Nothing is searched for here.

mod rows;

use std::collections::BTreeMap;

use provisioning_package::{Kind, PackageName, Version, VersionReq};
use provisioning_registry_api::index::IndexVersion;

use crate::index::{Index, nearest_names};
use crate::matrix::{BoundOn, Matrix};
use crate::requirement::{PreReleases, meets};
use crate::versions_toml::{BundleDraft, Note, VersionsToml};

/// Two versions that do not go together, or one that lacks what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The package whose requirement or row is broken.
    pub package: PackageName,
    /// Its version.
    pub version: Version,
    /// The package that breaks it.
    pub other: PackageName,
    /// What is wrong, as a sentence.
    pub text: String,
}

/// What a matrix has to do with a registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lint {
    /// Bundle members that do not exist.
    pub errors: Vec<Note>,
    /// Rows and bundles that mean nothing yet, or cannot hold.
    pub warnings: Vec<Note>,
}

/// Everything that keeps `set` from being installed together.
pub fn misfits(matrix: &Matrix, set: &BTreeMap<PackageName, &IndexVersion>) -> Vec<Misfit> {
    misfits_with(matrix, set, PreReleases::WhereNamed)
}

/// [`misfits`], with pre-releases as asked.
pub(crate) fn misfits_with(
    matrix: &Matrix,
    set: &BTreeMap<PackageName, &IndexVersion>,
    pre: PreReleases,
) -> Vec<Misfit> {
    let mut found = Vec::new();
    for (name, version) in set {
        for (other, dependency) in &version.dependencies {
            let req = &dependency.req;
            let text = match set.get(other) {
                Some(chosen) if meets(req, &chosen.version, pre) => continue,
                None if dependency.optional => continue,
                Some(chosen) => format!(
                    "{name} {} needs {other} `{req}`, not {}",
                    version.version, chosen.version
                ),
                None => format!(
                    "{name} {} needs {other} `{req}`, which is missing",
                    version.version
                ),
            };
            found.push(misfit(name, version, other, text));
        }
        row_misfits(matrix, set, (name, version), pre, &mut found);
    }
    found
}

/// Compares `read` with what a registry has.
pub fn lint(read: &VersionsToml, index: &dyn Index) -> Lint {
    let mut lint = Lint::default();
    for (bundle, draft) in &read.bundles {
        lint_draft(&read.matrix, bundle.as_str(), draft, index, &mut lint);
    }
    for (name, version, row) in read.matrix.rows() {
        let void = rows::void_bounds(&read.matrix, (name, version, row), index);
        lint.warnings.extend(void);
        let exists = index
            .entry(name)
            .is_some_and(|it| it.version(version).is_some());
        if !exists {
            lint.warnings.push(Note {
                file: row.file,
                line: row.line,
                column: row.column,
                message: format!("this registry has no {name} {version}"),
            });
        }
        for bound in &row.bounds {
            let BoundOn::Package(other) = &bound.on else {
                continue;
            };
            if !some_version_meets(index, other, &bound.req) {
                lint.warnings.push(Note {
                    file: row.file,
                    line: bound.line,
                    column: bound.column,
                    message: format!("this registry has no {other} that meets `{}`", bound.req),
                });
            }
        }
    }
    lint.errors.sort();
    lint.warnings.sort();
    lint
}

impl Misfit {
    /// Whether `name` takes part.
    pub fn concerns(&self, name: &PackageName) -> bool {
        self.package == *name || self.other == *name
    }
}

fn row_misfits(
    matrix: &Matrix,
    set: &BTreeMap<PackageName, &IndexVersion>,
    (name, version): (&PackageName, &IndexVersion),
    pre: PreReleases,
    found: &mut Vec<Misfit>,
) {
    let Some(row) = matrix.row(name, &version.version) else {
        return;
    };
    let owner = format!("{name} {}", version.version);
    for bound in &row.bounds {
        let (req, line) = (&bound.req, bound.line);
        match &bound.on {
            BoundOn::Package(other) => {
                let chosen = set.get(other).filter(|it| !meets(req, &it.version, pre));
                found.extend(chosen.map(|chosen| {
                    let text = format!(
                        "the matrix row of {owner} (line {line}) wants {other} `{req}`, not {}",
                        chosen.version
                    );
                    misfit(name, version, other, text)
                }));
            }
            BoundOn::ExtensionApi => {
                let extensions = set.iter().filter(|(it, _)| it.kind() == Kind::Extension);
                for (other, chosen) in extensions {
                    let api = chosen.api.as_ref().filter(|it| !meets(req, it, pre));
                    found.extend(api.map(|api| {
                        let text = format!(
                            "the matrix row of {owner} (line {line}) wants extensions of API \
                             `{req}`, and {other} {} is written for API {api}",
                            chosen.version
                        );
                        misfit(name, version, other, text)
                    }));
                }
            }
        }
    }
}

fn misfit(name: &PackageName, version: &IndexVersion, other: &PackageName, text: String) -> Misfit {
    Misfit {
        package: name.clone(),
        version: version.version.clone(),
        other: other.clone(),
        text,
    }
}

fn lint_draft(
    matrix: &Matrix,
    bundle: &str,
    draft: &BundleDraft,
    index: &dyn Index,
    found: &mut Lint,
) {
    let mut set = BTreeMap::new();
    for (name, version) in draft.members.iter().chain(&draft.optional) {
        let entry = index.entry(name);
        if let Some(known) = entry.and_then(|it| it.version(version)) {
            set.insert(name.clone(), known);
            continue;
        }
        let (line, column) = draft.places.get(name).copied().unwrap_or((draft.line, 1));
        let message = if entry.is_some() {
            format!("bundle `{bundle}`: this registry has no {name} {version}")
        } else {
            let near = nearest_names(name.as_str(), &index.names());
            let meant = near
                .first()
                .map_or_else(String::new, |it| format!(" (did you mean `{it}`?)"));
            format!("bundle `{bundle}`: this registry has no package `{name}`{meant}")
        };
        found.errors.push(note(line, column, message));
    }
    for misfit in misfits(matrix, &set) {
        let place = draft.places.get(&misfit.package);
        let (line, column) = place.copied().unwrap_or((draft.line, 1));
        let message = format!("bundle `{bundle}`: {}", misfit.text);
        found.warnings.push(note(line, column, message));
    }
}

fn note(line: usize, column: usize, message: String) -> Note {
    Note {
        file: "versions.toml",
        line,
        column,
        message,
    }
}

fn some_version_meets(index: &dyn Index, name: &PackageName, req: &VersionReq) -> bool {
    index
        .entry(name)
        .is_some_and(|it| it.versions.iter().any(|it| req.matches(&it.version)))
}
