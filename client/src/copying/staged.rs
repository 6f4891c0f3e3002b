//! An exported file, unpacked into a folder of its own and verified there.
//!
//! Nothing outside that folder is touched until every byte was checked: archives against the
//! digest that they are called by, and everything else by the registry's signatures, from
//! the root that this machine has pinned. What no signature speaks of is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;

use provisioning_package::{Digest, ExportReader, HashingWriter};
use provisioning_registry_api::discovery::{CONTENTS, CopyContents, Discovery, PROTOCOL};
use provisioning_registry_api::index::IndexEntry;
use provisioning_registry_api::paths;
use provisioning_trust::{Anchor, CopyScope, TrustedRegistry};
use tempfile::TempDir;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::registry::Source;
use crate::settings::RegistryLocation;

/// Longest file of an export that is no archive.
const SMALL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The folder of archives, with its slash.
const ARCHIVES: &str = "archives/sha256/";

/// An exported file, unpacked.
#[derive(Debug)]
pub(super) struct Staged {
    folder: TempDir,
    /// What it says about itself.
    pub(super) discovery: Discovery,
    /// What it was made for.
    pub(super) contents: CopyContents,
    /// The archives in it, with their sizes.
    pub(super) archives: BTreeMap<Digest, u64>,
    /// The paths of its TUF targets, and the digests that they are called by.
    targets: BTreeMap<String, Digest>,
    metadata: BTreeSet<String>,
}

impl Staged {
    /// Unpacks `file` into a new folder in `parent`. Archives have the digests that they
    /// are called by; nothing else was verified yet.
    pub(super) fn unpack(file: &Path, parent: &Path) -> Outcome<Self> {
        let opened = File::open(file).map_err(|it| Failure::io("read", file, &it))?;
        let folder = tempfile::Builder::new()
            .prefix(super::import::STAGE_PREFIX)
            .tempdir_in(parent)
            .map_err(|it| Failure::io("write in", parent, &it))?;
        let mut unpacking = Unpacking {
            root: folder.path(),
            archives: BTreeMap::new(),
            targets: BTreeMap::new(),
            metadata: BTreeSet::new(),
        };
        let mut reader = ExportReader::new(BufReader::with_capacity(256 * 1024, opened));
        while let Some(entry) = reader.next_entry()? {
            unpacking.take(&entry.path, entry.size, &mut reader)?;
        }
        let (archives, targets, metadata) =
            (unpacking.archives, unpacking.targets, unpacking.metadata);
        let discovery: Discovery = document(folder.path(), paths::DISCOVERY)?;
        let contents: CopyContents = document(folder.path(), CONTENTS)?;
        if discovery.protocol > PROTOCOL {
            return Err(no_export("it was made by a newer client"));
        }
        let plain = [
            (&discovery.metadata, paths::METADATA),
            (&discovery.targets, paths::TARGETS),
            (&discovery.archives, paths::ARCHIVES),
        ];
        if plain.iter().any(|(said, usual)| said.as_str() != *usual) {
            return Err(no_export("its files are not where an export has them"));
        }
        if let Some(absent) = contents
            .archives
            .iter()
            .find(|it| !archives.contains_key(it))
        {
            let detail = format!("it lists `{}` and does not hold it", absent.prefixed());
            return Err(no_export(&detail));
        }
        Ok(Self {
            folder,
            discovery,
            contents,
            archives,
            targets,
            metadata,
        })
    }

    /// The folder that it was unpacked into.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the registry is that the file was made from.
    pub(super) fn origin(&self, context: &Context) -> Outcome<RegistryLocation> {
        let origin = self.discovery.origin.as_deref().unwrap_or_default();
        RegistryLocation::parse(origin, &context.env)
            .map_err(|problem| no_export(&format!("it names no registry: {problem}")))
    }

    /// Verifies everything against the trusted state in `state`, which learns what the
    /// file says. Where this fails, nothing in the file is to be believed.
    pub(super) async fn verify(&self, state: &Path, context: &Context) -> Outcome<TrustedRegistry> {
        let now = context.now();
        let address = url::Url::from_directory_path(self.folder())
            .map_err(|()| Failure::new("io", "the cache has no absolute path"))?;
        let location = RegistryLocation::parse(address.as_str(), &context.env)
            .map_err(|problem| Failure::new("io", problem))?;
        let source: Arc<dyn provisioning_trust::Transport> = Arc::new(Source::open(&location)?);
        let anchor = Anchor {
            metadata: paths::METADATA.to_owned(),
            targets: paths::TARGETS.to_owned(),
            root_version: self.discovery.root_version,
            root_fingerprint: self.discovery.root_fingerprint,
        };
        let expected = context.settings.root_fingerprint.as_ref();
        let mut trusted = TrustedRegistry::open_copy(
            state,
            source,
            &anchor,
            expected.map(|it| &it.value),
            context.settings.max_offline_age,
        )
        .await?;
        trusted.refresh(now).await?;
        let targets: Vec<String> = self.targets.keys().cloned().collect();
        let nothing = |_: &str| None;
        let copy = trusted
            .copy_metadata(CopyScope::Targets(&targets), &nothing, now)
            .await?;
        for (path, named) in &self.targets {
            if copy.targets.get(path).map(|it| it.digest) != Some(*named) {
                return Err(unsigned(&format!("{}{path}", paths::TARGETS)));
            }
        }
        let signed: BTreeSet<String> = copy.files.into_iter().map(|it| it.name).collect();
        if let Some(other) = self.metadata.difference(&signed).next() {
            return Err(unsigned(&format!("{}{other}", paths::METADATA)));
        }
        let bytes = trusted.targets(&targets, now).await?;
        self.check_archives(&targets, &bytes)?;
        Ok(trusted)
    }

    /// Every archive is one that an index entry speaks of, with the size that it says.
    fn check_archives(&self, targets: &[String], bytes: &[Option<Vec<u8>>]) -> Outcome<()> {
        let mut signed: BTreeMap<Digest, Option<u64>> = BTreeMap::new();
        for (path, bytes) in targets.iter().zip(bytes) {
            let Some(bytes) = bytes.as_ref().filter(|_| path.starts_with("index/")) else {
                continue;
            };
            let entry: IndexEntry = serde_json::from_slice(bytes).map_err(|it| {
                no_export("it needs a newer client").with_cause(format!("{path}: {it}"))
            })?;
            for it in entry.versions.iter().flat_map(|it| &it.archives) {
                signed.insert(it.digest, Some(it.size));
                for statement in it.provenance.iter().chain(&it.sbom) {
                    signed.entry(*statement).or_insert(None);
                }
            }
        }
        for (digest, size) in &self.archives {
            let fits = match signed.get(digest) {
                Some(Some(said)) => said == size,
                Some(None) => true,
                None => false,
            };
            if !fits {
                return Err(unsigned(&paths::archive(digest)));
            }
        }
        Ok(())
    }
}

/// The folder that is being filled, and what came so far.
struct Unpacking<'a> {
    root: &'a Path,
    archives: BTreeMap<Digest, u64>,
    targets: BTreeMap<String, Digest>,
    metadata: BTreeSet<String>,
}

impl Unpacking<'_> {
    fn take<R: io::Read>(
        &mut self,
        path: &str,
        size: u64,
        data: &mut ExportReader<R>,
    ) -> Outcome<()> {
        if let Some(hex) = path.strip_prefix(ARCHIVES) {
            let digest = Digest::from_hex(hex).map_err(|_| foreign(path))?;
            self.archives.insert(digest, size);
            return self.write(path, Some(digest), data);
        }
        if size > SMALL_BYTES_MAX {
            return Err(foreign(path));
        }
        if let Some(name) = path.strip_prefix(paths::METADATA) {
            self.metadata.insert(name.to_owned());
        } else if let Some(place) = path.strip_prefix(paths::TARGETS) {
            let (target, digest) = target_of(place).ok_or_else(|| foreign(path))?;
            self.targets.insert(target, digest);
            return self.write(path, Some(digest), data);
        } else if path != paths::DISCOVERY && path != CONTENTS {
            return Err(foreign(path));
        }
        self.write(path, None, data)
    }

    fn write<R: io::Read>(
        &self,
        path: &str,
        digest: Option<Digest>,
        data: &mut ExportReader<R>,
    ) -> Outcome<()> {
        let place = self.root.join(path);
        let fail = |it: io::Error| Failure::io("write", &place, &it);
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent).map_err(fail)?;
        }
        let file = File::create_new(&place).map_err(fail)?;
        let mut out = HashingWriter::new(file);
        if let Err(problem) = io::copy(data, &mut out) {
            if problem.kind() == io::ErrorKind::UnexpectedEof {
                return Err(no_export("it ends too early"));
            }
            return Err(fail(problem));
        }
        let (file, found, _) = out.finish();
        if digest.is_some_and(|it| it != found) {
            return Err(Failure::new(
                "export-changed",
                format!("`{path}` in the export is not what it is called"),
            )
            .with_cause(format!("its bytes are `{}`", found.prefixed()))
            .with_hint(UNCHANGED)
            .with_exit(Exit::Verification));
        }
        file.sync_data().map_err(fail)
    }
}

const UNCHANGED: &str = "have the file made and carried again; nothing was changed";

/// `index/core/core.json` and its digest, of `index/core/<hex>.core.json`.
fn target_of(place: &str) -> Option<(String, Digest)> {
    let (folder, file) = match place.rsplit_once('/') {
        Some((folder, file)) => (format!("{folder}/"), file),
        None => (String::new(), place),
    };
    let (hex, name) = file.split_once('.')?;
    Some((format!("{folder}{name}"), Digest::from_hex(hex).ok()?))
}

fn document<T: serde::de::DeserializeOwned>(root: &Path, path: &str) -> Outcome<T> {
    let mut bytes = Vec::new();
    File::open(root.join(path))
        .and_then(|it| it.take(SMALL_BYTES_MAX).read_to_end(&mut bytes))
        .map_err(|_| no_export(&format!("it has no `{path}`")))?;
    serde_json::from_slice(&bytes).map_err(|it| no_export(&format!("{path}: {it}")))
}

fn no_export(why: &str) -> Failure {
    Failure::new("not-an-export", "the file is no whole export of a registry")
        .with_cause(why)
        .with_hint(UNCHANGED)
        .with_exit(Exit::Verification)
}

fn foreign(path: &str) -> Failure {
    no_export(&format!("`{}` does not belong in one", path.escape_debug()))
}

fn unsigned(path: &str) -> Failure {
    Failure::new(
        "export-unsigned",
        format!(
            "`{}` is in the export, and no signature speaks of it",
            path.escape_debug()
        ),
    )
    .with_hint(UNCHANGED)
    .with_exit(Exit::Verification)
}
