//! A folder that any web server can serve, brought up to date.
//!
//! Files that are there are not fetched again; nothing that a reader may be reading is
//! changed or removed; `timestamp.json` is replaced last and is the switch. Killed anywhere,
//! the folder is as good as before, and the next run goes on.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use provisioning_package::{Digest, EntryPath};
use provisioning_registry_api::discovery::{CONTENTS, CopyContents};
use provisioning_registry_api::index::IndexEntry;
use provisioning_registry_api::paths;
use provisioning_trust::{CopyScope, MetadataCopy, TargetFacts};

use super::description::{bytes_of, contents, discovery};
use super::selection::{Machines, Selection, select};
use crate::context::Context;
use crate::durable::{Readers, replace_file, sync_folder};
use crate::failure::{Exit, Failure, Outcome};
use crate::planning::Registry;
use crate::registry::{ArchiveCache, RegistryReader, WantedArchive, names};

/// What keeps two runs from one folder.
const LOCK: &str = ".provisioning-mirror.lock";
/// How many small files are fetched at a time.
const FETCHES_MAX: usize = 16;
/// Longest provenance statement or SBOM.
pub(super) const STATEMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What a run did.
#[derive(Debug)]
pub(crate) struct Mirrored {
    /// Until when the copy is good.
    pub(crate) expires: Timestamp,
    /// Archives that it holds now and that were wanted.
    pub(crate) archives: usize,
    /// Archives that were fetched.
    pub(crate) fetched: usize,
    /// Their bytes.
    pub(crate) fetched_bytes: u64,
    /// Other files that were written.
    pub(crate) files: usize,
}

/// Brings `folder` up to date: with everything where `specs` is empty, else with what they
/// need and what earlier runs were asked for.
pub(crate) async fn mirror(
    folder: &Path,
    specs: &[String],
    machines: &Machines,
    context: &Context,
) -> Outcome<Mirrored> {
    std::fs::create_dir_all(folder).map_err(|it| Failure::io("create", folder, &it))?;
    let _lock = lock(folder)?;
    let mut registry = Registry::new();
    let mut run = Run { folder, files: 0 };
    let outcome = if specs.is_empty() {
        run.everything(context, &mut registry).await
    } else {
        run.part(specs, machines, context, &mut registry).await
    };
    if outcome.is_err() && holds_nothing(folder) {
        // A refusal leaves a new folder as it found it. Whoever waits for this lock would
        // wait for nothing.
        let _ = std::fs::remove_file(folder.join(LOCK));
        let _ = std::fs::remove_dir(folder);
    }
    outcome
}

/// Whether nothing but the lock is there.
fn holds_nothing(folder: &Path) -> bool {
    std::fs::read_dir(folder)
        .is_ok_and(|mut entries| entries.all(|it| it.is_ok_and(|it| it.file_name() == LOCK)))
}

/// One run over one folder.
struct Run<'a> {
    folder: &'a Path,
    files: usize,
}

impl Run<'_> {
    async fn everything(
        &mut self,
        context: &Context,
        registry: &mut Registry,
    ) -> Outcome<Mirrored> {
        let reader = registry.reader(context).await?;
        if reader.reach().is_some() {
            return Err(Failure::new(
                "partial-copy",
                "what is read here is a part of its registry, so not everything can be mirrored",
            )
            .with_hint("name the bundles and packages to mirror, or the registry itself"));
        }
        let metadata = self
            .metadata(reader, CopyScope::Everything, context)
            .await?;
        self.targets(reader, &metadata).await?;
        let mut all = Selection::default();
        for (path, facts) in &metadata.targets {
            if path.starts_with("index/") {
                self.add_entry(&mut all, path, facts)?;
            }
        }
        self.finish(&all, &metadata, None, context, reader).await
    }

    async fn part(
        &mut self,
        specs: &[String],
        machines: &Machines,
        context: &Context,
        registry: &mut Registry,
    ) -> Outcome<Mirrored> {
        let now: BTreeSet<String> = specs.iter().cloned().collect();
        let mut selected = select(&now, machines, context, registry).await?;
        let mut wanted = now.clone();
        for earlier in self.earlier_specs().difference(&now) {
            let one = BTreeSet::from([earlier.clone()]);
            match select(&one, machines, context, registry).await {
                Ok(more) => {
                    selected.targets.extend(more.targets);
                    selected.archives.extend(more.archives);
                    selected.statements.extend(more.statements);
                    wanted.insert(earlier.clone());
                }
                Err(problem) if problem.exit() == Exit::NoSolution => context.output.warning(
                    &format!("`{earlier}` was mirrored before and cannot be any more: {problem}"),
                ),
                Err(problem) => return Err(problem),
            }
        }
        let reader = registry.reader(context).await?;
        let targets: Vec<String> = selected.targets.iter().cloned().collect();
        let scope = CopyScope::Targets(&targets);
        let metadata = self.metadata(reader, scope, context).await?;
        self.targets(reader, &metadata).await?;
        self.finish(&selected, &metadata, Some(&wanted), context, reader)
            .await
    }

    /// Everything but the switch, and then the switch.
    async fn finish(
        &mut self,
        selected: &Selection,
        metadata: &MetadataCopy,
        specs: Option<&BTreeSet<String>>,
        context: &Context,
        reader: &RegistryReader,
    ) -> Outcome<Mirrored> {
        let absent: Vec<WantedArchive> = selected
            .archives
            .values()
            .filter(|it| !self.has_archive(it))
            .cloned()
            .collect();
        let place = ArchiveCache::new(self.folder);
        reader.fetch_into(&place, &absent).await?;
        for digest in &selected.statements {
            let path = paths::archive(digest);
            if !self.folder.join(&path).is_file()
                && let Some(bytes) = reader.blob(digest, STATEMENT_BYTES_MAX).await?
            {
                self.write(&path, &bytes)?;
            }
        }
        let (timestamp, others) = metadata
            .files
            .split_last()
            .expect("a copy's last file is its timestamp");
        for file in others {
            self.write(&format!("{}{}", paths::METADATA, file.name), &file.bytes)?;
        }
        if let Some(specs) = specs {
            let list = contents(specs, names(&self.folder.join("archives/sha256")));
            self.write(CONTENTS, &bytes_of(&list))?;
        }
        let document = discovery(reader, metadata, specs.is_some(), context)?;
        self.write(paths::DISCOVERY, &bytes_of(&document))?;
        sync_all(self.folder)?;
        let path = format!("{}{}", paths::METADATA, timestamp.name);
        self.write(&path, &timestamp.bytes)?;
        sync_folder(&self.folder.join(paths::METADATA))?;
        Ok(Mirrored {
            expires: metadata.expires,
            archives: selected.archives.len(),
            fetched: absent.len(),
            fetched_bytes: absent.iter().map(|it| it.size).sum(),
            files: self.files,
        })
    }

    async fn metadata(
        &self,
        reader: &RegistryReader,
        scope: CopyScope<'_>,
        context: &Context,
    ) -> Outcome<MetadataCopy> {
        let folder = self.folder.join(paths::METADATA);
        let kept = move |name: &str| std::fs::read(folder.join(name)).ok();
        let trusted = reader.trusted();
        Ok(trusted.copy_metadata(scope, &kept, context.now()).await?)
    }

    /// Writes the targets that are not there yet.
    async fn targets(&mut self, reader: &RegistryReader, metadata: &MetadataCopy) -> Outcome<()> {
        let mut absent = Vec::new();
        for (path, facts) in &metadata.targets {
            let place = target_place(path, facts)?;
            let there = std::fs::read(self.folder.join(&place));
            if !there.is_ok_and(|it| Digest::of(&it) == facts.digest) {
                absent.push((path, facts, place));
            }
        }
        let mut fetched = futures_util::stream::iter(absent)
            .map(|(path, facts, place)| async move {
                let bytes = reader.trusted().copied_target(path, facts).await?;
                Ok::<_, Failure>((place, bytes))
            })
            .buffer_unordered(FETCHES_MAX);
        while let Some((place, bytes)) = fetched.try_next().await? {
            self.write(&place, &bytes)?;
        }
        Ok(())
    }

    /// Adds every archive of an index entry that lies in the folder.
    fn add_entry(&self, all: &mut Selection, path: &str, facts: &TargetFacts) -> Outcome<()> {
        let place = self.folder.join(target_place(path, facts)?);
        let bytes = std::fs::read(&place).map_err(|it| Failure::io("read", &place, &it))?;
        let entry: IndexEntry = serde_json::from_slice(&bytes).map_err(|it| {
            Failure::new(
                "unreadable-target",
                format!("cannot understand `{path}` of the registry"),
            )
            .with_cause(it.to_string())
        })?;
        for version in &entry.versions {
            for archive in &version.archives {
                all.add_archive(&entry.name, &version.version, archive);
            }
        }
        Ok(())
    }

    fn has_archive(&self, wanted: &WantedArchive) -> bool {
        // Whatever has this name was checked when it came, and readers check it again.
        let place = self.folder.join(paths::archive(&wanted.digest));
        place
            .metadata()
            .is_ok_and(|it| it.is_file() && it.len() == wanted.size)
    }

    fn earlier_specs(&self) -> BTreeSet<String> {
        let bytes = std::fs::read(self.folder.join(CONTENTS)).unwrap_or_default();
        let list = serde_json::from_slice::<CopyContents>(&bytes);
        list.map(|it| it.specs).unwrap_or_default()
    }

    /// Writes a file that is not there, or not with these bytes.
    fn write(&mut self, path: &str, bytes: &[u8]) -> Outcome<()> {
        let place = self.folder.join(path);
        if std::fs::read(&place).is_ok_and(|it| it == bytes) {
            return Ok(());
        }
        replace_file(&place, bytes, Readers::Everyone)?;
        self.files += 1;
        Ok(())
    }
}

/// Where a target lies in a copy. Its path is the registry's word, and stays inside.
pub(super) fn target_place(path: &str, facts: &TargetFacts) -> Outcome<String> {
    let place = format!(
        "{}{}",
        paths::TARGETS,
        paths::consistent(path, &facts.digest)
    );
    let plain = EntryPath::parse(place.as_bytes())?;
    if plain.as_str() == place {
        Ok(place)
    } else {
        Err(Failure::new(
            "unreadable-target",
            format!("`{}` is no path for a file", path.escape_debug()),
        )
        .with_exit(Exit::Verification))
    }
}

fn lock(folder: &Path) -> Outcome<File> {
    let path: PathBuf = folder.join(LOCK);
    let fail = |it: std::io::Error| Failure::io("write", &path, &it);
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(fail)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Failure::new(
            "lock-held",
            format!("another `mirror` is at work in `{}`", folder.display()),
        )
        .with_exit(Exit::Locked)
        .with_hint("wait until it ends, and run this again")),
        Err(std::fs::TryLockError::Error(problem)) => Err(fail(problem)),
    }
}

/// Makes everything in the folder durable before the switch.
fn sync_all(folder: &Path) -> Outcome<()> {
    let fail = |it: std::io::Error| Failure::io("flush", folder, &it);
    let file = File::open(folder).map_err(fail)?;
    rustix::fs::syncfs(&file).map_err(|it| fail(it.into()))
}
