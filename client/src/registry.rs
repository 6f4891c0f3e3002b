//! The read side of a registry, as commands use it: verified, or not at all.
//!
//! [`RegistryReader::open`] meets the registry (or its copy in a folder), pins or follows
//! its root and learns what is current. What it returns afterwards was signed; archives are
//! checked against the signed digest while they stream into the cache. Nothing here solves,
//! installs or prints results.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use provisioning_compat::{MemoryIndex, Reach, Shortage, VersionsToml, needed};
use provisioning_package::{BundleName, Digest, PackageName};
use provisioning_registry_api::bundle::{BundleDocument, ChannelsDocument};
use provisioning_registry_api::discovery::Discovery;
use provisioning_registry_api::index::IndexEntry;
use provisioning_registry_api::paths;
use provisioning_trust::{Anchor, RoleFiles, TrustError, TrustedRegistry};
use serde::de::DeserializeOwned;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Output, Progress};

mod archives;
pub(crate) mod cache_contents;
pub(crate) mod cache_lock;
mod discovery;
mod folder;
mod http;
mod lazy_index;
mod pace;
mod reach;
mod remembered;
mod source;
mod transfer;

pub(crate) use archives::{ArchiveCache, Landed, Landing, WantedArchive, cached_size, take_cached};
pub(crate) use discovery::discover;
pub(crate) use http::{authorised, writing_client};
pub(crate) use lazy_index::LazyIndex;
pub(crate) use reach::{explain, names};
pub(crate) use source::Source;

/// Rounds of fetching that follow dependencies: deeper chains than this are a loop of the
/// registry's making.
const CLOSURE_ROUNDS_MAX: usize = 64;
/// Largest root.
const ROOT_BYTES_MAX: u64 = 512 * 1024;
/// Clocks differ by so much without anything being wrong.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_mins(5);
/// Packages that one solution may look at.
const CLOSURE_PACKAGES_MAX: usize = 20_000;

/// A registry whose every word is checked.
pub(crate) struct RegistryReader {
    source: Option<Arc<Source>>,
    archives_base: String,
    discovery: Option<Discovery>,
    trusted: TrustedRegistry,
    cache: ArchiveCache,
    now: Timestamp,
    progress: Progress,
    /// The archives that can be had, where not every one can be.
    reach: Option<Reach>,
    /// Names whose index entry could not be had, and that may exist all the same.
    unreached: Vec<String>,
}

/// The matrix that is served, and the bytes that a new one is based on.
#[derive(Debug, Clone)]
pub(crate) struct ServedMatrix {
    /// The rows and drafts.
    pub(crate) read: VersionsToml,
    /// The text itself; empty where none was pushed yet.
    pub(crate) text: String,
    /// The digest of the text; `None` where none was pushed yet.
    pub(crate) digest: Option<Digest>,
}

/// What the registry says about packages, as far as this user may know.
pub(crate) struct Readable {
    /// The entries that exist.
    pub(crate) entries: Vec<IndexEntry>,
    /// Packages that this user may not read about, and what was answered.
    pub(crate) refused: Vec<(PackageName, String)>,
}

/// What becomes of what a run learns about the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Traces {
    Kept,
    Forgotten,
}

impl RegistryReader {
    /// Opens the registry of `context`'s settings and learns what is current: one request where
    /// nothing changed since the last time.
    pub(crate) async fn open(context: &Context) -> Outcome<Self> {
        let state = context.settings.trust_state(context.settings.registry()?)?;
        Self::open_in(context, &state, Traces::Kept).await
    }

    /// The same for a dry run, which writes nothing: what it learns goes with the process.
    pub(crate) async fn open_untouched(context: &Context) -> Outcome<Self> {
        let state = context.settings.trust_state(context.settings.registry()?)?;
        Self::open_in(context, &state, Traces::Forgotten).await
    }

    async fn open_in(context: &Context, state: &std::path::Path, traces: Traces) -> Outcome<Self> {
        let location = context.settings.registry()?;
        let now = context.now();
        let cache = ArchiveCache::new(context.settings.cache()?);
        let progress = context.output.progress();
        let is_imported = provisioning_trust::is_imported(state);
        if is_imported || (context.settings.offline && location.folder().is_none()) {
            let age_max = context.settings.max_offline_age;
            let mut trusted = TrustedRegistry::open_offline(state, age_max)?;
            trusted.refresh(now).await?;
            note_age(&trusted, now, is_imported, &context.output);
            let because = if is_imported {
                Shortage::Imported
            } else {
                Shortage::Offline
            };
            return Ok(Self {
                source: None,
                archives_base: paths::ARCHIVES.to_owned(),
                discovery: None,
                trusted,
                cache,
                now,
                progress,
                reach: Some(reach::of_machine(context, because)?),
                unreached: Vec::new(),
            });
        }
        let source = Arc::new(Source::of_context(location, context)?);
        let address = location.to_string();
        let is_asked = location.folder().is_none();
        if let Some(known) = is_asked
            .then(|| remembered::recall(state, &address, now))
            .flatten()
        {
            match Self::meet(&source, known, (state, traces), context).await {
                Ok(reader) => return Ok(reader),
                Err(failure) => {
                    tracing::debug!("asking for the discovery document again: {failure}");
                    if traces == Traces::Kept {
                        remembered::forget(state);
                    }
                }
            }
        }
        let discovery = discover(&source, location).await?;
        let reader = Self::meet(&source, discovery, (state, traces), context).await?;
        if let (true, Traces::Kept, Some(discovery)) = (is_asked, traces, &reader.discovery) {
            remembered::remember(state, &address, discovery, now);
        }
        Ok(reader)
    }

    /// Learns what is current of the registry that `discovery` describes.
    async fn meet(
        source: &Arc<Source>,
        discovery: Discovery,
        (state, traces): (&std::path::Path, Traces),
        context: &Context,
    ) -> Outcome<Self> {
        let location = context.settings.registry()?;
        let now = context.now();
        let expected = context
            .settings
            .root_fingerprint
            .as_ref()
            .map(|it| it.value);
        if discovery.auth_required {
            source.authorise();
        }
        let anchor = Anchor {
            metadata: discovery.metadata.clone(),
            targets: discovery.targets.clone(),
            root_version: discovery.root_version,
            root_fingerprint: discovery.root_fingerprint,
        };
        let transport: Arc<dyn provisioning_trust::Transport> = source.clone();
        let expected = expected.as_ref();
        let mut trusted = match traces {
            Traces::Kept => TrustedRegistry::open(state, transport, &anchor, expected).await?,
            Traces::Forgotten => {
                TrustedRegistry::open_untouched(state, transport, &anchor, expected).await?
            }
        };
        warn_of_clock(&trusted, now, &context.output);
        trusted.refresh(now).await?;
        let reach = match &discovery.contents {
            Some(list) => Some(reach::of_copy(source, list, location, context).await?),
            None => None,
        };
        Ok(Self {
            source: Some(Arc::clone(source)),
            archives_base: discovery.archives.clone(),
            discovery: Some(discovery),
            trusted,
            cache: ArchiveCache::new(context.settings.cache()?),
            now,
            progress: context.output.progress(),
            reach,
            unreached: Vec::new(),
        })
    }

    /// What the registry says about one package; `None` where it has no such package.
    pub(crate) async fn entry(&mut self, name: &PackageName) -> Outcome<Option<IndexEntry>> {
        let entries = self.entries(std::slice::from_ref(name)).await?;
        Ok(entries.into_iter().next())
    }

    /// What the registry says about `roots` and everything that any of their versions may
    /// bring in. Names that it does not have are simply absent.
    /// Those that it does not let this user read about are noted as such.
    pub(crate) async fn index(&mut self, roots: &[PackageName]) -> Outcome<MemoryIndex> {
        let mut index = MemoryIndex::new();
        let mut asked = std::collections::BTreeSet::new();
        for _ in 0..CLOSURE_ROUNDS_MAX {
            let mut absent = needed(&index, roots);
            absent.retain(|it| asked.insert(it.clone()));
            if absent.is_empty() {
                return Ok(index);
            }
            if asked.len() > CLOSURE_PACKAGES_MAX {
                break;
            }
            let found = self.readable_entries(&absent).await?;
            for entry in found.entries {
                index.insert(entry);
            }
            for (name, answer) in found.refused {
                index.refuse(name, answer);
            }
        }
        Err(Failure::new(
            "index-too-deep",
            format!(
                "the packages asked for need more than {CLOSURE_PACKAGES_MAX} others, or chains \
                 of more than {CLOSURE_ROUNDS_MAX}"
            ),
        )
        .with_exit(Exit::NoSolution))
    }

    /// What the registry says about packages, fetched as it is read.
    pub(crate) fn lazy_index(&mut self) -> LazyIndex<'_> {
        LazyIndex::new(self)
    }

    /// The digest of the registry's first root, which every later one descends from. It
    /// names the registry, whatever its address, and grants nothing.
    pub(crate) async fn first_root(&mut self) -> Outcome<Digest> {
        let (Some(discovery), Some(source)) = (&self.discovery, &self.source) else {
            return Ok(self.trusted.root_fingerprint());
        };
        if discovery.root_version == 1 {
            return Ok(discovery.root_fingerprint);
        }
        let path = format!("{}1.root.json", discovery.metadata);
        let first = provisioning_trust::Transport::fetch(&**source, &path, ROOT_BYTES_MAX).await;
        Ok(match first {
            Ok(Some(bytes)) => Digest::of(&bytes),
            Ok(None) | Err(_) => self.trusted.root_fingerprint(),
        })
    }

    /// The compatibility matrix; an absent one is empty.
    pub(crate) async fn matrix(&mut self) -> Outcome<ServedMatrix> {
        let mut found = self
            .target_bytes(&[paths::MATRIX_TARGET.to_owned()])
            .await?;
        let Some(bytes) = found.pop().flatten() else {
            return Ok(ServedMatrix {
                read: VersionsToml::default(),
                text: String::new(),
                digest: None,
            });
        };
        let digest = Digest::of(&bytes);
        let text =
            String::from_utf8(bytes).map_err(|_| unreadable(paths::MATRIX_TARGET, "not UTF-8"))?;
        let read = VersionsToml::parse(&text, None)
            .map_err(|problem| unreadable(paths::MATRIX_TARGET, &problem.to_string()))?;
        Ok(ServedMatrix {
            read,
            text,
            digest: Some(digest),
        })
    }

    /// A bundle; `None` where the registry has no bundle of this name.
    pub(crate) async fn bundle(&mut self, name: &BundleName) -> Outcome<Option<BundleDocument>> {
        let target = paths::bundle_target(name);
        let document: Option<BundleDocument> = self.json(&target).await?;
        match document {
            Some(document) if document.name != *name => {
                Err(unreadable(&target, "it speaks of another bundle"))
            }
            other => Ok(other),
        }
    }

    /// What each channel points at; absent channels are an empty document.
    pub(crate) async fn channels(&mut self) -> Outcome<ChannelsDocument> {
        let document = self.json(paths::CHANNELS_TARGET).await?;
        Ok(document.unwrap_or_default())
    }

    /// Fetches archives into the cache, several at a time, and returns where each is, in the
    /// order asked. An archive is under its final name only once its digest was right;
    /// archives that are there already are checked again and not fetched.
    pub(crate) async fn fetch_archives(&self, wanted: &[WantedArchive]) -> Outcome<Vec<PathBuf>> {
        self.cache
            .fetch_all(
                self.source.as_deref(),
                &self.archives_base,
                wanted,
                &self.progress,
            )
            .await
    }

    /// Lands archives while they arrive: each is taken by `landing` in one pass, and is right
    /// only once all its bytes are. See [`ArchiveCache::land_cached`] for what is here already.
    pub(crate) async fn land_archives(
        &self,
        wanted: &[WantedArchive],
        landing: &Arc<dyn Landing>,
    ) -> Outcome<()> {
        self.cache
            .land_all(
                self.source.as_deref(),
                &self.archives_base,
                wanted,
                landing,
                &self.progress,
            )
            .await
    }

    /// Fetches archives into another folder than the cache, likewise.
    pub(crate) async fn fetch_into(
        &self,
        place: &ArchiveCache,
        wanted: &[WantedArchive],
    ) -> Outcome<Vec<PathBuf>> {
        place
            .fetch_all(
                self.source.as_deref(),
                &self.archives_base,
                wanted,
                &self.progress,
            )
            .await
    }

    /// The bytes of a file that is known by its digest alone, such as an SBOM.
    pub(crate) async fn blob(&self, digest: &Digest, max_bytes: u64) -> Outcome<Option<Vec<u8>>> {
        let Some(source) = &self.source else {
            return Ok(None);
        };
        let path = format!("{}sha256/{}", self.archives_base, digest.hex());
        let bytes = provisioning_trust::Transport::fetch(&**source, &path, max_bytes).await;
        Ok(bytes
            .ok()
            .flatten()
            .filter(|bytes| Digest::of(bytes) == *digest))
    }

    /// The archives that can be had, where not every one can be.
    pub(crate) fn reach(&self) -> Option<&Reach> {
        self.reach.as_ref()
    }

    /// Names whose index entry or bundle could not be had here, though they may exist.
    pub(crate) fn unreached(&self) -> &[String] {
        &self.unreached
    }

    /// Where the registry keeps its parts; `None` offline.
    pub(crate) fn discovery(&self) -> Option<&Discovery> {
        self.discovery.as_ref()
    }

    /// What is believed of the registry's root.
    pub(crate) fn trusted(&self) -> &TrustedRegistry {
        &self.trusted
    }

    /// The verified files of the roles that people sign.
    pub(crate) async fn role_files(&mut self) -> Outcome<RoleFiles> {
        Ok(self.trusted.role_files(self.now).await?)
    }

    /// The verified bytes of targets, by path.
    pub(crate) async fn raw_targets(&mut self, paths: &[String]) -> Outcome<Vec<Option<Vec<u8>>>> {
        Ok(self.trusted.targets(paths, self.now).await?)
    }

    /// What names the verified state of the registry: the root and the snapshot's number.
    pub(crate) fn state(&self) -> Option<(Digest, u64)> {
        let snapshot = self.trusted.snapshot_version()?;
        Some((self.trusted.root_fingerprint(), snapshot))
    }

    /// The entries of `names` that exist, fetched concurrently. One that this user may not
    /// read is a failure.
    pub(crate) async fn entries(&mut self, names: &[PackageName]) -> Outcome<Vec<IndexEntry>> {
        let targets: Vec<String> = names.iter().map(paths::index_target).collect();
        let all = self.target_bytes(&targets).await?;
        read_entries(names, &targets, all)
    }

    /// The entries of `names` that exist and that this user may read, and the names of those
    /// that the registry keeps from this user: a search may do without them.
    pub(crate) async fn readable_entries(&mut self, names: &[PackageName]) -> Outcome<Readable> {
        let targets: Vec<String> = names.iter().map(paths::index_target).collect();
        let mut refused = Vec::new();
        let all = match self.trusted.targets(&targets, self.now).await {
            Ok(all) => all,
            Err(TrustError::Refused { .. }) => {
                let mut found = Vec::new();
                for (name, target) in names.iter().zip(&targets) {
                    match self.trusted.target(target, self.now).await {
                        Err(TrustError::Refused { reason, .. }) => {
                            refused.push((name.clone(), reason));
                            found.push(None);
                        }
                        other => found.push(other?),
                    }
                }
                found
            }
            Err(problem) => self.within_reach(&targets, problem).await?,
        };
        let entries = read_entries(names, &targets, all)?;
        Ok(Readable { entries, refused })
    }

    /// The verified bytes of targets. What is listed but out of reach counts as absent, and
    /// is remembered, so that a refusal can say so.
    async fn target_bytes(&mut self, targets: &[String]) -> Outcome<Vec<Option<Vec<u8>>>> {
        match self.trusted.targets(targets, self.now).await {
            Ok(all) => Ok(all),
            Err(problem) => self.within_reach(targets, problem).await,
        }
    }

    /// The same once more, one by one, where `problem` is that some cannot be had here.
    async fn within_reach(
        &mut self,
        targets: &[String],
        problem: TrustError,
    ) -> Outcome<Vec<Option<Vec<u8>>>> {
        if self.reach.is_none() || !is_absence(&problem) {
            return Err(problem.into());
        }
        let mut found = Vec::new();
        for target in targets {
            let one = self.trusted.target(target, self.now).await;
            found.push(match one {
                Err(problem) if is_absence(&problem) => {
                    self.unreached.push(shown_target(target));
                    None
                }
                other => other?,
            });
        }
        Ok(found)
    }

    async fn json<T: DeserializeOwned>(&mut self, target: &str) -> Outcome<Option<T>> {
        let mut all = self.target_bytes(&[target.to_owned()]).await?;
        let bytes = all.pop().flatten();
        bytes.map(|it| parse(target, &it)).transpose()
    }
}

/// Reads the bytes of index entries; names that the registry does not have are left out.
fn read_entries(
    names: &[PackageName],
    targets: &[String],
    all: Vec<Option<Vec<u8>>>,
) -> Outcome<Vec<IndexEntry>> {
    let mut entries = Vec::new();
    for ((name, target), bytes) in names.iter().zip(targets).zip(all) {
        let Some(bytes) = bytes else { continue };
        let entry =
            IndexEntry::read(&bytes).map_err(|problem| unreadable(target, &problem.to_string()))?;
        if entry.name != *name || entry.kind != name.kind() {
            return Err(unreadable(target, "it speaks of another package"));
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn parse<T: DeserializeOwned>(target: &str, bytes: &[u8]) -> Outcome<T> {
    serde_json::from_slice(bytes).map_err(|problem| unreadable(target, &problem.to_string()))
}

/// Signed and yet not understood: the registry is newer than this client, or faulty.
fn unreadable(target: &str, why: &str) -> Failure {
    Failure::new(
        "unreadable-target",
        format!("cannot understand `{target}` of the registry"),
    )
    .with_cause(why)
    .with_hint("the registry may need a newer client: fetch one with its `install.sh`")
}

/// Whether something is not here, rather than wrong.
fn is_absence(problem: &TrustError) -> bool {
    problem.is_unreachable() || matches!(problem, TrustError::Missing { .. })
}

/// `redis` for `index/extension/redis.json`.
fn shown_target(target: &str) -> String {
    let file = target.rsplit('/').next().unwrap_or(target);
    file.strip_suffix(".json").unwrap_or(file).to_owned()
}

/// A clock that was set back may make what has ended look alive: say so.
fn warn_of_clock(trusted: &TrustedRegistry, now: Timestamp, output: &Output) {
    if let Ok(Some(seen)) = trusted.fetched()
        && seen.duration_since(now) > CLOCK_SLACK
    {
        output.warning(&format!(
            "this machine's clock says {now:.0}, but it verified this registry on {seen:.0}: the \
             clock was set back, or was wrong then; check `date`"
        ));
    }
}

/// Offline answers are as old as the last look; say how old.
fn note_age(trusted: &TrustedRegistry, now: Timestamp, is_imported: bool, output: &Output) {
    if let Ok(Some(fetched)) = trusted.fetched() {
        let age = age_text(now.duration_since(fetched));
        output.note(&if is_imported {
            format!("imported: what is known of the registry is {age} old")
        } else {
            format!("offline: what is known of the registry is {age} old")
        });
    }
}

/// An age for people.
pub(crate) fn age_text(age: SignedDuration) -> String {
    match age.as_hours() {
        ..=0 => "less than an hour".to_owned(),
        1 => "an hour".to_owned(),
        hours @ 2..48 => format!("{hours} hours"),
        hours => format!("{} days", hours / 24),
    }
}
