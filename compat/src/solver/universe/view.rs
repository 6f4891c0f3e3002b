//! One package as the search sees it: which versions there are to choose from.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::LazyLock;

use provisioning_package::{PackageName, Target, Version};
use provisioning_registry_api::index::{IndexEntry, IndexVersion};

/// One package: what may be chosen, and what may not and why.
pub(crate) struct View<'a> {
    pub(crate) name: PackageName,
    pub(crate) entry: Option<&'a IndexEntry>,
    /// Oldest first; a version's place is its number.
    pub(crate) usable: Vec<&'a IndexVersion>,
    pub(crate) unusable: Vec<(&'a IndexVersion, Unusable)>,
    /// The newest version that could be chosen if nothing were installed.
    pub(crate) latest: Option<&'a Version>,
    /// The installed version's place, where it is to be preferred.
    pub(crate) preferred: Option<usize>,
    /// Whether nobody asked the registry about it yet: then it stands in for anything.
    pub(crate) is_unread: bool,
    /// Where each run of neighbouring versions with the same needs begins.
    pub(super) runs: OnceCell<Rc<[u32]>>,
}

/// Why a version cannot be chosen, whatever else is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unusable {
    Quarantined,
    Yanked,
    OtherTarget,
    TooYoung,
    Unlisted,
    /// Not a fault of the version: another one is installed and held.
    NotInstalled,
}

impl View<'_> {
    /// A package that may have any versions: one stands in for them, which meets
    /// everything and needs nothing.
    pub(super) fn unread(name: &PackageName) -> Self {
        static STAND_IN: LazyLock<IndexVersion> = LazyLock::new(|| IndexVersion {
            version: Version::new(0, 0, 0),
            published_at: jiff::Timestamp::UNIX_EPOCH,
            api: None,
            dependencies: BTreeMap::new(),
            yanked: None,
            archives: Vec::new(),
        });
        Self {
            name: name.clone(),
            entry: None,
            usable: vec![&STAND_IN],
            unusable: Vec::new(),
            latest: None,
            preferred: None,
            is_unread: true,
            runs: OnceCell::new(),
        }
    }

    /// The targets that a version has archives for.
    pub(crate) fn targets_of(version: &IndexVersion) -> Vec<Target> {
        let mut targets: Vec<Target> = version.archives.iter().map(|it| it.target).collect();
        targets.sort_unstable();
        targets
    }
}
