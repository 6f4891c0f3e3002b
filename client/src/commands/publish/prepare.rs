//! From files to what a session declares. Reads archives, asks no registry.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use provisioning_package::{
    ArchiveFormat, Manifest, PackageName, Target, Version, inspect_archive,
};
use provisioning_registry_api::session::{DeclaredArchive, DeclaredVersion, OpenSession};

use crate::commands::package::{place, refused};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::write_api::Upload;

/// What is to be published.
#[derive(Debug)]
pub(super) struct Prepared {
    /// What the session declares.
    pub(super) session: OpenSession,
    /// What is to be sent.
    pub(super) uploads: Vec<Upload>,
}

struct Archive {
    name: PackageName,
    version: Version,
    target: Target,
    upload: Upload,
}

/// Checks every archive and puts those of one version together.
pub(super) fn prepare(
    files: &[PathBuf],
    targets: &[Target],
    context: &Context,
) -> Outcome<Prepared> {
    let mut versions: BTreeMap<(PackageName, Version), BTreeMap<Target, Upload>> = BTreeMap::new();
    for file in files {
        let archive = read(&context.env.absolute(file), context)?;
        if !targets.is_empty() && !targets.contains(&archive.target) {
            return Err(Failure::usage(format!(
                "`{}` is for `{}`, which `--targets` does not list",
                file.display(),
                archive.target
            )));
        }
        let uploads = versions.entry((archive.name, archive.version)).or_default();
        if let Some(other) = uploads.insert(archive.target, archive.upload.clone())
            && other.digest != archive.upload.digest
        {
            return Err(Failure::usage(format!(
                "`{}` and `{}` are both the archive of {}",
                other.file.display(),
                archive.upload.file.display(),
                archive.upload.label
            )));
        }
    }
    let declared = versions
        .iter()
        .map(|((name, version), uploads)| DeclaredVersion {
            kind: name.kind(),
            name: name.clone(),
            version: version.clone(),
            archives: declare(uploads, targets),
        });
    Ok(Prepared {
        session: OpenSession {
            versions: declared.collect(),
        },
        uploads: versions
            .values()
            .flat_map(|it| it.values().cloned())
            .collect(),
    })
}

/// The archives of one version: those that are here, and those that are to come.
fn declare(uploads: &BTreeMap<Target, Upload>, targets: &[Target]) -> Vec<DeclaredArchive> {
    let mut all: Vec<Target> = uploads.keys().chain(targets).copied().collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter()
        .map(|target| {
            let here = uploads.get(&target);
            DeclaredArchive {
                target,
                digest: here.map(|it| it.digest),
                size: here.map(|it| it.size),
            }
        })
        .collect()
}

fn read(file: &Path, context: &Context) -> Outcome<Archive> {
    let report = inspect_archive(file).map_err(|it| refused(file, it))?;
    let text = report.manifest.ok_or_else(|| {
        Failure::new(
            "no-manifest",
            format!("`{}` has no `manifest.toml` at its root", file.display()),
        )
        .with_hint("`provisioning package build` makes archives that can be published")
    })?;
    let parsed = Manifest::parse(&text).map_err(|problems| {
        Failure::new(
            "invalid-manifest",
            format!("the manifest in `{}` is refused", file.display()),
        )
        .with_causes(problems.0.iter().map(place))
    })?;
    for note in &parsed.warnings {
        context.output.warning(&place(note));
    }
    let manifest = parsed.manifest;
    let target = target_of(file);
    let version = format!("{} {}", manifest.name, manifest.version);
    let label = if target == Target::Any {
        version
    } else {
        format!("{version} for {target}")
    };
    Ok(Archive {
        name: manifest.name,
        version: manifest.version,
        target,
        upload: Upload {
            label,
            file: file.to_owned(),
            digest: report.facts.digest,
            size: report.facts.size,
        },
    })
}

/// What an archive runs on: the end of its file name tells, and `any` has no ending.
pub(crate) fn target_of(file: &Path) -> Target {
    let name = file.file_name().and_then(|it| it.to_str()).unwrap_or("");
    let stem = [ArchiveFormat::TarZst, ArchiveFormat::TarGz]
        .into_iter()
        .find_map(|it| name.strip_suffix(it.as_str())?.strip_suffix('.'))
        .unwrap_or(name);
    Target::ALL
        .into_iter()
        .filter(|it| *it != Target::Any)
        .find(|it| {
            stem.strip_suffix(it.as_str())
                .is_some_and(|before| before.ends_with('-'))
        })
        .unwrap_or(Target::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_name_tells_the_target_and_its_absence_means_any() {
        let of = |name: &str| target_of(Path::new(name));
        assert_eq!(of("d/provisioning-core-3.1.0.tar.zst"), Target::Any);
        assert_eq!(
            of("provisioning-platform-2.5.0-linux-arm64.tar.gz"),
            Target::LinuxArm64
        );
        assert_eq!(
            of("provisioning-ext-notlinux-arm64-1.0.0.tar.gz"),
            Target::Any
        );
        assert_eq!(of("renamed"), Target::Any);
    }
}
