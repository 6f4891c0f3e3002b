//! Copies of a registry: everything that a mirror or an exported file needs of the metadata.
//!
//! A copy carries the registry's own signatures, so whoever reads it verifies it like the
//! registry itself, and whoever makes one can leave out, but not change. What goes into a
//! copy is verified here once more, from the root on: a copy that nobody can read is not made.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use jiff::Timestamp;
use provisioning_package::Digest;
use sigstore_tuf::{TrustedMetadataSet, UpdaterConfig};

use crate::client::TrustedRegistry;
use crate::error::TrustError;
use crate::repository::{MetadataFile, TargetFacts};
use crate::store::version_of;
use crate::verifier::{FETCHES_MAX, explain, fetch};

/// Roles that one copy may have.
const ROLES_MAX: usize = 4096;

/// What a copy is to hold.
#[derive(Debug, Clone, Copy)]
pub enum CopyScope<'a> {
    /// Every role, and with them every target.
    Everything,
    /// These targets, and the roles on the way to them.
    Targets(&'a [String]),
}

/// The metadata of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataCopy {
    /// The files, in the order to write them: `timestamp.json` is last and is the switch.
    pub files: Vec<MetadataFile>,
    /// The targets within the scope that exist, and what their bytes are.
    pub targets: BTreeMap<String, TargetFacts>,
    /// Until when the copy is good: its timestamp's expiry.
    pub expires: Timestamp,
    /// The version of its newest root.
    pub root_version: u64,
    /// sha256 of its newest root.
    pub root_fingerprint: Digest,
}

/// Looks a file up that an earlier copy left, by its name below the metadata folder.
pub type KeptFile<'a> = &'a (dyn Fn(&str) -> Option<Vec<u8>> + Send + Sync);

impl TrustedRegistry {
    /// The metadata for a copy, verified from the root on. Needs
    /// [`TrustedRegistry::refresh`] before. Files that `kept` has are not fetched again.
    pub async fn copy_metadata(
        &self,
        scope: CopyScope<'_>,
        kept: KeptFile<'_>,
        now: Timestamp,
    ) -> Result<MetadataCopy, TrustError> {
        let mut walk = self.begin_copy(kept, now).await?;
        let mut targets = BTreeMap::new();
        match scope {
            CopyScope::Everything => {
                walk.load_everything().await?;
                targets = walk.all_targets()?;
            }
            CopyScope::Targets(paths) => {
                for path in paths {
                    if let Some(facts) = walk.resolve(path).await? {
                        targets.insert(path.clone(), facts);
                    }
                }
            }
        }
        Ok(walk.finish(targets))
    }

    /// The bytes of a target that [`TrustedRegistry::copy_metadata`] found: from the trusted
    /// state where they are there, else from the registry. They are not kept.
    pub async fn copied_target(
        &self,
        path: &str,
        facts: &TargetFacts,
    ) -> Result<Vec<u8>, TrustError> {
        let is_right =
            |bytes: &[u8]| bytes.len() as u64 == facts.length && Digest::of(bytes) == facts.digest;
        if let Some(bytes) = self.store().cached_target(path).filter(|it| is_right(it)) {
            return Ok(bytes);
        }
        let Some(origin) = self.origin() else {
            return Err(TrustError::Unreachable {
                file: path.to_owned(),
                source: "it is not on this machine, and nobody is asked".into(),
            });
        };
        let name = match path.rsplit_once('/') {
            Some((folder, file)) => format!("{folder}/{}.{file}", facts.digest.hex()),
            None => format!("{}.{path}", facts.digest.hex()),
        };
        let file = format!("{}{name}", origin.targets);
        let bytes = fetch(origin.transport.as_ref(), &file, facts.length).await?;
        let bytes = bytes.ok_or_else(|| TrustError::Missing { file: file.clone() })?;
        if is_right(&bytes) {
            Ok(bytes)
        } else {
            Err(TrustError::Mismatch {
                what: format!("target `{path}`"),
            })
        }
    }

    /// Verifies roots, timestamp, snapshot and `targets` for a copy.
    async fn begin_copy<'a>(
        &'a self,
        kept: KeptFile<'a>,
        now: Timestamp,
    ) -> Result<Walk<'a>, TrustError> {
        let judged_at = self.judged_at().unwrap_or(now);
        let (set, roots) = self.copy_roots(kept).await?;
        let mut walk = Walk {
            registry: self,
            kept,
            judged_at,
            set,
            files: roots,
            timestamp: Vec::new(),
            edges: BTreeMap::new(),
        };
        let timestamp = self.store().metadata("timestamp.json");
        walk.timestamp = timestamp.ok_or(TrustError::NeverMet)?;
        let fail = |error| explain(error, judged_at);
        walk.set
            .update_timestamp(&walk.timestamp, judged_at)
            .map_err(fail)?;
        let pin = walk.set.timestamp().and_then(|it| it.snapshot_meta());
        let version = pin.map_or(0, |it| it.version);
        walk.take("snapshot", version, |set, bytes| {
            set.update_snapshot(bytes, judged_at)
        })
        .await?;
        let version = walk.pinned("targets").unwrap_or(0);
        walk.take("targets", version, |set, bytes| {
            set.update_targets(bytes, judged_at).map(drop)
        })
        .await?;
        Ok(walk)
    }

    /// The chain of roots from the first that can be had to the one that is trusted.
    async fn copy_roots(
        &self,
        kept: KeptFile<'_>,
    ) -> Result<(TrustedMetadataSet, Vec<MetadataFile>), TrustError> {
        let limit = UpdaterConfig::default().root_max_length;
        let newest = version_of(self.root()).unwrap_or(1);
        let mut chain: Option<TrustedMetadataSet> = None;
        let mut files: Vec<MetadataFile> = Vec::new();
        for version in 1..=newest {
            let name = format!("{version}.root.json");
            let bytes = match self.store().known_root(version)?.or_else(|| kept(&name)) {
                Some(bytes) => Some(bytes),
                None => match self.origin() {
                    Some(origin) => {
                        let file = format!("{}{name}", origin.metadata);
                        fetch(origin.transport.as_ref(), &file, limit).await?
                    }
                    None => None,
                },
            };
            let Some(bytes) = bytes else {
                (chain, files) = (None, Vec::new());
                continue;
            };
            let fail = |error| explain(error, Timestamp::UNIX_EPOCH);
            match &mut chain {
                Some(chain) => chain.update_root(&bytes).map_err(fail)?,
                None => chain = Some(TrustedMetadataSet::from_root(&bytes).map_err(fail)?),
            }
            files.push(MetadataFile { name, bytes });
        }
        match chain {
            Some(chain) if chain.root_bytes() == self.root() => Ok((chain, files)),
            _ => Err(TrustError::Mismatch {
                what: format!("root {newest}"),
            }),
        }
    }
}

/// One delegation: who delegates, and to whom.
#[derive(Debug, Clone)]
struct Edge {
    from: String,
    role: String,
}

/// A copy that is being put together.
struct Walk<'a> {
    registry: &'a TrustedRegistry,
    kept: KeptFile<'a>,
    judged_at: Timestamp,
    set: TrustedMetadataSet,
    files: Vec<MetadataFile>,
    timestamp: Vec<u8>,
    /// By role: the delegation that it was loaded through.
    edges: BTreeMap<String, Edge>,
}

impl Walk<'_> {
    /// The version of a role that the snapshot pins.
    fn pinned(&self, role: &str) -> Option<u64> {
        let snapshot = self.set.snapshot()?;
        Some(snapshot.meta.get(&format!("{role}.json"))?.version)
    }

    /// Takes a versioned file from nearby, or where that does not verify, from the registry.
    async fn take(
        &mut self,
        role: &str,
        version: u64,
        accept: impl Fn(&mut TrustedMetadataSet, &[u8]) -> sigstore_tuf::Result<()>,
    ) -> Result<(), TrustError> {
        let name = format!("{version}.{}.json", encoded(role));
        for bytes in self.nearby(role, version, &name) {
            if accept(&mut self.set, &bytes).is_ok() {
                self.files.push(MetadataFile { name, bytes });
                return Ok(());
            }
        }
        let bytes = self.download(&name).await?;
        accept(&mut self.set, &bytes).map_err(|error| explain(error, self.judged_at))?;
        self.files.push(MetadataFile { name, bytes });
        Ok(())
    }

    fn nearby(&self, role: &str, version: u64, name: &str) -> Vec<Vec<u8>> {
        let stored = self
            .registry
            .store()
            .metadata(&format!("{}.json", encoded(role)))
            .filter(|it| version_of(it) == Some(version));
        stored.into_iter().chain((self.kept)(name)).collect()
    }

    async fn download(&self, name: &str) -> Result<Vec<u8>, TrustError> {
        let Some(origin) = self.registry.origin() else {
            return Err(TrustError::Unreachable {
                file: name.to_owned(),
                source: "it is not on this machine, and nobody is asked".into(),
            });
        };
        let file = format!("{}{name}", origin.metadata);
        let limit = UpdaterConfig::default().targets_max_length;
        let bytes = fetch(origin.transport.as_ref(), &file, limit).await?;
        bytes.ok_or(TrustError::Missing { file })
    }

    /// The delegations of `role` that the snapshot pins and that were not taken yet.
    fn delegations(&self, role: &str) -> Vec<Edge> {
        let targets = self.set.targets_role(role);
        let delegations = targets.and_then(|it| it.delegations.as_ref());
        delegations
            .into_iter()
            .flat_map(|it| &it.roles)
            .filter(|it| self.pinned(&it.name).is_some())
            .filter(|it| self.set.targets_role(&it.name).is_none())
            .map(|it| Edge {
                from: role.to_owned(),
                role: it.name.clone(),
            })
            .collect()
    }

    /// Loads every role, level by level, each level's files at once.
    async fn load_everything(&mut self) -> Result<(), TrustError> {
        let mut level = self.delegations("targets");
        while !level.is_empty() {
            if self.edges.len() + level.len() > ROLES_MAX {
                return Err(TrustError::Malformed {
                    problem: format!("more than {ROLES_MAX} roles"),
                });
            }
            for group in level.chunks(FETCHES_MAX) {
                self.load_group(group).await?;
            }
            level = level
                .iter()
                .flat_map(|it| self.delegations(&it.role))
                .collect();
        }
        Ok(())
    }

    async fn load_group(&mut self, group: &[Edge]) -> Result<(), TrustError> {
        let absent: Vec<String> = group
            .iter()
            .filter_map(|it| {
                let version = self.pinned(&it.role)?;
                let name = format!("{version}.{}.json", encoded(&it.role));
                self.nearby(&it.role, version, &name)
                    .is_empty()
                    .then_some(name)
            })
            .collect();
        let fetched = join_all(absent.iter().map(|it| self.download(it))).await;
        let mut held = BTreeMap::new();
        for (name, bytes) in absent.into_iter().zip(fetched) {
            held.insert(name, bytes?);
        }
        for edge in group {
            self.load(edge, &held).await?;
        }
        Ok(())
    }

    /// Loads one role through one delegation, from `held` where it is there.
    async fn load(
        &mut self,
        edge: &Edge,
        held: &BTreeMap<String, Vec<u8>>,
    ) -> Result<(), TrustError> {
        if self.set.targets_role(&edge.role).is_some() {
            return Ok(());
        }
        let version = self.pinned(&edge.role).unwrap_or(0);
        let judged_at = self.judged_at;
        let accept = |set: &mut TrustedMetadataSet, bytes: &[u8]| {
            set.update_delegated_targets(bytes, &edge.role, &edge.from, judged_at)
                .map(drop)
        };
        let name = format!("{version}.{}.json", encoded(&edge.role));
        if let Some(bytes) = held.get(&name) {
            accept(&mut self.set, bytes).map_err(|error| explain(error, judged_at))?;
            let bytes = bytes.clone();
            self.files.push(MetadataFile { name, bytes });
        } else {
            self.take(&edge.role, version, accept).await?;
        }
        self.edges.insert(edge.role.clone(), edge.clone());
        Ok(())
    }

    /// What signed metadata says of one target; loads the roles on the way, in TUF's order.
    async fn resolve(&mut self, path: &str) -> Result<Option<TargetFacts>, TrustError> {
        let mut open = vec!["targets".to_owned()];
        let mut seen = BTreeSet::new();
        while let Some(role) = open.pop() {
            if !seen.insert(role.clone()) {
                continue;
            }
            let Some(targets) = self.set.targets_role(&role) else {
                continue;
            };
            if let Some(file) = targets.target(path) {
                return facts_of(path, file).map(Some);
            }
            let mut children = Vec::new();
            for child in targets.delegations.iter().flat_map(|it| &it.roles) {
                let matches = child.matches_path(path);
                if matches.map_err(|error| explain(error, self.judged_at))? {
                    children.push(child.name.clone());
                    if child.terminating {
                        open.clear();
                        break;
                    }
                }
            }
            for child in &children {
                if self.pinned(child).is_some() {
                    let edge = Edge {
                        from: role.clone(),
                        role: child.clone(),
                    };
                    self.load(&edge, &BTreeMap::new()).await?;
                }
            }
            open.extend(children.into_iter().rev());
        }
        Ok(None)
    }

    /// Every target that a loaded role lists and may list.
    fn all_targets(&self) -> Result<BTreeMap<String, TargetFacts>, TrustError> {
        let mut all = BTreeMap::new();
        let roles = ["targets"]
            .into_iter()
            .chain(self.edges.keys().map(String::as_str));
        for role in roles {
            let Some(targets) = self.set.targets_role(role) else {
                continue;
            };
            for (path, file) in &targets.targets {
                if self.may_list(role, path)? && !all.contains_key(path) {
                    all.insert(path.clone(), facts_of(path, file)?);
                }
            }
        }
        Ok(all)
    }

    /// Whether every delegation on the way to `role` covers `path`.
    fn may_list(&self, role: &str, path: &str) -> Result<bool, TrustError> {
        let mut role = role;
        while let Some(edge) = self.edges.get(role) {
            let from = self.set.targets_role(&edge.from);
            let delegation = from
                .and_then(|it| it.delegations.as_ref())
                .and_then(|it| it.roles.iter().find(|it| it.name == edge.role));
            let covers = match delegation {
                Some(it) => it
                    .matches_path(path)
                    .map_err(|error| explain(error, self.judged_at))?,
                None => false,
            };
            if !covers {
                return Ok(false);
            }
            role = &edge.from;
        }
        Ok(true)
    }

    fn finish(mut self, targets: BTreeMap<String, TargetFacts>) -> MetadataCopy {
        let expires = self.set.timestamp().map(|it| it.expires);
        self.files.push(MetadataFile {
            name: "timestamp.json".to_owned(),
            bytes: self.timestamp,
        });
        MetadataCopy {
            files: self.files,
            targets,
            expires: expires.unwrap_or(self.judged_at),
            root_version: self.set.root().version,
            root_fingerprint: Digest::of(self.set.root_bytes()),
        }
    }
}

fn facts_of(path: &str, file: &sigstore_tuf::TargetFile) -> Result<TargetFacts, TrustError> {
    let digest = file.hashes.get("sha256").map(|it| Digest::from_hex(it));
    let Some(Ok(digest)) = digest else {
        return Err(TrustError::Malformed {
            problem: format!("target `{path}` has no sha256"),
        });
    };
    Ok(TargetFacts {
        length: file.length,
        digest,
    })
}

/// A role's name as it is spelled in file names.
fn encoded(role: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    role.bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
