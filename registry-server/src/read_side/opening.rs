//! What a start finds: the state in force, whatever the last run left behind.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock};

use bytes::Bytes;
use jiff::Timestamp;
use provisioning_trust::{KeySet, Repository};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::files::{load, switch_of, write_metadata};
use super::shared;
use super::turn::{self, Turn};
use super::view::{Newest, View};
use super::{ReadSide, TIMESTAMP, while_beating};
use crate::db::Db;
use crate::db::signing::{Shown, SigningRight, SigningRow};
use crate::problem::ServerError;
use crate::server::StartError;
use crate::setup::DataFolder;
use crate::storage::Storage;

/// Where a registry is, and what it is called.
pub(crate) struct Opening<'a> {
    pub(crate) db: &'a Db,
    pub(crate) storage: &'a Storage,
    pub(crate) folder: &'a DataFolder,
    pub(crate) name: String,
    pub(crate) public_url: String,
    pub(crate) now: Timestamp,
}

/// The state in force.
struct Found {
    repository: Repository,
    timestamp: Bytes,
    serial: u64,
    /// Files that are listed may be missing.
    is_suspect: bool,
}

impl Opening<'_> {
    /// Takes over the metadata that is stored, or makes the first. Servers that start at the
    /// same time do so one after the other.
    pub(crate) async fn open(self) -> Result<ReadSide, StartError> {
        let holder = self.folder.server_id()?;
        self.db.release_signing_of(&holder).await?;
        let turn = turn::wait(self.db, &holder, |_| false).await?;
        let (mut right, row) = match turn {
            Turn::Mine(right, row) => (right, row),
            Turn::Shown(_) => unreachable!("nothing that others show is enough"),
        };
        let beating = right.clone();
        let finding = async { Ok(self.find(&mut right, &row).await) };
        let found = while_beating(self.db, &beating, finding)
            .await
            .map_err(StartError::ReadSide)?;
        let (keys, found) = match found {
            Ok(found) => found,
            Err(error) => {
                let _ = self.db.release_signing(&beating).await;
                return Err(error);
            }
        };
        let view = View::new(found.repository, found.timestamp, found.serial);
        Ok(ReadSide {
            keys: RwLock::new(Arc::new(keys)),
            holder,
            name: self.name,
            public_url: self.public_url,
            turn: Mutex::new(()),
            newest: Newest::new(view),
            is_complete: AtomicBool::new(false),
            is_suspect: AtomicBool::new(found.is_suspect),
            is_timestamp_due: AtomicBool::new(false),
        })
    }

    async fn find(
        &self,
        right: &mut SigningRight,
        row: &SigningRow,
    ) -> Result<(KeySet, Found), StartError> {
        // The number that came with the right must not be given out again.
        self.db.flush().await?;
        let stored = self.storage.read(TIMESTAMP).await;
        let stored = stored.map_err(|error| StartError::ReadSide(error.into()))?;
        let is_signed = stored.is_some() || row.shown > 0;
        let shared = shared::read(self.db).await?;
        let keys = match shared.labels().next() {
            Some(_) => self.folder.own_keys()?.unwrap_or_else(|| shared.clone()),
            None => self.folder.keys(is_signed)?,
        };
        let found = self.state(&keys, right, row, stored.as_ref()).await;
        let found = found.map_err(StartError::ReadSide)?;
        let keys = shared::settle(self.db, &found.repository, keys, &shared).await?;
        let shown = Shown {
            version: found.repository.timestamp_version(),
            serial: found.serial,
            timestamp: String::from_utf8_lossy(&found.timestamp).into_owned(),
        };
        let is_mine = self.db.number_signing_after(right, shown.version).await?
            && self.db.show_signed(right, &shown).await?;
        if !is_mine {
            return Err(StartError::ReadSide(ServerError::Failed(
                "another server took the right to sign while this one was starting".to_owned(),
            )));
        }
        if stored.as_ref() != Some(&found.timestamp) {
            let written = self.storage.put(TIMESTAMP, found.timestamp.clone()).await;
            written.map_err(|error| StartError::ReadSide(error.into()))?;
        }
        if self.storage.can_forget() && !found.is_suspect {
            let settled = self.storage.settle().await;
            settled.map_err(|error| StartError::ReadSide(error.into()))?;
            self.db.keep_signed(shown.version, &shown.timestamp).await?;
        }
        Ok((keys, found))
    }

    async fn state(
        &self,
        keys: &KeySet,
        right: &SigningRight,
        row: &SigningRow,
        stored: Option<&Bytes>,
    ) -> Result<Found, ServerError> {
        match stored {
            // The first start, or one that was killed before its timestamp: nobody has seen
            // anything yet.
            None if row.shown == 0 && self.db.serial().await? == 0 => {
                self.create(keys, right).await
            }
            None if row.shown == 0 => Err(elsewhere()),
            // The database is of an older version, or a copy or backup that is older than the
            // files: what the storage shows is in force.
            Some(timestamp) if version_of(timestamp) > row.shown => {
                let repository = load(self.storage, timestamp.clone(), None).await?;
                Ok(Found {
                    repository,
                    timestamp: timestamp.clone(),
                    serial: 0,
                    is_suspect: self.storage.can_forget(),
                })
            }
            _ => self.in_force(row, stored.is_some()).await,
        }
    }

    async fn create(&self, keys: &KeySet, right: &SigningRight) -> Result<Found, ServerError> {
        let (repository, files) = Repository::create_numbered(keys, right.number(), self.now)?;
        let (files, timestamp) = switch_of(files).expect("a new repository has a timestamp");
        write_metadata(self.storage, files).await?;
        self.storage.settle().await?;
        Ok(Found {
            repository,
            timestamp,
            serial: 0,
            is_suspect: false,
        })
    }

    /// What the database says is in force; after a power failure that lost files of it, the
    /// newest state that is whole, from which the rest is made again.
    async fn in_force(&self, row: &SigningRow, is_stored: bool) -> Result<Found, ServerError> {
        let is_suspect = self.storage.can_forget() && row.kept != row.shown;
        let timestamp = Bytes::from(row.timestamp.clone());
        match load(self.storage, timestamp.clone(), None).await {
            Ok(repository) => Ok(Found {
                repository,
                timestamp,
                serial: row.serial,
                is_suspect,
            }),
            Err(_) if !is_stored => Err(elsewhere()),
            Err(error) if is_suspect && row.kept > 0 => {
                tracing::warn!("signed files were lost ({error}): they are made again");
                let timestamp = Bytes::from(row.kept_timestamp.clone());
                let repository = load(self.storage, timestamp.clone(), None).await?;
                Ok(Found {
                    repository,
                    timestamp,
                    serial: 0,
                    is_suspect,
                })
            }
            Err(error) => Err(error),
        }
    }
}

fn elsewhere() -> ServerError {
    ServerError::Failed(
        "the database has packages, but `metadata/timestamp.json` is missing from the storage: \
         is `--storage` right?"
            .to_owned(),
    )
}

/// The version that a timestamp carries; 0 where it cannot be read.
fn version_of(timestamp: &[u8]) -> u64 {
    #[derive(Deserialize)]
    struct Envelope {
        signed: Signed,
    }
    #[derive(Deserialize)]
    struct Signed {
        version: u64,
    }
    serde_json::from_slice::<Envelope>(timestamp).map_or(0, |it| it.signed.version)
}
