//! Indexes and requests in a few words, for tests.

use provisioning_compat::{MemoryIndex, Request, Wanted};
use provisioning_package::{ArchiveFormat, Digest, PackageName, Spec, Target, Version, VersionReq};
use provisioning_registry_api::index::{
    Dependency, IndexArchive, IndexEntry, IndexVersion, PackageState, Yanked,
};

/// Packages that are put together line by line.
#[derive(Default, Clone)]
pub(crate) struct Shelf {
    entries: Vec<IndexEntry>,
}

/// One version: `Item::of("mongodb 1.2.0").needs("core ^3.0").api("1.0.0")`.
#[derive(Clone)]
pub(crate) struct Item {
    name: PackageName,
    version: IndexVersion,
}

pub(crate) fn name(text: &str) -> PackageName {
    PackageName::parse(text).unwrap()
}

pub(crate) fn now() -> jiff::Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

impl Item {
    pub(crate) fn of(text: &str) -> Self {
        let (package, version) = text.split_once(' ').unwrap();
        Self {
            name: name(package),
            version: IndexVersion {
                version: Version::parse(version).unwrap(),
                published_at: "2025-01-01T00:00:00Z".parse().unwrap(),
                api: None,
                dependencies: std::collections::BTreeMap::new(),
                yanked: None,
                archives: vec![archive(text, Target::Any)],
            },
        }
    }

    pub(crate) fn needs(self, dependency: &str) -> Self {
        self.depends(dependency, false)
    }

    pub(crate) fn works_with(self, dependency: &str) -> Self {
        self.depends(dependency, true)
    }

    pub(crate) fn api(mut self, api: &str) -> Self {
        self.version.api = Some(Version::parse(api).unwrap());
        self
    }

    pub(crate) fn yanked(mut self, reason: &str) -> Self {
        self.version.yanked = Some(Yanked {
            reason: Some(reason.to_owned()),
            replacement: None,
            at: now(),
        });
        self
    }

    pub(crate) fn on(mut self, targets: &[Target]) -> Self {
        let text = format!("{} {}", self.name, self.version.version);
        self.version.archives = targets.iter().map(|it| archive(&text, *it)).collect();
        self
    }

    pub(crate) fn published(mut self, at: &str) -> Self {
        self.version.published_at = at.parse().unwrap();
        self
    }

    fn depends(mut self, dependency: &str, optional: bool) -> Self {
        let (package, req) = dependency.split_once(' ').unwrap_or((dependency, "*"));
        let req = VersionReq::parse(req).unwrap();
        let dependency = Dependency { req, optional };
        self.version.dependencies.insert(name(package), dependency);
        self
    }
}

impl Shelf {
    pub(crate) fn of(items: impl IntoIterator<Item = Item>) -> Self {
        let mut shelf = Self::default();
        for item in items {
            shelf.add(item);
        }
        shelf
    }

    /// As [`Self::of`], for many packages of one version each.
    pub(crate) fn of_new(items: impl IntoIterator<Item = Item>) -> Self {
        let mut shelf = Self::default();
        for item in items {
            shelf.push_new(item);
        }
        shelf
    }

    /// Adds a version of a package that is not there yet, without looking.
    pub(crate) fn push_new(&mut self, item: Item) {
        let mut entry = IndexEntry::new(item.name);
        entry.versions.push(item.version);
        self.entries.push(entry);
    }

    /// Adds a package without a version.
    pub(crate) fn push_empty(&mut self, package: &str) {
        self.entries.push(IndexEntry::new(name(package)));
    }

    /// Versions without requirements: `a 1.0.0, a 2.0.0`.
    pub(crate) fn plain(text: &str) -> Self {
        Self::of(text.split(", ").map(Item::of))
    }

    pub(crate) fn add(&mut self, item: Item) -> &mut Self {
        let place = self.entries.iter().position(|it| it.name == item.name);
        let place = place.unwrap_or_else(|| {
            self.entries.push(IndexEntry::new(item.name.clone()));
            self.entries.len() - 1
        });
        self.entries[place].versions.push(item.version);
        self
    }

    pub(crate) fn set_state(&mut self, package: &str, state: PackageState, reason: &str) {
        let entry = self
            .entries
            .iter_mut()
            .find(|it| it.name.as_str() == package);
        let status = &mut entry.unwrap().status;
        status.state = state;
        status.reason = Some(reason.to_owned());
    }

    /// The same packages and versions, stored the other way round.
    pub(crate) fn reversed(&self) -> Self {
        let mut turned = self.clone();
        turned.entries.reverse();
        for entry in &mut turned.entries {
            entry.versions.reverse();
        }
        turned
    }

    pub(crate) fn index(&self) -> MemoryIndex {
        self.entries.iter().cloned().collect()
    }
}

/// What a user who typed `specs` asks for.
pub(crate) fn asking(specs: &[&str]) -> Request {
    let wanted = specs.iter().map(|text| {
        let spec: Spec = text.parse().unwrap();
        Wanted::by_you(spec.as_package().unwrap(), spec.selector().clone(), *text)
    });
    Request::new(wanted.collect(), Target::LinuxX86_64, now())
}

/// The solution as text: `core 3.1.0, platform 2.5.0`.
pub(crate) fn text_of(solution: &provisioning_compat::Solution) -> String {
    let packages: Vec<String> = solution
        .packages
        .iter()
        .map(|(name, it)| format!("{name} {}", it.version))
        .collect();
    packages.join(", ")
}

fn archive(text: &str, target: Target) -> IndexArchive {
    IndexArchive {
        target,
        digest: Digest::of(format!("{text} {target}").as_bytes()),
        size: 1,
        unpacked: 1,
        entries: 1,
        format: ArchiveFormat::TarZst,
        provenance: None,
        sbom: None,
    }
}
