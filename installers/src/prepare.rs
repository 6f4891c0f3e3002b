//! What must hold before a plan is carried out: everything is there, and no path has two
//! owners. Reads only.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use provisioning_package::{Digest, PackageName, VersionReq};

use crate::adopt::TakeOver;
use crate::error::InstallError;
use crate::generation::{Generation, InstalledPackage};
use crate::layout::Contents;
use crate::linked::Linked;
use crate::links;
use crate::plan::{Choice, Plan};
use crate::prefix::Prefix;
use crate::receipt::Receipt;
use crate::staging::Staging;
use crate::store::{self, not_in_store};

/// Generations that are read to learn what packages hold.
const GENERATIONS_READ_MAX: usize = 4;

/// A plan whose archives were looked at.
#[derive(Debug)]
pub struct Prepared {
    pub(crate) contents: BTreeMap<PackageName, Contents>,
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

/// Looks at every package of a plan and refuses what must not be installed. `staging` has
/// the archives that the store has not got.
pub fn prepare(
    prefix: &Prefix,
    plan: &Plan,
    staging: Option<&Staging>,
) -> Result<Prepared, InstallError> {
    prepare_over(prefix, plan, staging, None)
}

/// The same where what stands in the prefix is taken over: what makes way is no collision.
pub fn prepare_over(
    prefix: &Prefix,
    plan: &Plan,
    staging: Option<&Staging>,
    over: Option<&TakeOver>,
) -> Result<Prepared, InstallError> {
    let mut recorded = Recorded::of(prefix)?;
    let mut contents = BTreeMap::new();
    for choice in &plan.packages {
        let it = match staging.and_then(|it| it.contents(&choice.digest)) {
            Some(contents) => contents,
            None => contents_in_store(prefix, &mut recorded, choice)?,
        };
        contents.insert(choice.name.clone(), it);
    }
    let prepared = Prepared {
        contents,
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

fn contents_in_store(
    prefix: &Prefix,
    recorded: &mut Recorded<'_>,
    choice: &Choice,
) -> Result<Contents, InstallError> {
    if store::has(prefix, &choice.digest)
        && let Some(contents) = recorded.contents(choice)
    {
        return Ok(contents);
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

/// What generations recorded of packages: reading one of them costs less than reading the
/// packages again.
struct Recorded<'p> {
    prefix: &'p Prefix,
    packages: HashMap<Digest, InstalledPackage>,
    /// The number of the next generation to read; `None` where no more are.
    next: Option<u64>,
    left: usize,
}

impl<'p> Recorded<'p> {
    fn of(prefix: &'p Prefix) -> Result<Self, InstallError> {
        let mut recorded = Self {
            prefix,
            packages: HashMap::new(),
            next: None,
            left: GENERATIONS_READ_MAX,
        };
        if let Some(current) = prefix.current_generation()? {
            recorded.add(current);
        }
        Ok(recorded)
    }

    /// What the newest generation that has the very archive recorded of it.
    fn contents(&mut self, choice: &Choice) -> Option<Contents> {
        loop {
            let found = self.packages.get(&choice.digest);
            if let Some(installed) = found.filter(|it| it.name == choice.name) {
                return Some(contents_of(installed));
            }
            // One that cannot be read is `verify`'s business.
            let older = self.prefix.read_generation(self.next?);
            self.next = None;
            self.add(older.ok()?);
        }
    }

    fn add(&mut self, generation: Generation) {
        self.left = self.left.saturating_sub(1);
        let older = generation.generation.checked_sub(1);
        self.next = older.filter(|it| *it > 0 && self.left > 0);
        for it in generation.packages {
            self.packages.entry(it.digest).or_insert(it);
        }
    }
}

fn contents_of(installed: &InstalledPackage) -> Contents {
    Contents {
        commands: installed.commands.clone(),
        cli: installed.cli.clone(),
        config: installed.config.clone(),
        dependencies: installed.dependencies.clone(),
        requires: installed.requires.clone(),
    }
}
