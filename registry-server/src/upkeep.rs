//! What an operator does to a registry beside its server: look whether it is whole, take
//! away what nobody needs, copy it elsewhere.
//!
//! | file | noun |
//! | --- | --- |
//! | `fsck` | what is damaged, and what can be mended |
//! | `gc` | files that nothing refers to any more |
//! | `export` | a copy of the static read side |
//! | `object` | objects beside their digests |
//! | `backup` | all of a registry in one file, and back |
//! | `copy` | a database's rows in another database |
//!
//! All of it works while a server runs on the same database and storage, and none of it
//! signs anything: what has to be signed again is left to the server as a job.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use provisioning_package::{ArchiveError, Digest};
use provisioning_registry_api::paths;
use provisioning_trust::{KeySet, Repository, SignError};

use crate::app::Clock;
use crate::db::{Db, DbError};
use crate::read_side::{Subject, render};
use crate::rules::switch::UnknownSwitch;
use crate::setup::SetupError;
use crate::storage::{Listed, Storage, StorageError};

mod backup;
mod copy;
mod export;
mod fsck;
mod gc;
mod keys;
mod object;
mod switches;

pub use backup::{BackedUp, restore};
pub use copy::{CopiedTable, copy_database};
pub use export::Exported;
pub use fsck::{Finding, FindingCode, FsckOptions};
pub use gc::{Collected, GcOptions};
pub use keys::{KeyState, key_states};

/// Where a registry is, for commands that work beside its server.
#[derive(Debug, Clone)]
pub struct Place {
    /// The data folder.
    pub data: PathBuf,
    /// `postgres://…` or `sqlite://…`; an SQLite file in `data` if none.
    pub database: Option<String>,
    /// `s3://bucket/prefix` or a folder; `data/public` if none.
    pub storage: Option<String>,
    /// `AWS_…` variables for `s3://`.
    pub storage_options: Vec<(String, String)>,
}

/// Why upkeep could not be done.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// Nothing was ever served from there.
    #[error(
        "`{}` holds no registry: name its folder with `--data`, or its parts with `--database` \
         and `--storage`",
        .0.display()
    )]
    NoRegistry(PathBuf),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The storage cannot be opened.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The storage failed at an object.
    #[error("the storage failed at `{path}`")]
    Object {
        /// Which object.
        path: String,
        /// What the storage said.
        source: object_store::Error,
    },
    /// The signed metadata cannot be read.
    #[error("the registry's metadata cannot be read")]
    Metadata(#[from] SignError),
    /// A signed file is not there or not what was signed.
    #[error("`{path}` {problem}: run `provisioning-registry fsck`")]
    Damaged {
        /// Which file.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A file of the operator's cannot be used.
    #[error("`{}` cannot be used", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The data folder cannot be made.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The file is no backup, or was changed.
    #[error("the backup cannot be read or written")]
    Backup(#[from] ArchiveError),
    /// The file says nothing of itself.
    #[error("the file is no backup of a registry: it has no `backup.json`")]
    NoBackup,
    /// There is a registry already.
    #[error("`{}` holds a registry already: restore into an empty folder", .0.display())]
    InUse(PathBuf),
    /// The text names no switch.
    #[error(transparent)]
    Switch(#[from] UnknownSwitch),
    /// The reason cannot be told.
    #[error("the reason cannot be used: {0}")]
    Reason(String),
    /// The database to copy into is not empty.
    #[error(
        "the database to copy into holds rows already (table `{table}`): choose an empty one, \
         nothing was copied"
    )]
    NotEmpty {
        /// A table that has rows.
        table: &'static str,
    },
    /// A copied row is not what it was.
    #[error(
        "table `{table}` differs after copying ({from} rows here, {to} there): nothing was kept"
    )]
    CopyDiffers {
        /// The table.
        table: &'static str,
        /// Rows read.
        from: u64,
        /// Rows found afterwards.
        to: u64,
    },
}

/// A registry that is looked after.
#[derive(Debug)]
pub struct Upkeep {
    db: Db,
    storage: Storage,
    clock: Clock,
    /// The private keys at hand, to tell what waits for people.
    keys: KeySet,
}

impl UpkeepError {
    fn at(path: &str, source: object_store::Error) -> Self {
        Self::Object {
            path: path.to_owned(),
            source,
        }
    }
}

impl Upkeep {
    /// Opens a registry that was served before; makes nothing.
    pub async fn open(place: &Place, clock: Clock) -> Result<Self, UpkeepError> {
        let has = |file: &str| place.data.join(file).exists();
        let is_known = (place.database.is_some() || has("registry.sqlite"))
            && (place.storage.is_some() || has("public"));
        if !is_known {
            return Err(UpkeepError::NoRegistry(place.data.clone()));
        }
        Ok(Self {
            db: Db::open(place.database.as_deref(), &place.data).await?,
            storage: open_storage(place, place.storage.as_deref())?,
            clock,
            keys: keys::keys_of(place),
        })
    }

    /// Lets go of the database.
    pub async fn close(self) {
        self.db.close().await;
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The moment `grace` ago in whole seconds, as the database keeps them.
    fn before(&self, grace: SignedDuration) -> Timestamp {
        let then = self.now() - grace;
        Timestamp::from_second(then.as_second()).unwrap_or(then)
    }

    async fn listed(&self, folder: &str) -> Result<Vec<Listed>, UpkeepError> {
        let listing = self.storage.list(folder).try_collect().await;
        listing.map_err(|source| UpkeepError::at(folder, source))
    }

    async fn look(&self, path: &str) -> Result<Option<Listed>, UpkeepError> {
        let found = self.storage.look(path).await;
        found.map_err(|source| UpkeepError::at(path, source))
    }

    async fn read(&self, path: &str) -> Result<Option<Bytes>, UpkeepError> {
        let found = self.storage.read(path).await;
        found.map_err(|source| UpkeepError::at(path, source))
    }

    async fn delete(&self, path: &str) -> Result<(), UpkeepError> {
        let done = self.storage.delete(path).await;
        done.map_err(|source| UpkeepError::at(path, source))
    }

    /// Everything that the database says and the read side shows, but for the scripts, which
    /// only a server knows to write: they name its public URL.
    async fn all_subjects(&self) -> Result<BTreeSet<Subject>, UpkeepError> {
        let names = self.db.package_names().await?;
        let mut subjects = BTreeSet::from([Subject::Matrix, Subject::Bundles]);
        subjects.extend(names.into_iter().map(Subject::Package));
        Ok(subjects)
    }

    /// Writes the targets at `lost` again where the database still gives their very bytes;
    /// says which.
    async fn write_again(
        &self,
        repository: &Repository,
        lost: &BTreeMap<String, Digest>,
    ) -> Result<BTreeSet<String>, UpkeepError> {
        let subjects = self.all_subjects().await?;
        let mut mended = BTreeSet::new();
        for it in render(&self.db, None, repository, &subjects).await? {
            let digest = Digest::of(&it.bytes);
            let path = target_path(&it.path, &digest);
            if lost.get(&path) == Some(&digest) {
                let written = self.storage.put(&path, it.bytes).await;
                written.map_err(|source| UpkeepError::at(&path, source))?;
                mended.insert(path);
            }
        }
        Ok(mended)
    }
}

/// Every target that the metadata lists.
fn signed_targets(repository: &Repository) -> impl Iterator<Item = (String, Digest)> {
    repository.targets().filter_map(|(_, target)| {
        let facts = repository.target(target)?;
        Some((target.to_owned(), facts.digest))
    })
}

/// Where a target's bytes are.
fn target_path(target: &str, digest: &Digest) -> String {
    format!("{}{}", paths::TARGETS, paths::consistent(target, digest))
}

fn open_storage(place: &Place, url: Option<&str>) -> Result<Storage, UpkeepError> {
    Ok(Storage::open(
        url,
        Path::new(&place.data),
        &place.storage_options,
    )?)
}

/// The signed state at rest, with the bytes of every metadata file that it was read from.
struct SignedState {
    repository: Repository,
    metadata: BTreeMap<String, Bytes>,
}

/// Runs file work beside the async threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let done = tokio::task::spawn_blocking(work).await;
    done.expect("file work returns its errors and does not panic")
}

async fn signed_state(storage: &Storage) -> Result<SignedState, UpkeepError> {
    let storage = storage.clone();
    let handle = tokio::runtime::Handle::current();
    let loading = blocking(move || {
        let metadata = Mutex::new(BTreeMap::new());
        let repository = Repository::load(&|name| {
            let path = format!("{}{name}", paths::METADATA);
            let found = handle.block_on(storage.read(&path));
            let found = found.map_err(std::io::Error::other)?;
            if let Some(bytes) = &found {
                let mut metadata = metadata.lock().expect("nobody panics while holding it");
                metadata.insert(name.to_owned(), bytes.clone());
            }
            Ok(found.map(Into::into))
        })?;
        let metadata = metadata
            .into_inner()
            .expect("nobody panics while holding it");
        Ok::<_, SignError>(SignedState {
            repository,
            metadata,
        })
    });
    Ok(loading.await?)
}
