//! Who asked for what: specs that people typed, and the bundle or channel that is followed.
//!
//! Requests outlive the versions that answered them: the next solve takes all of them
//! together again, so nothing that somebody asked for is lost by a later command.

use std::collections::{BTreeMap, BTreeSet};

use provisioning_package::{BundleName, PackageName, Selector, Spec, Version, VersionReq};
use serde::{Deserialize, Serialize};

/// Everything that was asked for and still holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// The one bundle that is followed.
    #[serde(default)]
    pub bundle: Option<BundleRequest>,
    /// One request for each package, the latest.
    #[serde(default)]
    pub specs: BTreeMap<PackageName, SpecRequest>,
    /// What the user tied packages to, as written behind `@`; a pin asks for nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pins: BTreeMap<PackageName, String>,
}

/// A bundle that is followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleRequest {
    /// The bundle.
    pub name: BundleName,
    /// Which of its sequences.
    pub sequence: u64,
    /// The channel that was typed, if it was one.
    #[serde(default)]
    pub channel: Option<BundleName>,
    /// What the sequence brings, at exactly these versions.
    #[serde(default)]
    pub members: BTreeMap<PackageName, Version>,
    /// What the sequence pins where something else brings it.
    #[serde(default)]
    pub optional: BTreeMap<PackageName, Version>,
    /// Members that the user took out by hand.
    #[serde(default)]
    pub without: BTreeSet<PackageName>,
}

/// What was typed for one package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpecRequest {
    /// The spec as typed.
    pub spec: String,
}

/// Why something cannot be uninstalled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UninstallRefused {
    /// It is not there.
    #[error("`{name}` is not installed")]
    NotInstalled {
        /// What was asked for.
        name: String,
    },
    /// Something that stays needs it.
    #[error("`{name}` is needed by {}", needed_by(.by))]
    Needed {
        /// What was asked for.
        name: PackageName,
        /// Who needs it, and which versions of it.
        by: Vec<(PackageName, VersionReq)>,
        /// Everything that would have to go with it, whoever needs those included.
        together: Vec<PackageName>,
    },
}

impl Requests {
    /// Asks for one package; an earlier request for it is replaced.
    pub fn ask(&mut self, name: PackageName, spec: impl Into<String>) {
        let spec = SpecRequest { spec: spec.into() };
        if let Some(bundle) = &mut self.bundle {
            bundle.without.remove(&name);
        }
        self.specs.insert(name, spec);
    }

    /// Follows a bundle; an earlier bundle is replaced. Earlier specs that its pins meet
    /// stay; those that they do not meet give way, since whoever asks for a bundle asks for
    /// its pins. Returns the specs that gave way.
    pub fn follow(&mut self, bundle: BundleRequest) -> Vec<String> {
        let mut gave_way = Vec::new();
        self.specs.retain(|name, it| {
            let fits = bundle
                .pin(name)
                .is_none_or(|version| is_met_by(&it.spec, version));
            if !fits {
                gave_way.push(it.spec.clone());
            }
            fits
        });
        self.bundle = Some(bundle);
        gave_way
    }

    /// Stops following the bundle; its members stay, as if they had been asked for by name.
    pub fn leave_bundle(&mut self) {
        let Some(bundle) = self.bundle.take() else {
            return;
        };
        for member in bundle.members.into_keys() {
            if !bundle.without.contains(&member) {
                let spec = SpecRequest {
                    spec: member.to_string(),
                };
                self.specs.entry(member).or_insert(spec);
            }
        }
    }

    /// The pins as the solver reads them. One that no client can read any more ties nothing.
    pub fn pinned(&self) -> BTreeMap<PackageName, Selector> {
        let read = |(name, text): (&PackageName, &String)| {
            let spec = format!("{name}@{text}").parse::<Spec>().ok()?;
            Some((name.clone(), spec.selector().clone()))
        };
        self.pins.iter().filter_map(read).collect()
    }

    /// The words that say who asked for `name`; empty when only others need it.
    pub fn who_asked(&self, name: &PackageName) -> Vec<String> {
        let spec = self.specs.get(name).map(|it| it.spec.clone());
        let bundle = self
            .bundle
            .as_ref()
            .filter(|it| it.members.contains_key(name) && !it.without.contains(name))
            .map(|it| format!("bundle:{}", it.name));
        spec.into_iter().chain(bundle).collect()
    }
}

impl BundleRequest {
    /// The version that the bundle pins a package to, if it holds it and nobody took it out.
    pub fn pin(&self, name: &PackageName) -> Option<&Version> {
        let pinned = self.members.get(name).or_else(|| self.optional.get(name));
        pinned.filter(|_| !self.without.contains(name))
    }
}

/// Whether a version is one that a spec lets in; what cannot be read any more is.
fn is_met_by(spec: &str, version: &Version) -> bool {
    spec.parse::<Spec>()
        .map_or(true, |it| it.selector().requirement().matches(version))
}

impl UninstallRefused {
    /// The stable word for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotInstalled { .. } => "not-installed",
            Self::Needed { .. } => "needed",
        }
    }

    /// What to do about it.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::NotInstalled { .. } => vec!["`provisioning list` shows what is installed".into()],
            Self::Needed { together, .. } => {
                let all: Vec<_> = together.iter().map(PackageName::as_str).collect();
                vec![format!(
                    "take them together: `provisioning uninstall {}`; nothing was changed",
                    all.join(" ")
                )]
            }
        }
    }
}

fn needed_by(by: &[(PackageName, VersionReq)]) -> String {
    let words: Vec<_> = by
        .iter()
        .map(|(name, req)| format!("`{name}` (wants `{req}`)"))
        .collect();
    words.join(" and ")
}
