//! What an exported file holds, taken over: archives into the cache, the registry's word into
//! the trusted state. From then on `--offline` commands know it; a registry that was never met
//! in another way is a local source, which nobody asks over a network.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use provisioning_package::Digest;
use provisioning_registry_api::paths;
use provisioning_trust::TrustedRegistry;
use tempfile::TempDir;

use super::staged::Staged;
use crate::context::Context;
use crate::durable::sync_folder;
use crate::failure::{Failure, Outcome};
use crate::planning::copy_of;
use crate::settings::RegistryLocation;

/// What names of staging folders begin with; a leftover of a killed run is known by it.
pub(super) const STAGE_PREFIX: &str = ".import-";
/// A staging folder that nobody touched for so long is a leftover.
const STAGE_AGE_MAX: Duration = Duration::from_hours(24);

/// What was imported.
#[derive(Debug)]
pub(crate) struct Imported {
    /// The registry that the file was made from.
    pub(crate) origin: RegistryLocation,
    /// The registry that it counts for on this machine.
    pub(crate) registry: RegistryLocation,
    /// What the file was made for.
    pub(crate) specs: Vec<String>,
    /// How many archives it has.
    pub(crate) archives: usize,
    /// sha256 of the newest root.
    pub(crate) root_fingerprint: Digest,
    /// When it can last have been signed.
    pub(crate) signed: Option<Timestamp>,
    /// Until when the timestamp in it is good.
    pub(crate) expires: Option<Timestamp>,
    /// Whether this machine knows the registry from imports alone.
    pub(crate) is_local: bool,
    /// Whether it became the registry that is used where none is named.
    pub(crate) is_default_now: bool,
}

/// Verifies `file` and takes it over. A refusal changes nothing.
pub(crate) async fn import(file: &Path, context: &Context) -> Outcome<Imported> {
    let cache = context.settings.cache()?;
    let made = missing_folders(cache);
    fs::create_dir_all(cache).map_err(|it| Failure::io("create", cache, &it))?;
    let outcome = import_into(file, cache, context).await;
    if outcome.is_err() {
        // Only those that are empty go.
        for folder in made {
            let _ = fs::remove_dir(folder);
        }
    }
    outcome
}

async fn import_into(file: &Path, cache: &Path, context: &Context) -> Outcome<Imported> {
    remove_leftovers(cache);
    let staged = tokio::task::block_in_place(|| Staged::unpack(file, cache))?;
    let origin = staged.origin(context)?;
    let registry = context
        .settings
        .registry_if_set()
        .unwrap_or(&origin)
        .clone();
    let state = context.settings.trust_state(&registry)?;
    verify_by_itself(&staged, context).await?;
    let scratch = copy_of(&state)?;
    staged.verify(scratch.path(), context).await?;
    // Everything held. The same again, where it counts.
    let is_new = !state.join("contact/fetched").exists();
    let trusted = staged.verify(&state, context).await?;
    if is_new {
        trusted.note_imported()?;
    }
    keep_archives(&staged, cache)?;
    let is_default_now = context.settings.registry_if_set().is_none();
    if is_default_now {
        let mut config = context.settings.user_config()?;
        config.add(&registry, None);
        config.save()?;
    }
    let mut imported = describe(&staged, origin, registry, &trusted)?;
    imported.is_local = provisioning_trust::is_imported(&state);
    imported.is_default_now = is_default_now;
    Ok(imported)
}

/// Verifies a file from its own first root on. Where this machine knows a role already, its
/// state does not read the file's copy of it, and what was changed there would go unseen.
async fn verify_by_itself(staged: &Staged, context: &Context) -> Outcome<()> {
    let nothing = tempfile::Builder::new().prefix("provisioning-").tempdir();
    let nothing = nothing.map_err(|it| Failure::no_scratch(&it))?;
    staged.verify(nothing.path(), context).await?;
    Ok(())
}

/// What a dry run works with: the file, verified in a folder that goes away.
#[derive(Debug)]
pub(crate) struct TriedOut {
    /// What would be imported.
    pub(crate) imported: Imported,
    /// The context to plan in.
    pub(crate) context: Context,
    _folders: (Staged, TempDir),
}

/// Verifies `file` and gives a context in which it was imported, without a trace.
pub(crate) async fn try_out(file: &Path, context: &Context) -> Outcome<TriedOut> {
    let scratch = tempfile::Builder::new()
        .prefix("provisioning-")
        .tempdir()
        .map_err(|it| Failure::no_scratch(&it))?;
    let staged = tokio::task::block_in_place(|| Staged::unpack(file, scratch.path()))?;
    let origin = staged.origin(context)?;
    let registry = context
        .settings
        .registry_if_set()
        .unwrap_or(&origin)
        .clone();
    let state = context.settings.trust_state(&registry)?;
    verify_by_itself(&staged, context).await?;
    let copy = copy_of(&state)?;
    let mut context = context.clone();
    context
        .settings
        .use_copy(&registry, staged.folder(), scratch.path());
    let place = context.settings.trust_state(&registry)?;
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent).map_err(|it| Failure::io("create", parent, &it))?;
    }
    fs::rename(copy.path(), &place).map_err(|it| Failure::io("write", &place, &it))?;
    let trusted = staged.verify(&place, &context).await?;
    let imported = describe(&staged, origin, registry, &trusted)?;
    Ok(TriedOut {
        imported,
        context,
        _folders: (staged, scratch),
    })
}

fn describe(
    staged: &Staged,
    origin: RegistryLocation,
    registry: RegistryLocation,
    trusted: &TrustedRegistry,
) -> Outcome<Imported> {
    Ok(Imported {
        origin,
        registry,
        specs: staged.contents.specs.iter().cloned().collect(),
        archives: staged.contents.archives.len(),
        root_fingerprint: trusted.root_fingerprint(),
        signed: trusted.fetched()?,
        expires: trusted.expires(),
        is_local: false,
        is_default_now: false,
    })
}

/// Moves the archives, whose digests were right, to where the cache has them.
fn keep_archives(staged: &Staged, cache: &Path) -> Outcome<()> {
    let folder = cache.join("archives/sha256");
    fs::create_dir_all(&folder).map_err(|it| Failure::io("create", &folder, &it))?;
    for digest in staged.archives.keys() {
        let from = staged.folder().join(paths::archive(digest));
        let to = folder.join(digest.hex());
        fs::rename(&from, &to).map_err(|it| Failure::io("write", &to, &it))?;
    }
    sync_folder(&folder)
}

/// Removes what killed imports left. The clock of the file system is compared with itself.
fn remove_leftovers(cache: &Path) {
    let Ok(probe) = tempfile::Builder::new()
        .prefix(".probe-")
        .tempfile_in(cache)
    else {
        return;
    };
    let Some(now) = modified(probe.path()) else {
        return;
    };
    for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
        let is_stage = entry
            .file_name()
            .to_str()
            .is_some_and(|it| it.starts_with(STAGE_PREFIX));
        let age = modified(&entry.path()).and_then(|it| now.duration_since(it).ok());
        if is_stage && age.is_some_and(|it| it > STAGE_AGE_MAX) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.symlink_metadata().and_then(|it| it.modified()).ok()
}

/// The folders that making `folder` would make, innermost first.
fn missing_folders(folder: &Path) -> Vec<PathBuf> {
    folder
        .ancestors()
        .take_while(|it| !it.exists())
        .map(Path::to_path_buf)
        .collect()
}
