//! The data folder: made on the first start, taken over on every other one.
//!
//! ```text
//! DIR/registry.sqlite     the database, unless `--database`
//! DIR/public/             archives, targets, metadata, unless `--storage`
//! DIR/keys/               signing keys (0600)
//! DIR/admin-token         a token with every right (0600)
//! DIR/staging/            uploads that are not checked yet
//! DIR/server-id           what this server is called among those of one database
//! DIR/serve.lock          held by the running server
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use provisioning_registry_api::token::TokenText;
use provisioning_trust::{KeySet, SignError};

use crate::db::tokens::{NewTokenRow, insert_token};
use crate::db::{Db, DbError};
use crate::random::{random_bytes, random_hex};
use crate::rules::access::{Grant, Scope};
use crate::staging;
use crate::storage::sync_folder;

/// What the token of `DIR/admin-token` is called: on a database that several servers share,
/// with the server's name after it.
const ADMIN_TOKEN_NAME: &str = "admin-token";

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A file or folder of it cannot be used.
    #[error("`{}` cannot be used", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another server has it.
    #[error(
        "another `provisioning-registry serve` uses `{}`: stop it, or choose another folder with \
         `--data`",
        .0.display()
    )]
    InUse(PathBuf),
    /// The signing keys cannot be read or made.
    #[error("the signing keys in `{}` cannot be used", path.display())]
    Keys {
        /// Their folder.
        path: PathBuf,
        /// What is wrong with them.
        source: SignError,
    },
    /// The storage holds signed metadata, and the keys that signed it are not here.
    #[error(
        "the storage holds a signed registry, but its keys are not in `{}`: restore that folder \
         from a backup, or choose the registry's own folder with `--data`",
        .0.display()
    )]
    KeysLost(PathBuf),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// A data folder in use.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    /// Held until the server ends, however it ends.
    _lock: File,
}

impl DataFolder {
    /// Makes what is missing and keeps other servers out.
    pub(crate) fn take(path: &Path) -> Result<Self, SetupError> {
        let path = make_folder(path)?;
        let lock = path.join("serve.lock");
        let file = File::create(&lock).map_err(|source| failed(&lock, source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SetupError::InUse(path)),
            Err(TryLockError::Error(source)) => return Err(failed(&lock, source)),
        }
        let folder = Self { path, _lock: file };
        folder.empty_staging()?;
        Ok(folder)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where uploads land.
    pub(crate) fn staging(&self) -> PathBuf {
        self.path.join("staging")
    }

    fn empty_staging(&self) -> Result<(), SetupError> {
        let staging = self.staging();
        staging::prepare(&staging).map_err(|source| failed(&staging, source))
    }

    /// What this server is called among those that share a database: made at the first start.
    pub(crate) fn server_id(&self) -> Result<String, SetupError> {
        let place = self.path.join("server-id");
        match fs::read_to_string(&place) {
            Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(&place, error));
            }
            Ok(_) | Err(_) => {}
        }
        let id = random_hex::<8>();
        write_secret(&place, &id).map_err(|source| failed(&place, source))?;
        Ok(id)
    }

    /// The signing keys, made where there are none and nothing is signed yet: other keys
    /// than those that the root names would only hide the loss. They are written beside
    /// their place and renamed, so that a killed first start leaves all of them or none.
    pub(crate) fn keys(&self, is_signed: bool) -> Result<KeySet, SetupError> {
        if let Some(keys) = self.own_keys()? {
            return Ok(keys);
        }
        let place = self.path.join("keys");
        let wrap = |source| SetupError::Keys {
            path: place.clone(),
            source,
        };
        if is_signed {
            return Err(SetupError::KeysLost(place));
        }
        let beside = self.path.join(format!("keys.new-{}", random_hex::<4>()));
        let keys = KeySet::generate().map_err(wrap)?;
        keys.save(&beside).map_err(wrap)?;
        fs::rename(&beside, &place).map_err(|source| failed(&place, source))?;
        sync_folder(&self.path).map_err(|source| failed(&self.path, source))?;
        Ok(keys)
    }

    /// The signing keys that are in the folder.
    pub(crate) fn own_keys(&self) -> Result<Option<KeySet>, SetupError> {
        let place = self.path.join("keys");
        if !place.is_dir() {
            return Ok(None);
        }
        let keys = KeySet::load(&place);
        keys.map(Some).map_err(|source| SetupError::Keys {
            path: place,
            source,
        })
    }

    /// The file with a token that may do everything, made where there is none.
    pub(crate) async fn admin_token(&self, db: &Db, now: Timestamp) -> Result<PathBuf, SetupError> {
        let place = self.path.join("admin-token");
        if place.is_file() {
            return Ok(place);
        }
        // A start that was killed half-way, or an operator who removed the file: what it
        // held, or would have held, is good for nothing from now on.
        let name = if db.is_sqlite() {
            ADMIN_TOKEN_NAME.to_owned()
        } else {
            format!("{ADMIN_TOKEN_NAME} {}", self.server_id()?)
        };
        db.revoke_tokens(&name, now).await?;
        let token = make_admin_token(db, &name, now).await?;
        write_secret(&place, token.reveal()).map_err(|source| failed(&place, source))?;
        Ok(place)
    }
}

/// Makes the data folder where it is missing; only its owner may look into it.
pub(crate) fn make_folder(path: &Path) -> Result<PathBuf, SetupError> {
    let wrap = |source| failed(path, source);
    if !path.is_dir() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(path)
            .map_err(wrap)?;
    }
    path.canonicalize().map_err(wrap)
}

/// Makes the operator's own token.
async fn make_admin_token(db: &Db, name: &str, now: Timestamp) -> Result<TokenText, DbError> {
    let token = TokenText::from_random(random_bytes());
    let row = NewTokenRow {
        id: random_hex::<8>(),
        name: name.to_owned(),
        grants: vec![Grant::from(Scope::Admin)],
        expires_at: None,
        user: None,
        bound: None,
    };
    let mut tx = db.write_quietly().await?;
    insert_token(tx.connection(), &row, &token.hash(), now).await?;
    tx.commit().await?;
    Ok(token)
}

fn write_secret(place: &Path, text: &str) -> io::Result<()> {
    let beside = place.with_extension(format!("new-{}", random_hex::<4>()));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    fs::rename(&beside, place)?;
    match place.parent() {
        Some(folder) => sync_folder(folder),
        None => Ok(()),
    }
}

fn failed(path: &Path, source: io::Error) -> SetupError {
    SetupError::File {
        path: path.to_owned(),
        source,
    }
}
