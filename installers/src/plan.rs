//! The changes that an install would make, as data.
//!
//! Planning is pure: values in, a [`Plan`] out. A dry run prints it, `apply` executes it
//! and takes nothing else.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use provisioning_package::{Digest, Kind, PackageName, Target, Version};
use serde::{Deserialize, Serialize};

use crate::generation::{Generation, InstalledPackage, unasked};
use crate::linked::Linked;
use crate::request::{Requests, UninstallRefused};

/// One package of the state that a plan leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Its kind.
    pub kind: Kind,
    /// Its short name.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// The target of its archive.
    pub target: Target,
    /// Its archive.
    pub digest: Digest,
    /// The archive's size in bytes.
    pub size: u64,
    /// What the signed index says that it unpacks to, where that is at hand.
    pub unpacks: Option<Unpacks>,
}

/// The most that an archive may unpack to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpacks {
    /// The bytes of all its files.
    pub bytes: u64,
    /// How many entries it has.
    pub entries: u64,
}

/// The state that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewState {
    /// Everything that is to be installed.
    pub packages: Vec<Choice>,
    /// Who asked for it.
    pub requests: Requests,
    /// The command, for `history`.
    pub reason: String,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// What happens to one package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It was not there.
    Install,
    /// To a greater version, or to other bytes of the same one.
    Upgrade,
    /// To a lesser version.
    Downgrade,
    /// It goes.
    Remove,
    /// Nothing.
    Keep,
}

/// One package of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What happens to it.
    pub action: Action,
    /// Its kind.
    pub kind: Kind,
    /// Its short name.
    pub name: PackageName,
    /// The version before; `None` for an install.
    pub from: Option<Version>,
    /// The version after; `None` for a removal.
    pub to: Option<Version>,
    /// The target of its archive.
    pub target: Target,
    /// The archive after, or the removed one.
    pub digest: Digest,
    /// That archive's size in bytes.
    pub size: u64,
}

/// Everything that an install would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The generation that it starts from.
    pub base: Option<u64>,
    /// The generation whose content and configuration it brings back, for a rollback.
    pub restores: Option<u64>,
    /// One change for each package, by kind and name.
    pub changes: Vec<Change>,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// The state that it leads to.
    pub packages: Vec<Choice>,
    /// Who asked for that state.
    pub requests: Requests,
    /// The command, for `history`.
    pub reason: String,
    /// Whether it asks for something else than before, packages aside.
    pub changes_requests: bool,
    /// Working copies that stand in the place of packages.
    pub linked: Vec<Linked>,
}

impl Plan {
    /// Whether there is nothing to do: no package moves and no request changes.
    pub fn is_empty(&self) -> bool {
        !self.changes_requests && self.changes.iter().all(|it| it.action == Action::Keep)
    }

    /// The archives that it needs, the largest first.
    pub fn archives(&self) -> Vec<&Choice> {
        let mut choices: Vec<_> = self.packages.iter().collect();
        choices.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.name.cmp(&b.name)));
        choices
    }
}

/// The plan that leads from what is installed to what is wanted.
pub fn plan(current: Option<&Generation>, wanted: NewState) -> Plan {
    let installed: &[InstalledPackage] = current.map_or(&[], |it| &it.packages);
    let mut packages = wanted.packages;
    packages.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    let mut changes: Vec<_> = packages
        .iter()
        .map(|it| arrive(installed.iter().find(|old| old.name == it.name), it))
        .collect();
    let stays: BTreeSet<_> = packages.iter().map(|it| &it.name).collect();
    changes.extend(
        installed
            .iter()
            .filter(|it| !stays.contains(&it.name))
            .map(leave),
    );
    changes.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    let changes_requests =
        current.map_or(!packages.is_empty(), |it| it.requests != wanted.requests);
    let linked = current.map(|it| it.linked.clone()).unwrap_or_default();
    let mut warnings = wanted.warnings;
    warnings.extend(hidden(&linked, &changes));
    Plan {
        base: current.map(|it| it.generation),
        restores: None,
        changes,
        warnings,
        packages,
        requests: wanted.requests,
        reason: wanted.reason,
        changes_requests,
        linked,
    }
}

/// The plan that takes packages away, or the followed bundle's members where `bundle`
/// says so. Everything else stays as it is: no registry is asked.
pub fn plan_uninstall(
    current: &Generation,
    names: &BTreeSet<PackageName>,
    reason: String,
) -> Result<Plan, UninstallRefused> {
    for name in names {
        if current.package(name).is_none() {
            return Err(UninstallRefused::NotInstalled {
                name: name.to_string(),
            });
        }
        let by: Vec<_> = current
            .dependents(name)
            .into_iter()
            .filter(|(it, _)| !names.contains(it))
            .collect();
        if !by.is_empty() {
            return Err(UninstallRefused::Needed {
                name: name.clone(),
                by,
                together: current.with_dependents(names),
            });
        }
    }
    let mut requests = current.requests.clone();
    let mut warnings = Vec::new();
    for name in names {
        requests.specs.remove(name);
        if let Some(text) = requests.pins.remove(name) {
            warnings.push(format!("the pin of `{name}` to {text} goes with it"));
        }
        if let Some(bundle) = &mut requests.bundle
            && bundle.members.contains_key(name)
            && bundle.without.insert(name.clone())
        {
            warnings.push(format!(
                "bundle `{}` is followed without `{name}` from now on; `provisioning install {name}` brings it back",
                bundle.name
            ));
        }
    }
    let stays: Vec<_> = current
        .packages
        .iter()
        .filter(|it| !names.contains(&it.name))
        .cloned()
        .collect();
    warnings.extend(became_unneeded(current, &stays));
    Ok(plan(
        Some(current),
        NewState {
            packages: stays.iter().map(Choice::of).collect(),
            requests,
            reason,
            warnings,
        },
    ))
}

/// The plan that brings an older generation's content back.
pub fn plan_rollback(current: &Generation, older: &Generation, reason: String) -> Plan {
    let packages = older.packages.iter().map(Choice::of).collect();
    let requests = older.requests.clone();
    let mut plan = plan(
        Some(current),
        NewState {
            packages,
            requests,
            reason,
            warnings: Vec::new(),
        },
    );
    plan.linked.clone_from(&older.linked);
    plan.restores = Some(older.generation);
    plan.changes_requests = true;
    plan
}

/// What changes and does not show, since a working copy stands in its place.
fn hidden(linked: &[Linked], changes: &[Change]) -> Vec<String> {
    let moves = |it: &&Linked| {
        let change = changes.iter().find(|change| change.name == it.name);
        change.is_some_and(|it| it.action != Action::Keep)
    };
    let linked = linked.iter().filter(moves);
    linked
        .map(|it| {
            format!(
                "`{0}` is linked to `{1}`: what is installed below does not show until `provisioning unlink {0}`",
                it.name,
                it.path.display()
            )
        })
        .collect()
}

impl Choice {
    /// The choice that an installed package is.
    pub fn of(package: &InstalledPackage) -> Self {
        Self {
            kind: package.kind,
            name: package.name.clone(),
            version: package.version.clone(),
            target: package.target,
            digest: package.digest,
            size: package.size,
            unpacks: None,
        }
    }
}

fn became_unneeded(current: &Generation, stays: &[InstalledPackage]) -> Option<String> {
    let already = unasked(&current.packages.iter().collect::<Vec<_>>());
    let now = unasked(&stays.iter().collect::<Vec<_>>());
    let names: Vec<_> = now.difference(&already).map(|it| it.as_str()).collect();
    (!names.is_empty()).then(|| {
        let names = names.join(" ");
        format!(
            "needed by nothing any more: {names}; take away with `provisioning uninstall {names}`"
        )
    })
}

fn arrive(old: Option<&InstalledPackage>, new: &Choice) -> Change {
    let action = match old {
        None => Action::Install,
        Some(old) => match new.version.cmp(&old.version) {
            Ordering::Equal if old.digest == new.digest => Action::Keep,
            Ordering::Equal | Ordering::Greater => Action::Upgrade,
            Ordering::Less => Action::Downgrade,
        },
    };
    Change {
        action,
        kind: new.kind,
        name: new.name.clone(),
        from: old.map(|it| it.version.clone()),
        to: Some(new.version.clone()),
        target: new.target,
        digest: new.digest,
        size: new.size,
    }
}

fn leave(old: &InstalledPackage) -> Change {
    Change {
        action: Action::Remove,
        kind: old.kind,
        name: old.name.clone(),
        from: Some(old.version.clone()),
        to: None,
        target: old.target,
        digest: old.digest,
        size: old.size,
    }
}

#[cfg(test)]
mod tests;
