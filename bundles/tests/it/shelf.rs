//! A registry with the product's sample packages, for tests.

use provisioning_compat::{Index as _, Matrix, MemoryIndex, VersionsToml};
use provisioning_package::{ArchiveFormat, BundleName, Digest, PackageName, Target, Version};
use provisioning_registry_api::bundle::BundleState;
use provisioning_registry_api::command::{DeclaredMember, PublishBundle};
use provisioning_registry_api::index::{
    Dependency, IndexArchive, IndexEntry, IndexVersion, PackageState, Yanked,
};

pub(crate) const SAMPLE: &str = include_str!("../../../compat/tests/sample/versions.toml");

pub(crate) fn name(text: &str) -> PackageName {
    PackageName::parse(text).unwrap()
}

pub(crate) fn bundle(text: &str) -> BundleName {
    BundleName::parse(text).unwrap()
}

pub(crate) fn sample() -> VersionsToml {
    VersionsToml::parse(SAMPLE, None).unwrap()
}

pub(crate) fn matrix() -> Matrix {
    sample().matrix
}

pub(crate) fn digest(package: &str, version: &str, target: Target) -> Digest {
    Digest::of(format!("{package} {version} {target}").as_bytes())
}

pub(crate) fn index() -> MemoryIndex {
    let mut index = MemoryIndex::new();
    for version in ["3.1.0", "3.1.5", "3.2.0", "3.2.1"] {
        add(&mut index, "core", version, &[Target::Any], None);
    }
    for version in ["2.4.0", "2.4.8", "2.5.0", "2.5.3"] {
        let targets = [Target::LinuxX86_64, Target::LinuxArm64];
        add(
            &mut index,
            "platform",
            version,
            &targets,
            Some(("core", "^3.0")),
        );
    }
    for (package, version) in [("mongodb", "1.2.0"), ("redis", "1.1.0"), ("azure", "2.0.0")] {
        add(
            &mut index,
            package,
            version,
            &[Target::Any],
            Some(("core", "^3.0")),
        );
    }
    for version in ["1.3.0", "1.4.0"] {
        add(&mut index, "workspace", version, &[Target::Any], None);
    }
    index
}

pub(crate) fn add(
    index: &mut MemoryIndex,
    package: &str,
    version: &str,
    targets: &[Target],
    needs: Option<(&str, &str)>,
) {
    let archives = targets.iter().map(|target| IndexArchive {
        target: *target,
        digest: digest(package, version, *target),
        size: 1,
        unpacked: 1,
        entries: 1,
        format: ArchiveFormat::TarZst,
        provenance: None,
        sbom: None,
    });
    let version = IndexVersion {
        version: Version::parse(version).unwrap(),
        published_at: jiff::Timestamp::UNIX_EPOCH,
        api: None,
        dependencies: needs
            .map(|(on, req)| {
                let req = req.parse().unwrap();
                let optional = false;
                (name(on), Dependency { req, optional })
            })
            .into_iter()
            .collect(),
        yanked: None,
        archives: archives.collect(),
    };
    change(index, package, |entry| entry.versions.push(version));
}

pub(crate) fn yank(index: &mut MemoryIndex, package: &str, version: &str, reason: &str) {
    let version = Version::parse(version).unwrap();
    change(index, package, |entry| {
        let mut versions = entry.versions.iter_mut();
        let found = versions.find(|it| it.version == version).unwrap();
        found.yanked = Some(Yanked {
            reason: Some(reason.to_owned()),
            replacement: None,
            at: jiff::Timestamp::UNIX_EPOCH,
        });
    });
}

pub(crate) fn quarantine(index: &mut MemoryIndex, package: &str, reason: &str) {
    change(index, package, |entry| {
        entry.status.state = PackageState::Quarantined;
        entry.status.reason = Some(reason.to_owned());
    });
}

/// A request to publish `members`, each `NAME@VERSION`, with `?` behind an optional one.
pub(crate) fn request(members: &[&str]) -> PublishBundle {
    PublishBundle {
        title: "A bundle".to_owned(),
        release_date: None,
        lts_until: None,
        targets: Vec::new(),
        members: members.iter().map(|it| declared(it)).collect(),
        upgrades_from: Vec::new(),
        state: Some(BundleState::Stable),
    }
}

fn declared(text: &str) -> DeclaredMember {
    let (package, version) = text.split_once('@').unwrap();
    DeclaredMember {
        name: name(package),
        version: Version::parse(version.trim_end_matches('?')).unwrap(),
        required: !version.ends_with('?'),
    }
}

fn change(index: &mut MemoryIndex, package: &str, edit: impl FnOnce(&mut IndexEntry)) {
    let package = name(package);
    let known = index.entry(&package).cloned();
    let mut entry = known.unwrap_or_else(|| IndexEntry::new(package));
    edit(&mut entry);
    index.insert(entry);
}
