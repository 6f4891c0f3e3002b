//! What a trial is made from: the registry's index entries, with archives that nobody
//! published yet laid over them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use provisioning_compat::{Index as _, MemoryIndex};
use provisioning_package::{
    ArchiveReport, Digest, Manifest, PackageName, Target, Version, inspect_archive,
};
use provisioning_registry_api::index::{
    Dependency, IndexArchive, IndexEntry, IndexVersion, PackageState,
};

use crate::commands::{place, refused, target_of};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::registry::{RegistryReader, WantedArchive};

/// Index entries, and where the archives are that no registry has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Material {
    /// Everything that may be installed.
    pub(crate) index: MemoryIndex,
    /// Archives that are only here.
    pub(crate) local: BTreeMap<Digest, PathBuf>,
}

impl Material {
    /// Reads `archives`, asks the registry about `roots` and everything that they may bring
    /// in, and lays the first over the second.
    pub(crate) async fn gather(
        reader: Option<&mut RegistryReader>,
        roots: BTreeSet<PackageName>,
        archives: &[PathBuf],
        context: &Context,
    ) -> Outcome<Self> {
        let mut roots = roots;
        let mut read = Vec::new();
        for file in archives {
            let file = context.env.absolute(file);
            let (report, manifest) = inspect(&file)?;
            roots.insert(manifest.name.clone());
            roots.extend(manifest.dependencies.keys().cloned());
            read.push((file, report, manifest));
        }
        let roots: Vec<PackageName> = roots.into_iter().collect();
        let index = match reader {
            Some(reader) => reader.index(&roots).await?,
            None => MemoryIndex::new(),
        };
        let mut material = Self {
            index,
            local: BTreeMap::new(),
        };
        for (file, report, manifest) in read {
            material.lay_over(file, &report, &manifest, context.now())?;
        }
        Ok(material)
    }

    /// The versions of a package that are not yanked, oldest first.
    pub(crate) fn versions(&self, name: &PackageName) -> Vec<Version> {
        let entry = self.index.entry(name);
        let usable = entry
            .iter()
            .filter(|it| it.status.state != PackageState::Quarantined)
            .flat_map(|it| &it.versions)
            .filter(|it| it.yanked.is_none());
        let mut versions: Vec<Version> = usable.map(|it| it.version.clone()).collect();
        versions.sort();
        versions
    }

    fn lay_over(
        &mut self,
        file: PathBuf,
        report: &ArchiveReport,
        manifest: &Manifest,
        now: Timestamp,
    ) -> Outcome<()> {
        let target = target_of(&file);
        let digest = report.facts.digest;
        let known = self.index.entry(&manifest.name).cloned();
        let mut entry = known.unwrap_or_else(|| IndexEntry {
            extension_type: manifest.extension_type,
            ..IndexEntry::new(manifest.name.clone())
        });
        let archive = IndexArchive {
            target,
            digest,
            size: report.facts.size,
            unpacked: report.facts.unpacked,
            entries: report.facts.entries,
            format: report.facts.format,
            provenance: None,
            sbom: None,
        };
        match entry
            .versions
            .iter_mut()
            .find(|it| it.version == manifest.version)
        {
            None => {
                entry.versions.push(version_of(manifest, archive, now));
                entry
                    .versions
                    .sort_by(|left, right| left.version.cmp(&right.version));
            }
            Some(version) => match version.archives.iter().find(|it| it.target == target) {
                None => version.archives.push(archive),
                Some(same) if same.digest == digest => {}
                Some(other) => {
                    return Err(Failure::new(
                        "version-exists",
                        format!(
                            "`{}` is {} {}, which is {} already, with other bytes",
                            file.display(),
                            manifest.name,
                            manifest.version,
                            other.digest.prefixed()
                        ),
                    )
                    .with_hint("a version never changes: give the change a new version number"));
                }
            },
        }
        self.index.insert(entry);
        self.local.insert(digest, file);
        Ok(())
    }

    /// Where the archives are that `versions` have for `target`; those of the registry are
    /// fetched.
    pub(crate) async fn fetch(
        &self,
        versions: &BTreeSet<(PackageName, Version)>,
        target: Target,
        reader: Option<&RegistryReader>,
    ) -> Outcome<BTreeMap<Digest, PathBuf>> {
        let mut found = BTreeMap::new();
        let mut wanted = Vec::new();
        for (name, version) in versions {
            let entry = self.index.entry(name);
            let archive = entry
                .and_then(|it| it.version(version))
                .and_then(|it| it.archive_for(target));
            let Some(archive) = archive else { continue };
            if let Some(path) = self.local.get(&archive.digest) {
                found.insert(archive.digest, path.clone());
            } else {
                wanted.push(WantedArchive {
                    label: format!("{name} {version}"),
                    digest: archive.digest,
                    size: archive.size,
                });
            }
        }
        if let (Some(reader), false) = (reader, wanted.is_empty()) {
            let paths = reader.fetch_archives(&wanted).await?;
            found.extend(wanted.iter().map(|it| it.digest).zip(paths));
        }
        Ok(found)
    }
}

/// The manifest of an archive that keeps every rule.
pub(super) fn inspect(file: &Path) -> Outcome<(ArchiveReport, Manifest)> {
    let report = inspect_archive(file).map_err(|it| refused(file, it))?;
    let text = report.manifest.clone().ok_or_else(|| {
        Failure::new(
            "no-manifest",
            format!("`{}` has no `manifest.toml` at its root", file.display()),
        )
    })?;
    let parsed = Manifest::parse(&text).map_err(|problems| {
        Failure::new(
            "invalid-manifest",
            format!("the manifest in `{}` is refused", file.display()),
        )
        .with_causes(problems.0.iter().map(place))
    })?;
    Ok((report, parsed.manifest))
}

fn version_of(manifest: &Manifest, archive: IndexArchive, now: Timestamp) -> IndexVersion {
    IndexVersion {
        version: manifest.version.clone(),
        published_at: now,
        api: manifest.api.clone(),
        dependencies: manifest
            .dependencies
            .iter()
            .map(|(name, it)| {
                let dependency = Dependency {
                    req: it.req.clone(),
                    optional: it.optional,
                };
                (name.clone(), dependency)
            })
            .collect(),
        yanked: None,
        archives: vec![archive],
    }
}
