//! What must hold before the first write: every archive is what was signed, and no path
//! has two owners. Reads only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use provisioning_package::{ArchiveReport, Digest, PackageName, VersionReq, inspect_archive};

use crate::adopt::TakeOver;
use crate::error::InstallError;
use crate::generation::{Generation, InstalledPackage};
use crate::layout::Contents;
use crate::linked::Linked;
use crate::links;
use crate::plan::{Choice, Plan};
use crate::prefix::Prefix;
use crate::receipt::Receipt;
use crate::store::{self, not_in_store};
use crate::workers;

/// A plan whose archives were looked at.
#[derive(Debug)]
pub struct Prepared {
    pub(crate) contents: BTreeMap<PackageName, Contents>,
    /// What each archive holds that the store has not got, so that it is not looked
    /// through a second time.
    pub(crate) reports: BTreeMap<Digest, ArchiveReport>,
    /// Working copies that stand in the place of packages.
    pub(crate) linked: Vec<Linked>,
}

impl Prepared {
    /// The commands that packages need at run time: package, command, versions.
    pub fn requires(&self) -> Vec<(&PackageName, &str, &VersionReq)> {
        let installed = self.uncovered().map(|(name, it)| (name, &it.requires));
        let linked = self.linked.iter().map(|it| (&it.name, &it.requires));
        installed
            .chain(linked)
            .flat_map(|(name, it)| {
                it.iter()
                    .map(move |(command, req)| (name, command.as_str(), req))
            })
            .collect()
    }

    /// Every command that the new generation puts into `P/bin`.
    pub(crate) fn commands(&self) -> BTreeSet<&str> {
        let installed = self.uncovered().flat_map(|(_, it)| it.commands.keys());
        let linked = self.linked.iter().flat_map(|it| it.commands.keys());
        installed.chain(linked).map(String::as_str).collect()
    }

    /// What stands at each package's place: the installed package, or a working copy.
    pub(crate) fn standing(&self) -> BTreeMap<PackageName, Contents> {
        let linked = self.linked.iter();
        let linked = linked.map(|it| (it.name.clone(), it.contents()));
        self.contents.clone().into_iter().chain(linked).collect()
    }

    fn uncovered(&self) -> impl Iterator<Item = (&PackageName, &Contents)> {
        let is_covered = |name: &PackageName| self.linked.iter().any(|it| it.name == *name);
        let all = self.contents.iter();
        all.filter(move |(name, _)| !is_covered(name))
    }
}

/// The archives of a plan that the store has not got and that no other prefix shares, the
/// largest first.
pub fn missing<'a>(prefix: &Prefix, plan: &'a Plan) -> Vec<&'a Choice> {
    plan.archives()
        .into_iter()
        .filter(|it| !store::has(prefix, &it.digest) && prefix.shared(&it.digest).is_none())
        .collect()
}

/// Looks at every package of a plan and refuses what must not be installed. `archives`
/// says where the archives are that the store has not got.
pub fn prepare(
    prefix: &Prefix,
    plan: &Plan,
    archives: &BTreeMap<Digest, PathBuf>,
) -> Result<Prepared, InstallError> {
    prepare_over(prefix, plan, archives, None)
}

/// The same where what stands in the prefix is taken over: what makes way is no collision.
pub fn prepare_over(
    prefix: &Prefix,
    plan: &Plan,
    archives: &BTreeMap<Digest, PathBuf>,
    over: Option<&TakeOver>,
) -> Result<Prepared, InstallError> {
    let current = prefix.current_generation()?;
    let reports = look_through(&missing(prefix, plan), archives)?;
    let mut contents = BTreeMap::new();
    for choice in &plan.packages {
        let it = match reports.get(&choice.digest) {
            Some(report) => contents_of(choice, report)?,
            None => contents_in_store(prefix, current.as_ref(), choice)?,
        };
        contents.insert(choice.name.clone(), it);
    }
    let prepared = Prepared {
        contents,
        reports,
        linked: plan.linked.clone(),
    };
    let mut found = links::collisions(prefix, &prepared.standing());
    found.retain(|it| !over.is_some_and(|over| over.clears(&it.path)));
    if found.is_empty() {
        Ok(prepared)
    } else {
        Err(InstallError::Collisions(found))
    }
}

/// Looks through archives, several at once.
fn look_through(
    absent: &[&Choice],
    archives: &BTreeMap<Digest, PathBuf>,
) -> Result<BTreeMap<Digest, ArchiveReport>, InstallError> {
    let reports = workers::on_each(absent, |choice| {
        let archive = archives
            .get(&choice.digest)
            .ok_or_else(|| not_in_store(choice))?;
        let report = inspect_archive(archive).map_err(|it| store::archive_error(choice, it))?;
        if report.facts.digest != choice.digest {
            return Err(store::digest_mismatch(choice, report.facts.digest));
        }
        store::check_extent(choice, &report)?;
        Ok((choice.digest, report))
    });
    Ok(reports.all()?.into_iter().collect())
}

fn contents_of(choice: &Choice, report: &ArchiveReport) -> Result<Contents, InstallError> {
    let manifest = store::read_manifest(choice, report.manifest.as_deref())?;
    Contents::read(&manifest, &report.entries)
}

fn contents_in_store(
    prefix: &Prefix,
    current: Option<&Generation>,
    choice: &Choice,
) -> Result<Contents, InstallError> {
    let installed = current
        .and_then(|it| it.package(&choice.name))
        .filter(|it| it.digest == choice.digest && store::has(prefix, &it.digest));
    if let Some(installed) = installed {
        return Ok(recorded(installed));
    }
    let shared = prefix.shared(&choice.digest);
    let holder = shared
        .as_ref()
        .filter(|_| !store::has(prefix, &choice.digest))
        .unwrap_or(prefix);
    let receipt = Receipt::read(holder, &choice.digest);
    let contents = receipt.and_then(|it| it.ok_or_else(|| not_in_store(choice))?.contents(holder));
    if holder.root() == prefix.root() {
        contents
    } else {
        contents.map_err(|it| InstallError::NotShared(Box::new(it)))
    }
}

fn recorded(installed: &InstalledPackage) -> Contents {
    Contents {
        commands: installed.commands.clone(),
        cli: installed.cli.clone(),
        config: installed.config.clone(),
        dependencies: installed.dependencies.clone(),
        requires: installed.requires.clone(),
    }
}
