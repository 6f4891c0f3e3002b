//! What an uploaded archive must say about itself, and what its version becomes.

use std::collections::BTreeMap;

use provisioning_package::{
    ArchiveFormat, Digest, InstallSection, Kind, Manifest, PackageName, Target, Version,
};
use provisioning_registry_api::index::Dependency;
use provisioning_registry_api::session::DeclaredVersion;

use crate::db::archives::ArchiveRow;
use crate::db::packages::PackageFacts;
use crate::db::versions::NewVersion;
use crate::problem::{Code, Refusal};

/// A version as it would become visible.
#[derive(Debug, Clone)]
pub(crate) struct PlannedVersion {
    pub(crate) facts: PackageFacts,
    pub(crate) version: NewVersion,
}

/// Reads the manifest of an archive; all its problems at once.
pub(crate) fn read(text: Option<&str>) -> Result<Manifest, Refusal> {
    let Some(text) = text else {
        return Err(Refusal::new(
            Code::ManifestMissing,
            "the archive has no `manifest.toml` at its root",
        )
        .hint("build it with `provisioning package build DIR`"));
    };
    match Manifest::parse(text) {
        Ok(parsed) => Ok(parsed.manifest),
        Err(errors) => {
            let causes: Vec<String> = errors
                .0
                .iter()
                .map(|it| format!("manifest.toml:{}:{}: {}", it.line, it.column, it.message))
                .collect();
            Err(Refusal::new(
                Code::ManifestInvalid,
                format!("the archive's manifest is refused: {}", causes.join("; ")),
            )
            .causes(causes))
        }
    }
}

/// Checks that an archive is what it was declared as.
pub(crate) fn check(
    declared: &DeclaredVersion,
    manifest: &Manifest,
    format: ArchiveFormat,
) -> Result<(), Refusal> {
    let says = (manifest.kind, &manifest.name, &manifest.version);
    if says != (declared.kind, &declared.name, &declared.version) {
        return Err(Refusal::new(
            Code::ManifestMismatch,
            format!(
                "the archive was declared as {} `{}@{}`, but its manifest says {} `{}@{}`",
                declared.kind,
                declared.name,
                declared.version,
                manifest.kind,
                manifest.name,
                manifest.version
            ),
        ));
    }
    if declared.kind == Kind::Client && format != ArchiveFormat::TarGz {
        return Err(Refusal::new(
            Code::ClientFormat,
            format!(
                "`{}@{}` is packed as {format}, which a bare machine cannot unpack",
                declared.name, declared.version
            ),
        )
        .hint("build it with `provisioning package build --format tar.gz`"));
    }
    Ok(())
}

/// What a whole session makes visible, once all its archives are there.
pub(crate) fn plan(
    declared: &[DeclaredVersion],
    archives: &BTreeMap<Digest, ArchiveRow>,
) -> Result<Vec<PlannedVersion>, Refusal> {
    declared
        .iter()
        .map(|version| plan_version(version, archives))
        .collect()
}

fn plan_version(
    declared: &DeclaredVersion,
    archives: &BTreeMap<Digest, ArchiveRow>,
) -> Result<PlannedVersion, Refusal> {
    let mut first: Option<(Target, Manifest)> = None;
    let mut targets = BTreeMap::new();
    for archive in &declared.archives {
        let found = archive.digest.and_then(|digest| archives.get(&digest));
        let Some(found) = found else {
            return Err(incomplete(declared, archive.target));
        };
        check_size(declared, archive.size, found)?;
        let manifest = read(Some(&found.manifest))?;
        check(declared, &manifest, found.format)?;
        match &first {
            None => first = Some((archive.target, manifest)),
            Some((target, earlier)) => {
                check_agreement(declared, (*target, earlier), (archive.target, &manifest))?;
            }
        }
        targets.insert(archive.target, found.digest);
    }
    let Some((_, manifest)) = first else {
        return Err(incomplete(declared, Target::Any));
    };
    Ok(PlannedVersion {
        facts: facts(&manifest),
        version: NewVersion {
            package: declared.name.clone(),
            version: declared.version.clone(),
            api: manifest.api.clone(),
            dependencies: dependencies(&manifest),
            archives: targets,
        },
    })
}

fn incomplete(declared: &DeclaredVersion, target: Target) -> Refusal {
    Refusal::new(
        Code::SessionIncomplete,
        format!(
            "the archive of `{}@{}` for `{target}` has not arrived",
            declared.name, declared.version
        ),
    )
}

fn check_size(
    declared: &DeclaredVersion,
    size: Option<u64>,
    found: &ArchiveRow,
) -> Result<(), Refusal> {
    match size {
        Some(size) if size != found.size => Err(Refusal::new(
            Code::SizeMismatch,
            format!(
                "the archive of `{}@{}` was declared with {size} bytes and has {}",
                declared.name, declared.version, found.size
            ),
        )),
        Some(_) | None => Ok(()),
    }
}

/// The manifests of one version's targets agree in everything but `[install]`.
fn check_agreement(
    declared: &DeclaredVersion,
    (left_target, left): (Target, &Manifest),
    (right_target, right): (Target, &Manifest),
) -> Result<(), Refusal> {
    let without_install = |manifest: &Manifest| Manifest {
        install: InstallSection::default(),
        ..manifest.clone()
    };
    if without_install(left) == without_install(right) {
        return Ok(());
    }
    Err(Refusal::new(
        Code::ManifestsDiffer,
        format!(
            "the manifests of `{}@{}` for `{left_target}` and `{right_target}` differ outside \
             `[install]`",
            declared.name, declared.version
        ),
    ))
}

fn facts(manifest: &Manifest) -> PackageFacts {
    PackageFacts {
        name: manifest.name.clone(),
        extension_type: manifest.extension_type,
        description: manifest.description.clone(),
        keywords: manifest.keywords.clone(),
        license: manifest.license.clone(),
        repository: manifest.repository.clone(),
    }
}

fn dependencies(manifest: &Manifest) -> BTreeMap<PackageName, Dependency> {
    manifest
        .dependencies
        .iter()
        .map(|(name, dependency)| {
            (
                name.clone(),
                Dependency {
                    req: dependency.req.clone(),
                    optional: dependency.optional,
                },
            )
        })
        .collect()
}

/// Whether a version speaks for its package: no other version is newer. A pre-release
/// speaks only while there is nothing else.
pub(crate) fn is_newest(version: &Version, others: &[Version]) -> bool {
    let rank = |it: &Version| (it.pre.is_empty(), it.clone());
    others.iter().all(|other| rank(other) <= rank(version))
}
