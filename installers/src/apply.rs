//! The transaction: a plan becomes the current generation, or nothing changes.
//!
//! Take what is staged → build the new generation beside the old → keep the bytes of
//! edited configuration → note what is pending → durable → final names in the store →
//! `P/bin` links → rename `current` → configuration files → stale links removed → nothing is
//! pending. Killed before the rename, the old state is whole and the next writer sweeps;
//! killed after it, the new one is, and whoever comes next finishes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use jiff::Timestamp;
use provisioning_package::Version;

use crate::adopt::TakeOver;
use crate::config_files::{self, ConfigRecord, Shipped};
use crate::durable;
use crate::error::InstallError;
use crate::generation::{Generation, InstalledPackage};
use crate::links;
use crate::lock::WriterLock;
use crate::plan::Plan;
use crate::prefix::Prefix;
use crate::prepare::Prepared;
use crate::receipt::Receipt;
use crate::record;
use crate::recover;
use crate::staging::Staging;
use crate::store::{self, Staged};

/// What applying needs besides the plan.
pub struct ApplyContext<'a> {
    /// The archives that the store has not got, unpacked already.
    pub staging: Option<&'a Staging>,
    /// The time that the generation records.
    pub now: Timestamp,
    /// The version of the client, which the generation records.
    pub client: Version,
    /// What is taken over, where this is an adoption.
    pub adopting: Option<&'a TakeOver>,
    /// Is told what happens.
    pub observer: &'a dyn Observer,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The current generation; `None` when nothing was ever installed.
    pub generation: Option<u64>,
    /// What the user should know: configuration files that were kept.
    pub notes: Vec<String>,
}

/// A moment of a transaction, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Leftovers of killed runs are gone.
    Cleaned,
    /// Every archive is unpacked, under unfinished names.
    Unpacked,
    /// The generation's folder is built.
    Built,
    /// What happens after the switch is noted.
    Noted,
    /// All of it survives a power cut.
    Durable,
    /// Store folders have their final names.
    Stored,
    /// New links stand in `P/bin`.
    Linked,
    /// The new generation is current.
    Switched,
    /// Configuration files and links are what the generation says.
    Finished,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 9] = [
        Self::Cleaned,
        Self::Unpacked,
        Self::Built,
        Self::Noted,
        Self::Durable,
        Self::Stored,
        Self::Linked,
        Self::Switched,
        Self::Finished,
    ];
}

/// Is told what happens during a transaction; progress bars and tests are observers.
pub trait Observer: Sync {
    /// An archive was unpacked.
    fn unpacked(&self, _choice: &crate::plan::Choice) {}
    /// A step was reached.
    fn reached(&self, _step: Step) {}
}

/// An observer that looks away.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}

/// Executes a plan under the prefix's lock.
pub fn apply(
    prefix: &Prefix,
    lock: &WriterLock,
    plan: &Plan,
    prepared: &Prepared,
    context: &ApplyContext<'_>,
) -> Result<Applied, InstallError> {
    let observer = context.observer;
    recover::clean(prefix, lock)?;
    observer.reached(Step::Cleaned);
    let current = prefix.current_generation()?;
    let found = current.as_ref().map(|it| it.generation);
    if found != plan.base {
        return Err(InstallError::Stale {
            expected: plan.base,
            found,
        });
    }
    if plan.is_empty() {
        return Ok(Applied {
            generation: found,
            notes: Vec::new(),
        });
    }
    let mut collisions = links::collisions(prefix, &prepared.standing());
    collisions.retain(|it| !context.adopting.is_some_and(|over| over.clears(&it.path)));
    if !collisions.is_empty() {
        return Err(InstallError::Collisions(collisions));
    }
    for folder in [prefix.store(), prefix.receipts(), prefix.generations()] {
        durable::make_folder(&folder)?;
    }
    let mut absent = plan.archives();
    absent.retain(|it| !store::has(prefix, &it.digest));
    let staged = store::stage(prefix, &absent, context.staging, observer)?;
    observer.reached(Step::Unpacked);

    let mut records = decide_config(prefix, current.as_ref(), plan, prepared, &staged)?;
    if let Some(over) = context.adopting {
        over.keep_edits(prefix, &mut records)?;
    }
    let generation = compose(plan, prepared, records, context);
    let notes = config_files::notes(prefix, current.as_ref(), &generation.config);
    build(prefix, &generation)?;
    config_files::save_edited(prefix, &generation.config)?;
    observer.reached(Step::Built);
    let number = generation.generation;
    durable::write_new(&prefix.pending(), format!("{number}\n").as_bytes(), 0o644)?;
    observer.reached(Step::Noted);
    durable::sync_file_system(&prefix.base())?;
    observer.reached(Step::Durable);
    store::commit(prefix, staged)?;
    observer.reached(Step::Stored);
    if let Some(over) = context.adopting {
        over.carry_out(prefix)?;
    }
    links::add(prefix, &prepared.commands())?;
    observer.reached(Step::Linked);

    let target = PathBuf::from(format!("generations/{number}"));
    durable::replace_link(&prefix.current(), &target)?;
    observer.reached(Step::Switched);
    durable::sync_folder(&prefix.base())
        .and_then(|()| recover::finish(prefix, &generation))
        .map_err(|source| InstallError::Unfinished {
            generation: number,
            source: Box::new(source),
        })?;
    observer.reached(Step::Finished);
    Ok(Applied {
        generation: Some(number),
        notes,
    })
}

/// What the new generation ships, against what stands on disk.
fn decide_config(
    prefix: &Prefix,
    current: Option<&Generation>,
    plan: &Plan,
    prepared: &Prepared,
    staged: &[Staged],
) -> Result<Vec<ConfigRecord>, InstallError> {
    let mut shipped = Vec::new();
    for choice in &plan.packages {
        let config = &prepared.contents[&choice.name].config;
        if config.is_empty() {
            continue;
        }
        let fresh = staged.iter().find(|it| it.receipt.digest == choice.digest);
        let receipt = match fresh {
            Some(it) => Some(it.receipt.clone()),
            None => Receipt::read(prefix, &choice.digest)?,
        };
        let files = receipt.map(|it| it.files).unwrap_or_default();
        shipped.extend(config.iter().filter_map(|path| {
            Some(Shipped {
                package: choice.name.clone(),
                path: path.clone(),
                digest: files.get(path)?.digest,
            })
        }));
    }
    let left = match plan.restores {
        None => None,
        Some(older) => prefix
            .history()?
            .into_iter()
            .find(|it| it.parent == Some(older)),
    };
    config_files::decide(prefix, current, &shipped, left.as_ref())
}

fn compose(
    plan: &Plan,
    prepared: &Prepared,
    config: Vec<ConfigRecord>,
    context: &ApplyContext<'_>,
) -> Generation {
    let packages = plan
        .packages
        .iter()
        .map(|it| {
            let contents = prepared.contents[&it.name].clone();
            InstalledPackage {
                kind: it.kind,
                name: it.name.clone(),
                version: it.version.clone(),
                target: it.target,
                digest: it.digest,
                size: it.size,
                requested_by: plan.requests.who_asked(&it.name),
                commands: contents.commands,
                cli: contents.cli,
                config: contents.config,
                dependencies: contents.dependencies,
                requires: contents.requires,
            }
        })
        .collect();
    Generation {
        schema: Generation::schema_for(&plan.linked),
        generation: plan.base.unwrap_or(0) + 1,
        parent: plan.base,
        created_at: context.now,
        reason: plan.reason.clone(),
        client: context.client.clone(),
        requests: plan.requests.clone(),
        packages,
        config,
        linked: plan.linked.clone(),
    }
}

/// Builds the generation's folder under an unfinished name, then names it.
fn build(prefix: &Prefix, generation: &Generation) -> Result<(), InstallError> {
    let place = prefix.generation(generation.generation);
    let folder = assemble(prefix, generation, &durable::to_json(generation))?;
    fs::rename(&folder, &place).map_err(|it| InstallError::io("write", &place, it))
}

/// Builds a generation's folder, with `bytes` as its record, under an unfinished name; a
/// second copy of the record is kept apart.
pub(crate) fn assemble(
    prefix: &Prefix,
    generation: &Generation,
    bytes: &[u8],
) -> Result<PathBuf, InstallError> {
    let folder = durable::beside(&prefix.generation(generation.generation));
    durable::remove_tree(&folder)?;
    for it in Generation::FOLDERS {
        durable::make_folder(&folder.join(it))?;
    }
    for (at, target) in generation.links() {
        let path = folder.join(at);
        symlink(target, &path).map_err(|it| InstallError::io("write", &path, it))?;
    }
    durable::write_new(&folder.join(Generation::FILE), bytes, 0o644)?;
    record::write(prefix, generation.generation, bytes)?;
    Ok(folder)
}
