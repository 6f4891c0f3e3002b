//! What goes when something is taken away: packages, a followed bundle's members, and what
//! nothing needs any more afterwards. No registry is asked.

use std::collections::BTreeSet;

use provisioning_installers::{
    Generation, InstalledPackage, Plan, Requests, UninstallRefused, plan_uninstall, unasked,
};
use provisioning_package::{BundleName, PackageName};

use super::{installed, linked};
use crate::failure::{Exit, Failure, Outcome};

/// The plan that takes away what was typed; with `prune` also what nothing needs then.
pub(super) fn plan_removal(
    current: &Generation,
    typed: &[String],
    prune: bool,
    reason: String,
) -> Outcome<Plan> {
    let taken = uninstalled(current, typed)?;
    let (mut names, left) = goes(current, &taken);
    if prune {
        names.extend(unneeded_after(current, &names));
    }
    let mut plan = plan_uninstall(&left, &names, reason).map_err(|it| refused(&it))?;
    plan.changes_requests |= taken.bundle.is_some();
    Ok(plan)
}

/// What nothing would need without what was typed.
pub(crate) fn unneeded_without<'a>(
    current: &'a Generation,
    typed: &[String],
) -> Outcome<Vec<&'a InstalledPackage>> {
    let (names, _) = goes(current, &uninstalled(current, typed)?);
    let unneeded = unneeded_after(current, &names);
    let packages = current.packages.iter();
    Ok(packages.filter(|it| unneeded.contains(&it.name)).collect())
}

/// What `uninstall` was given: packages, or the bundle that is followed.
struct Uninstalled {
    packages: BTreeSet<PackageName>,
    bundle: Option<BundleName>,
}

fn uninstalled(current: &Generation, names: &[String]) -> Outcome<Uninstalled> {
    let mut taken = Uninstalled {
        packages: BTreeSet::new(),
        bundle: None,
    };
    for text in names {
        if let Ok(name) = linked(current, text) {
            return Err(Failure::new(
                "linked",
                format!("a working copy is linked in the place of `{name}`"),
            )
            .with_hint(format!(
                "`provisioning unlink {name}` takes it away first; nothing was changed"
            )));
        }
        let bare = text.strip_prefix("bundle:").unwrap_or(text);
        let followed = current.requests.bundle.as_ref().filter(|it| {
            it.name.as_str() == bare || it.channel.as_ref().is_some_and(|it| it.as_str() == bare)
        });
        match followed {
            Some(bundle) => taken.bundle = Some(bundle.name.clone()),
            None => {
                taken.packages.insert(installed(current, text)?);
            }
        }
    }
    Ok(taken)
}

/// What goes, and the requests that are left.
fn goes(current: &Generation, taken: &Uninstalled) -> (BTreeSet<PackageName>, Generation) {
    let mut names = taken.packages.clone();
    let mut left = current.clone();
    if taken.bundle.is_some() {
        left.requests.bundle = None;
        names.extend(only_for_the_bundle(current, &left.requests, &names));
    }
    (names, left)
}

/// What nobody asked for and nothing that was asked for needs without `gone`.
fn unneeded_after(current: &Generation, gone: &BTreeSet<PackageName>) -> BTreeSet<PackageName> {
    let packages = current.packages.iter();
    let stays: Vec<_> = packages.filter(|it| !gone.contains(&it.name)).collect();
    unasked(&stays).into_iter().cloned().collect()
}

/// Members that nobody else asked for and nothing that stays needs.
fn only_for_the_bundle(
    current: &Generation,
    requests: &Requests,
    taken: &BTreeSet<PackageName>,
) -> BTreeSet<PackageName> {
    let mut goes = taken.clone();
    loop {
        let next = current.packages.iter().find(|it| {
            let is_needed = current
                .dependents(&it.name)
                .iter()
                .any(|(by, _)| !goes.contains(by));
            !goes.contains(&it.name)
                && !it.requested_by.is_empty()
                && requests.who_asked(&it.name).is_empty()
                && !is_needed
        });
        match next {
            Some(it) => goes.insert(it.name.clone()),
            None => return goes,
        };
    }
}

fn refused(problem: &UninstallRefused) -> Failure {
    Failure::new(problem.code(), problem.to_string())
        .with_hints(problem.hints())
        .with_exit(Exit::Failed)
}
